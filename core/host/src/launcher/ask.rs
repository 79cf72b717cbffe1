//! Calls Slurm's command-line programs.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::process::Command;
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};

use crate::machine::child::run_child;
use crate::machine::signals::how_it_ended;

/// Time limit; the programs retry for a while if the controller is down.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs a program and returns its standard output.
///
/// # Errors
/// The program does not exist, did not answer in time, or refused, with its message.
pub(crate) fn ask(program: &str, args: &[&str]) -> Result<Vec<u8>, String> {
    let mut command = Command::new(program);
    command.args(args);
    Ok(answer(program, command, None)?.0)
}

/// Runs a command with `input` and returns its standard output and standard error.
///
/// # Errors
/// See [`ask`].
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
    let child = run_child(command, input.as_ref(), LIMIT, false).map_err(failed)?;
    match child.status {
        Some(status) if status.success() => Ok((child.answer, child.output)),
        Some(status) => Err(refusal(program, &child.output, &how_it_ended(status))),
        None => Err(format!("{program} had no answer within {} s", LIMIT.as_secs())),
    }
}

/// Returns a file that contains a text.
fn file_of(text: &str) -> std::io::Result<File> {
    let mut file = File::from(memfd_create("gradtop", MemfdFlags::CLOEXEC)?);
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

/// Returns a program's error message, or how it ended if there is none.
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
