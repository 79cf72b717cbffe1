//! Derives a run's state and cause from how its command ended.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use gradtop_store::State;

use crate::machine::last_words::{last_line, last_words, with_last_words};
use crate::machine::signals;
use crate::run::cause::{ASKED, Context};
use crate::run::keeper::report::Outcome;

/// All that is known about a command's end.
pub(crate) struct Death<'a> {
    /// Its exit status; `None` if it was not a child of this program.
    pub(crate) status: Option<ExitStatus>,
    /// The client's report of the end, with the reason if it failed.
    pub(crate) done: Option<&'a Result<(), String>>,
    /// How the sink's recording ended; `None` if it did not report that.
    pub(crate) recorded: Option<(Outcome, Option<String>)>,
    pub(crate) context: Context<'a>,
}

impl Death<'_> {
    /// Returns the run's final state and cause.
    pub(crate) fn judge(&self) -> (State, Option<String>) {
        match &self.recorded {
            Some((Outcome::Failed, why)) => {
                let why = why.clone().unwrap_or_else(|| "no reason was given".to_owned());
                (State::Failed, Some(why))
            }
            // Rows were given up because of a stop.
            Some((Outcome::Stopped, Some(lost))) => {
                let stop = Some(self.context.stop.unwrap_or(ASKED));
                let (state, cause) = self.of_command(Context { stop, ..self.context });
                (state, Some(cause.map_or_else(|| lost.clone(), |cause| format!("{cause}; {lost}"))))
            }
            // The sink may have been killed with the command.
            None if self.context.killed_after.is_none() => {
                let why = "the process that recorded it ended without giving a reason";
                (State::Failed, Some(with_last_words(why, self.context.console)))
            }
            Some(_) | None => self.of_command(self.context),
        }
    }

    /// Judges the command alone, whose rows are all recorded.
    fn of_command(&self, context: Context<'_>) -> (State, Option<String>) {
        if let (None, Some(after), Some(who)) = (self.status, context.killed_after, context.stop)
            && !after.is_zero()
        {
            return (State::Stopped, Some(format!("{who}; its process continues")));
        }
        if let Some(killed) = context.killed("") {
            return killed;
        }
        let Some(status) = self.status else { return self.unseen(context.stop) };
        let (code, signal) = (status.code(), status.signal());
        if let Some(who) = context.stop {
            let how = match (code, signal) {
                (Some(0), _) | (_, Some(libc::SIGTERM)) => String::new(),
                _ => format!(" ({})", signals::how_it_ended(status)),
            };
            return (State::Stopped, Some(format!("{who}{how}")));
        }
        match (code, signal) {
            (Some(0), _) => match self.done {
                Some(Err(why)) => (State::Failed, Some(why.clone())),
                _ => (State::Finished, None),
            },
            (Some(code), _) => (State::Failed, Some(self.with_words(format!("exit code {code}")))),
            (None, Some(libc::SIGKILL)) => context.killed_by_others(""),
            (None, _) => (State::Crashed, Some(self.with_words(signals::how_it_ended(status)))),
        }
    }

    /// Judges a process whose end only the sink saw.
    fn unseen(&self, stop: Option<&str>) -> (State, Option<String>) {
        match (self.done, stop) {
            (Some(Err(why)), _) => (State::Failed, Some(why.clone())),
            (_, Some(who)) => (State::Stopped, Some(who.to_owned())),
            (Some(Ok(())), None) => (State::Finished, None),
            (None, None) => (State::Crashed, Some("its process ended without calling finish()".to_owned())),
        }
    }

    fn with_words(&self, how: String) -> String {
        match words(self.context.console) {
            Some(words) => format!("{how}: {words}"),
            None => how,
        }
    }
}

/// Returns the line of the command's output that best explains its end.
fn words(output: &[u8]) -> Option<String> {
    last_words(output).or_else(|| exception(output)).or_else(|| {
        let line = crate::text::clean_bytes(last_line(output), 500);
        (!line.is_empty()).then_some(line)
    })
}

/// Returns the exception that ended a Python program: the line after the last traceback, unless more output follows.
fn exception(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let at = text.rfind("Traceback (most recent call last)")?;
    let line = text[at..].lines().skip(1).find(|line| !line.starts_with(' ') && !line.is_empty())?;
    Some(crate::text::clean_bytes(line.as_bytes(), 500))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn judge(raw: i32, console: &str, stop: Option<&str>) -> (State, Option<String>) {
        Death {
            status: Some(ExitStatus::from_raw(raw)),
            done: None,
            recorded: Some((Outcome::Finished, None)),
            context: Context { stop, console: console.as_bytes(), ..Context::default() },
        }
        .judge()
    }

    #[test]
    fn ends_have_their_state_and_their_cause() {
        let cause = |text: &str| Some(text.to_owned());
        assert_eq!(judge(0, "bye\n", None), (State::Finished, None));
        assert_eq!(judge(3 << 8, "a\nlast\n\n", None), (State::Failed, cause("exit code 3: last")));
        let bar = "step 1\n\r  0%|    | 0/30\r 50%|##  | 15/30\r";
        assert_eq!(judge(1 << 8, bar, None), (State::Failed, cause("exit code 1: 50%|##  | 15/30")));
        assert_eq!(judge(1 << 8, "", None), (State::Failed, cause("exit code 1")));
        assert_eq!(judge(libc::SIGSEGV, "", None), (State::Crashed, cause("SIGSEGV")));
        assert_eq!(judge(libc::SIGKILL, "a", None), (State::Crashed, cause("SIGKILL: not sent by gradtop")));
        let asked = Some("asked to stop");
        assert_eq!(judge(libc::SIGTERM, "", asked), (State::Stopped, cause("asked to stop")));
        assert_eq!(judge(1 << 8, "", asked), (State::Stopped, cause("asked to stop (exit code 1)")));
        let python = "step 1\nTraceback (most recent call last):\n  File \"a.py\", line 1, in f\n    f()\n\
                      ValueError: no data\nwandb: uploading\n";
        assert_eq!(judge(1 << 8, python, None), (State::Failed, cause("exit code 1: ValueError: no data")));
    }
    #[test]
    fn a_kill_on_request_is_a_stop_that_says_what_is_lost() {
        let judge = |recorded, killed_after, stop| {
            // On a full disk the request cannot be recorded, and a command ends from the signal that it was sent.
            let status = Some(ExitStatus::from_raw(if stop { libc::SIGKILL } else { libc::SIGTERM }));
            let stop = stop.then_some(gradtop_store::KILLED);
            Death {
                status,
                done: None,
                recorded,
                context: Context { stop, killed_after, ..Context::default() },
            }
            .judge()
        };
        let lost = || Some((Outcome::Stopped, Some("10 rows are lost: the disk is full".to_owned())));
        let cause = "killed on request; 10 rows are lost: the disk is full";
        assert_eq!(judge(lost(), Some(Duration::ZERO), true), (State::Stopped, Some(cause.to_owned())));
        // The sink was killed, too.
        assert_eq!(
            judge(None, Some(Duration::ZERO), true),
            (State::Stopped, Some("killed on request".to_owned()))
        );
        // The command had already ended by itself.
        let cause = "asked to stop; 10 rows are lost: the disk is full";
        assert_eq!(judge(lost(), None, false), (State::Stopped, Some(cause.to_owned())));
        assert_eq!(judge(None, None, false).0, State::Failed);
    }
}
