use gradtop_sdk::Params;

#[derive(Params)]
struct Demo {
    #[param(default = 1)]
    reference: &'static str,
    #[param(default = 1)]
    list: Option<i64>,
    #[param(flatten, default = 1)]
    group: Generic<i64>,
}

#[derive(Params)]
struct Tuple(i64);

#[derive(Params)]
enum Either {
    A,
    B,
}

#[derive(Params)]
struct Generic<T> {
    #[param(default = 1)]
    value: T,
}

fn main() {}
