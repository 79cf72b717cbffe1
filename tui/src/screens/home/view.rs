//! Draws the list of runs.
//!
//! ```text
//!  ▾ plane-curves  2 runs ──────────────────────────────────────────────────────────
//!    state       name           lr     progress          step     rate    eta  loss
//!  › ● running   fit-default-3  0.001  ███████▌░░  76 %  15.2 k  5.9 k/s  41s  3.1e-6
//! ```

use std::collections::BTreeMap;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line as Text, Span};

use super::columns::{Column, Columns, REMARK, What, without_last};
use super::list::{Group, Line};
use super::{Home, cells, words};
use crate::print::{clean, short};
use crate::screens::shared::Shared;
use crate::widgets::{self, progress_bar};
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::text::{fit, fit_distinct, fit_ends, width_of, wrap};
use gradtop_view::list::column;
use gradtop_view::list::order::Sort;
use gradtop_view::run::{headline, notes, progress, remark, state};
use gradtop_view::runs::{RunId, RunRow};

/// What a visible run shows that depends on the others: its name, its parameters, and in a brief list its value with its series.
#[derive(Default)]
struct Told {
    name: String,
    params: BTreeMap<usize, String>,
    value: String,
}

type Texts<'a> = BTreeMap<&'a RunId, Told>;

impl Home {
    pub(super) fn draw(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let areas = self.areas(shared);
        if let Some(filter) = areas.filter {
            widgets::lines(self.filter_lines(shared), shared.theme, frame, filter);
        }
        if self.list.lines.is_empty() {
            self.view_empty(shared, frame, Rect { y: areas.list.y, height: areas.list.height, ..area });
            return;
        }
        let visible = self.visible(areas.list);
        let columns = Columns::by_group(self, shared, areas.list);
        let texts = self.texts(shared, &columns, &visible);
        let buffer = frame.buffer_mut();
        for (i, y) in visible.into_iter().zip(areas.list.y..) {
            let row = Rect { y, height: 1, ..areas.list };
            match &self.list.lines[i] {
                Line::Blank => {}
                Line::Note(text) => {
                    let text = fit(text, usize::from(row.width).saturating_sub(5), shared.theme.ascii());
                    buffer.set_string(row.x + 3, y, text, shared.theme.alert());
                }
                Line::Group { group, folded } => {
                    self.view_group(shared, buffer, row, columns.get(group), *group, *folded);
                }
                Line::Titles { group } => {
                    view_titles(shared, buffer, row, &columns[group], &self.list.groups[*group]);
                }
                Line::Run { group, row: run } => {
                    self.view_run(
                        shared,
                        buffer,
                        row,
                        (&columns[group], &texts),
                        &self.list.groups[*group],
                        run,
                    );
                }
            }
            if i == self.line && self.typing.is_none() {
                buffer.set_style(row, shared.theme.cursor());
                let mark = shared.theme.glyph("›", ">");
                buffer.set_string(row.x + 1, y, mark, shared.theme.accent());
            }
        }
        if let Some(pane) = areas.pane {
            self.view_pane(shared, frame, pane);
        }
    }

    /// Texts that depend on the other visible runs: what is cut still differs.
    fn texts<'a>(
        &'a self,
        shared: &Shared,
        columns: &BTreeMap<usize, Columns<'_>>,
        visible: &[usize],
    ) -> Texts<'a> {
        let run = |line: &usize| match &self.list.lines[*line] {
            Line::Run { group, row } => Some((*group, &**row)),
            _ => None,
        };
        let runs: Vec<(usize, &RunRow)> = visible.iter().filter_map(run).collect();
        let ascii = shared.theme.ascii();
        let mut texts = Texts::new();
        for runs in runs.chunk_by(|a, b| a.0 == b.0) {
            let (group, columns) = (&self.list.groups[runs[0].0], &columns[&runs[0].0]);
            let distinct = |texts: &dyn Fn(&RunRow) -> String, width: usize| {
                let texts: Vec<String> = runs.iter().map(|(_, run)| texts(run)).collect();
                fit_distinct(&texts.iter().map(String::as_str).collect::<Vec<_>>(), width, ascii)
            };
            for column in &columns.0 {
                match column.what {
                    What::Name => {
                        // An alert's sign precedes the name.
                        let sign = runs.iter().any(|(_, run)| remark::alert(&run.view).is_some());
                        let width = column.width.saturating_sub(if sign { 2 } else { 0 });
                        let names = distinct(&|run| clean(run.name()), width);
                        for ((_, run), name) in runs.iter().zip(names) {
                            texts.entry(&run.id).or_default().name = name;
                        }
                    }
                    what @ What::Param(i) => {
                        let values = distinct(&|run| what.text(group, run, shared.now), column.width);
                        for ((_, run), value) in runs.iter().zip(values) {
                            texts.entry(&run.id).or_default().params.insert(i, value);
                        }
                    }
                    What::Metric if columns.brief() => {
                        let views: Vec<_> = runs.iter().map(|(_, run)| &run.view).collect();
                        let values = headline::brief(&views, group.common.as_ref(), column.width, ascii);
                        for ((_, run), value) in runs.iter().zip(values) {
                            texts.entry(&run.id).or_default().value = value;
                        }
                    }
                    _ => {}
                }
            }
        }
        texts
    }

    /// The lines about the filter; none without a filter.
    pub(super) fn filter_lines(&self, shared: &Shared) -> Vec<Text<'static>> {
        let theme = shared.theme;
        let width = usize::from(shared.area.width);
        let shown: usize = self.list.groups.iter().map(|g| g.rows.len()).sum();
        let error = self.typing.as_ref().and_then(|typing| typing.error.as_ref());
        let said = match (error, self.unknown.as_slice()) {
            (Some(error), _) => (error.message.as_str(), theme.alert()),
            (None, [field, ..]) => (&*format!("no run has a {}", clean(field)), theme.wait()),
            (None, []) => (&*format!("{shown} of {} runs", shared.runs.rows.len()), theme.dim()),
        };
        let label = Span::styled(" filter ", theme.dim());
        match &self.typing {
            Some(typing) => widgets::typed(label, &typing.input, said, width, theme),
            None if self.filter.0.is_empty() => Vec::new(),
            None => widgets::said(Text::from(vec![label, Span::raw(self.filter.0.clone())]), said, width),
        }
    }

    fn view_group(
        &self,
        shared: &Shared,
        buffer: &mut Buffer,
        area: Rect,
        columns: Option<&Columns<'_>>,
        group: usize,
        folded: bool,
    ) {
        let theme = shared.theme;
        let group = &self.list.groups[group];
        let sign = if folded { theme.glyph("▸", ">") } else { theme.glyph("▾", "v") };
        let count = match (group.rows.len(), group.all) {
            (1, 1) => "1 run".to_owned(),
            (some, all) if some == all => format!("{all} runs"),
            (some, all) => format!("{some} of {all} runs"),
        };
        let selected = group.rows.iter().filter(|r| self.selected.contains(&r.id)).count();
        let selected = if selected > 0 { format!(", {selected} selected") } else { String::new() };
        let said = |columns: &Columns<'_>| {
            let of = columns.left_out(group)?;
            Some(if columns.brief() {
                format!(", {of}")
            } else {
                format!(", {}: {of}", What::Metric.title(group))
            })
        };
        let of = columns.and_then(said).unwrap_or_default();
        // An order that no heading shows.
        let sort = &shared.settings.home.sort;
        let matters =
            || group.rows.iter().any(|run| !column::cell(&run.view, &sort.by, shared.now).is_empty());
        let unseen =
            columns.is_some_and(|columns| !columns.0.iter().any(|column| column.what.is_sorted(group, sort)));
        let sorted = unseen && *sort != Sort::default() && matters();
        let sorted = if sorted { format!(", {}", words(sort)) } else { String::new() };
        let x = area.x + 3;
        buffer.set_string(x, area.y, sign, theme.dim());
        let room = usize::from(area.width.saturating_sub(6));
        let name = fit_ends(&clean(&group.experiment), room, theme.ascii());
        let (x, _) = buffer.set_stringn(x + 2, area.y, &name, room, theme.bold());
        let room = usize::from(area.right().saturating_sub(x));
        let count = fit(&shared.signs(&format!("  {count}{selected}{of}{sorted} ")), room, theme.ascii());
        let (x, _) = buffer.set_stringn(x, area.y, count, room, theme.dim());
        let line = theme.glyph("─", "-").repeat(usize::from(area.right().saturating_sub(x + 1)));
        buffer.set_string(x, area.y, line, theme.dim());
    }

    fn view_run(
        &self,
        shared: &Shared,
        buffer: &mut Buffer,
        area: Rect,
        (columns, texts): (&Columns<'_>, &Texts<'_>),
        group: &Group,
        run: &RunRow,
    ) {
        let theme = shared.theme;
        if self.selected.contains(&run.id) {
            buffer.set_string(area.x, area.y, theme.glyph("▌", "|"), theme.accent());
        }
        if run.view.notes.starred {
            buffer.set_string(area.x + 2, area.y, theme.glyph(notes::STAR, "*"), theme.accent());
        }
        let note = cells::note(run).filter(|_| self.columns.is_empty());
        let note = note.and_then(|note| Some((place(shared, columns, area.width, group, run, &note)?, note)));
        let hidden = note.as_ref().map_or(0..0, |((left, width), _)| *left..left + width);
        for column in columns.0.iter().filter(|column| !hidden.contains(&column.left)) {
            Self::view_cell(shared, buffer, area, (*column, texts), group, run);
        }
        if let Some(((left, width), note)) = note {
            let style = if run.view.certain { theme.alert() } else { theme.dim() };
            let text = fit(&note, width, theme.ascii());
            buffer.set_string(area.x + left as u16, area.y, text, style);
        }
    }

    fn view_cell(
        shared: &Shared,
        buffer: &mut Buffer,
        area: Rect,
        (column, texts): (Column<'_>, &Texts<'_>),
        group: &Group,
        run: &RunRow,
    ) {
        let theme = shared.theme;
        let (mut x, y) = (area.x + column.left as u16, area.y);
        let told = texts.get(&run.id);
        let live = run.live();
        // Running runs are brighter than ended ones.
        let usual = if live { theme.text() } else { theme.past() };
        let (text, style) = match column.what {
            What::State => {
                let view = &run.view;
                let text = if column.is_sign() {
                    state::sign(view.state, view.certain, theme.ascii())
                } else {
                    state::label_in(view, theme.ascii())
                };
                (text, theme.ink(state::ink(view.state)))
            }
            What::Name => {
                if remark::alert(&run.view).is_some() {
                    buffer.set_string(x, y, theme.glyph("▲ ", "! "), theme.alert());
                    x += 2;
                }
                buffer.set_string(x, y, told.map_or("", |told| &told.name), theme.bold());
                return;
            }
            What::Bar => {
                if let Some((done, total)) = progress::of(&run.view) {
                    let (full, empty) = progress_bar(done, total, column.width, theme.ascii());
                    let style = if live { theme.good() } else { theme.past() };
                    let (x, _) = buffer.set_stringn(x, y, full, column.width, style);
                    buffer.set_string(x, y, empty, theme.dim());
                }
                return;
            }
            What::Spark => {
                Self::view_spark(shared, buffer, Rect { x, y, width: column.width as u16, height: 1 }, run);
                return;
            }
            What::Metric if column.align == Align::Left => {
                (told.map(|told| told.value.clone()).unwrap_or_default(), theme.text())
            }
            What::Param(i) => (told.and_then(|told| told.params.get(&i).cloned()).unwrap_or_default(), usual),
            What::Metric => (headline::cells(&run.view, group.common.as_ref()).0, theme.text()),
            What::Who => {
                let who = headline::cells(&run.view, group.common.as_ref()).1;
                (headline::fitting(&who, column.width, theme.ascii()), theme.dim())
            }
            what @ (What::Other("age" | "device" | "host" | "of") | What::Split(_)) => {
                (what.text(group, run, shared.now), theme.dim())
            }
            what => (what.text(group, run, shared.now), usual),
        };
        let text = cells::cell(&text, column.width, column.align, theme.ascii());
        buffer.set_string(x, y, text, style);
    }

    fn view_empty(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let theme = shared.theme;
        let folder = clean(&shared.runs.folder.display().to_string());
        let none = match &shared.opened {
            Some(path) => format!("No logs in {} yet.", short(path)),
            None => format!("No runs in {folder} yet."),
        };
        let (plugins, blank) = (&shared.plugins, ("", theme.text()));
        let unusable = plugins.found.experiments().next().is_none();
        let mut lines: Vec<(&str, Style)> = Vec::new();
        let unreadable = super::list::unreadable(shared);
        if !shared.runs.loaded {
            lines.push(("reading runs…", theme.dim()));
        } else if !shared.runs.rows.is_empty() {
            let typing = self.typing.is_some();
            let how = if typing { "esc restores the one before" } else { "esc clears it, / changes it" };
            let how = (how, theme.dim());
            lines.extend([("No run matches the filter.", theme.bold()), blank, how]);
        } else {
            lines.extend([(none.as_str(), theme.bold()), blank]);
            if shared.opened.is_some() {
                lines.push(("They appear here as soon as they are written:", theme.text()));
                lines.push((gradtop_import::LOOKED_FOR, theme.dim()));
            } else if shared.read_only {
                lines.push(("They appear here as soon as they are started.", theme.text()));
            } else if unusable && !plugins.found.refused.is_empty() {
                lines.push(("No plugin can be used: x shows why", theme.alert()));
            } else if unusable && plugins.loaded {
                lines.push(("There are no experiments either. Create one:", theme.text()));
                lines.push(("gradtop plugin new NAME", theme.accent()));
                lines.push(("x shows where gradtop looks for plugins", theme.dim()));
            } else {
                lines.push(("n  start one here", theme.text()));
                lines.push(("or in a shell:  gradtop run EXPERIMENT --detach", theme.dim()));
            }
            lines.extend((!unreadable.is_empty()).then_some(blank));
            lines.extend(unreadable.iter().map(|line| (line.as_str(), theme.alert())));
        }
        let width = usize::from(area.width.saturating_sub(4));
        let lines = lines.into_iter().flat_map(|(text, style)| {
            let parts = if text.is_empty() { vec![String::new()] } else { wrap(text, width) };
            parts.into_iter().map(move |part| (part, style))
        });
        let lines: Vec<(String, Style)> = lines.collect();
        let top = area.y + area.height.saturating_sub(lines.len() as u16) / 3;
        for ((text, style), y) in lines.into_iter().zip(top..area.bottom()) {
            let x = area.x + area.width.saturating_sub(width_of(&text) as u16) / 2;
            frame.buffer_mut().set_string(x, y, text, style);
        }
    }
}

/// The place of a remark about a run: where it has nothing to show, else over what matters less. No value gives way.
fn place(
    shared: &Shared,
    columns: &Columns<'_>,
    width: u16,
    group: &Group,
    run: &RunRow,
    note: &str,
) -> Option<(usize, usize)> {
    let kept = |column: &Column<'_>| match column.what {
        What::State | What::Name | What::Param(_) => column.width,
        What::Spark => 0,
        What::Metric => match headline::cells(&run.view, group.common.as_ref()).0 {
            value if value.is_empty() => 0,
            value if columns.brief() => width_of(&value) + 1,
            value => width_of(&cells::align_point(&value, cells::BEFORE_POINT)) + 2,
        },
        What::Who if headline::cells(&run.view, group.common.as_ref()).1.is_empty() => 0,
        what if what != What::Who && what.text(group, run, shared.now).is_empty() => 0,
        _ => column.width,
    };
    // The sign before the name tells of an alert, too.
    let alert = remark::alert(&run.view).is_some_and(|alert| remark::of(&run.view) == Some(alert));
    let less = |column: &Column<'_>| {
        let what = column.what;
        let minor =
            matches!(what, What::Who | What::Bar | What::Other("rate" | "eta" | "epoch" | "age" | "device"));
        if minor && !alert { 0 } else { kept(column) }
    };
    let (note, width) = (width_of(note), width.into());
    let bare = columns.place(note, width, kept);
    let wider = || columns.place(note, width, less).filter(|wider| bare.is_none_or(|bare| bare.1 < wider.1));
    bare.filter(|bare| bare.1 >= note.min(REMARK)).or_else(wider).or(bare)
}

fn view_titles(shared: &Shared, buffer: &mut Buffer, area: Rect, columns: &Columns<'_>, group: &Group) {
    let theme = shared.theme;
    let sort = &shared.settings.home.sort;
    for (i, column) in columns.0.iter().enumerate() {
        let sorted = column.what.is_sorted(group, sort);
        // No heading over nothing.
        if !sorted && column.what.is_empty(group, shared.now) {
            continue;
        }
        let mut title = column.what.title(group);
        let first = !columns.0[..i].iter().any(|c| c.what.sorts(group) == column.what.sorts(group));
        if sorted && first {
            title.push_str(if sort.reversed { theme.glyph("▴", " ^") } else { theme.glyph("▾", " v") });
        }
        let style = if sorted { theme.accent() } else { theme.dim() };
        let text = match column.what {
            // It may extend over the percentage beside it.
            What::Bar => fit(&title, column.width + 7, theme.ascii()),
            What::Percent if columns.0.iter().any(|column| column.what == What::Bar) => continue,
            What::State if column.is_sign() => continue,
            What::Metric => {
                let title = if width_of(&title) > column.width { without_last(&title) } else { &title };
                let before = if columns.brief() { 0 } else { cells::BEFORE_POINT };
                let before = column.width.saturating_sub(width_of(title)).min(before);
                let title = format!("{}{title}", " ".repeat(before));
                cells::cell(&title, column.width, Align::Left, theme.ascii())
            }
            _ if column.align == Align::Point => {
                let before = column.width.saturating_sub(width_of(&title)).min(cells::BEFORE_POINT);
                let title = format!("{}{title}", " ".repeat(before));
                cells::cell(&title, column.width, Align::Left, theme.ascii())
            }
            _ => cells::cell(&title, column.width, column.align, theme.ascii()),
        };
        buffer.set_string(area.x + column.left as u16, area.y, text, style);
    }
}
