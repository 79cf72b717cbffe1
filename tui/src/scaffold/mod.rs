//! `gradtop plugin new`: writes a crate that builds and runs as it stands, wherever it is put.
//!
//! The SDK's sources are part of this program and are written beside the new crate's own, with manifests that
//! need no workspace around them. The lock files are those of this checkout, so a new plugin builds with the
//! versions that are tested here.

mod lock;
mod sources;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

const MANIFEST: &str = include_str!("template/Cargo.toml.in");
const README: &str = include_str!("template/README.md.in");
const GITIGNORE: &str = include_str!("template/gitignore");
/// New code is formatted as the SDK's.
const RUSTFMT: &str = include_str!("../../../rustfmt.toml");
const FIGURES: &str = include_str!("template/figures.toml");

/// tch's version: it must be the one that fits the libtorch of this checkout.
const TCH: &str = "tch = \"=0.24.0\"\n";

const LONGEST_NAME: usize = 40;

/// What differs between a plain plugin and one on libtorch.
struct Flavour {
    tch: &'static str,
    build: &'static str,
    experiment: &'static str,
    lock: &'static str,
    readme_how: &'static str,
    readme_note: &'static str,
}

const PLAIN: Flavour = Flavour {
    tch: "",
    build: include_str!("template/build_plain.rs.in"),
    experiment: include_str!("template/lib_plain.rs.in"),
    lock: include_str!("template/plain.lock"),
    readme_how: "",
    readme_note: "",
};

const TORCH: Flavour = Flavour {
    tch: TCH,
    build: include_str!("template/build_torch.rs.in"),
    experiment: include_str!("template/lib_torch.rs.in"),
    lock: include_str!("template/torch.lock"),
    readme_how: ", with LIBTORCH set to the libtorch that gradtop uses",
    readme_note: "With plain cargo, set `LIBTORCH` to a libtorch 2.11.0 first: a folder whose `lib/` holds `libtorch_cpu.so`,\n\
                  as an unpacked libtorch or the `torch` folder of PyTorch 2.11.0.\n\n",
};

/// Makes a plugin crate at `path`, whose last component is its name; `torch` makes it train with libtorch.
/// Returns the folder.
///
/// # Errors
/// The name is not one ([`validate_name`]), something is there already, or writing failed; in the last case
/// what was written is removed.
pub(crate) fn create(path: &Path, torch: bool) -> Result<PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    validate_name(name)?;
    if fs::symlink_metadata(path).is_ok() {
        bail!("{} exists already: choose another name, or remove it", path.display());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    }
    let files = files(name, if torch { &TORCH } else { &PLAIN })?;
    let written = write_all(path, &files);
    if written.is_err() {
        // The first error is the one to report.
        fs::remove_dir_all(path).ok();
    }
    written?;
    fs::canonicalize(path).with_context(|| format!("finding {}", path.display()))
}

/// Whether a plugin can have this name: it becomes the crate's, the library's and the experiment's.
pub(crate) fn validate_name(name: &str) -> Result<()> {
    let letters = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !letters || name.ends_with('-') || name.contains("--") || name.len() > LONGEST_NAME {
        bail!(
            "`{name}` cannot name a plugin: a lower-case letter, then lower-case letters, digits and single `-`, \
             at most {LONGEST_NAME}"
        );
    }
    if KEYWORDS.contains(&name) {
        bail!("`{name}` cannot name a plugin: Rust has that word for itself");
    }
    if [PLAIN.lock, TORCH.lock].iter().any(|lock| lock::contains(lock, name)) {
        bail!("`{name}` cannot name a plugin: one of its dependencies has that name");
    }
    Ok(())
}

/// Words that cannot be a crate's name: keywords, crates of the compiler, folders of cargo.
const KEYWORDS: [&str; 58] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
];

/// Every file of a new plugin: path within its folder, and text.
fn files(name: &str, flavour: &Flavour) -> Result<Vec<(PathBuf, String)>> {
    let library = name.replace('-', "_");
    let fill = |template: &str| {
        template
            .replace("{name}", name)
            .replace("{id}", name)
            .replace("{lib}", &library)
            .replace("{tch}\n", flavour.tch)
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
        ("src/figures.toml".into(), FIGURES.into()),
    ];
    let vendor = Path::new("vendor/gradtop");
    for (path, text) in sources::MANIFESTS.iter().chain(sources::SOURCES) {
        files.push((vendor.join(path), (*text).into()));
    }
    Ok(files)
}

fn write_all(root: &Path, files: &[(PathBuf, String)]) -> Result<()> {
    for (path, text) in files {
        let path = root.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        }
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
