use gradtop_sdk::Params;

const STEPS: i64 = 5;

#[derive(Params)]
struct Demo {
    #[param(default = 1.5)]
    float_for_integer: i64,
    #[param(default = STEPS)]
    constant: i64,
    #[param(default = "0.1")]
    text_for_float: f64,
    #[param(default = 1)]
    number_for_bool: bool,
    #[param(default = 1)]
    number_for_text: String,
    #[param(default = 0, min = 1)]
    below: i64,
    #[param(default = 0.0, min = 0.0, min_excluded)]
    excluded: f64,
    #[param(default = 5, max = 4)]
    above: i64,
}

fn main() {}
