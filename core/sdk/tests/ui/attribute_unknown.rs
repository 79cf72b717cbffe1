use gradtop_sdk::Params;

#[derive(Params)]
struct Demo {
    #[param(default = 1, minimum = 0)]
    steps: i64,
    #[param(default = 1, min = 0, min = 1)]
    twice: i64,
}

fn main() {}
