//! What the terminal can do, decided once.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use gradtop_chart::cells::glyphs::Glyphs;
use gradtop_chart::cells::theme::{Theme, ThemeName};
use gradtop_chart::colour::Colours;

/// Capabilities of standard output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// Standard output is a terminal.
    pub(crate) tty: bool,
    /// It takes text and nothing else.
    pub(crate) dumb: bool,
    /// Its colours.
    pub(crate) colours: Colours,
    /// Its characters.
    pub(crate) glyphs: Glyphs,
    /// Its size in cells, if it is a terminal.
    pub(crate) size: Option<(usize, usize)>,
}

static TERMINAL: OnceLock<Terminal> = OnceLock::new();

/// Looks at the environment, with the glyphs that were chosen. Only the first call counts.
pub(crate) fn decide(chosen: Option<Glyphs>) -> Terminal {
    *TERMINAL.get_or_init(|| {
        let tty = std::io::stdout().is_terminal();
        let size = rustix::termios::tcgetwinsize(std::io::stdout())
            .ok()
            .filter(|s| tty && s.ws_col > 0 && s.ws_row > 0)
            .map(|s| (usize::from(s.ws_col), usize::from(s.ws_row)));
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        Terminal {
            tty,
            dumb: variable("TERM") == "dumb",
            colours: colours(tty, &variable),
            glyphs: chosen.unwrap_or_else(|| glyphs(&variable)),
            size,
        }
    })
}

/// What was decided.
pub(crate) fn terminal() -> Terminal {
    decide(None)
}

/// How what is printed looks.
pub(crate) fn theme() -> Theme {
    let Terminal { colours, glyphs, .. } = terminal();
    Theme { name: ThemeName::Dark, colours, glyphs }
}

/// A program that a terminal is inside of. Both take titles as a terminal does, and answer for it; messages for the desktop have
/// to be passed through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surrounding {
    /// tmux.
    Tmux,
    /// GNU screen.
    Screen,
}

impl Surrounding {
    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tmux => "tmux",
            Self::Screen => "screen",
        }
    }
}

/// The program that the terminal is inside of, on this machine or on the way to it.
pub(crate) fn around() -> Option<Surrounding> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    surrounding(&variable)
}

fn surrounding(variable: &impl Fn(&str) -> String) -> Option<Surrounding> {
    let term = variable("TERM");
    if !variable("TMUX").is_empty() || term.starts_with("tmux") {
        Some(Surrounding::Tmux)
    } else if !variable("STY").is_empty() || term.starts_with("screen") {
        Some(Surrounding::Screen)
    } else {
        None
    }
}

/// Whether a tmux that can be asked is around this terminal.
pub(crate) fn in_tmux() -> bool {
    std::env::var_os("TMUX").is_some_and(|tmux| !tmux.is_empty())
}

/// Whether an option of it is on.
pub(crate) fn tmux_has(scope: &str, option: &str) -> bool {
    let asked = std::process::Command::new("tmux").args(["show-options", scope, option]).output();
    let value = asked.ok().filter(|asked| asked.status.success()).map(|asked| asked.stdout);
    value.is_some_and(|value| !matches!(value.trim_ascii(), b"" | b"off"))
}

/// Whether the focus that is told is that of the terminal. A tmux that does not hear of it tells which of its own panes has it.
pub(crate) fn tells_focus() -> bool {
    around().is_none() || in_tmux() && tmux_has("-sqv", "focus-events")
}

/// Only ASCII may be printed.
pub(crate) fn ascii() -> bool {
    terminal().glyphs.ascii()
}

/// Terminals that promise no more than 16 colours; those with more say `-256color`, or have names of their own.
const PLAIN: [&str; 8] = ["linux", "ansi", "xterm", "screen", "rxvt", "cygwin", "putty", "konsole"];

fn colours(tty: bool, variable: &impl Fn(&str) -> String) -> Colours {
    let term = variable("TERM");
    if !tty || !variable("NO_COLOR").is_empty() || term == "dumb" {
        return Colours::None;
    }
    let truth = variable("COLORTERM");
    if truth == "truecolor" || truth == "24bit" || term.contains("direct") {
        Colours::True
    } else if term.is_empty() || term.starts_with("vt") || term.ends_with("-m") || term.ends_with("-mono") {
        // Nothing is known of it, or that it has none.
        Colours::None
    } else if PLAIN.contains(&term.as_str()) || term.ends_with("-16color") {
        Colours::Sixteen
    } else {
        Colours::Indexed
    }
}

/// Kinds of glyphs, as settings name them.
const GLYPHS: [(&str, Glyphs); 4] = [
    ("braille", Glyphs::Braille),
    ("half", Glyphs::HalfBlock),
    ("dot", Glyphs::Dot),
    ("ascii", Glyphs::Ascii),
];

/// The glyphs of this name.
pub(crate) fn named(text: &str) -> Result<Glyphs, String> {
    let known = || GLYPHS.map(|(name, _)| name).join(", ");
    let found = GLYPHS.iter().find(|(name, _)| *name == text).map(|(_, glyphs)| *glyphs);
    found.ok_or_else(|| format!("{text:?} is not one of {}", known()))
}

/// What settings call these glyphs.
pub(crate) fn name(glyphs: Glyphs) -> &'static str {
    GLYPHS.iter().find(|(_, known)| *known == glyphs).map_or("", |(name, _)| name)
}

fn glyphs(variable: &impl Fn(&str) -> String) -> Glyphs {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].map(variable).into_iter().find(|v| !v.is_empty()).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    if !(locale.contains("utf-8") || locale.contains("utf8")) {
        Glyphs::Ascii
    } else if variable("TERM") == "linux" {
        // The console's font has blocks but no Braille.
        Glyphs::HalfBlock
    } else {
        Glyphs::Braille
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables<'a>(set: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> String + 'a {
        |name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()).unwrap_or_default()
    }

    #[test]
    fn colours_follow_the_terminal_and_the_user() {
        assert_eq!(colours(false, &variables(&[("COLORTERM", "truecolor")])), Colours::None);
        assert_eq!(colours(true, &variables(&[("COLORTERM", "truecolor")])), Colours::True);
        assert_eq!(
            colours(true, &variables(&[("COLORTERM", "truecolor"), ("NO_COLOR", "1")])),
            Colours::None
        );
        assert_eq!(colours(true, &variables(&[("TERM", "xterm-256color")])), Colours::Indexed);
        assert_eq!(colours(true, &variables(&[("TERM", "dumb")])), Colours::None);
        for without in ["", "vt100", "vt220", "xterm-mono"] {
            assert_eq!(colours(true, &variables(&[("TERM", without)])), Colours::None, "{without}");
        }
        for plain in ["linux", "xterm", "screen", "rxvt-16color"] {
            assert_eq!(colours(true, &variables(&[("TERM", plain)])), Colours::Sixteen, "{plain}");
        }
        for rich in ["screen-256color", "tmux-256color", "xterm-kitty", "alacritty", "foot"] {
            assert_eq!(colours(true, &variables(&[("TERM", rich)])), Colours::Indexed, "{rich}");
        }
        assert_eq!(
            colours(true, &variables(&[("TERM", "xterm"), ("COLORTERM", "truecolor")])),
            Colours::True
        );
    }

    #[test]
    fn what_is_around_the_terminal_is_known_here_and_over_ssh() {
        let around = |set| surrounding(&variables(set));
        assert_eq!(
            around(&[("TERM", "screen-256color"), ("TMUX", "/tmp/tmux-0/default,1,0")]),
            Some(Surrounding::Tmux)
        );
        assert_eq!(around(&[("TERM", "tmux-256color")]), Some(Surrounding::Tmux));
        assert_eq!(
            around(&[("TERM", "screen.xterm-256color"), ("STY", "7.pts-0")]),
            Some(Surrounding::Screen)
        );
        assert_eq!(around(&[("TERM", "xterm-256color")]), None);
    }

    #[test]
    fn glyphs_follow_the_locale() {
        assert_eq!(glyphs(&variables(&[("LANG", "C.UTF-8")])), Glyphs::Braille);
        assert_eq!(glyphs(&variables(&[("LANG", "en_US.utf8"), ("LC_ALL", "C")])), Glyphs::Ascii);
        assert_eq!(glyphs(&variables(&[])), Glyphs::Ascii);
        assert_eq!(glyphs(&variables(&[("LANG", "C.UTF-8"), ("TERM", "linux")])), Glyphs::HalfBlock);
        assert_eq!(named("dot"), Ok(Glyphs::Dot));
        assert!(named("dots").is_err());
    }
}
