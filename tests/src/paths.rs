//! Paths of the program and plugins under test, built by `cargo xtask test` and passed in the environment.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

/// The `gradtop` binary.
pub fn gradtop() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| fresh(named("GRADTOP_TEST_BIN")))
}

/// A fixture of `tests/examples`, such as `misbehave`.
pub fn fixture(name: &str) -> PathBuf {
    fresh(named("GRADTOP_TEST_PLUGINS").join("examples").join(format!("lib{name}.so")))
}

/// A plugin of `plugins/`, such as `deep_vs_shallow`.
pub fn plugin(name: &str) -> PathBuf {
    fresh(named("GRADTOP_TEST_PLUGINS").join(format!("lib{name}.so")))
}

/// The plan and report of the study of all our plugins.
pub fn study() -> [PathBuf; 2] {
    ["theory.plan.toml", "theory.report.toml"].map(|name| checkout().join("plugins").join(name))
}

/// The folder with duckdb, polars and pyarrow.
pub fn readers() -> PathBuf {
    named("GRADTOP_TEST_READERS")
}

/// DuckDB's command-line program, if installed for the tests.
pub fn duckdb() -> Option<PathBuf> {
    std::env::var_os("GRADTOP_TEST_DUCKDB").map(|_| named("GRADTOP_TEST_DUCKDB"))
}

/// The root of the checkout.
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn named(variable: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) => {
            let path = PathBuf::from(path);
            assert!(
                path.exists(),
                "{variable} names {}, which is not there: run through cargo xtask test",
                path.display()
            );
            path
        }
        None => panic!("{variable} is not set: run through cargo xtask test"),
    }
}

/// Returns the file, unless one of its sources is newer. Cargo lists them next to it.
fn fresh(file: PathBuf) -> PathBuf {
    assert!(file.is_file(), "{} is not there: run through cargo xtask test", file.display());
    let list = file.with_extension("d");
    let list = std::fs::read_to_string(&list)
        .unwrap_or_else(|e| panic!("{}: {e}: run through cargo xtask test", list.display()));
    let modified = |path: &Path| path.metadata().and_then(|m| m.modified());
    let built = modified(&file).unwrap();
    // Each line is `file: source source …`; blanks in names are escaped.
    let sources =
        list.lines().filter_map(|line| line.split_once(": ")).flat_map(|(_, sources)| sources.split(' '));
    for source in sources {
        let newer = modified(Path::new(source)).unwrap_or(SystemTime::UNIX_EPOCH) > built;
        assert!(!newer, "{} is older than {source}: run through cargo xtask test", file.display());
    }
    file
}
