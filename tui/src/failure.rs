//! Errors of the program, with a hint and an exit code.

use gradtop_host::text::clean;
use gradtop_host::{HostError, Why};
use gradtop_store::StoreError;

/// Exit code of any other error.
pub(crate) const ERROR: i32 = 1;
/// Exit code for wrong usage.
pub(crate) const USAGE: i32 = 2;

/// An error with a hint what to do.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    message: String,
    help: Option<String>,
    code: i32,
}

impl Failure {
    /// Creates an error that says what went wrong, and where.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, code: ERROR }
    }

    /// Creates an error for wrong usage.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, ..Self::new(message) }
    }

    /// Creates an error for an unknown name, which suggests similar names or lists all.
    pub(crate) fn unknown<'a>(
        message: impl Into<String>,
        typed: &str,
        known: impl Iterator<Item = &'a str> + Clone,
        what: &str,
    ) -> Self {
        Self::usage(message).help(clean(&gradtop_store::suggest(typed, known, what)))
    }

    /// Creates an error for an unknown metric, of which something may be said behind a colon that is no goal.
    pub(crate) fn unknown_metric<'a>(
        message: impl Into<String>,
        typed: &str,
        known: impl Iterator<Item = &'a str> + Clone,
    ) -> Self {
        match typed.rsplit_once(':').filter(|(metric, _)| known.clone().any(|known| known == *metric)) {
            Some((metric, word)) => Self::no_goal(metric, word),
            None => Self::unknown(message, typed, known, "metrics"),
        }
    }

    /// Creates an error for a word behind a metric that says no goal.
    pub(crate) fn no_goal(metric: &str, word: &str) -> Self {
        let metric = clean(metric);
        Self::usage(format!("{:?} is no goal: it is min or max", clean(word)))
            .help(format!("write {metric}:min or {metric}:max"))
    }

    /// Refuses all of several names that are not known: `there is no column "a" or "b"`.
    pub(crate) fn unless_known<'a, 'b>(
        what: &str,
        typed: impl IntoIterator<Item = &'b str>,
        known: impl Iterator<Item = &'a str>,
        kind: &str,
    ) -> Result<(), Self> {
        let known: Vec<&str> = known.collect();
        let unknown: Vec<&str> = typed.into_iter().filter(|name| !known.contains(name)).collect();
        // Names with the same hint, such as all that are known, share it.
        let mut hints: Vec<(String, Vec<&str>)> = Vec::new();
        for name in &unknown {
            let hint = gradtop_store::suggest(name, known.iter().copied(), kind);
            match hints.iter_mut().find(|(other, _)| *other == hint) {
                Some((_, names)) => names.push(name),
                None => hints.push((hint, vec![name])),
            }
        }
        let help = match hints.as_slice() {
            [] => return Ok(()),
            [(hint, _)] => hint.clone(),
            several => {
                let each = several.iter().map(|(hint, names)| format!("{}: {hint}", names.join(", ")));
                each.collect::<Vec<_>>().join("; ")
            }
        };
        let quoted: Vec<String> = unknown.iter().map(|name| format!("{:?}", clean(name))).collect();
        Err(Self::usage(format!("{what} {}", quoted.join(" or "))).help(clean(&help)))
    }

    /// Adds a hint what to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The hint what to do.
    #[cfg(test)]
    pub(crate) fn hint(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

/// A TOML error in one line; the library's own message takes four.
pub(crate) fn toml_error(text: &str, error: &toml::de::Error) -> String {
    let message = gradtop_store::toml_message(error);
    match error.span() {
        Some(span) => format!("line {}: {message}", line_at(text, span.start)),
        None => message,
    }
}

/// The line number of a byte offset.
pub(crate) fn line_at(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|byte| *byte == b'\n').count() + 1
}

/// Prints an error with its hint. Returns the exit code.
pub(crate) fn report(error: &anyhow::Error) -> i32 {
    let (help, code) = explain(error);
    // An experiment may give a reason of several lines.
    let message = gradtop_host::text::clean_lines(&with_causes(error)).replace('\n', "\n  ");
    crate::print::error(&message, help.as_deref());
    code
}

/// Puts an error and its causes into words; a cause that is named already is not repeated.
pub(crate) fn with_causes(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // Skips causes that the message already contains.
        if !message.contains(&text) {
            message = if message.is_empty() { text } else { format!("{message}: {text}") };
        }
    }
    message
}

fn explain(error: &anyhow::Error) -> (Option<String>, i32) {
    if let Some(f) = error.downcast_ref::<Failure>() {
        return (f.help.clone(), f.code);
    }
    let store = error.downcast_ref::<StoreError>();
    let host = error.downcast_ref::<HostError>();
    let lists = |id: &str| format!("`gradtop experiments {id}` lists parameters and presets");
    let (help, code) = match (store, host) {
        (Some(e), _) | (_, Some(HostError::Store(e))) => return of_store(e),
        (_, Some(HostError::Param(_))) => (lists("NAME"), USAGE),
        (_, Some(HostError::Refused { experiment, .. })) => (lists(experiment), USAGE),
        (_, Some(HostError::Device { .. })) => {
            ("`gradtop doctor` shows what was found; `--device cpu` always works".to_owned(), ERROR)
        }
        (_, Some(HostError::NotAllowed { run, why: Why::Going(_), .. })) => {
            (format!("gradtop stop {run}"), ERROR)
        }
        _ => return (None, ERROR),
    };
    (Some(help), code)
}

fn of_store(error: &StoreError) -> (Option<String>, i32) {
    let (help, code) = match error {
        StoreError::NoSuchRun { .. } => {
            ("`gradtop list` shows the runs; --runs selects another folder", USAGE)
        }
        StoreError::NoCheckpoint { .. } => {
            ("start it again with `gradtop run`; `gradtop show RUN` prints its parameters and seed", ERROR)
        }
        StoreError::Format { path, .. } if path.ends_with(".queue/settings.toml") => {
            ("`gradtop queue --slots N` writes it anew", ERROR)
        }
        StoreError::Ambiguous { .. } | StoreError::BadName { .. } | StoreError::NoRunsDir => {
            return (None, USAGE);
        }
        _ => return (None, ERROR),
    };
    (Some(help.to_owned()), code)
}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[test]
    fn all_unknown_names_are_named_at_once_and_what_is_known_only_once() {
        let check = |typed: &[&str]| {
            let known = ["width", "depth"];
            let said = Failure::unless_known(
                "there is no column",
                typed.iter().copied(),
                known.into_iter(),
                "columns",
            );
            said.map_err(|failure| format!("{failure}; {}", failure.help.as_deref().unwrap_or_default()))
        };
        assert_eq!(check(&["depth", "width"]), Ok(()));
        assert_eq!(check(&["depht"]), Err("there is no column \"depht\"; did you mean depth?".to_owned()));
        let several = "there is no column \"xyz\" or \"depht\" or \"zyx\"; \
                       xyz, zyx: columns: width, depth; depht: did you mean depth?";
        assert_eq!(check(&["xyz", "width", "depht", "zyx"]), Err(several.to_owned()));
    }

    #[test]
    fn a_word_behind_a_metric_that_says_no_goal_is_no_part_of_its_name() {
        let said =
            |typed: &str| Failure::unknown_metric("no value", typed, ["loss", "a:b"].into_iter()).to_string();
        assert_eq!(said("loss:mix"), "\"mix\" is no goal: it is min or max");
        assert_eq!([said("los"), said("a:c")], ["no value", "no value"]);
    }
}
