//! Slurm's own programs, asked for something.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::process::Command;
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};

use crate::machine::child::run_child;
use crate::machine::signals::how_it_ended;

/// How long one may take; where the controller is down they try for a while.
const LIMIT: Duration = Duration::from_secs(30);

/// What a program said.
///
/// # Errors
/// There is no such program, it had no answer in time, or it refused; in its own words.
pub(crate) fn ask(program: &str, args: &[&str]) -> Result<Vec<u8>, String> {
    let mut command = Command::new(program);
    command.args(args);
    Ok(answer(program, command, None)?.0)
}

/// What a command that reads `input` said, on standard output and standard error.
///
/// # Errors
/// As [`ask`].
pub(crate) fn answer(
    program: &str,
    command: Command,
    input: Option<&str>,
) -> Result<(Vec<u8>, Vec<u8>), String> {
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => format!("there is no program {program} on this machine"),
        _ => format!("{program} cannot be started: {e}"),
    };
    let input = input.map(file_of).transpose().map_err(failed)?;
    let child = run_child(command, input.as_ref(), LIMIT).map_err(failed)?;
    match child.status {
        Some(status) if status.success() => Ok((child.answer, child.output)),
        Some(status) => Err(refusal(program, &child.output, &how_it_ended(status))),
        None => Err(format!("{program} had no answer within {} s", LIMIT.as_secs())),
    }
}

/// A text as a file that is read from its start.
fn file_of(text: &str) -> std::io::Result<File> {
    let mut file = File::from(memfd_create("gradtop", MemfdFlags::CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

/// What a program wrote of its refusal, or how it ended.
fn refusal(program: &str, output: &[u8], ended: &str) -> String {
    let text = String::from_utf8_lossy(output);
    if text.contains("Could not establish a configuration source") {
        return "Slurm is installed but not set up on this machine: there is no slurm.conf".to_owned();
    }
    let lines: Vec<String> = text.lines().map(|line| crate::text::clean(line.trim())).collect();
    let said = lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    if said.is_empty() { format!("{program} ended with {ended}") } else { said }
}

#[cfg(test)]
mod tests {
    use super::refusal;

    #[test]
    fn slurm_without_settings_is_named_as_that() {
        // As sbatch 22.05 says it.
        let said = b"sbatch: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\n\
            sbatch: error: fetch_config: DNS SRV lookup failed\n\
            sbatch: error: _establish_config_source: failed to fetch config\n\
            sbatch: fatal: Could not establish a configuration source\n";
        assert!(refusal("sbatch", said, "exit code 1").contains("not set up on this machine"));
        let other = b"sbatch: error: Invalid qos specification\n\n";
        assert_eq!(refusal("sbatch", other, "exit code 1"), "sbatch: error: Invalid qos specification");
        assert_eq!(refusal("sbatch", b"\n", "exit code 1"), "sbatch ended with exit code 1");
    }
}
