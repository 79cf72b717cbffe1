//! Draws the comparison.

use std::collections::BTreeSet;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::Clear;

use super::Compare;
use super::settings::Pane;
use super::table::{self, AtCursor};
use crate::print::clean;
use crate::screens::charts::Scene;
use crate::screens::pen::Pen;
use crate::screens::shared::Shared;
use crate::widgets;
use gradtop_chart::cells::text::{width_of, wrap};
use gradtop_chart::number::counted;
use gradtop_view::compare::{GroupBy, metrics_by_experiment, none_shared, why_none};
use gradtop_view::figure::prepared::CursorValue;

/// Below this width, what is shown takes precedence over its source.
const NARROW: u16 = 60;

/// The areas of the parts below the heading.
pub(super) struct Places {
    pub(super) charts: Rect,
    pub(super) table: Rect,
}

impl Compare {
    pub(super) fn places(&self, shared: &Shared) -> Places {
        let area = shared.area;
        let (top, height) = (area.y + 1.min(area.height), area.height.saturating_sub(1));
        let wanted = self.compared.groups.len() as u16 + table::HEADING + 1;
        let most = (height * 2 / 5).max(table::HEADING + 3);
        let rows = match shared.settings.compare.pane {
            Pane::Charts => 0,
            Pane::Both => wanted.min(most).min(height),
            Pane::Table => height,
        };
        let charts = Rect { y: top, height: height - rows, ..area };
        Places { charts, table: Rect { y: charts.bottom(), height: rows, ..area } }
    }

    pub(super) fn draw(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let compared = &self.compared;
        if compared.runs.is_empty() {
            let (theme, gone) = (shared.theme, !self.runs.is_empty());
            let what = if gone { "The compared runs no longer exist" } else { "No runs to compare" };
            let how = "Select runs with space in the list, then press c.  esc: back";
            for (row, text, style) in [(1, what, theme.bold()), (2, how, theme.dim())] {
                Pen::row(frame.buffer_mut(), theme, area, row).skip(2).put(text, style);
            }
            return;
        }
        let places = self.places(shared);
        let look = self.look(shared);
        let scene = self.scene(shared, &look);
        if self.pane != Pane::Table {
            self.draw_charts(&scene, frame);
        }
        self.heading(&scene, frame, area);
        if self.pane != Pane::Charts {
            table::draw(self, shared.theme, self.at_cursor().as_deref(), frame, places.table);
        }
    }

    /// The search while it is typed, or what is compared and how it is shown.
    fn heading(&self, scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
        let theme = scene.shared.theme;
        let compared = &self.compared;
        let typed = self.charts.typed(scene);
        // Without a table, the values at the cursor are here.
        let at_cursor = || self.charts.cursor_line(scene).filter(|_| self.pane == Pane::Charts);
        if let Some(lines) = typed.or_else(|| Some(vec![at_cursor()?])) {
            let place = Rect { height: (lines.len() as u16).min(area.height), ..area };
            frame.render_widget(Clear, place);
            widgets::lines(lines, theme, frame, place);
            return;
        }
        let experiments: BTreeSet<&str> = compared.runs.iter().map(|s| s.row.experiment()).collect();
        let drawn = compared.read && !compared.facets.is_empty();
        let apart = drawn && none_shared(&compared.runs, &compared.facets);
        let of = match experiments.iter().next() {
            Some(one) if experiments.len() == 1 => clean(one),
            _ if compared.facets.is_empty() || apart => format!("{} experiments", experiments.len()),
            _ => format!("{} experiments, the metrics they share", experiments.len()),
        };
        let mut pen = Pen::row(frame.buffer_mut(), theme, area, 0);
        pen.skip(1).put(&counted(compared.runs.len(), "run"), theme.dim());
        // The table names them, too.
        if area.width >= NARROW {
            pen.put(" of ", theme.dim()).put(&of, theme.bold());
        }
        if apart {
            pen.skip(3).put("no series in common", theme.wait());
        }
        if compared.gone > 0 {
            pen.skip(3).put(&format!("{} gone", compared.gone), theme.alert());
        }
        let damaged = compared.runs.iter().filter(|run| run.data.unread().next().is_some()).count();
        if damaged > 0 {
            pen.skip(3).put(&format!("{damaged} damaged"), theme.alert());
        }
        let fact = |pen: &mut Pen<'_>, name: &str, value: &str| {
            pen.skip(3).put(name, theme.dim()).skip(1).put(value, theme.text());
        };
        if self.by != GroupBy::Nothing {
            fact(&mut pen, "grouped by:", &self.by.word());
        }
        if self.pane != Pane::Table {
            for words in self.charts.facts(scene).into_iter().chain(self.charts.cursor_words(scene)) {
                pen.skip(3).put(&words, theme.text());
            }
        }
        if self.pane != Pane::Table && !self.charts.is_empty() {
            let room = pen.room().saturating_sub(3);
            let text = self.charts.about(scene, room);
            pen.skip(2 + room - width_of(&text)).put(&text, theme.dim());
        }
    }

    fn draw_charts(&self, scene: &Scene<'_>, frame: &mut Frame<'_>) {
        if !self.charts.is_empty() {
            self.charts.view(scene, frame);
            return;
        }
        let (area, theme, runs) = (scene.area, scene.shared.theme, &self.compared.runs);
        let why = if self.compared.read { why_none(runs) } else { "reading …" };
        let mut texts = vec![(why.to_owned(), theme.dim())];
        let metrics = metrics_by_experiment(runs);
        if self.compared.read && metrics.len() > 1 {
            texts.extend(metrics.into_iter().map(|text| (text, theme.text())));
            let how = "Compare runs of one experiment instead, or open a run: O.";
            texts.push((how.to_owned(), theme.dim()));
        }
        let room = usize::from(area.width.saturating_sub(4));
        let lines =
            texts.iter().flat_map(|(text, style)| wrap(text, room).into_iter().map(|line| (line, *style)));
        let lines: Vec<_> = lines.collect();
        // Below a blank line, if there is room for it.
        let first = u16::from(lines.len() < area.height.into());
        for (row, (line, style)) in (first..).zip(lines) {
            Pen::row(frame.buffer_mut(), theme, area, row).skip(2).put(&line, style);
        }
    }

    /// The value of each group at the cursor.
    fn at_cursor(&self) -> Option<Vec<Option<AtCursor>>> {
        let built = self.charts.focused().filter(|b| self.pane == Pane::Both && b.cursor.is_some())?;
        let of = |name: &str| {
            let line = built.lines.iter().find(|l| l.name == name)?;
            let of =
                |at: CursorValue| AtCursor { at, value: line.axis.words(at.shown), unit: line.unit.clone() };
            line.at_cursor.map(of)
        };
        Some(self.compared.groups.iter().map(|t| of(&t.name)).collect())
    }
}
