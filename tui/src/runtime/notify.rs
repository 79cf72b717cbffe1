//! Notifies users who are not looking: by the bell, and by desktop notifications of terminals that support them.

use std::fmt::Write as _;

use crate::print::terminal::{Surrounding, around};

/// The most alerts shown separately; more are counted.
const MOST: usize = 3;
/// The most characters of a message.
const LONGEST: usize = 160;

/// An escape sequence for desktop notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `OSC 9`, introduced by iTerm2.
    Nine,
    /// `OSC 777`, introduced by rxvt.
    Notify,
}

/// The escape sequences for this terminal. There must be at least one alert.
pub(super) fn sequence(alerts: &[String]) -> String {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let forms = forms(&variable("TERM"), &variable("TERM_PROGRAM"));
    sequence_for(alerts, forms, around())
}

/// The forms that a terminal understands. An unknown terminal gets both, since it ignores what it does not understand. Only the
/// Linux console would print them.
fn forms(term: &str, program: &str) -> &'static [Form] {
    let is = |name: &str| term.starts_with(name) || program.eq_ignore_ascii_case(name);
    if is("linux") {
        &[]
    } else if is("foot") || is("rxvt") {
        &[Form::Notify]
    } else if ["xterm-kitty", "kitty", "xterm-ghostty", "ghostty", "wezterm", "iTerm.app"].into_iter().any(is)
    {
        &[Form::Nine]
    } else {
        &[Form::Nine, Form::Notify]
    }
}

fn sequence_for(alerts: &[String], forms: &[Form], around: Option<Surrounding>) -> String {
    let mut out = "\x07".to_owned();
    let (told, rest) = alerts.split_at(alerts.len().min(MOST));
    let more = (!rest.is_empty()).then(|| format!("and {} more alerts", rest.len()));
    for alert in told.iter().chain(&more) {
        // A semicolon would begin another parameter.
        let text: String = alert.chars().map(|c| if c == ';' { ',' } else { c }).take(LONGEST).collect();
        for form in forms {
            let command = match form {
                Form::Nine => format!("\x1b]9;gradtop: {text}\x07"),
                Form::Notify => format!("\x1b]777;notify;gradtop;{text}\x07"),
            };
            let passed = match around {
                Some(Surrounding::Tmux) => {
                    write!(out, "\x1bPtmux;{}\x1b\\", command.replace('\x1b', "\x1b\x1b"))
                }
                Some(Surrounding::Screen) => write!(out, "\x1bP{command}\x1b\\"),
                None => write!(out, "{command}"),
            };
            debug_assert!(passed.is_ok(), "a text takes everything");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_then_a_message_that_passes_what_is_around_the_terminal() {
        let alerts = ["fit-1: loss is 11; high".to_owned()];
        let of = |form: Form, around| sequence_for(&alerts, &[form], around);
        assert_eq!(of(Form::Nine, None), "\x07\x1b]9;gradtop: fit-1: loss is 11, high\x07");
        assert_eq!(
            of(Form::Notify, Some(Surrounding::Tmux)),
            "\x07\x1bPtmux;\x1b\x1b]777;notify;gradtop;fit-1: loss is 11, high\x07\x1b\\"
        );
        assert_eq!(
            of(Form::Nine, Some(Surrounding::Screen)),
            "\x07\x1bP\x1b]9;gradtop: fit-1: loss is 11, high\x07\x1b\\"
        );
    }

    #[test]
    fn many_alerts_are_counted_and_long_ones_cut() {
        let alerts: Vec<String> = (0..9).map(|n| format!("{n} {}", "x".repeat(500))).collect();
        let sequence = sequence_for(&alerts, &[Form::Nine], None);
        assert_eq!(sequence.matches("\x1b]9;").count(), MOST + 1);
        assert!(sequence.contains("and 6 more alerts") && sequence.len() < 1_000, "{}", sequence.len());
    }

    #[test]
    fn each_terminal_is_told_once_in_its_own_form() {
        assert_eq!(forms("linux", ""), []);
        assert_eq!(forms("foot", ""), [Form::Notify]);
        assert_eq!(forms("rxvt-unicode-256color", ""), [Form::Notify]);
        assert_eq!(forms("xterm-256color", "WezTerm"), [Form::Nine]);
        assert_eq!(forms("xterm-256color", ""), [Form::Nine, Form::Notify]);
    }
}
