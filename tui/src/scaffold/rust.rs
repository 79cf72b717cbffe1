//! Generates a Rust plugin: a crate with the SDK's sources, manifests that need no workspace, and a lock file with the versions
//! that are tested here.

use std::path::Path;

use anyhow::Result;

use super::{File, Kind, lock, sources};
use crate::failure::Failure;

const MANIFEST: &str = include_str!("template/Cargo.toml.in");
const README: &str = include_str!("template/README.md.in");
const GITIGNORE: &str = include_str!("template/gitignore");
/// New code is formatted like the SDK.
const RUSTFMT: &str = include_str!("../../../rustfmt.toml");

/// The differences between a plain plugin and one with libtorch.
pub(super) struct Flavour {
    pub(super) dependencies: &'static str,
    profile: &'static str,
    build: &'static str,
    experiment: &'static str,
    pub(super) lock: &'static str,
    readme_how: &'static str,
    readme_note: &'static str,
}

pub(super) const PLAIN: Flavour = Flavour {
    dependencies: "",
    profile: "",
    build: include_str!("template/build_plain.rs.in"),
    experiment: include_str!("template/lib_plain.rs.in"),
    lock: include_str!("template/plain.lock"),
    readme_how: "",
    readme_note: "",
};

pub(super) const TORCH: Flavour = Flavour {
    // tch's version must match this checkout's libtorch.
    dependencies: "gradtop-torch = { path = \"vendor/gradtop/torch\" }\ntch = \"=0.24.0\"\n",
    profile: "\n# One enormous generated C++ file of thin wrappers: half the time to compile.\n\
              [profile.release.package.torch-sys]\nopt-level = 1\n",
    build: include_str!("template/build_torch.rs.in"),
    experiment: include_str!("template/lib_torch.rs.in"),
    lock: include_str!("template/torch.lock"),
    readme_how: ", with LIBTORCH set to the libtorch that gradtop uses",
    readme_note: "With plain cargo, set `LIBTORCH` to a libtorch 2.11.0 first: a folder whose `lib/` holds `libtorch_cpu.so`,\n\
                  as an unpacked libtorch or the `torch` folder of PyTorch 2.11.0.\n\n",
};

/// All files of a new crate.
pub(super) fn files(name: &str, kind: Kind) -> Result<Vec<File>> {
    let flavour = if kind.torch { &TORCH } else { &PLAIN };
    let fill = |template: &str| {
        template
            .replace("{name}", name)
            .replace("{id}", name)
            .replace("{lib}", &super::library(name))
            .replace("{dependencies}\n", flavour.dependencies)
            .replace("{profile}\n", flavour.profile)
            .replace("{torch_how}", flavour.readme_how)
            .replace("{torch_note}", flavour.readme_note)
    };
    let mut files = vec![
        ("Cargo.toml".into(), fill(MANIFEST)),
        ("Cargo.lock".into(), lock::rename(flavour.lock, name)?),
        ("build.rs".into(), flavour.build.into()),
        ("README.md".into(), fill(README)),
        (".gitignore".into(), GITIGNORE.into()),
        ("rustfmt.toml".into(), RUSTFMT.into()),
        ("src/lib.rs".into(), fill(flavour.experiment)),
    ];
    let torch = if kind.torch { sources::TORCH } else { &[] };
    for (path, text) in sources::SDK.iter().chain(torch) {
        files.push((Path::new("vendor/gradtop").join(path), (*text).into()));
    }
    Ok(files)
}

/// Checks that a crate can have this name.
pub(super) fn validate_name(name: &str) -> Result<()> {
    let why = if KEYWORDS.split(' ').any(|word| word == name) {
        "it is a reserved word in Rust"
    } else if [PLAIN.lock, TORCH.lock].iter().any(|lock| lock::contains(lock, name)) {
        "one of its dependencies has that name"
    } else {
        return Ok(());
    };
    Err(Failure::usage(format!("`{name}` cannot name a plugin in Rust: {why}"))
        .help("choose another name")
        .into())
}

/// Names that cargo rejects: keywords, crates of the compiler, folders of cargo.
const KEYWORDS: &str = "\
    abstract alloc as async await become box break build const continue core crate deps do dyn else \
    enum examples extern false final fn for gen if impl in incremental let loop macro match mod move \
    mut override priv pub ref return self static std struct super test trait true try type typeof \
    unsafe unsized use virtual where while";
