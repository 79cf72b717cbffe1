use gradtop_sdk::Params;

#[derive(Params)]
struct Demo {
    #[param(default = 1, min = 2, max = 1)]
    reversed: i64,
    #[param(default = 1.0, min = 1.0, max = 1.0, max_excluded)]
    empty: f64,
    #[param(default = 1.0, min_excluded)]
    excluded_without_min: f64,
    #[param(default = true, min = 0)]
    range_of_bool: bool,
    #[param(default = 1, min = 0.5)]
    fraction: i64,
    #[param(default = 1, max = 9007199254740993)]
    inexact: i64,
    #[param(default = 1.0, log)]
    log_without_min: f64,
    #[param(default = 1.0, min = -1.0, log)]
    log_below_zero: f64,
}

fn main() {}
