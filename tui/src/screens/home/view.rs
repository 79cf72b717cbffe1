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

use super::columns::Columns;
use super::list::{Group, Line};
use super::row::{self, Row, Texts};
use super::what::{What, without_last};
use super::{Home, cells, words};
use crate::print::{clean, short};
use crate::screens::shared::Shared;
use crate::widgets;
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::text::{fit, fit_ends, width_of, wrap};
use gradtop_view::list::column;
use gradtop_view::list::order::Sort;
use gradtop_view::run::{headline, notes};
use gradtop_view::runs::RunRow;

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
                    let of = (&self.list.groups[*group], *folded);
                    self.view_group(shared, buffer, row, of, columns.get(group));
                }
                Line::Titles { group } => {
                    view_titles(shared, buffer, row, &columns[group], &self.list.groups[*group]);
                }
                Line::Run { group, row: run } => {
                    self.view_marks(shared, buffer, row, run);
                    let (columns, group) = (&columns[group], &self.list.groups[*group]);
                    let note = cells::note(run).filter(|_| self.columns.is_empty());
                    Row { shared, columns, texts: &texts, group, run }.draw(buffer, row, note);
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
        let mut texts = Texts::new();
        for runs in runs.chunk_by(|a, b| a.0 == b.0) {
            let (group, columns) = (&self.list.groups[runs[0].0], &columns[&runs[0].0]);
            let runs: Vec<&RunRow> = runs.iter().map(|(_, run)| *run).collect();
            for column in &columns.0 {
                let own = row::distinct(shared, group, *column, &runs);
                let own = runs.iter().zip(own).map(|(run, text)| ((&run.id, column.left), text));
                texts.extend(own);
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
        (group, folded): (&Group, bool),
        columns: Option<&Columns<'_>>,
    ) {
        let theme = shared.theme;
        let sign = if folded { theme.glyph("▸", ">") } else { theme.glyph("▾", "v") };
        let x = area.x + 3;
        buffer.set_string(x, area.y, sign, theme.dim());
        let room = usize::from(area.width.saturating_sub(6));
        let name = fit_ends(&clean(&group.experiment), room, theme.ascii());
        let (x, _) = buffer.set_stringn(x + 2, area.y, &name, room, theme.bold());
        let room = usize::from(area.right().saturating_sub(x));
        let said = self.said_of(shared, group, columns, room);
        let said = fit(&shared.signs(&said), room, theme.ascii());
        let (x, _) = buffer.set_stringn(x, area.y, said, room, theme.dim());
        let line = theme.glyph("─", "-").repeat(usize::from(area.right().saturating_sub(x + 1)));
        buffer.set_string(x, area.y, line, theme.dim());
    }

    /// What follows the name of a group: the number of its runs, what their values are of, and their order if no heading shows it.
    fn said_of(&self, shared: &Shared, group: &Group, columns: Option<&Columns<'_>>, room: usize) -> String {
        let count = match (group.rows.len(), group.all) {
            (some, all) if some == all => format!("  {all}"),
            (some, all) => format!("  {some} of {all}"),
        };
        let mut said = format!("{count} {}", if group.all == 1 { "run" } else { "runs" });
        let common = group.common.as_ref().map(headline::Common::told).filter(|told| !told.of().is_empty());
        if let Some((columns, common)) = columns.zip(common).filter(|(columns, _)| columns.valued()) {
            let title = if columns.brief() { String::new() } else { What::Metric.title(group) + ": " };
            let with = |count: &str| {
                let left = room.saturating_sub(width_of(count) + width_of(&title) + 3);
                (count.to_owned() + ", " + &title + &common.of_within(left, shared.theme.ascii()), left)
            };
            // That they are means is worth more than the word for runs.
            let (whole, left) = with(&said);
            said = if width_of(&common.short()) > left { with(&count).0 } else { whole };
        }
        // Beside values that include their series there is no room for it.
        if columns.is_some_and(Columns::brief) {
            let views: Vec<_> = group.rows.iter().map(|run| &run.view).collect();
            said.extend(headline::means(&views, group.common.as_ref()).map(|means| format!(", {means}")));
        }
        for column in columns.iter().flat_map(|columns| &columns.0) {
            if let Some(of) = column.what.of_all(group).filter(|of| !of.is_empty()) {
                said.extend([", ", &column.what.title(group), ": ", &of]);
            }
        }
        let selected = group.rows.iter().filter(|r| self.selected.contains(&r.id)).count();
        said.extend((selected > 0).then(|| format!(", {selected} selected")));
        let sort = &shared.settings.home.sort;
        let matters =
            || group.rows.iter().any(|run| !column::cell(&run.view, &sort.by, shared.now).is_empty());
        let unseen =
            columns.is_some_and(|columns| !columns.0.iter().any(|column| column.what.is_sorted(group, sort)));
        let sorted = unseen && *sort != Sort::default() && matters();
        let doubts = column::doubts(group.views(), &sort.by);
        if sorted || !doubts.is_empty() {
            said.extend([", ".to_owned(), words(sort)]);
        }
        said.extend((!doubts.is_empty()).then(|| format!(": {}", clean(&doubts.join("; ")))));
        said + " "
    }

    /// The marks of a selected and of a starred run.
    fn view_marks(&self, shared: &Shared, buffer: &mut Buffer, area: Rect, run: &RunRow) {
        let theme = shared.theme;
        if self.selected.contains(&run.id) {
            buffer.set_string(area.x, area.y, theme.glyph("▌", "|"), theme.accent());
        }
        if run.view.notes.starred {
            buffer.set_string(area.x + 2, area.y, theme.glyph(notes::STAR, "*"), theme.accent());
        }
    }

    fn view_empty(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let theme = shared.theme;
        let folder = clean(&shared.runs.folder.display().to_string());
        let none = match &shared.opened {
            Some(path) => format!("No logs in {} yet.", short(path)),
            None if shared.runs.missing => format!("No runs yet: there is no folder {folder}."),
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
        }
        lines.extend((!unreadable.is_empty()).then_some(blank));
        lines.extend(unreadable.iter().map(|line| (line.as_str(), theme.alert())));
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
            // Of a name that is cut much, the beginning says the most.
            What::Param(_) if column.width < cells::LEAST => fit(&title, column.width, theme.ascii()),
            _ => cells::cell(&title, column.width, column.align, theme.ascii()),
        };
        buffer.set_string(area.x + column.left as u16, area.y, text, style);
    }
}
