//! The help: all keys that work on the current screen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::Screen;
use super::effect::Effect;
use super::keys::meanings as key;
use super::keys::{Binding, Keys, Kind, Mode, Row, bind, label};
use super::shared::Shared;
use crate::widgets::{self, Move, Scroll};
use gradtop_chart::cells::text::{width_of, wrap};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Close,
    Go(Move),
}

pub(crate) const KEYS: Mode<Action> = Mode::new("Help", Kind::Overlay, ROWS);

const ROWS: &[Binding<Action>] = &[
    bind(&[key::BACK, key::HELP, key::F1, key::QUIT, key::ENTER], Action::Close, "close", "close the help"),
    bind(&[key::UP], Action::Go(Move::By(-1)), "up", "a line up"),
    bind(&[key::DOWN], Action::Go(Move::By(1)), "down", "a line down"),
    bind(&[key::PAGE_UP], Action::Go(Move::Page(-1)), "", "a page up"),
    bind(&[key::PAGE_DOWN], Action::Go(Move::Page(1)), "", "a page down"),
    bind(&[key::START, key::FIRST], Action::Go(Move::First), "", "to the start"),
    bind(&[key::END, key::LAST], Action::Go(Move::Last), "", "to the end"),
];

#[derive(Debug)]
pub(crate) struct Help {
    sections: Vec<Keys>,
    scroll: Scroll,
}

/// From this width on, the help has two columns.
const TWO: u16 = 130;

impl Screen for Help {
    fn keys(&self) -> Keys {
        KEYS.keys()
    }

    fn press(&mut self, shared: &mut Shared, key: &str) -> Option<Vec<Effect>> {
        match KEYS.find(key)? {
            Action::Close => return Some(vec![Effect::Close]),
            Action::Go(to) => {
                self.scroll.go(to, self.lines(shared).len(), shared.area.height.into(), false);
            }
        }
        Some(Vec::new())
    }

    fn view(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let lines = widgets::page(self.lines(shared), self.scroll, area.height.into(), shared.theme);
        let left = 2.min(area.width);
        let inner = Rect { x: area.x + left, width: area.width - left, ..area };
        widgets::lines(lines, shared.theme, frame, inner);
    }
}

impl Help {
    /// Creates the help with these sections.
    pub(crate) fn new(sections: Vec<Keys>) -> Self {
        Self { sections, scroll: Scroll::default() }
    }

    fn lines(&self, shared: &Shared) -> Vec<Line<'static>> {
        let width = shared.area.width.saturating_sub(4);
        let column = usize::from(if width >= TWO { width / 2 - 2 } else { width });
        let mut sections: Vec<Vec<Line<'static>>> =
            self.sections.iter().map(|keys| section(shared, keys, column)).collect();
        sections.retain(|lines| !lines.is_empty());
        if width < TWO || sections.len() < 2 {
            return sections.concat();
        }
        // The screen's own keys on the left, the global ones on the right.
        let left = sections.remove(0);
        let right = sections.concat();
        let blank = Line::default();
        let beside = |i: usize| {
            let [left, right] = [&left, &right].map(|lines| lines.get(i).unwrap_or(&blank));
            let pad = Span::raw(" ".repeat((column + 4).saturating_sub(left.width())));
            left.spans.iter().cloned().chain([pad]).chain(right.spans.iter().cloned()).collect()
        };
        (0..left.len().max(right.len())).map(beside).collect()
    }
}

fn section(shared: &Shared, keys: &Keys, width: usize) -> Vec<Line<'static>> {
    let theme = shared.theme;
    let shown = keys.bindings.iter().filter(|b| !(shared.read_only && b.changes));
    let names = |row: &Row| row.names.iter().map(|k| label(k, theme.ascii())).collect::<Vec<_>>().join("  ");
    let shown: Vec<(String, &str)> = shown.map(|row| (names(row), row.what)).collect();
    if shown.is_empty() {
        return Vec::new();
    }
    // Descriptions are beside the keys, or below if there is no room.
    let widest = shown.iter().map(|(k, _)| width_of(k)).max().unwrap_or(0);
    let below = widest * 2 > width;
    let left = if below { 2 } else { widest };
    let mut lines: Vec<_> =
        wrap(keys.title, width).into_iter().map(|line| Line::styled(line, theme.bold())).collect();
    for (names, what) in shown {
        for (i, part) in wrap(what, width.saturating_sub(left + 4).max(12)).into_iter().enumerate() {
            if below && i == 0 {
                lines.push(Line::styled(format!("  {names}"), theme.accent()));
            }
            let name = if i == 0 && !below { names.as_str() } else { "" };
            let pad = " ".repeat(left.saturating_sub(width_of(name)) + 2);
            lines.push(Line::from(vec![
                Span::styled(format!("  {name}"), theme.accent()),
                Span::raw(pad),
                Span::styled(part, theme.text()),
            ]));
        }
    }
    lines.push(Line::default());
    lines
}
