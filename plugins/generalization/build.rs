//! Exports one symbol only and finds libtorch by run path.

fn main() {
    gradtop_sdk_build::plugin();
    gradtop_sdk_build::libtorch();
}
