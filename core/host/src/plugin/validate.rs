//! Has an experiment judge its parameters before there is a run: what only it can know, such as whether an expression
//! parses. In a child process with a time-out, as describing is.

#![allow(unsafe_code, reason = "calls the plugin")]

use std::ffi::CString;
use std::path::Path;

use gradtop_abi::{self as abi, Kv};
use gradtop_store::ParamValue;

use crate::machine::child::{answer_and_leave, run_child};
use crate::machine::last_words::last_words;
use crate::machine::program;
use crate::machine::signals::how_it_ended;
use crate::plugin::describe::{open_stdin, time_out};
use crate::plugin::file::PluginFile;
use crate::plugin::guard::{self, c_string};

/// What an experiment says of parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// It does not refuse them, or does not judge any.
    Accepted,
    /// Why it refuses them.
    Refused(String),
    /// It gave no answer, as in "it died by SIGSEGV".
    Broken(String),
}

/// Asks an experiment about parameters, its defaults and presets too.
pub fn judged(plugin: &Path, experiment: &str, params: &[(String, ParamValue)]) -> Judged {
    match PluginFile::open(plugin) {
        Ok(plugin) => ask_child(&plugin, experiment, params),
        Err(refusal) => Judged::Broken(refusal.to_string()),
    }
}

/// Why the experiment refuses these parameters; `None`: it does not, or does not say. A child that dies or hangs refuses
/// nothing: the run will tell, with its log.
pub(crate) fn refused(
    plugin: &PluginFile,
    experiment: &str,
    params: &[(String, ParamValue)],
) -> Option<String> {
    match ask_child(plugin, experiment, params) {
        Judged::Refused(why) => Some(why),
        Judged::Accepted | Judged::Broken(_) => None,
    }
}

fn ask_child(plugin: &PluginFile, experiment: &str, params: &[(String, ParamValue)]) -> Judged {
    let mut command = program::command();
    command.arg("__validate").arg(plugin.path()).arg(experiment);
    for (key, value) in params {
        command.arg(format!("{key}={value}"));
    }
    let limit = time_out();
    let child = match run_child(command, Some(plugin.file()), limit) {
        Ok(child) => child,
        Err(e) => return Judged::Broken(format!("cannot be asked: {e}")),
    };
    match (serde_json::from_slice::<Option<String>>(&child.answer), child.status) {
        (Ok(None), _) => Judged::Accepted,
        (Ok(Some(why)), _) => Judged::Refused(why),
        (Err(_), None) => Judged::Broken(format!("gave no answer within {} s", limit.as_secs())),
        (Err(_), Some(status)) => {
            let last = last_words(&child.output).map(|words| format!(": {words}")).unwrap_or_default();
            Judged::Broken(format!("ended by {}{last}", how_it_ended(status)))
        }
    }
}

/// The child: `gradtop __validate FILE EXPERIMENT KEY=VALUE…`, with the open file as standard input. Writes the refusal or null as JSON.
pub(crate) fn validate_main(file: &Path, experiment: &str, params: &[String]) -> i32 {
    answer_and_leave(|| ask(file, experiment, params))
}

fn ask(file: &Path, experiment: &str, params: &[String]) -> Option<String> {
    let plugin = open_stdin(file).ok()?;
    let (index, _) = plugin.desc.experiment(experiment)?;
    // SAFETY: a constant C string.
    let found = unsafe { (plugin.extension)(abi::EXT_VALIDATE.as_ptr()) };
    // SAFETY: null, or the immortal struct that this id stands for, which states its size.
    let extension = unsafe { guard::sized(found.cast::<abi::Validate>()) }.ok()?;
    let validate = extension.validate?;
    let texts: Vec<(CString, CString)> = params
        .iter()
        .filter_map(|p| p.split_once('='))
        .map(|(key, value)| (c_string(key.as_bytes()), c_string(value.as_bytes())))
        .collect();
    let pairs: Vec<Kv> = texts.iter().map(|(k, v)| Kv { key: k.as_ptr(), value: v.as_ptr() }).collect();
    let mut error = abi::Error::EMPTY;
    // SAFETY: [main]; everything passed lives until it returns.
    let status = unsafe { validate(index, pairs.as_ptr(), pairs.len() as u64, &raw mut error) };
    if status == abi::OK {
        return None;
    }
    let message = guard::message(&error);
    Some(if message.is_empty() { "the experiment rejected these parameters".to_owned() } else { message })
}
