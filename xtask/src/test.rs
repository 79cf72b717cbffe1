//! `cargo xtask test`: everything that must hold before a change is proposed.
//!
//! It uses one profile and one selection of packages, so that torch-sys's C++ and arrow compile once. The program, the plugins
//! and the fixtures are built before the tests run, and their paths are passed to the end-to-end tests.

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::workspace::{Workspace, cache_dir, succeed};
use crate::{pip, setup};

/// What reads logs in the tests.
const READERS: [&str; 4] = ["duckdb==2.0.0", "pandas==3.1.1", "polars==2.1.0", "pyarrow==26.0.1"];
/// The seed of property tests.
const SEED: &str = "PROPTEST_RNG_SEED";

/// Runs all stages, or only the tests that match a filter.
pub(crate) fn test(workspace: &Workspace, filters: &[String]) -> Result<ExitCode> {
    let mut stages = Stages::default();
    let readers = stages.must("set-up", || {
        setup::ensure(workspace)?;
        let what = "DuckDB, pandas, Polars and pyarrow for the tests (about 170 MB)";
        pip::ensure(&cache_dir()?, "readers", &READERS, what)
    })?;
    let everything = ["--release", "--workspace", "--all-targets"];
    stages.must("build", || succeed(workspace.cargo().arg("build").args(everything)))?;
    let duckdb = stages.must("DuckDB", || setup::duckdb(workspace))?;
    if filters.is_empty() {
        stages.run("format", || succeed(workspace.cargo().args(["fmt", "--all", "--check"])));
        stages.run("lints", || {
            succeed(workspace.cargo().arg("clippy").args(everything).args(["--", "-D", "warnings"]))
        });
        stages.run("docs", || {
            let mut cargo = workspace.cargo();
            cargo.args(["doc", "--release", "--workspace", "--no-deps", "--document-private-items"]);
            succeed(cargo.env("RUSTDOCFLAGS", "-D warnings"))
        });
        // A test covers licences; this checks bans and sources, too.
        if deny_installed(workspace) {
            stages.run("cargo-deny", || {
                succeed(workspace.cargo().args(["deny", "check", "bans", "licenses", "sources"]))
            });
        }
    }
    stages.run("tests", || {
        let mut cargo = workspace.cargo();
        cargo.args(["test", "--release", "--workspace", "--no-fail-fast"]);
        cargo.env("GRADTOP_TEST_BIN", workspace.program());
        cargo.env("GRADTOP_TEST_PLUGINS", &workspace.release);
        cargo.env("GRADTOP_TEST_READERS", &readers);
        cargo.env("GRADTOP_TEST_DUCKDB", &duckdb);
        // A new seed each time, printed so that failures can be reproduced.
        let seed = std::env::var(SEED).unwrap_or_else(|_| std::process::id().to_string());
        eprintln!("property tests: {SEED}={seed}");
        cargo.env(SEED, seed);
        if !filters.is_empty() {
            cargo.arg("--").args(filters);
        }
        succeed(&mut cargo)
    });
    Ok(stages.report())
}

fn deny_installed(workspace: &Workspace) -> bool {
    let mut cargo: Command = workspace.cargo();
    cargo.args(["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    cargo.status().is_ok_and(|status| status.success())
}

/// The stages, with their results and durations.
#[derive(Default)]
struct Stages {
    done: Vec<(&'static str, Result<()>, Duration)>,
}

impl Stages {
    /// Runs a stage that the others depend on.
    fn must<T>(&mut self, name: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("== {name}");
        let start = Instant::now();
        let result = work();
        self.done.push((name, Ok(()), start.elapsed()));
        result
    }

    /// Runs a stage whose failure is reported after the others have run.
    fn run(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) {
        eprintln!("== {name}");
        let start = Instant::now();
        let outcome = work();
        self.done.push((name, outcome, start.elapsed()));
    }

    fn failed(&self) -> bool {
        self.done.iter().any(|(_, outcome, _)| outcome.is_err())
    }

    fn report(&self) -> ExitCode {
        eprintln!();
        for (name, outcome, took) in &self.done {
            let text = match outcome {
                Ok(()) => "passed".to_owned(),
                Err(reason) => format!("FAILED: {reason:#}"),
            };
            eprintln!("{name:<10} {:>6.1} s  {text}", took.as_secs_f64());
        }
        if self.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn one_failure_fails_the_whole_and_stops_nothing() {
        let mut stages = Stages::default();
        stages.run("a", || bail!("broken"));
        let mut ran = false;
        stages.run("b", || {
            ran = true;
            Ok(())
        });
        assert!(ran && stages.failed());
        assert_eq!(stages.done.len(), 2);
    }

    #[test]
    fn a_needed_stage_stops() {
        let mut stages = Stages::default();
        assert!(stages.must("d", || -> Result<()> { bail!("no") }).is_err());
    }
}
