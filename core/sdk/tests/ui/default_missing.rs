use gradtop_sdk::Params;

#[derive(Params)]
struct Demo {
    /// Number of steps
    steps: i64,
    #[param(min = 0.0)]
    lr: f64,
}

fn main() {}
