//! The embedded sources that plugins build on.

/// Embeds files of this checkout under their paths in `vendor/gradtop/`. A test compares the list with the files that exist.
macro_rules! embed {
    ($folder:literal: $($path:literal),+ ; $($manifest:literal = $from:literal),+ $(,)?) => {
        &[
            $(($manifest, include_str!(concat!("template/vendor/", $from)))),+ ,
            $(($path, include_str!(concat!("../../../", $folder, "/", $path)))),+
        ]
    };
}

/// The SDK: its sources, and manifests that inherit nothing from a workspace.
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

/// Additional files for plugins with libtorch.
pub(super) const TORCH: &[(&str, &str)] = embed![
    "plugins":
    "torch/src/lib.rs",
    "torch/src/optim.rs",
    "torch/src/raw.rs",
    "torch/src/var_optimizer.rs";
    "torch/Cargo.toml" = "torch.toml",
];
