struct Demo;

gradtop_sdk::export_experiments![Demo];

fn main() {}
