//! What plugins build on, as part of this program.

/// Paths in `vendor/gradtop/`, which are those under a folder of this checkout, and texts. A test compares the list with the
/// files that are there.
macro_rules! embed {
    ($folder:literal: $($path:literal),+ ; $($manifest:literal = $from:literal),+ $(,)?) => {
        &[
            $(($manifest, include_str!(concat!("template/vendor/", $from)))),+ ,
            $(($path, include_str!(concat!("../../../", $folder, "/", $path)))),+
        ]
    };
}

/// The SDK: sources as they are in this checkout, and manifests that inherit nothing from a workspace.
pub(super) const SDK: &[(&str, &str)] = embed![
    "core":
    "abi/include/gradtop.h",
    "abi/include/gradtop.hpp",
    "abi/src/lib.rs",
    "abi/src/text.rs",
    "sdk/build/src/lib.rs",
    "sdk/derive/src/attributes.rs",
    "sdk/derive/src/choice.rs",
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
    "sdk/src/figure.rs",
    "sdk/src/info.rs",
    "sdk/src/lib.rs",
    "sdk/src/params.rs",
    "sdk/src/series.rs",
    "sdk/src/steps.rs",
    "sdk/src/table.rs",
    "sdk/src/testing/borrowed.rs",
    "sdk/src/testing/drive.rs",
    "sdk/src/testing/expect.rs",
    "sdk/src/testing/interrupted.rs",
    "sdk/src/testing/mod.rs",
    "sdk/src/testing/record.rs",
    "sdk/src/testing/vtable.rs";
    "abi/Cargo.toml" = "abi.toml",
    "sdk/Cargo.toml" = "sdk.toml",
    "sdk/build/Cargo.toml" = "build.toml",
    "sdk/derive/Cargo.toml" = "derive.toml",
];

/// What plugins on libtorch have besides.
pub(super) const TORCH: &[(&str, &str)] = embed![
    "plugins":
    "torch/src/lib.rs",
    "torch/src/optim.rs",
    "torch/src/raw.rs",
    "torch/src/var_optimizer.rs";
    "torch/Cargo.toml" = "torch.toml",
];
