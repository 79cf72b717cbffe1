//! `cargo xtask soak`: what takes too long for every test run, from the outside of the real program.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::setup;
use crate::workspace::{Workspace, succeed};

/// Names, each the bench of that name in `tests/`, and what they do.
const KNOWN: [(&str, &str); 1] =
    [("fuzz", "damaged run folders looked at by every command: --mutations N, --seed S")];

/// Runs one of them, with the arguments that follow its name.
pub(crate) fn soak(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    let Some((name, rest)) = args.split_first() else {
        for (name, what) in KNOWN {
            println!("cargo xtask soak {name:<8} {what}");
        }
        return Ok(ExitCode::SUCCESS);
    };
    if !KNOWN.iter().any(|(known, _)| known == name) {
        bail!("unknown soak `{name}`; there are: {}", KNOWN.map(|(known, _)| known).join(", "));
    }
    setup::ensure(workspace)?;
    // The program and the plugins of the tests, as `cargo xtask test` builds them.
    succeed(workspace.cargo().args(["build", "--release", "--workspace", "--all-targets"]))?;
    let mut bench = workspace.cargo();
    bench.args(["bench", "--workspace", "--bench", name, "--"]).args(rest);
    bench.env("GRADTOP_TEST_BIN", workspace.program());
    bench.env("GRADTOP_TEST_PLUGINS", &workspace.release);
    succeed(&mut bench)?;
    Ok(ExitCode::SUCCESS)
}
