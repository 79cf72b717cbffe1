//! Its own tests find libtorch by run path.

fn main() {
    gradtop_sdk_build::libtorch();
}
