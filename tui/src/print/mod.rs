//! The only module that writes to standard output and standard error.
//!
//! A closed pipe (`gradtop list | head -1`) is not an error: further output is dropped. Control codes are written only to a
//! terminal and only by this module. Text from runs and plugins should have passed [`clean`] when it was laid out; as a second
//! line of defence, everything else is escaped here.

pub(crate) mod draw_target;
pub(crate) mod paint;
pub(crate) mod progress;
mod rows;
mod scroll;
pub(crate) mod table;
pub(crate) mod terminal;
mod wrap;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use gradtop_chart::ascii::plain;
use gradtop_chart::cells::text::plain as plain_cells;
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::colour::Colours;
pub(crate) use gradtop_host::text::clean;
use gradtop_host::text::is_harmful;
use ratatui::buffer::Buffer;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::tcgetwinsize;
pub(crate) use terminal::{ascii, terminal, theme};

static STDOUT_GONE: AtomicBool = AtomicBool::new(false);
static LOST: AtomicBool = AtomicBool::new(false);

pub(crate) fn out(text: &str) {
    let text = guarded(text, terminal().colours != Colours::None);
    write(shown(text).as_bytes());
}

/// A text in the letters of the terminal.
fn shown<'a>(text: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
    let text = text.into();
    if ascii() { plain(&text).into() } else { text }
}

/// Escapes everything that could control a terminal, except line ends, tabs and, with `colours`, colour codes.
fn guarded(text: &str, colours: bool) -> Cow<'_, str> {
    let fine = |c: char| matches!(c, '\n' | '\t') || !is_harmful(c);
    if text.chars().all(fine) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let code = if colours { colour_code(rest) } else { 0 };
        let (taken, left) = rest.split_at(code.max(c.len_utf8()));
        if code > 0 || fine(c) {
            out.push_str(taken);
        } else {
            out.extend(c.escape_default());
        }
        rest = left;
    }
    Cow::Owned(out)
}

/// The length of the colour code, as written by [`styled`], at the start of a text.
fn colour_code(text: &str) -> usize {
    let Some(codes) = text.strip_prefix("\x1b[") else { return 0 };
    let n = codes.bytes().take_while(|b| b.is_ascii_digit() || *b == b';').count();
    if codes.as_bytes().get(n) == Some(&b'm') { n + 3 } else { 0 }
}

fn write(text: &[u8]) {
    if stdout_gone() {
        return;
    }
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(text).and_then(|()| stdout.flush());
    drop(stdout);
    if let Err(e) = written {
        STDOUT_GONE.store(true, Ordering::Relaxed);
        if e.kind() != std::io::ErrorKind::BrokenPipe {
            LOST.store(true, Ordering::Relaxed);
            error(&format!("standard output cannot be written: {e}"), None);
        }
    }
}

/// Returns whether output was lost for another reason than a closed pipe.
pub(crate) fn lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Shortens a path below the current folder to a relative one.
pub(crate) fn short(path: &Path) -> String {
    let cwd = std::env::current_dir().unwrap_or_default();
    let below = |p: &&Path| !p.as_os_str().is_empty() && cwd != Path::new("/");
    let shown = path.strip_prefix(&cwd).ok().filter(below).unwrap_or(path);
    clean(&shown.display().to_string())
}

/// Prints what other programs read, such as CSV, paths and names: letters stay what they are, also where the rest is ASCII.
pub(crate) fn content(text: &str) {
    write(guarded(text, false).as_bytes());
}

/// Writes binary data to standard output. Returns `false` if that is a terminal.
pub(crate) fn binary(bytes: &[u8]) -> bool {
    let to_file = !std::io::stdout().is_terminal();
    if to_file {
        write(bytes);
    }
    to_file
}

/// Prints lines of words, broken between words on a narrow terminal.
pub(crate) fn line(text: &str) {
    let text = wrap::wrapped(text, terminal().size.map(|(width, _)| width));
    out(&format!("{text}\n"));
}

/// Prints lines as they are, at once: there may be thousands.
pub(crate) fn lines(lines: impl IntoIterator<Item = String>) {
    out(&lines.into_iter().map(|line| line + "\n").collect::<String>());
}

/// Prints a dimmed command to copy, which no line end may cut in two.
pub(crate) fn command(text: &str) {
    out(&format!("{}\n", styled(&format!("  {text}"), Ink::Dim)));
}

/// Prints a name or path that scripts read, see [`content`].
pub(crate) fn answer(text: &str) {
    content(&format!("{}\n", clean(text)));
}

/// Prints a value as one line of JSON.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> anyhow::Result<()> {
    write(format!("{}\n", json_text(&serde_json::to_string(value)?)).as_bytes());
    Ok(())
}

/// Escapes control characters in JSON the JSON way; they occur only in strings.
fn json_text(json: &str) -> Cow<'_, str> {
    if !json.contains(is_harmful) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_harmful(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                write!(out, "\\u{unit:04x}").ok();
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Returns whether a write has found standard output closed.
pub(crate) fn stdout_gone() -> bool {
    STDOUT_GONE.load(Ordering::Relaxed)
}

/// Returns whether the reader of standard output has gone away, even if nothing was written since. For commands that wait.
pub(crate) fn nobody_reads() -> bool {
    let stdout = std::io::stdout();
    let mut ends = [PollFd::new(&stdout, PollFlags::empty())];
    let polled = poll(&mut ends, Some(&Timespec::default()));
    let closed = PollFlags::HUP | PollFlags::ERR;
    if polled.is_ok_and(|n| n > 0) && ends[0].revents().intersects(closed) {
        STDOUT_GONE.store(true, Ordering::Relaxed);
    }
    stdout_gone()
}

/// Prints a line to standard error. Errors are ignored, since there is nowhere to report them.
pub(crate) fn note(text: &str) {
    let stderr = std::io::stderr();
    let size = tcgetwinsize(&stderr).ok().filter(|_| stderr.is_terminal());
    let text = shown(guarded(text, false));
    let text = wrap::wrapped(&text, size.map(|size| size.ws_col.into()).filter(|width| *width > 0));
    let mut stderr = stderr.lock();
    let written = stderr.write_all(format!("{text}\n").as_bytes());
    drop(written);
}

/// The standard output of child processes whose output is not our result.
pub(crate) fn stderr() -> std::process::Stdio {
    std::io::stderr().into()
}

/// Prints `error: …` and `help: …`.
pub(crate) fn error(message: &str, help: Option<&str>) {
    note(&format!("error: {}", without_codes(message)));
    if let Some(help) = help {
        note(&format!("help: {help}"));
    }
}

/// Removes the number of a system's error, which stands behind its words: ` (os error 2)`.
fn without_codes(message: &str) -> String {
    let mut parts = message.split(" (os error ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |said, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        said + rest.strip_prefix(')').unwrap_or(rest)
    })
}

/// Asks a yes-no question on the terminal. Returns `None` if there is none.
pub(crate) fn ask(question: &str) -> Option<bool> {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return None;
    }
    let mut stderr = std::io::stderr().lock();
    stderr
        .write_all(format!("{} [y/N] ", shown(guarded(question, false))).as_bytes())
        .and_then(|()| stderr.flush())
        .ok()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).ok()?;
    Some(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Styles a text for standard output.
pub(crate) fn styled(text: &str, ink: Ink) -> String {
    let theme = terminal::theme();
    if theme.coloured() { paint::styled(text, theme.ink(ink)) } else { text.to_owned() }
}

pub(crate) fn dim(text: &str) {
    line(&styled(text, Ink::Dim));
}

/// Prints a line in the colour of alerts.
pub(crate) fn alert(text: &str) {
    line(&styled(text, Ink::Alert));
}

/// Prints a heading after an empty line.
pub(crate) fn heading(text: &str) {
    line(&format!("\n{}", styled(text, Ink::Bold)));
}

/// Prints a warning to standard error.
pub(crate) fn warn(text: impl std::fmt::Display) {
    note(&format!("warning: {}", without_codes(&clean(&text.to_string()))));
}

/// What is wrong with a run, of which all else is shown.
pub(crate) fn damage_words(damage: impl std::fmt::Display) -> String {
    format!("{damage}; what can be read is shown")
}

/// Warns about what is wrong with runs: the one way in which all commands do.
pub(crate) fn warn_of_damage(damage: impl IntoIterator<Item = impl std::fmt::Display>) {
    damage.into_iter().for_each(|damage| warn(damage_words(damage)));
}

/// An optional text, with control characters escaped.
pub(crate) fn cleaned(text: Option<impl AsRef<str>>) -> String {
    text.map(|text| clean(text.as_ref())).unwrap_or_default()
}

/// Several paths, each shortened by [`short`].
pub(crate) fn shorts(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| short(path)).collect::<Vec<_>>().join(", ")
}

/// Prints cells without trailing blanks.
pub(crate) fn cells(buffer: &Buffer) {
    let coloured = terminal().colours != Colours::None;
    out(&if coloured { paint::lines(buffer) } else { plain_cells(buffer) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_colours_commands_a_terminal() {
        let styled = "\x1b[38;5;245mloss\x1b[0m\tα\n";
        assert_eq!(guarded(styled, true), styled);
        assert_eq!(guarded("\x1b[1mx\x1b[0m", false), "\\u{1b}[1mx\\u{1b}[0m");
        for (text, shown) in [
            ("\x1b]52;c;eA==\x07", "\\u{1b}]52;c;eA==\\u{7}"),
            ("\x1b[2J\x1b[?47h", "\\u{1b}[2J\\u{1b}[?47h"),
            ("\x1b[1;\x1b[m", "\\u{1b}[1;\x1b[m"),
            ("\u{9b}2J\u{202e}\r", "\\u{9b}2J\\u{202e}\\r"),
        ] {
            assert_eq!(guarded(text, true), shown);
        }
    }

    #[test]
    fn errors_of_the_system_come_without_their_numbers() {
        let said = "cannot find a: No such file or directory (os error 2); nothing was done";
        assert_eq!(without_codes(said), "cannot find a: No such file or directory; nothing was done");
        assert_eq!(without_codes("a (os"), "a (os");
    }

    #[test]
    fn json_escapes_in_its_own_way() {
        let value = serde_json::json!({"a\u{9b}": "\u{1b}\u{7f}\u{202e}é\u{2066}"});
        let text = json_text(&value.to_string()).into_owned();
        assert_eq!(text, r#"{"a\u009b":"\u001b\u007f\u202eé\u2066"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default(), value);
    }
}
