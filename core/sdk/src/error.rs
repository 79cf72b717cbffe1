//! The error type of the SDK: a kind, a one-line message, and details for the log.

use std::error::Error as StdError;
use std::fmt;

/// The result type of experiments.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kinds of errors that the host distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A stop was requested. Not a failure: it leaves the training loop, and the run ends as stopped.
    Stop,
    /// The experiment failed.
    Failed,
    /// A panic was caught at the boundary.
    Panic,
    /// An argument or a parameter is wrong.
    Invalid,
    /// The host is too old for this.
    Unsupported,
    /// Reading or writing failed.
    Io,
}

/// Why something failed.
///
/// Created by `?` from text and from any [`std::error::Error`]. If the text has many lines, as C++ exceptions do, the
/// first line is the message; the rest is kept as [`detail`](Self::detail) and logged at debug level.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    detail: String,
}

impl Error {
    /// Creates a failure with this text.
    pub fn new(text: impl fmt::Display) -> Self {
        Self::of_kind(ErrorKind::Failed, text)
    }

    /// Creates an error of a kind with this text.
    pub fn of_kind(kind: ErrorKind, text: impl fmt::Display) -> Self {
        let (message, detail) = split(&text.to_string());
        Self(Box::new(Inner { kind, message, detail }))
    }

    /// Creates the error for a wrong argument or parameter.
    pub fn invalid(text: impl fmt::Display) -> Self {
        Self::of_kind(ErrorKind::Invalid, text)
    }

    /// Creates the error that [`step_end`](crate::Ctx::step_end) returns once a stop is requested.
    pub fn stop() -> Self {
        Self::of_kind(ErrorKind::Stop, "stopped on request")
    }

    /// Returns the kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns whether this is a requested stop rather than a failure.
    pub fn is_stop(&self) -> bool {
        self.kind() == ErrorKind::Stop
    }

    /// Returns the one-line message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns further lines: C++ frames, a backtrace. Often empty.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Prepends what was being done: `what: message`. The kind is unchanged, so a stop remains a stop.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// Mentions an earlier error that may be the cause.
    pub(crate) fn after(mut self, earlier: &Self) -> Self {
        self.0.message = format!("{}; before that, {}", self.0.message, earlier.message());
        self
    }

    /// Adds lines to the details.
    pub(crate) fn with_detail(mut self, detail: &str) -> Self {
        if !self.0.detail.is_empty() && !detail.is_empty() {
            self.0.detail.push('\n');
        }
        self.0.detail.push_str(detail);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind(), self.message())
    }
}

// Error must not implement std's Error, because this impl would then overlap with `From<T> for T`.
impl<E: Into<Box<dyn StdError>>> From<E> for Error {
    fn from(error: E) -> Self {
        let error: Box<dyn StdError> = error.into();
        let kind = if error.is::<std::io::Error>() { ErrorKind::Io } else { ErrorKind::Failed };
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            // Many errors already repeat their source in their own text.
            if !text.contains(&cause_text) {
                let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
                text = format!("{first}: {cause_text}\n{rest}");
            }
            source = cause.source();
        }
        Self::of_kind(kind, text)
    }
}

/// Adds what was being done to the error of a result.
pub trait Context<T> {
    /// Converts an error to `what: message`.
    ///
    /// # Errors
    /// The original error with this context.
    fn context(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.into().context(what))
    }
}

/// Splits a text into its first line and the rest.
///
/// A tch function without the prefix `f_` unwraps, which escapes libtorch's text into one line; that is undone first,
/// or the message would be kilobytes of C++ frames.
fn split(text: &str) -> (String, String) {
    let unescaped = text.split_once("Torch(\"").map(|(before, torch)| {
        let torch = torch.strip_suffix("\")").unwrap_or(torch);
        format!("{before}{}", torch.replace("\\n", "\n").replace("\\\"", "\"").replace("\\\\", "\\"))
    });
    let text = unescaped.as_deref().unwrap_or(text).trim();
    match text.split_once('\n') {
        Some((first, rest)) => (first.trim_end().to_owned(), rest.trim_end().to_owned()),
        None => (text.to_owned(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_errors_convert() {
        fn text() -> Result<()> {
            Err("plain")?
        }
        fn owned() -> Result<()> {
            Err(format!("made of {}", "parts"))?
        }
        fn io() -> Result<()> {
            std::fs::read("/nonexistent/file").context("reading the data")?;
            Ok(())
        }
        fn number() -> Result<i64> {
            Ok("x".parse::<i64>()?)
        }
        assert_eq!(text().map_err(|e| e.message().to_owned()), Err("plain".to_owned()));
        assert_eq!(owned().map_err(|e| e.message().to_owned()), Err("made of parts".to_owned()));
        let error = io().err();
        assert_eq!(error.as_ref().map(Error::kind), Some(ErrorKind::Io));
        assert!(error.is_some_and(|e| e.message().starts_with("reading the data: No such file")));
        assert!(number().is_err_and(|e| e.message().contains("invalid digit")));
    }

    #[test]
    fn a_stop_with_context_is_still_a_stop() {
        assert!(Error::stop().context("epoch 3").is_stop());
    }

    #[test]
    fn frames_of_libtorch_are_details() {
        let plain = Error::new("Internal torch error: shapes differ\nException raised from x\nframe #0: y");
        assert_eq!(plain.message(), "Internal torch error: shapes differ");
        assert_eq!(plain.detail(), "Exception raised from x\nframe #0: y");
        let unwrapped = Error::new(
            "called `Result::unwrap()` on an `Err` value: Torch(\"shapes \\\"a\\\" differ\\nException raised\\nframe #0\")",
        );
        assert_eq!(unwrapped.message(), "called `Result::unwrap()` on an `Err` value: shapes \"a\" differ");
        assert_eq!(unwrapped.detail(), "Exception raised\nframe #0");
    }

    #[test]
    fn a_source_is_named_once() {
        #[derive(Debug)]
        struct Outer(std::num::ParseIntError, bool);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if self.1 { write!(f, "outer: {}", self.0) } else { f.write_str("outer") }
            }
        }
        impl StdError for Outer {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                Some(&self.0)
            }
        }
        for repeats in [false, true] {
            let Err(inner) = "x".parse::<i32>() else { panic!("x is no number") };
            let error = Error::from(Outer(inner, repeats));
            assert_eq!(error.message(), "outer: invalid digit found in string");
        }
    }
}
