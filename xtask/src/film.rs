//! `cargo xtask film SCRIPT`: plays a session with the real program in tmux and draws it as an animated SVG.
//!
//! A script has an action per line: `size 110x32`, `type TEXT`, `key KEY…` (with tmux's names), `wait TEXT` until the screen
//! shows it, `hold SECONDS`. Lines that begin with `#` are comments. The program is that of `target/release`; its runs are in a
//! temporary folder. Idle time is cut to `CUT`, except for `hold`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::svg::{self, Row};

/// How often the screen is polled.
const LOOK: Duration = Duration::from_millis(120);
/// The minimal time between two frames while something moves.
const PICTURE: Duration = Duration::from_millis(500);
/// The longest idle time kept, in seconds.
const CUT: f64 = 0.6;
/// How long the last frame stays, in seconds.
const LAST: f64 = 4.0;
const PATIENCE: Duration = Duration::from_mins(2);

/// A frame and its duration in seconds.
struct Frame {
    rows: Vec<Row>,
    stays: f64,
}

/// Plays the script. Returns the SVG.
///
/// # Errors
/// If tmux is missing, a line of the script is invalid, or a text it waits for does not appear.
pub(crate) fn record(script: &Path, programs: &Path) -> Result<String> {
    let text = std::fs::read_to_string(script).with_context(|| format!("reading {}", script.display()))?;
    let mut acts = text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#'));
    let size = acts.next().and_then(|l| l.strip_prefix("size ")?.split_once('x'));
    let (columns, lines) = size.context("the first line of a film is its size, such as `size 110x32`")?;
    let (columns, lines): (usize, usize) = (columns.parse()?, lines.parse()?);
    let stage = Stage::open(programs, columns, lines)?;
    let mut frames = Vec::new();
    for act in acts {
        stage.play(act, &mut frames).with_context(|| format!("at `{act}`"))?;
    }
    if let Some(last) = frames.last_mut() {
        last.stays = LAST;
    }
    Ok(drawn(&frames, columns, lines))
}

/// A terminal with a shell, in a separate tmux server.
struct Stage {
    socket: String,
    /// The runs folder of the film.
    folder: PathBuf,
}

impl Stage {
    fn open(programs: &Path, columns: usize, lines: usize) -> Result<Self> {
        let name = format!("film-{}", std::process::id());
        let folder = std::env::temp_dir().join(&name);
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
        std::fs::create_dir_all(folder.join("home"))?;
        let stage = Self { socket: name, folder };
        let (x, y) = (columns.to_string(), lines.to_string());
        let folder = stage.folder.display();
        let shell = format!(
            "cd {folder} && env -i HOME={folder}/home PATH={path} TERM=tmux-256color COLORTERM=truecolor LANG=C.UTF-8 \
             GRADTOP_RUNS={folder}/runs PS1='\\[\\e[1;32m\\]$\\[\\e[0m\\] ' bash --norc --noprofile"
        );
        stage.tmux(&["-f", "/dev/null", "new-session", "-d", "-s", "film", "-x", &x, "-y", &y, &shell])?;
        stage.tmux(&["set-option", "-g", "status", "off"])?;
        stage.tmux(&["resize-window", "-t", "film", "-x", &x, "-y", &y])?;
        Ok(stage)
    }

    fn tmux(&self, args: &[&str]) -> Result<String> {
        let out = Command::new("tmux").args(["-u", "-L", &self.socket]).args(args).output();
        let out = out.context("tmux cannot be started (apt install tmux)")?;
        ensure!(out.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&out.stderr).trim());
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    fn play(&self, act: &str, frames: &mut Vec<Frame>) -> Result<()> {
        let (verb, rest) = act.split_once(' ').unwrap_or((act, ""));
        match verb {
            "type" => {
                for c in rest.chars() {
                    self.tmux(&["send-keys", "-t", "film", "-l", &c.to_string()])?;
                    std::thread::sleep(LOOK / 3);
                    self.look(frames, 0.045)?;
                }
            }
            "key" => {
                for key in rest.split(' ') {
                    self.tmux(&["send-keys", "-t", "film", key])?;
                    std::thread::sleep(LOOK);
                    self.look(frames, 0.35)?;
                }
            }
            "hold" => {
                let seconds: f64 = rest.parse()?;
                let start = Instant::now();
                while start.elapsed().as_secs_f64() < seconds {
                    std::thread::sleep(PICTURE);
                    self.look(frames, PICTURE.as_secs_f64())?;
                }
            }
            "wait" => {
                let start = Instant::now();
                let mut still = 0.0;
                // The typed command does not count as output.
                let said = |screen: String| screen.lines().any(|l| !l.starts_with("$ ") && l.contains(rest));
                while !said(self.tmux(&["capture-pane", "-p", "-t", "film"])?) {
                    ensure!(
                        start.elapsed() < PATIENCE,
                        "{rest:?} did not appear:\n{}",
                        self.tmux(&["capture-pane", "-p", "-t", "film"])?
                    );
                    std::thread::sleep(LOOK);
                    let moved = self.look(frames, if still < CUT { LOOK.as_secs_f64() } else { 0.0 })?;
                    still = if moved { 0.0 } else { still + LOOK.as_secs_f64() };
                }
                self.look(frames, LOOK.as_secs_f64())?;
            }
            _ => bail!("an act is size, type, key, wait or hold"),
        }
        Ok(())
    }

    /// Captures the screen with a duration. Returns whether it has changed.
    fn look(&self, frames: &mut Vec<Frame>, stays: f64) -> Result<bool> {
        let place =
            self.tmux(&["display-message", "-p", "-t", "film", "#{cursor_flag} #{cursor_x} #{cursor_y}"])?;
        let mut rows = svg::rows(&self.tmux(&["capture-pane", "-e", "-p", "-t", "film"])?);
        let mut cursor = place.split_whitespace().map(|n| n.parse::<usize>().unwrap_or(0));
        if let (Some(1), Some(x), Some(y)) = (cursor.next(), cursor.next(), cursor.next()) {
            rows.resize_with(rows.len().max(y + 1), Row::new);
            let row = &mut rows[y];
            row.resize_with(row.len().max(x + 1), || (' ', svg::Look::default()));
            row[x].1.reverse = true;
        }
        match frames.last_mut() {
            Some(last) if last.rows == rows => {
                last.stays += stays;
                Ok(false)
            }
            _ => {
                frames.push(Frame { rows, stays });
                Ok(true)
            }
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.tmux(&["kill-server"]));
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// A line of the terminal that is shown for some of the time.
struct Line<'a> {
    y: usize,
    row: &'a Row,
    /// The periods in which it is shown, in seconds.
    times: Vec<(f64, f64)>,
}

/// Draws the film: each distinct line once, shown during its periods.
fn drawn(frames: &[Frame], columns: usize, lines: usize) -> String {
    let mut seen: Vec<Line<'_>> = Vec::new();
    let mut places = HashMap::new();
    let mut start = 0.0;
    for frame in frames {
        let end = start + frame.stays;
        let filled = |row: &Row| row.iter().any(|(c, look)| *c != ' ' || look.reverse);
        for (y, row) in frame.rows.iter().enumerate().filter(|(_, row)| filled(row)) {
            let place = *places.entry((y, row)).or_insert_with(|| {
                seen.push(Line { y, row, times: Vec::new() });
                seen.len() - 1
            });
            match seen[place].times.last_mut() {
                Some(last) if last.1 == start => last.1 = end,
                _ => seen[place].times.push((start, end)),
            }
        }
        start = end;
    }
    let mut out = svg::open(columns, lines);
    for Line { y, row, times } in &seen {
        out.push_str(&appearing(times, start));
        svg::draw_row(&mut out, row, *y);
        out.push_str("</g>\n");
    }
    out.push_str("</svg>\n");
    out
}

/// The start of a group that is shown in these periods of a film of `whole` seconds, repeatedly. Without animation, the last
/// frame is shown.
fn appearing(times: &[(f64, f64)], whole: f64) -> String {
    let shown = |yes| if yes { "inline" } else { "none" };
    let (mut keys, mut values) = (vec!["0".to_owned()], vec![shown(times[0].0 == 0.0)]);
    for (at, is) in times.iter().flat_map(|(from, to)| [(from, true), (to, false)]) {
        if *at > 0.0 && *at < whole {
            keys.push(format!("{:.5}", at / whole));
            values.push(shown(is));
        }
    }
    format!(
        "<g display=\"{}\"><animate attributeName=\"display\" calcMode=\"discrete\" dur=\"{whole:.2}s\" \
         repeatCount=\"indefinite\" keyTimes=\"{}\" values=\"{}\"/>\n",
        shown(times.last().is_some_and(|(_, to)| *to >= whole)),
        keys.join(";"),
        values.join(";"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_drawn_once_and_shown_while_it_was_there() {
        let frame = |text: &str, stays| Frame { rows: svg::rows(text), stays };
        let frames = [frame("a\nb", 1.0), frame("a\nc", 2.0), frame("a\nb", 1.0)];
        let film = drawn(&frames, 10, 2);
        assert_eq!(["a", "b", "c"].map(|c| film.matches(&format!(">{c}</text>")).count()), [1, 1, 1]);
        assert!(film.contains("keyTimes=\"0;0.25000;0.75000\" values=\"inline;none;inline\""), "{film}");
        assert!(film.contains("keyTimes=\"0;0.25000;0.75000\" values=\"none;inline;none\""), "{film}");
    }
}
