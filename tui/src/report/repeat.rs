//! The command that starts a run again.

use gradtop_store::{View, shell_words};

use crate::print::clean;

/// With every parameter, so that presets which change later change nothing; `None` of runs that other tools logged.
pub(crate) fn command(view: &View) -> Option<String> {
    let m = &view.manifest;
    if m.import.is_some() {
        return None;
    }
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let argv = if let Some(command) = &m.command {
        [words(&["gradtop", "exec", "--"]), command.argv.clone()].concat()
    } else {
        let mut argv = words(&["gradtop", "run", m.experiment.plugin_id()]);
        argv.extend(m.params.iter().flat_map(|(key, value)| ["--set".to_owned(), format!("{key}={value}")]));
        argv.extend(["--seed".to_owned(), m.seed.to_string(), "--device".to_owned(), m.device.clone()]);
        if m.threads > 0 {
            argv.extend(["--threads".to_owned(), m.threads.to_string()]);
        }
        argv
    };
    let dir = m.command.as_ref().map(|command| command.dir.clone()).filter(|dir| !dir.is_empty());
    let dir = dir.map(|dir| format!("cd {} && ", shell_words(&[dir])));
    Some(clean(&format!("{}{}", dir.unwrap_or_default(), shell_words(&argv))))
}
