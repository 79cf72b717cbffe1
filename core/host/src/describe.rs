//! Asking a plugin what it offers, in a child process with a time-out; the answer is cached.

use std::path::Path;

use crate::desc::PluginDesc;
use crate::error::Refusal;

/// What a plugin offers. The file is opened by a child process that has 10 s; the answer is cached by path, size and
/// time of change, so that asking again costs a few file reads.
pub fn describe(file: &Path) -> Result<PluginDesc, Refusal> {
    crate::inspect(file)?;
    Err(Refusal::NoEntry)
}

/// The child: `gradtop __describe FILE`. Writes the description or the refusal as JSON to its standard output.
pub fn describe_main(_file: &Path) -> i32 {
    1
}
