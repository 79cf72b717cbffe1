gradtop_sdk::export_experiments![];

fn main() {}
