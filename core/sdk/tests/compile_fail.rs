//! Mistakes in the macros' input give errors that say what to write instead.

#[test]
fn mistakes_read_well() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
