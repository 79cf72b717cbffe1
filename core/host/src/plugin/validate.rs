//! Lets an experiment validate its parameters before a run is created: only the experiment knows, for example, whether
//! an expression parses. Runs in a child process with a time-out, like describing.

#![allow(unsafe_code, reason = "calls the plugin")]

use std::ffi::CString;
use std::path::Path;
use std::time::Duration;

use gradtop_abi::{self as abi, Kv};
use gradtop_store::ParamValue;

use crate::machine::child::{Child, answer_and_leave, run_child};
use crate::machine::last_words::last_words;
use crate::machine::program;
use crate::machine::signals::how_it_ended;
use crate::plugin::describe::{open_stdin, time_out};
use crate::plugin::file::PluginFile;
use crate::plugin::guard::{self, c_string};

/// An experiment's judgement of its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validation {
    /// It accepts them, or does not validate parameters.
    Accepted,
    /// It refuses them for this reason.
    Refused(String),
    /// It did not answer, as in "it died by SIGSEGV".
    Broken(String),
}

/// Values of parameters, as in [`crate::Launch`].
pub(crate) type Params = [(String, ParamValue)];

/// Number of sets of parameters per child, limited by the length of its command line.
const MOST: usize = 256;

/// Asks an experiment about all its parameters, including defaults and presets.
pub fn validate(plugin: &Path, experiment: &str, params: &Params) -> Validation {
    match PluginFile::open(plugin) {
        Ok(plugin) => ask_child(&plugin, experiment, &[params]).remove(0),
        Err(refusal) => Validation::Broken(refusal.to_string()),
    }
}

/// Asks an experiment about several sets of parameters, in as few processes as possible.
pub(crate) fn validate_each(
    plugin: &PluginFile,
    experiment: &str,
    sets: &[&Params],
) -> impl Iterator<Item = Validation> {
    let mut rest = sets;
    let asked = std::iter::from_fn(move || {
        let next = rest.chunks(MOST).next()?;
        let answers = ask_child(plugin, experiment, next);
        rest = &rest[answers.len()..];
        Some(answers)
    });
    asked.flatten()
}

/// Returns the answers that a child gives before it ends, at least one.
fn ask_child(plugin: &PluginFile, experiment: &str, sets: &[&Params]) -> Vec<Validation> {
    let mut command = program::command();
    command.arg("__validate").arg(plugin.path()).arg(experiment);
    for (n, set) in sets.iter().enumerate() {
        command.args((n > 0).then_some(""));
        command.args(set.iter().map(|(key, value)| format!("{key}={value}")));
    }
    let limit = time_out();
    let child = match run_child(command, Some(plugin.file()), limit, true) {
        Ok(child) => child,
        // Perhaps too long for one command line.
        Err(_) if sets.len() > 1 => return ask_child(plugin, experiment, &sets[..1]),
        Err(e) => return vec![Validation::Broken(format!("cannot be asked: {e}"))],
    };
    answers(&child, sets.len(), limit)
}

/// Interprets a child's answers to the first of `asked` sets. A set at which it hangs is reported as broken. A set at
/// which it dies will be the first of the next child, and is reported only if that one gives no answer either.
fn answers(child: &Child, asked: usize, limit: Duration) -> Vec<Validation> {
    let answers = serde_json::Deserializer::from_slice(&child.answer).into_iter::<Option<String>>();
    let judged = |why: Option<String>| why.map_or(Validation::Accepted, Validation::Refused);
    let mut answers: Vec<Validation> = answers.map_while(Result::ok).map(judged).take(asked).collect();
    let why = match child.status {
        Some(_) if !answers.is_empty() => return answers,
        None if answers.len() == asked => return answers,
        None => format!("gave no answer within {} s", limit.as_secs()),
        Some(status) => {
            let last = last_words(&child.output).map(|words| format!(": {words}")).unwrap_or_default();
            format!("ended by {}{last}", how_it_ended(status))
        }
    };
    answers.push(Validation::Broken(why));
    answers
}

/// Entry point of the child `gradtop __validate FILE EXPERIMENT KEY=VALUE…`, with the open file as standard input; an
/// empty argument separates sets of parameters. Writes a line of JSON for each set: the refusal or null.
pub(crate) fn validate_main(file: &Path, experiment: &str, words: &[String]) -> i32 {
    answer_and_leave(|| {
        let validate = find(file, experiment);
        let sets = words.split(String::is_empty);
        sets.map(move |params| validate.and_then(|(validate, index)| ask(validate, index, params)))
    })
}

/// Returns the plugin's validation function and the experiment's index, if both exist.
fn find(file: &Path, experiment: &str) -> Option<(abi::ValidateFn, u32)> {
    let plugin = open_stdin(file).ok()?;
    let (index, _) = plugin.desc.experiment(experiment)?;
    // SAFETY: a constant C string.
    let found = unsafe { (plugin.extension)(abi::EXT_VALIDATE.as_ptr()) };
    // SAFETY: null, or the immortal struct that this id stands for, which states its size.
    let extension = unsafe { guard::sized(found.cast::<abi::Validate>()) }.ok()?;
    Some((extension.validate?, index))
}

fn ask(validate: abi::ValidateFn, index: u32, params: &[String]) -> Option<String> {
    let texts: Vec<(CString, CString)> = params
        .iter()
        .filter_map(|p| p.split_once('='))
        .map(|(key, value)| (c_string(key.as_bytes()), c_string(value.as_bytes())))
        .collect();
    let pairs: Vec<Kv> = texts.iter().map(|(k, v)| Kv { key: k.as_ptr(), value: v.as_ptr() }).collect();
    let mut error = abi::Error::EMPTY;
    // SAFETY: [main]; all arguments live until it returns.
    let status = unsafe { validate(index, pairs.as_ptr(), pairs.len() as u64, &raw mut error) };
    if status == abi::OK {
        return None;
    }
    let message = guard::message(&error);
    Some(if message.is_empty() { "the experiment rejected these parameters".to_owned() } else { message })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn a_set_at_which_a_child_hangs_is_not_asked_about_again() {
        let said = |status: Option<i32>, answer: &str| {
            let status = status.map(ExitStatus::from_raw);
            let child = Child { status, answer: answer.into(), output: Vec::new() };
            answers(&child, 3, Duration::from_secs(10))
        };
        let refused = || Validation::Refused("no".to_owned());
        let broken = |why: &str| Validation::Broken(why.to_owned());
        let hung = broken("gave no answer within 10 s");
        assert_eq!(said(None, "null\n\"no\"\n"), [Validation::Accepted, refused(), hung.clone()]);
        assert_eq!(said(None, ""), [hung]);
        assert_eq!(
            said(None, "null\nnull\nnull\n"),
            [Validation::Accepted, Validation::Accepted, Validation::Accepted]
        );
        // One at which it dies is: perhaps those before were to blame.
        assert_eq!(said(Some(11), "null\n"), [Validation::Accepted]);
        assert_eq!(said(Some(11), "").len(), 1);
    }
}
