//! The only place that writes to standard output and standard error.
//!
//! A reader that goes away (`gradtop list | head -1`) is no error: what follows is dropped. Control codes are written only
//! to a terminal, and only by this module: whatever else could command one is escaped here on its way out, though text from
//! runs and plugins should have passed [`clean`] where it is laid out.

pub(crate) mod last_lines;
pub(crate) mod lines_below;
pub(crate) mod paint;
pub(crate) mod progress;
mod rows;
mod scroll;
pub(crate) mod table;
pub(crate) mod terminal;

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
pub(crate) use terminal::{ascii, terminal, theme};

static STDOUT_GONE: AtomicBool = AtomicBool::new(false);
static LOST: AtomicBool = AtomicBool::new(false);

/// Writes to standard output.
pub(crate) fn out(text: &str) {
    let text = guarded(text, terminal().colours != Colours::None);
    write(if ascii() { plain(&text).into() } else { text }.as_bytes());
}

/// Text as it may go to a terminal: what could command it is escaped, but for line ends, tabs and, with `colours`, codes
/// of colour.
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

/// Bytes of the code of colour that a text begins with, as [`styled`] writes it.
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

/// Whether something could not be written, for another reason than a reader that went away.
pub(crate) fn lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// A path below the current folder as a relative one.
pub(crate) fn short(path: &Path) -> String {
    let cwd = std::env::current_dir().unwrap_or_default();
    let below = |p: &&Path| !p.as_os_str().is_empty() && cwd != Path::new("/");
    let shown = path.strip_prefix(&cwd).ok().filter(below).unwrap_or(path);
    clean(&shown.display().to_string())
}

/// Writes text that is a file's content to standard output: where it is no terminal, all letters stay.
pub(crate) fn content(text: &str) {
    if std::io::stdout().is_terminal() { out(text) } else { write(guarded(text, false).as_bytes()) }
}

/// Writes what is no text to standard output; `false` to a terminal, which cannot show it.
pub(crate) fn binary(bytes: &[u8]) -> bool {
    let to_file = !std::io::stdout().is_terminal();
    if to_file {
        write(bytes);
    }
    to_file
}

/// Writes a line to standard output.
pub(crate) fn line(text: &str) {
    out(&format!("{text}\n"));
}

/// Writes a value as one line of JSON to standard output.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> anyhow::Result<()> {
    write(format!("{}\n", json_text(&serde_json::to_string(value)?)).as_bytes());
    Ok(())
}

/// JSON with what could command a terminal escaped as JSON does it; such characters stand in strings only.
fn json_text(json: &str) -> Cow<'_, str> {
    if !json.contains(is_harmful) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_harmful(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                write!(out, "\\u{unit:04x}").ok();
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Nobody reads standard output any more, as the last write has shown.
pub(crate) fn stdout_gone() -> bool {
    STDOUT_GONE.load(Ordering::Relaxed)
}

/// Nobody reads standard output any more, though nothing was written since: the other end of a pipe, a connection or a
/// terminal is closed. For commands that wait.
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

/// Writes a line to standard error; an error there has nowhere to be told.
pub(crate) fn note(text: &str) {
    let text = guarded(text, false);
    let text = if ascii() { plain(&text) } else { text.into_owned() };
    let mut stderr = std::io::stderr().lock();
    let written = stderr.write_all(format!("{text}\n").as_bytes());
    drop(written);
}

/// Where a program that we start writes what is no result of ours.
pub(crate) fn stderr() -> std::process::Stdio {
    std::io::stderr().into()
}

/// Reports an error as `error: …`, and what to do about it as `help: …`.
pub(crate) fn error(message: &str, help: Option<&str>) {
    note(&format!("error: {message}"));
    if let Some(help) = help {
        note(&format!("help: {help}"));
    }
}

/// A question on the terminal; `None` when nobody can answer.
pub(crate) fn ask(question: &str) -> Option<bool> {
    use std::io::IsTerminal as _;
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return None;
    }
    let mut stderr = std::io::stderr().lock();
    stderr
        .write_all(format!("{} [y/N] ", guarded(question, false)).as_bytes())
        .and_then(|()| stderr.flush())
        .ok()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).ok()?;
    Some(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Text in an ink, for standard output.
pub(crate) fn styled(text: &str, ink: Ink) -> String {
    let theme = terminal::theme();
    if theme.coloured() { paint::styled(text, theme.ink(ink)) } else { text.to_owned() }
}

/// Writes a line of what matters less.
pub(crate) fn dim(text: &str) {
    line(&styled(text, Ink::Dim));
}

/// Writes a line of what is wrong.
pub(crate) fn alert(text: &str) {
    line(&styled(text, Ink::Alert));
}

/// Writes the heading of a part, below an empty line.
pub(crate) fn heading(text: &str) {
    out(&format!("\n{}\n", styled(text, Ink::Bold)));
}

/// Writes a warning to standard error.
pub(crate) fn warn(text: impl std::fmt::Display) {
    note(&format!("warning: {}", clean(&text.to_string())));
}

/// A text that may be missing, made safe.
pub(crate) fn cleaned(text: Option<&str>) -> String {
    text.map(clean).unwrap_or_default()
}

/// Paths in a row, as [`short`] writes each.
pub(crate) fn shorts(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| short(path)).collect::<Vec<_>>().join(", ")
}

/// Prints cells, without trailing blanks.
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
    fn json_escapes_in_its_own_way() {
        let value = serde_json::json!({"a\u{9b}": "\u{1b}\u{7f}\u{202e}é\u{2066}"});
        let text = json_text(&value.to_string()).into_owned();
        assert_eq!(text, r#"{"a\u009b":"\u001b\u007f\u202eé\u2066"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default(), value);
    }
}
