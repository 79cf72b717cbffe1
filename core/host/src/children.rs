//! Dispatches to the helper processes: the program started again as its own child.

use std::ffi::OsString;
use std::path::Path;

use crate::command::keeper_link::BEGUN;
use crate::command::sink;
use crate::launcher::take_over;
use crate::machine::{device, signals};
use crate::plugin::{describe, validate};
use crate::run::keeper::invocation::{IN_JOB, ResumeFrom};
use crate::run::keeper::{self, Queue};
use crate::run::queue::QueueRunner;
use crate::train::trainer;

/// Runs the hidden subcommand that the arguments (without the program's name) select, if any, and returns its exit
/// code. Also turns exceeding the file size limit from a fatal signal into an error.
/// Call it first in `main`, before threads are started and arguments are parsed.
pub fn hidden_main(args: &[OsString]) -> Option<i32> {
    signals::limits_are_errors();
    let dir = || args.get(1).map(Path::new);
    match args.first()?.to_str()? {
        "__describe" => Some(describe::describe_main(dir()?)),
        "__validate" => {
            let text = |a: &OsString| a.to_string_lossy().into_owned();
            let words: Vec<String> = args.iter().skip(3).map(text).collect();
            Some(validate::validate_main(dir()?, &text(args.get(2)?), &words))
        }
        "__probe_cuda" => Some(device::probe_main(dir()?)),
        "__keeper" => {
            let resume = ResumeFrom::from_args(args);
            // A keeper in a batch job must not start other runs on the job's machine.
            let in_job = args.iter().any(|arg| arg == IN_JOB);
            let mut next = (!in_job).then_some(QueueRunner::of(dir()?));
            let next = next.as_mut().map(|next| next as &mut dyn Queue);
            Some(keeper::keeper_main(dir()?, resume.as_ref(), next))
        }
        "__job" => {
            let token = args.get(2)?.to_string_lossy();
            Some(take_over::job_main(dir()?, &token, args.iter().any(|arg| arg == "--trust")))
        }
        "__sink" => {
            let begun = args.get(3).is_some_and(|word| word == BEGUN);
            Some(sink::sink_main(dir()?, Path::new(args.get(2)?), begun))
        }
        "__trainer" => Some(trainer::trainer_main(dir()?, ResumeFrom::from_args(args))),
        _ => None,
    }
}
