//! Draws the line of a run: its cells, and a remark where they leave room.

use std::collections::BTreeMap;

use gradtop_store::SeriesKey;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::cells::{self, REMARK};
use super::columns::{Column, Columns};
use super::list::Group;
use super::what::{What, told};
use crate::print::clean;
use crate::screens::shared::Shared;
use crate::widgets::{progress_bar, sparkline};
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::text::{fit, fit_distinct, width_of};
use gradtop_view::run::{headline, progress, remark, state};
use gradtop_view::runs::{RunId, RunRow};

/// The texts of runs in columns, by the place of the column, that depend on the other visible runs.
pub(super) type Texts<'a> = BTreeMap<(&'a RunId, usize), String>;

/// The texts of several runs in a column where what is cut still has to differ; none in other columns.
pub(super) fn distinct(shared: &Shared, group: &Group, column: Column<'_>, runs: &[&RunRow]) -> Vec<String> {
    let ascii = shared.theme.ascii();
    let fitted = |texts: Vec<String>, width| {
        fit_distinct(&texts.iter().map(String::as_str).collect::<Vec<_>>(), width, ascii)
    };
    match column.what {
        What::Name => {
            // An alert's sign precedes the name.
            let fits =
                |run: &&RunRow| remark::alert(&run.view).is_none() || cells::name_width(run) <= column.width;
            let sign = if runs.iter().all(fits) { 0 } else { cells::ALERT };
            fitted(runs.iter().map(|run| clean(run.name())).collect(), column.width.saturating_sub(sign))
        }
        what @ What::Param(_) => {
            fitted(runs.iter().map(|run| what.text(group, run, shared.now)).collect(), column.width)
        }
        What::Metric if column.align == Align::Left => {
            let views: Vec<_> = runs.iter().map(|run| &run.view).collect();
            headline::brief(&views, group.common.as_ref(), column.width, ascii)
        }
        _ => Vec::new(),
    }
}

/// The line of a run.
pub(super) struct Row<'a> {
    pub(super) shared: &'a Shared,
    pub(super) columns: &'a Columns<'a>,
    pub(super) texts: &'a Texts<'a>,
    pub(super) group: &'a Group,
    pub(super) run: &'a RunRow,
}

impl Row<'_> {
    /// Draws the line, with a note about the run where there is room.
    pub(super) fn draw(&self, buffer: &mut Buffer, area: Rect, note: Option<String>) {
        let note = note.and_then(|note| Some((self.place(width_of(&note), area.width.into())?, note)));
        let hidden = note.as_ref().map_or(0..0, |((left, width), _)| *left..left + width);
        for column in self.columns.0.iter().filter(|column| !hidden.contains(&column.left)) {
            let x = area.x + column.left as u16;
            self.draw_cell(buffer, Rect { x, width: column.width as u16, ..area }, *column);
        }
        if let Some(((left, width), note)) = note {
            let theme = self.shared.theme;
            let style = if self.run.view.certain { theme.alert() } else { theme.dim() };
            buffer.set_string(area.x + left as u16, area.y, fit(&note, width, theme.ascii()), style);
        }
    }

    fn draw_cell(&self, buffer: &mut Buffer, area: Rect, column: Column<'_>) {
        let Rect { x, y, .. } = area;
        let theme = self.shared.theme;
        match column.what {
            What::Name if remark::alert(&self.run.view).is_some() => {
                buffer.set_string(x, y, theme.glyph("▲ ", "! "), theme.alert());
                buffer.set_string(x + cells::ALERT as u16, y, self.own(column), theme.bold());
            }
            What::Name => buffer.set_string(x, y, self.own(column), theme.bold()),
            What::Bar => {
                if let Some((done, total)) = progress::of(&self.run.view) {
                    let (full, empty) = progress_bar(done, total, column.width, theme.ascii());
                    let style = if self.run.live() { theme.good() } else { theme.past() };
                    let (x, _) = buffer.set_stringn(x, y, full, column.width, style);
                    buffer.set_string(x, y, empty, theme.dim());
                }
            }
            What::Spark => self.draw_trend(buffer, area),
            _ => {
                let (text, style) = self.text(column);
                let text = cells::cell(&text, column.width, column.align, theme.ascii());
                buffer.set_string(x, y, text, style);
            }
        }
    }

    /// The text of a cell that depends on the other visible runs.
    fn own(&self, column: Column<'_>) -> &str {
        self.texts.get(&(&self.run.id, column.left)).map_or("", String::as_str)
    }

    fn text(&self, column: Column<'_>) -> (String, Style) {
        let Self { group, run, .. } = *self;
        let theme = self.shared.theme;
        // Running runs are brighter than ended ones.
        let usual = if run.live() { theme.text() } else { theme.past() };
        match column.what {
            What::State => {
                let view = &run.view;
                let text = if column.is_sign() {
                    state::sign(view.state, view.certain, theme.ascii())
                } else {
                    state::label_in(view, theme.ascii())
                };
                (text, theme.ink(state::ink(view.state)))
            }
            What::Metric if column.align == Align::Left => (self.own(column).to_owned(), theme.text()),
            What::Metric => (told(group, run).value, theme.text()),
            What::Param(_) => (self.own(column).to_owned(), usual),
            What::Who => (told(group, run).of_within(column.width, theme.ascii()), theme.dim()),
            what @ (What::Other("age" | "device" | "host" | "of") | What::Of(_)) => {
                (what.text(group, run, self.shared.now), theme.dim())
            }
            what => (what.text(group, run, self.shared.now), usual),
        }
    }

    /// Draws the trend of the headline metric, from its best series.
    fn draw_trend(&self, buffer: &mut Buffer, area: Rect) {
        let headlines = headline::all(&self.run.view);
        let Some(headline) = headlines.first() else { return };
        let Some(data) = self.shared.live.run(&self.run.id) else { return };
        let line = headline.line();
        let stands = |key: &SeriesKey| {
            line.is_some_and(|l| (l.model, l.split) == (key.model.as_deref(), key.split.as_deref()))
        };
        let series = data.of_metric(headline.metric).find(|s| stands(s.key()));
        let Some(series) = series.or_else(|| data.of_metric(headline.metric).next()) else { return };
        let (theme, width) = (self.shared.theme, usize::from(area.width));
        let values = series.spark(width * 2);
        let style = if self.run.live() { theme.text() } else { theme.past() };
        let log = headline.info.is_some_and(|i| i.log);
        buffer.set_stringn(area.x, area.y, sparkline(&values, log, theme.glyphs, width), width, style);
    }

    /// The place of a remark of this width in a line that is so wide: where the run has nothing to show, else over what matters
    /// less. No value gives way.
    fn place(&self, note: usize, width: usize) -> Option<(usize, usize)> {
        let Self { group, run, columns, .. } = *self;
        let kept = |column: &Column<'_>| match column.what {
            What::State | What::Name | What::Param(_) => column.width,
            What::Spark => 0,
            What::Metric => match told(group, run).value {
                value if value.is_empty() => 0,
                value if columns.brief() => width_of(&value) + 1,
                value => width_of(&cells::align_point(&value, cells::BEFORE_POINT)) + 2,
            },
            What::Who if told(group, run).of().is_empty() => 0,
            what if what != What::Who && what.text(group, run, self.shared.now).is_empty() => 0,
            _ => column.width,
        };
        // The sign before the name tells of an alert, too.
        let alert = remark::alert(&run.view).is_some_and(|alert| remark::of(&run.view) == Some(alert));
        let less = |column: &Column<'_>| match column.what {
            What::Who | What::Bar | What::Other("rate" | "eta" | "epoch" | "age" | "device") if !alert => 0,
            _ => kept(column),
        };
        let bare = columns.place(note, width, kept);
        let wider =
            || columns.place(note, width, less).filter(|wider| bare.is_none_or(|bare| bare.1 < wider.1));
        let whole = |place: &(usize, usize)| place.1 >= note;
        let enough = |place: &(usize, usize)| place.1 >= note.min(REMARK);
        bare.filter(whole).or_else(|| wider().filter(whole)).or(bare.filter(enough)).or_else(wider).or(bare)
    }
}
