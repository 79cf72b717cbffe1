//! Draws progress bars so that an echoed `^C` leaves no trace.
//!
//! indicatif pads its last line with blanks up to the right edge. The `^C` that the terminal echoes would then wrap to a line
//! that indicatif does not know about: it would clear one line too few and leave one of its own behind. Here the cursor stays
//! behind the text of the last line, so the echo lands on that line and is cleared with it.

use std::io::{IsTerminal as _, Result, Write as _};
use std::sync::Mutex;

use indicatif::{ProgressDrawTarget, TermLike};

/// Columns kept free at the end of the last line for the echo.
pub(crate) const ECHO: usize = 3;

/// Draws to standard error, at most so many times a second, if that is a terminal.
pub(crate) fn standard_error(hz: u8) -> Option<ProgressDrawTarget> {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    (std::io::stderr().is_terminal() && !dumb)
        .then(|| ProgressDrawTarget::term_like_with_hz(Box::new(Below::default()), hz))
}

#[derive(Debug, Default)]
struct Below(Mutex<Lines>);

/// Output until the next flush. indicatif writes each line in two calls: the text, and the padding.
#[derive(Debug, Default)]
struct Lines {
    buffer: String,
    words_written: bool,
    /// A line is complete, but it may not be the last one.
    complete: bool,
}

impl Lines {
    fn put(&mut self, text: &str) {
        if text == "\r" {
            self.go("\r");
        } else if std::mem::take(&mut self.words_written) {
            self.buffer.push_str("\x1b[K");
            self.complete = true;
        } else {
            if std::mem::take(&mut self.complete) {
                self.buffer.push_str("\r\n");
            }
            self.buffer.push_str(text);
            self.words_written = true;
        }
    }

    /// Handles a cursor movement: the line before it was the last one.
    fn go(&mut self, code: &str) {
        self.buffer.push_str(code);
        (self.words_written, self.complete) = (false, false);
    }

    fn by(&mut self, n: usize, letter: char) {
        if n > 0 {
            self.go(&format!("\x1b[{n}{letter}"));
        }
    }
}

impl Below {
    fn with(&self, change: impl FnOnce(&mut Lines)) {
        if let Ok(mut lines) = self.0.lock() {
            change(&mut lines);
        }
    }
}

impl TermLike for Below {
    fn width(&self) -> u16 {
        rustix::termios::tcgetwinsize(std::io::stderr()).map_or(80, |size| size.ws_col.max(1))
    }

    fn height(&self) -> u16 {
        rustix::termios::tcgetwinsize(std::io::stderr()).map_or(24, |size| size.ws_row.max(1))
    }

    fn move_cursor_up(&self, n: usize) -> Result<()> {
        self.with(|lines| lines.by(n, 'A'));
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> Result<()> {
        self.with(|lines| lines.by(n, 'B'));
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> Result<()> {
        self.with(|lines| lines.by(n, 'C'));
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> Result<()> {
        self.with(|lines| lines.by(n, 'D'));
        Ok(())
    }

    fn write_line(&self, text: &str) -> Result<()> {
        self.with(|lines| lines.go(&format!("{text}\x1b[K\r\n")));
        Ok(())
    }

    fn write_str(&self, text: &str) -> Result<()> {
        self.with(|lines| lines.put(text));
        Ok(())
    }

    fn clear_line(&self) -> Result<()> {
        self.with(|lines| lines.go("\r\x1b[2K"));
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        let text = self.0.lock().map(|mut lines| std::mem::take(&mut lines.buffer)).unwrap_or_default();
        let mut out = std::io::stderr().lock();
        out.write_all(super::shown(text).as_bytes())?;
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_stays_behind_the_last_words() {
        let mut lines = Lines::default();
        for call in ["first", "   ", "", "        ", "last", "    "] {
            lines.put(call);
        }
        assert_eq!(lines.buffer, "first\x1b[K\r\n\x1b[K\r\nlast\x1b[K");
        // Redrawing starts from the first line and clears whatever was echoed behind the last one.
        lines.buffer.clear();
        lines.by(2, 'A');
        lines.by(0, 'B');
        for call in ["\r", "again", "   "] {
            lines.put(call);
        }
        assert_eq!(lines.buffer, "\x1b[2A\ragain\x1b[K");
    }
}
