//! Derives a run's state and cause from how its trainer ended.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use gradtop_store::{Ending, KILLED, State};

use crate::machine::last_words::last_words;
use crate::machine::proc_fs::of_group;
use crate::run::keeper::report::{Heard, Outcome, Phase};

/// The cause of a stop on request.
pub(crate) const ASKED: &str = "asked to stop";

/// Context of the end of any run's process.
#[derive(Clone, Copy, Default)]
pub(crate) struct Context<'a> {
    /// Who asked for a stop, if anybody did.
    pub(crate) stop: Option<&'a str>,
    /// Set if the keeper killed it, with the time it waited before.
    pub(crate) killed_after: Option<Duration>,
    /// Whether the kernel killed a process for lack of memory meanwhile.
    pub(crate) out_of_memory: bool,
    /// The end of the console output.
    pub(crate) console: &'a [u8],
}

impl Context<'_> {
    /// Returns the end of a process that the keeper killed, if it did; `place` says what it was doing, if known.
    pub(crate) fn killed(&self, place: &str) -> Option<(State, Option<String>)> {
        let cause = match self.killed_after? {
            Duration::ZERO => KILLED.to_owned(),
            after => format!("did not stop within {}{place}: killed", seconds(after)),
        };
        Some((State::Stopped, Some(cause)))
    }

    /// Returns the end of a process that died of a SIGKILL of somebody else: the kernel, another process, or itself.
    pub(crate) fn killed_by_others(&self, place: &str) -> (State, Option<String>) {
        let cause = if self.out_of_memory {
            format!("out of memory: killed by the kernel{place}")
        } else {
            format!("SIGKILL{place}: not sent by gradtop")
        };
        (State::Crashed, Some(cause))
    }
}

/// All that is known about a trainer's end.
pub(crate) struct Death<'a> {
    pub(crate) status: ExitStatus,
    pub(crate) heard: &'a Heard,
    pub(crate) context: Context<'a>,
}

impl Death<'_> {
    /// Returns the run's final state and cause.
    pub(crate) fn judge(&self) -> (State, Option<String>) {
        if let Some((outcome, message)) = &self.heard.end {
            let Ending { state, cause } =
                ending(*outcome, message.clone(), self.context.stop.unwrap_or(ASKED));
            return (state, cause);
        }
        if let Some(killed) = self.context.killed(&format!(" {}", self.heard.phase.during())) {
            return killed;
        }
        let place = match self.heard.phase {
            Phase::Running => String::new(),
            phase => format!(" {}", phase.during()),
        };
        match (self.status.signal(), self.status.code()) {
            // Destructors of libraries may crash at exit; the cause is what came first.
            (Some(signal), _) if self.heard.exit => {
                let name = crate::machine::signals::name(signal);
                (State::Failed, Some(format!("plugin called exit(){place}, then died from {name}")))
            }
            (Some(libc::SIGKILL), _) => self.context.killed_by_others(&place),
            (Some(signal), _) => {
                let name = crate::machine::signals::name(signal);
                let cause = match last_words(self.context.console) {
                    Some(text) if is_allocation_failure(&text) => {
                        format!("out of memory ({name}{place}): {text}")
                    }
                    Some(text) => format!("{name}{place}: {text}"),
                    None => format!("{name}{place}"),
                };
                (State::Crashed, Some(cause))
            }
            (None, code) => {
                let code = code.unwrap_or(-1);
                (State::Failed, Some(format!("plugin called exit({code}){place}")))
            }
        }
    }
}

/// Returns the end that a trainer reports; `stop` says who asked for one.
pub(crate) fn ending(outcome: Outcome, message: Option<String>, stop: &str) -> Ending {
    let (state, cause) = match (outcome, message) {
        (Outcome::Finished, _) => (State::Finished, None),
        (Outcome::Stopped, None) => (State::Stopped, Some(stop.to_owned())),
        (Outcome::Stopped, Some(message)) => (State::Stopped, Some(format!("{stop}; {message}"))),
        (Outcome::Failed, None) => (State::Failed, Some("no reason given".to_owned())),
        // An allocation failure that is reported properly still counts as out of memory.
        (Outcome::Failed, Some(message))
            if is_allocation_failure(&message) && !message.contains("out of memory") =>
        {
            (State::Failed, Some(format!("out of memory: {message}")))
        }
        (Outcome::Failed, message) => (State::Failed, message),
    };
    Ending { state, cause: cause.map(|cause| crate::text::clean(&cause)) }
}

fn is_allocation_failure(text: &str) -> bool {
    ["memory allocation of", "bad_alloc", "DefaultCPUAllocator", "CUDA out of memory"]
        .iter()
        .any(|t| text.contains(t))
}

/// Formats `10 s` or `0.5 s`.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{} s", (time.as_secs_f64() * 10.0).round() / 10.0)
}

/// How often the kernel has killed for lack of memory, on this machine and in this control group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OomCount {
    machine: u64,
    group: u64,
}

impl OomCount {
    pub(crate) fn now() -> Self {
        let number = |text: Option<String>, key: &str| {
            let text = text.unwrap_or_default();
            let line = text.lines().find(|l| l.split_whitespace().next() == Some(key));
            line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
        };
        Self {
            machine: number(std::fs::read_to_string("/proc/vmstat").ok(), "oom_kill"),
            group: number(of_group("memory.events"), "oom_kill"),
        }
    }

    pub(crate) fn grew_since(self, before: Self) -> bool {
        self.machine > before.machine || self.group > before.group
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn judge(raw: i32, phase: Phase, console: &str, oom: bool) -> (State, String) {
        let heard = Heard { phase, ..Heard::default() };
        let death = Death {
            status: ExitStatus::from_raw(raw),
            heard: &heard,
            context: Context { out_of_memory: oom, console: console.as_bytes(), ..Context::default() },
        };
        let (state, cause) = death.judge();
        (state, cause.unwrap())
    }

    #[test]
    fn deaths_have_their_cause() {
        let crashed = |c: &str| (State::Crashed, c.to_owned());
        assert_eq!(judge(libc::SIGSEGV, Phase::Running, "step 1\n", false), crashed("SIGSEGV"));
        assert_eq!(judge(libc::SIGSEGV, Phase::Creating, "", false), crashed("SIGSEGV in create()"));
        assert_eq!(
            judge(libc::SIGKILL, Phase::Running, "", true),
            crashed("out of memory: killed by the kernel")
        );
        assert_eq!(judge(libc::SIGKILL, Phase::Running, "", false), crashed("SIGKILL: not sent by gradtop"));
        assert_eq!(
            judge(3 << 8, Phase::Running, "", false),
            (State::Failed, "plugin called exit(3)".to_owned())
        );
        assert_eq!(
            judge(0, Phase::Loading, "", false),
            (State::Failed, "plugin called exit(0) while the plugin was opened".to_owned())
        );
    }

    #[test]
    fn an_uncaught_exception_keeps_its_text() {
        let console =
            "start\nterminate called after throwing an instance of 'std::runtime_error'\n  what():  boom\n";
        assert_eq!(
            judge(libc::SIGABRT, Phase::Running, console, false).1,
            "SIGABRT: terminate called after throwing an instance of 'std::runtime_error' what():  boom"
        );
        let console = "memory allocation of 99999999999 bytes failed\n";
        assert_eq!(
            judge(libc::SIGABRT, Phase::Running, console, false).1,
            "out of memory (SIGABRT): memory allocation of 99999999999 bytes failed"
        );
    }

    #[test]
    fn a_hang_that_was_killed_is_stopped() {
        let heard = Heard { phase: Phase::Creating, ..Heard::default() };
        let mut death = Death {
            status: ExitStatus::from_raw(libc::SIGKILL),
            heard: &heard,
            context: Context {
                stop: Some("asked to stop"),
                killed_after: Some(Duration::from_secs(10)),
                ..Context::default()
            },
        };
        let (state, cause) = death.judge();
        assert_eq!(state, State::Stopped);
        assert_eq!(cause.as_deref(), Some("did not stop within 10 s in create(): killed"));
        death.context.killed_after = Some(Duration::ZERO);
        assert_eq!(death.judge().1.as_deref(), Some("killed on request"));
    }
}
