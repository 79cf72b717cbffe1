//! Lets this crate's own tests find libtorch by run path.

fn main() {
    gradtop_sdk_build::libtorch();
}
