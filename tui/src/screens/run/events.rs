//! The events of a run, newest last.

use std::sync::Arc;

use gradtop_store::{Event, EventLine, State};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::words::state_style;
use crate::screens::shared::Shared;
use crate::widgets::Scroll;
use gradtop_chart::cells::text::{width_of, wrap};
use gradtop_view::clock::moment_at;
use gradtop_view::events;

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
            let text = format!(" {} earlier events: gradtop logs --events shows all", self.before);
            out.push(Line::styled(text, theme.dim()));
        }
        for line in self.lines.iter() {
            let time = moment_at(line.time, shared.now);
            let (sign, style, text) = words(shared, &line.event);
            let indent = width_of(&time) + 5;
            for (i, part) in wrap(&text, width.saturating_sub(indent + 1).max(10)).into_iter().enumerate() {
                out.push(if i == 0 {
                    Line::from(vec![
                        Span::styled(format!(" {time}  "), theme.dim()),
                        Span::styled(format!("{sign} "), style),
                        Span::styled(part, style),
                    ])
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
        Event::State { state, .. } => (super::words::glyph(shared, *state), state_style(shared, *state)),
        Event::Resumed { .. } => (theme.glyph('↻', '>'), theme.text()),
        Event::Paused => (super::words::glyph(shared, State::Paused), theme.wait()),
        Event::Unpaused => (super::words::glyph(shared, State::Running), theme.good()),
        Event::Warning { .. } => ('!', theme.wait()),
        Event::Alert { .. } => ('!', theme.alert()),
        Event::Checkpoint { .. } | Event::Log { .. } => (' ', theme.text()),
        Event::Request { .. } | Event::Signal { .. } | Event::Unknown => (' ', theme.dim()),
    };
    (sign, style, events::words(event))
}
