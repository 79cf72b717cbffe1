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
        let mut argv = words(&["gradtop", "exec"]);
        let given = m.params.iter().filter(|(key, _)| command.given.contains(key));
        argv.extend(given.flat_map(|(key, value)| ["--param".to_owned(), format!("{key}={value}")]));
        argv.extend(["--seed".to_owned(), m.seed.to_string()]);
        argv.extend(command.logs.iter().flat_map(|log| [format!("--{}", log.format), log.path.clone()]));
        if !m.device.is_empty() {
            argv.extend(["--device".to_owned(), m.device.clone()]);
        }
        argv.extend(m.experiment.resumable.then(|| "--resumable".to_owned()));
        argv.push("--".to_owned());
        argv.extend(
            if command.template.is_empty() { &command.argv } else { &command.template }.iter().cloned(),
        );
        argv
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
