//! Detects the capabilities of the terminal.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use gradtop_chart::cells::glyphs::Glyphs;
use gradtop_chart::cells::theme::{Theme, ThemeName};
use gradtop_chart::colour::Colours;

/// The capabilities of standard output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// Whether standard output is a terminal.
    pub(crate) tty: bool,
    /// Whether it is a dumb terminal.
    pub(crate) dumb: bool,
    pub(crate) colours: Colours,
    pub(crate) glyphs: Glyphs,
    /// The size in columns and rows, if it is a terminal.
    pub(crate) size: Option<(usize, usize)>,
}

static TERMINAL: OnceLock<Terminal> = OnceLock::new();

/// Detects the capabilities, given the configured glyphs. Only the first call counts.
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

pub(crate) fn terminal() -> Terminal {
    decide(None)
}

/// The theme of printed output.
pub(crate) fn theme() -> Theme {
    let Terminal { colours, glyphs, .. } = terminal();
    Theme { name: ThemeName::Dark, colours, glyphs }
}

/// A terminal multiplexer. It handles titles itself, but desktop notifications must be passed through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surrounding {
    Tmux,
    Screen,
}

impl Surrounding {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tmux => "tmux",
            Self::Screen => "screen",
        }
    }
}

/// The multiplexer around this terminal, here or on the way to it.
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

/// Returns whether there is a local tmux that can be queried.
pub(crate) fn in_tmux() -> bool {
    std::env::var_os("TMUX").is_some_and(|tmux| !tmux.is_empty())
}

/// Returns whether a tmux option is on.
pub(crate) fn tmux_has(scope: &str, option: &str) -> bool {
    let asked = std::process::Command::new("tmux").args(["show-options", scope, option]).output();
    let value = asked.ok().filter(|asked| asked.status.success()).map(|asked| asked.stdout);
    value.is_some_and(|value| !matches!(value.trim_ascii(), b"" | b"off"))
}

/// Returns whether focus events are those of the terminal. A tmux that does not receive them reports which of its own panes has
/// the focus.
pub(crate) fn tells_focus() -> bool {
    around().is_none() || in_tmux() && tmux_has("-sqv", "focus-events")
}

/// Returns whether output is restricted to ASCII.
pub(crate) fn ascii() -> bool {
    terminal().glyphs.ascii()
}

/// Values of TERM that promise no more than 16 colours; others end in `-256color` or have their own names.
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
        // Unknown, or known to have no colours.
        Colours::None
    } else if PLAIN.contains(&term.as_str()) || term.ends_with("-16color") {
        Colours::Sixteen
    } else {
        Colours::Indexed
    }
}

/// The names of glyph sets in settings.
const GLYPHS: [(&str, Glyphs); 4] = [
    ("braille", Glyphs::Braille),
    ("half", Glyphs::HalfBlock),
    ("dot", Glyphs::Dot),
    ("ascii", Glyphs::Ascii),
];

/// Returns the glyph set of this name.
pub(crate) fn named(text: &str) -> Result<Glyphs, String> {
    let known = || GLYPHS.map(|(name, _)| name).join(", ");
    let found = GLYPHS.iter().find(|(name, _)| *name == text).map(|(_, glyphs)| *glyphs);
    found.ok_or_else(|| format!("{text:?} is not one of {}", known()))
}

/// The name of a glyph set in settings.
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
        // The Linux console's font has blocks but no Braille.
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
