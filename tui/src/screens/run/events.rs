//! The events of a run, newest last.

use std::sync::Arc;

use gradtop_store::{Event, EventLine, State};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::screens::shared::Shared;
use crate::widgets::Scroll;
use gradtop_chart::cells::text::{width_of, wrap};
use gradtop_chart::number;
use gradtop_view::clock::moment_at;
use gradtop_view::run::events;

#[derive(Debug)]
pub(crate) struct Events {
    lines: Arc<[EventLine]>,
    /// The number of older events, which are not loaded.
    before: usize,
    pub(crate) loaded: bool,
    pub(crate) scroll: Scroll,
}

impl Default for Events {
    fn default() -> Self {
        Self { lines: Arc::new([]), before: 0, loaded: false, scroll: Scroll::at_end() }
    }
}

impl Events {
    /// Replaces the events.
    pub(crate) fn take(&mut self, lines: Arc<[EventLine]>, before: usize) {
        (self.lines, self.before, self.loaded) = (lines, before, true);
    }

    /// The lines of the pane at a width.
    pub(crate) fn lines(&self, shared: &Shared, width: usize) -> Vec<Line<'static>> {
        let theme = shared.theme;
        let mut out = Vec::new();
        if self.before > 0 {
            let text = format!(
                " {}: gradtop logs --events shows all",
                number::counted(self.before, "earlier event")
            );
            out.push(Line::styled(text, theme.dim()));
        }
        for line in self.lines.iter() {
            let time = moment_at(line.time, shared.now);
            let (sign, style, text) = words(shared, &line.event);
            let mut time = Span::styled(format!(" {time}  "), theme.dim());
            // If the date takes most of the line, the text gets its own lines.
            if width_of(&time.content) > width / 2 {
                out.push(Line::from(std::mem::replace(&mut time, Span::raw("   "))));
            }
            let indent = width_of(&time.content) + 2;
            for (i, part) in wrap(&text, width.saturating_sub(indent + 1).max(10)).into_iter().enumerate() {
                out.push(if i == 0 {
                    let sign = Span::styled(format!("{sign} "), style);
                    Line::from(vec![time.clone(), sign, Span::styled(part, style)])
                } else {
                    Line::from(vec![Span::raw(" ".repeat(indent)), Span::styled(part, style)])
                });
            }
        }
        out
    }
}

/// The sign, style and text of an event.
fn words(shared: &Shared, event: &Event) -> (char, Style, String) {
    let theme = shared.theme;
    let (sign, style) = match event {
        Event::State { state, .. } => (shared.state_glyph(*state), shared.state_style(*state)),
        Event::Resumed { .. } => (theme.glyph('↻', '>'), theme.text()),
        Event::Paused => (shared.state_glyph(State::Paused), theme.wait()),
        Event::Unpaused => (shared.state_glyph(State::Running), theme.good()),
        Event::Warning { .. } => ('!', theme.wait()),
        Event::Alert { .. } => ('!', theme.alert()),
        Event::Checkpoint { .. } | Event::Log { .. } => (' ', theme.text()),
        Event::Request { .. } | Event::Signal { .. } | Event::Unknown => (' ', theme.dim()),
    };
    (sign, style, events::words(event))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::app::testing::Bench;

    #[test]
    fn words_have_lines_of_their_own_where_a_date_takes_most_of_one() {
        let event = Event::Warning { message: "the disk is full, 20 rows wait".to_owned() };
        let mut events = Events::default();
        events.take([EventLine { time: "2026-01-02T03:04:05Z".parse().unwrap(), event }].into(), 0);
        let bench = Bench::new();
        let shown = |width| {
            let lines = events.lines(&bench.app.shared, width);
            lines.iter().map(|line| line.to_string().trim_end().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            shown(40),
            [" 2026-01-02 03:04:05", "   ! warning: the disk is full, 20 rows", "     wait"]
        );
        assert_eq!(shown(80), [" 2026-01-02 03:04:05  ! warning: the disk is full, 20 rows wait"]);
    }
}
