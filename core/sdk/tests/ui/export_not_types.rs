gradtop_sdk::export_experiments!["demo"];

fn main() {}
