//! Draws the screen of a run.

use gradtop_store::{Kind, State};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{GONE, Pane, RunScreen, header, params};
use crate::print::clean;
use crate::screens::shared::Shared;
use crate::widgets::{self, paragraph};
use gradtop_chart::cells::text::{width_of, wrap, wrap_in};
use gradtop_chart::number;

/// The width of the text in an empty pane.
const MESSAGE: usize = 64;

/// A title and paragraphs.
type EmptyMessage = (String, Vec<String>);

fn empty_message(title: &str, text: &[&str]) -> EmptyMessage {
    (title.to_owned(), text.iter().map(|sentence| (*sentence).to_owned()).collect())
}

impl RunScreen {
    pub(super) fn draw(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let Some(row) = &self.row else {
            self.draw_unknown_run(shared, frame, area);
            return;
        };
        self.draw_pane(shared, frame);
        // Drawn charts know which of their series are hidden.
        let width = usize::from(area.width);
        let mut above = vec![header::first(shared, &row.view, self.is_deleted(shared), width)];
        if !is_low(area) {
            above.push(header::second(shared, self.pane, self.chart_facts(shared), width));
            above.extend(self.banner(shared));
        }
        widgets::lines(above, shared.theme, frame, area);
    }

    fn draw_pane(&self, shared: &Shared, frame: &mut Frame<'_>) {
        let body = self.body(shared);
        let (width, height) = (usize::from(body.width), usize::from(body.height));
        if let Some((title, text)) = self.message(shared) {
            message(shared, frame, body, &title, &text);
            return;
        }
        match self.pane {
            Pane::Charts | Pane::System => {
                let look = self.look(shared);
                if let (Some(charts), Some(data)) = (self.charts(), &self.data)
                    && let Some(scene) = self.scene(shared, data, &look)
                {
                    charts.view(&scene, frame);
                    let status = charts.status(&scene);
                    // A status that is too long for one line covers part of the charts.
                    let height = (status.len() as u16).min(body.height);
                    let place = Rect { y: body.bottom() - height, height, ..body };
                    frame.render_widget(ratatui::widgets::Clear, place);
                    widgets::lines(status, shared.theme, frame, place);
                }
            }
            Pane::Log => {
                let live = self.row.as_ref().is_some_and(|row| row.live());
                widgets::lines(self.log.lines(shared, (width, height), live), shared.theme, frame, body);
            }
            Pane::Tables => {
                widgets::lines(self.tables.lines(shared, width, height), shared.theme, frame, body);
            }
            Pane::Events | Pane::Params => {
                let scroll = if self.pane == Pane::Events { self.events.scroll } else { self.params };
                let lines = widgets::page(self.lines_of(shared, width), scroll, height, shared.theme);
                widgets::lines(lines, shared.theme, frame, body);
            }
        }
    }

    /// How the charts are displayed, in words.
    pub(super) fn chart_facts(&self, shared: &Shared) -> Vec<String> {
        let look = self.look(shared);
        let Some(charts) = self.charts() else { return Vec::new() };
        let scene = self.data.as_ref().and_then(|data| self.scene(shared, data, &look));
        scene.map(|scene| charts.facts(&scene)).unwrap_or_default()
    }

    /// The lines of a pane that consists of lines.
    pub(super) fn lines_of(&self, shared: &Shared, width: usize) -> Vec<Line<'static>> {
        match (self.pane, &self.row) {
            (Pane::Events, _) => self.events.lines(shared, width),
            (Pane::Params, Some(row)) => params::lines(shared, &row.view, width),
            _ => Vec::new(),
        }
    }

    /// The diagnosis below the header.
    pub(super) fn banner(&self, shared: &Shared) -> Vec<Line<'static>> {
        let width = usize::from(shared.area.width);
        let room = width.saturating_sub(2).max(10);
        let Some(row) = &self.row else { return Vec::new() };
        if self.is_deleted(shared) {
            let text =
                format!("{}; it was last seen {}. esc goes back.", header::sentence(GONE), row.view.state);
            return paragraph(&text, room, shared.theme.alert()).collect();
        }
        let most = (usize::from(shared.area.height) / 6).max(2);
        let mut lines = header::banner(shared, row, width, most);
        lines.extend(self.verdict.as_ref().map(|verdict| header::verdict(shared, verdict, width)));
        if let Some(error) = self.data.as_ref().and_then(|d| d.unread_here().next()) {
            let error = clean(&error);
            let text = format!("{} some of its data cannot be read: {error}", shared.theme.glyph('▲', '!'));
            lines.extend(
                wrap_in(&text, room, 2, shared.theme.ascii())
                    .into_iter()
                    .map(|l| Line::styled(format!(" {l}"), shared.theme.alert())),
            );
        }
        lines
    }

    /// The message of an empty pane.
    fn message(&self, shared: &Shared) -> Option<EmptyMessage> {
        let row = self.row.as_ref()?;
        let state = row.view.state;
        let imported = row.view.manifest.kind == Kind::Import;
        if self.is_deleted(shared) {
            let why = format!("{}, before this was read.", header::sentence(GONE));
            return (!self.has_read_pane())
                .then(|| empty_message("This run is gone", &[&why, "esc goes back."]));
        }
        if let Some((_, error)) = self.error.as_ref().filter(|(pane, _)| *pane == self.pane) {
            let again = "gradtop tries again when you return to this pane.";
            return Some(empty_message("This cannot be read", &[&clean(error), again]));
        }
        Some(match self.pane {
            Pane::Charts => {
                let data = self.data.as_deref();
                let some = data.is_some_and(|d| !d.keys.is_empty() || !d.figures.is_empty());
                if some && !self.charts.is_empty() {
                    return None;
                }
                self.no_charts(shared)?
            }
            Pane::System if self.system.is_empty() && imported => empty_message(
                "Nothing was measured",
                &["Its values were imported; gradtop did not see it train."],
            ),
            Pane::System if self.system.is_empty() && state.is_final() => {
                empty_message("Nothing was measured", &["The run ended before the first measurement."])
            }
            Pane::System if self.system.is_empty() => empty_message(
                "Nothing measured yet",
                &["The run's process is measured once a second during training."],
            ),
            Pane::Log if !self.log.loaded() => empty_message("Reading", &[]),
            Pane::Log if self.log.is_empty() && imported => {
                empty_message("No output", &["Its values were imported; what it printed is not among them."])
            }
            Pane::Log if self.log.is_empty() => empty_message(
                "Nothing written",
                &["The run's output appears here.", "Messages of the experiment are in the events: press 3"],
            ),
            Pane::Events if !self.events.loaded => empty_message("Reading", &[]),
            Pane::Tables if !self.tables.loaded => empty_message("Reading", &[]),
            Pane::Tables if self.tables.is_empty() => empty_message(
                "No tables",
                &["Tables (predictions, eigenvalues, …) appear here once the experiment logs them."],
            ),
            _ => return None,
        })
    }

    /// Returns whether something of the current pane has been read.
    fn has_read_pane(&self) -> bool {
        match self.pane {
            Pane::Charts | Pane::System => self.charts().is_some_and(|charts| !charts.is_empty()),
            Pane::Log => self.log.loaded(),
            Pane::Events => self.events.loaded,
            Pane::Tables => self.tables.loaded,
            Pane::Params => true,
        }
    }

    /// Why there are no charts, and what to do.
    fn no_charts(&self, shared: &Shared) -> Option<EmptyMessage> {
        let view = &self.row.as_ref()?.view;
        let since = view.status.started.unwrap_or(view.manifest.created);
        let age = (shared.now.as_microsecond() - since.as_microsecond()).max(0) as f64 / 1e6;
        let age = number::duration(age.floor());
        Some(match view.state {
            State::Queued | State::Starting if view.job.is_some() => {
                let words = gradtop_view::run::remark::job_words(view, shared.now).unwrap_or_default();
                empty_message("In the batch system", &[&words, "It starts by itself when its job does."])
            }
            State::Queued if view.queued.is_some() => {
                let words =
                    view.queued.as_ref().map(gradtop_view::run::remark::queue_words).unwrap_or_default();
                let release =
                    format!("It starts after `gradtop queue release {}`.", clean(&view.manifest.run));
                let held = view.queued.as_ref().is_some_and(|queued| queued.held.is_some());
                let turn = "It starts by itself when its turn comes and a slot is free.";
                empty_message("In the queue", &[&words, if held { &release } else { turn }])
            }
            State::Queued => {
                let since = format!("It was launched {age} ago and has not started yet.");
                empty_message("Queued", &[&since, "3 shows what has happened so far."])
            }
            State::Starting => {
                let since = format!("Loading the plugin and its data for {age}.");
                empty_message(
                    "Starting",
                    &[&since, "Charts appear with the first step; press 2 for its output."],
                )
            }
            state if !state.is_final() => {
                let phase = view.status.phase.as_deref().map(|p| format!(" ({})", clean(p)));
                let words = format!("It is {state}{} and has logged nothing yet.", phase.unwrap_or_default());
                empty_message("No data yet", &[&words, "2 shows what it writes, 3 what has happened."])
            }
            _ if self.data.as_ref().is_none_or(|d| d.progress.reading) => empty_message("Reading", &[]),
            state => {
                let words = format!("The run {state} before it logged a value.");
                empty_message("Nothing recorded", &[&words, "2 shows what it wrote, 3 what happened."])
            }
        })
    }

    /// Draws the screen of a run that does not exist.
    fn draw_unknown_run(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let dir = self.id.dir();
        if !shared.runs.loaded {
            message(shared, frame, area, "Reading", &[]);
            return;
        }
        let path = clean(&dir.path().to_string_lossy());
        let text = match shared.runs.unreadable.iter().find(|(p, _)| p == dir.path()) {
            Some((_, why)) => vec![
                clean(why),
                path,
                "Its Parquet files can still be read: docs/log-format.md says how. esc goes back.".to_owned(),
            ],
            None => vec![path, "Its folder was deleted, moved or renamed. esc goes back.".to_owned()],
        };
        let title = if text.len() == 3 { "This run cannot be read" } else { "This run is gone" };
        message(shared, frame, area, title, &text);
    }
}

/// Returns whether there are so few rows that only the first line about the run is shown.
pub(super) fn is_low(area: Rect) -> bool {
    area.height < 8
}

/// Draws a title and paragraphs in the centre.
fn message(shared: &Shared, frame: &mut Frame<'_>, area: Rect, title: &str, text: &[String]) {
    let width = usize::from(area.width).saturating_sub(4).min(MESSAGE);
    let mut lines = vec![(title.to_owned(), shared.theme.bold())];
    for sentence in text {
        lines.push((String::new(), shared.theme.text()));
        lines.extend(wrap(sentence, width.max(10)).into_iter().map(|l| (l, shared.theme.dim())));
    }
    let top = usize::from(area.height).saturating_sub(lines.len()) / 3;
    let lines = lines.into_iter().map(|(line, style)| {
        let line = shared.signs(&line);
        let left = usize::from(area.width).saturating_sub(width_of(&line)) / 2;
        Line::styled(format!("{}{line}", " ".repeat(left)), style)
    });
    let below = Rect { y: area.y + top as u16, height: area.height - top as u16, ..area };
    widgets::lines(lines, shared.theme, frame, below);
}

/// The pane whose tab is at a column.
pub(super) fn tab_at(pane: Pane, shown: &[String], width: usize, column: usize) -> Option<Pane> {
    let mut left = 1;
    header::tabs(pane, shown, width).find_map(|(pane, text)| {
        let here = (left..left + text.len() + 2).contains(&column);
        left += text.len() + 2;
        here.then_some(pane)
    })
}
