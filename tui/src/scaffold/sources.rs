//! The SDK as part of this program.

/// Paths under `core/` and texts. A test compares the list with the files that are there.
macro_rules! embed {
    ($($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../../core/", $path)))),+]
    };
}

/// Sources, as they are in this checkout.
pub(super) const SOURCES: &[(&str, &str)] = embed![
    "abi/include/gradtop.h",
    "abi/src/lib.rs",
    "sdk/build/src/lib.rs",
    "sdk/derive/src/attributes.rs",
    "sdk/derive/src/expand.rs",
    "sdk/derive/src/lib.rs",
    "sdk/src/boundary/descriptor.rs",
    "sdk/src/boundary/entry.rs",
    "sdk/src/boundary/guard.rs",
    "sdk/src/boundary/host.rs",
    "sdk/src/boundary/mod.rs",
    "sdk/src/ctx.rs",
    "sdk/src/error.rs",
    "sdk/src/export.rs",
    "sdk/src/info.rs",
    "sdk/src/lib.rs",
    "sdk/src/params.rs",
    "sdk/src/table.rs",
    "sdk/src/testing/drive.rs",
    "sdk/src/testing/expect.rs",
    "sdk/src/testing/interrupted.rs",
    "sdk/src/testing/mod.rs",
    "sdk/src/testing/record.rs",
    "sdk/src/testing/vtable.rs",
];

/// Manifests that inherit nothing from a workspace.
pub(super) const MANIFESTS: &[(&str, &str)] = &[
    ("abi/Cargo.toml", include_str!("template/vendor/abi.toml")),
    ("sdk/Cargo.toml", include_str!("template/vendor/sdk.toml")),
    ("sdk/build/Cargo.toml", include_str!("template/vendor/build.toml")),
    ("sdk/derive/Cargo.toml", include_str!("template/vendor/derive.toml")),
];
