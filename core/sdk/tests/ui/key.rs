use gradtop_sdk::Params;

#[derive(Params)]
struct Demo {
    #[param(default = 1, key = "Steps")]
    upper: i64,
    #[param(default = 1)]
    one: i64,
    #[param(default = 1, key = "one")]
    another: i64,
}

fn main() {}
