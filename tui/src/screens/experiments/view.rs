//! Draws the list and the details of the selected line.

use gradtop_host::{ExperimentDesc, FoundPlugin, ParamKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::rows::{Row, rows};
use super::{Experiments, Like, form};
use crate::print::clean;
use crate::screens::pen::Pen;
use crate::screens::shared::Shared;
use crate::widgets::{self, around};
use gradtop_chart::cells::text::{fit_distinct, fit_ends, width_of, wrap};
use gradtop_chart::cells::theme::Theme;
use gradtop_chart::number::counted;

/// From this width on, details are beside the list.
const BESIDE: u16 = 110;

/// The areas of the screen.
struct Layout {
    list: Rect,
    details: Rect,
    beside: bool,
}

fn layout(area: Rect, rows: usize) -> Layout {
    let (top, height) = (area.y + 2.min(area.height), area.height.saturating_sub(2));
    if area.width >= BESIDE {
        let left = (area.width * 11 / 20).min(110);
        return Layout {
            list: Rect { x: area.x, y: top, width: left, height },
            details: Rect {
                x: area.x + left + 2,
                y: top,
                width: area.width.saturating_sub(left + 3),
                height,
            },
            beside: true,
        };
    }
    // The list gets the space it needs, within limits; below it are a rule and the details.
    let lines = (rows as u16 + 1).clamp(4, (height / 2).max(4)).min(height);
    Layout {
        list: Rect { x: area.x, y: top, width: area.width, height: lines },
        details: Rect {
            x: area.x + 1,
            y: top + lines + 1,
            width: area.width.saturating_sub(2),
            height: height.saturating_sub(lines + 1),
        },
        beside: false,
    }
}

/// The line at a position.
pub(super) fn row_at(screen: &Experiments, shared: &Shared, at: Position) -> Option<usize> {
    let len = rows(&shared.plugins).len();
    let list = layout(shared.area, len).list;
    // The first row of the list is its heading.
    let inside = list.contains(at) && at.y > list.y;
    let height = usize::from(list.height.saturating_sub(1));
    inside.then(|| around(screen.cursor, len, height) + usize::from(at.y - list.y - 1))
}

/// The lines of the details, and how many of them have room.
pub(super) fn details_size(shared: &Shared, row: Option<&Row<'_>>) -> (usize, usize) {
    let area = layout(shared.area, rows(&shared.plugins).len()).details;
    let lines = row.map(|r| details(shared.theme, r, usize::from(area.width)).len()).unwrap_or_default();
    (lines, area.height.into())
}

impl Experiments {
    pub(super) fn draw(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        if let Some(form) = &self.form {
            form::view::view(form, shared, frame, area);
            return;
        }
        if let Some(like) = &self.like {
            return waiting(like, shared, frame, area);
        }
        let rows = rows(&shared.plugins);
        if rows.is_empty() {
            return empty(shared, frame, area);
        }
        summary(&rows, shared.theme, frame, area);
        let place = layout(area, rows.len());
        self.list(&rows, shared.theme, frame, place.list);
        let buffer = frame.buffer_mut();
        if place.beside {
            let (beside, theme) = (Rect { x: place.details.x - 2, width: 1, ..place.details }, shared.theme);
            for row in 0..beside.height {
                Pen::row(buffer, theme, beside, row).put(theme.glyph("│", "|"), theme.dim());
            }
        } else if place.list.bottom() < area.bottom() {
            let (y, width) = (place.list.bottom(), area.width.saturating_sub(2));
            Pen::row(buffer, shared.theme, Rect { x: area.x + 1, y, width, height: 1 }, 0).rule();
        }
        let Some(row) = rows.get(self.cursor) else { return };
        let details = details(shared.theme, row, usize::from(place.details.width));
        let lines = details.into_iter().map(Line::from).collect();
        let lines = widgets::page(lines, self.details, place.details.height.into(), shared.theme);
        widgets::lines(lines, shared.theme, frame, place.details);
    }

    fn list(&self, rows: &[Row<'_>], theme: Theme, frame: &mut Frame<'_>, area: Rect) {
        let height = usize::from(area.height.saturating_sub(1));
        let columns = Columns::of(rows, usize::from(area.width));
        let at = format!("{} of {}", self.cursor + 1, rows.len());
        let heads = [format!("experiment {at}"), at];
        let fits = |head: &&String| width_of(head) + 2 <= columns.id;
        let head =
            heads.iter().find(fits).filter(|_| rows.len() > height).map_or("experiment", String::as_str);
        let buffer = frame.buffer_mut();
        let mut pen = Pen::row(buffer, theme, area, 0);
        pen.skip(2).left("state", columns.state, theme.dim()).left(head, columns.id, theme.dim());
        let heads = [
            (columns.version, "version"),
            (columns.presets, "presets"),
            (columns.origin, "from"),
            (columns.file, "plugin"),
        ];
        for (width, name) in heads {
            pen.left(name, width, theme.dim());
        }
        let ids: Vec<String> = rows.iter().map(|row| clean(row.id())).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let ids = fit_distinct(&ids, columns.id.saturating_sub(2), theme.ascii());
        let top = around(self.cursor, rows.len(), height);
        for (i, row) in rows.iter().enumerate().skip(top).take(height) {
            let mut pen = Pen::row(buffer, theme, area, (i - top + 1) as u16);
            let here = i == self.cursor;
            pen.left(if here { theme.glyph("›", ">") } else { "" }, 2, theme.accent());
            let (glyph, word, style) = state(row, theme);
            pen.left(&format!("{glyph} {word}"), columns.state, style);
            match row {
                Row::Ready(plugin, e) | Row::Shadowed(plugin, e, _) => {
                    let ready = matches!(row, Row::Ready(..));
                    let name = if ready { theme.bold() } else { theme.dim() };
                    pen.left(&ids[i], columns.id, name);
                    for (text, width) in [
                        (clean(&e.version), columns.version),
                        (presets(e), columns.presets),
                        (plugin.origin.word().to_owned(), columns.origin),
                        (row.file(), columns.file),
                    ] {
                        // Even the longest text is followed by a gap.
                        pen.left(&fit_ends(&text, width.saturating_sub(2), false), width, theme.dim());
                    }
                }
                Row::Refused(_, why) => {
                    pen.put(&row.file(), theme.bold()).skip(2).put(&clean(&why.to_string()), theme.dim());
                }
                Row::Pending(_) => {
                    pen.put(&row.file(), theme.text());
                }
            }
            if here {
                pen.tint(area, theme.cursor());
            }
        }
    }
}

fn state(row: &Row<'_>, theme: Theme) -> (char, &'static str, Style) {
    match row {
        Row::Ready(..) => (theme.glyph('✓', '+'), "ready", theme.good()),
        Row::Pending(_) => (theme.glyph('…', '.'), "looking", theme.wait()),
        Row::Shadowed(..) => (theme.glyph('◌', 'o'), "hidden", theme.dim()),
        Row::Refused(..) => (theme.glyph('✗', 'x'), "refused", theme.alert()),
    }
}

fn presets(e: &ExperimentDesc) -> String {
    e.presets.iter().map(|p| clean(&p.name)).collect::<Vec<_>>().join(" ")
}

/// The widths of the columns; those that do not fit are left out.
struct Columns {
    state: usize,
    id: usize,
    version: usize,
    presets: usize,
    origin: usize,
    file: usize,
}

impl Columns {
    fn of(rows: &[Row<'_>], width: usize) -> Self {
        let all = || {
            rows.iter().filter_map(|r| match r {
                Row::Ready(p, e) | Row::Shadowed(p, e, _) => Some((r, p, e)),
                _ => None,
            })
        };
        let widest = |texts: &mut dyn Iterator<Item = usize>, head: &str| {
            texts.max().unwrap_or(0).max(width_of(head)) + 2
        };
        let id = widest(&mut all().map(|(_, _, e)| width_of(&clean(&e.id))), "experiment");
        let id = id.min(width.saturating_sub(2 + 11));
        let mut room = width.saturating_sub(2 + 11 + id);
        // What distinguishes plugins takes precedence over what the details show, too.
        let mut take = |wanted: usize, least: usize| {
            let got = if room >= wanted {
                wanted
            } else if room >= least {
                room
            } else {
                0
            };
            room -= got;
            got
        };
        let version = widest(&mut all().map(|(_, _, e)| width_of(&clean(&e.version))), "version").min(16);
        let version = take(version, version);
        let origin = take(widest(&mut all().map(|(_, p, _)| width_of(p.origin.word())), "from"), 8);
        let file = take(widest(&mut all().map(|(r, ..)| width_of(&r.file())), "plugin"), 14);
        let presets = widest(&mut all().map(|(_, _, e)| width_of(&presets(e))), "presets").min(30);
        let presets = take(presets, presets);
        Self { state: 11, id, version, presets, origin, file }
    }
}

fn summary(rows: &[Row<'_>], theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let count = |wanted: fn(&Row<'_>) -> bool| rows.iter().filter(|r| wanted(r)).count();
    let mut parts = vec![counted(count(|r| matches!(r, Row::Ready(..))), "experiment")];
    for (n, word) in [
        (count(|r| matches!(r, Row::Pending(_))), "being looked at"),
        (count(|r| matches!(r, Row::Shadowed(..))), "hidden"),
        (count(|r| matches!(r, Row::Refused(..))), "refused"),
    ] {
        if n > 0 {
            parts.push(format!("{n} {word}"));
        }
    }
    let mut pen = Pen::row(frame.buffer_mut(), theme, area, 0);
    pen.skip(1).put("experiments", theme.bold()).skip(2).put(&parts.join(" · "), theme.dim());
}

type Spans = Vec<Span<'static>>;

/// The details of a line.
fn details(theme: Theme, row: &Row<'_>, width: usize) -> Vec<Spans> {
    let mut out = Details { theme, width, lines: Vec::new() };
    let path = clean(&row.path().display().to_string());
    match row {
        Row::Ready(plugin, e) => out.experiment(plugin, e),
        Row::Shadowed(plugin, e, by) => {
            let by = clean(&by.display().to_string());
            let what = format!("Hidden: {by} is found first and also has {}.", clean(&e.id));
            out.paragraph(&what, theme.wait());
            out.lines.push(Spans::new());
            out.experiment(plugin, e);
        }
        Row::Refused(_, why) => {
            out.paragraph(&path, theme.bold());
            out.paragraph(&clean(&why.to_string()), theme.alert());
            out.lines.push(Spans::new());
            let hint = "It is checked again when the file changes. Nothing else is affected.";
            out.paragraph(hint, theme.dim());
            out.paragraph(&format!("gradtop plugin check {path}"), theme.dim());
        }
        Row::Pending(_) => {
            out.paragraph(&path, theme.bold());
            let what = "New or changed: checking it in a separate process, for up to 10 s (longer on a busy machine).";
            out.paragraph(what, theme.dim());
        }
    }
    out.lines
}

/// The details under construction.
struct Details {
    theme: Theme,
    width: usize,
    lines: Vec<Spans>,
}

impl Details {
    fn paragraph(&mut self, text: &str, style: Style) {
        self.lines.extend(wrap(text, self.width.max(1)).into_iter().map(|l| vec![Span::styled(l, style)]));
    }

    fn heading(&mut self, text: &'static str) {
        self.lines.extend([Spans::new(), vec![Span::styled(text, self.theme.bold())]]);
    }

    /// A name, padded to so many columns, and its description.
    fn entry(&mut self, name: &str, columns: usize, text: &str) {
        let pad = " ".repeat(columns.saturating_sub(width_of(name)));
        self.hanging(vec![Span::styled(format!("{name}{pad}"), self.theme.text())], columns, text);
    }

    /// A text next to its head, with further lines aligned to the first.
    fn hanging(&mut self, mut head: Spans, columns: usize, text: &str) {
        let style = self.theme.dim();
        let mut wrapped = wrap(text, self.width.saturating_sub(columns).max(12)).into_iter();
        head.extend(wrapped.next().map(|l| Span::styled(l, style)));
        self.lines.push(head);
        self.lines.extend(wrapped.map(|l| vec![Span::raw(" ".repeat(columns)), Span::styled(l, style)]));
    }

    fn experiment(&mut self, plugin: &FoundPlugin, e: &ExperimentDesc) {
        let (theme, width) = (self.theme, self.width);
        let widest = |names: &mut dyn Iterator<Item = &String>| {
            names.map(|name| width_of(&clean(name))).max().unwrap_or(0) + 2
        };
        self.lines.push(vec![
            Span::styled(clean(&e.name), theme.bold()),
            Span::styled(format!("  {} {}", clean(&e.id), clean(&e.version)), theme.dim()),
        ]);
        self.paragraph(&clean(&e.summary), theme.text());
        let resumed = if e.resumable { "can be resumed" } else { "cannot be resumed" };
        let device = if e.uses_device { "uses CPU or GPU" } else { "uses the CPU" };
        let desc = &plugin.desc;
        let torch = if desc.needs_libtorch { " · libtorch" } else { "" };
        let built = desc.built_with.as_deref().map(|b| format!(" · built with {}", clean(b)));
        let abi = format!("ABI {}.{}{torch}{}", desc.abi.0, desc.abi.1, built.unwrap_or_default());
        self.paragraph(&format!("{resumed} · {device} · {abi}"), theme.dim());
        self.paragraph(&clean(&plugin.path.display().to_string()), theme.dim());
        if !e.presets.is_empty() {
            self.heading("presets");
            let name = widest(&mut e.presets.iter().map(|p| &p.name));
            for p in &e.presets {
                self.entry(&clean(&p.name), name, &clean(&p.help));
            }
        }
        if !e.params.is_empty() {
            self.heading("parameters");
            let key = widest(&mut e.params.iter().map(|p| &p.key));
            let default = e.params.iter().map(|p| width_of(&default_of(p))).max().unwrap_or(0).min(20) + 2;
            for p in &e.params {
                let (name, value, help) = (clean(&p.key), default_of(p), clean(&p.help));
                let name = format!("{name}{}", " ".repeat(key.saturating_sub(width_of(&name))));
                let head =
                    |value| vec![Span::styled(name, theme.text()), Span::styled(value, theme.accent())];
                if width < key + default + 36 {
                    // Next to the value, the help would be too narrow.
                    self.lines.push(head(value));
                    let help = wrap(&help, width.saturating_sub(4).max(12)).into_iter();
                    self.lines.extend(help.map(|l| vec![Span::raw("    "), Span::styled(l, theme.dim())]));
                    continue;
                }
                let pad = " ".repeat(default.saturating_sub(width_of(&value)));
                self.hanging(head(value + &pad), key + default, &help);
            }
        }
        if !e.metrics.is_empty() {
            self.heading("metrics");
            let name = widest(&mut e.metrics.iter().map(|m| &m.name));
            for m in &e.metrics {
                let goal = Some(m.goal.words()).filter(|words| !words.is_empty());
                let goal = goal.map(|words| format!(" ({words})")).unwrap_or_default();
                let unit = m.unit.as_deref().map(|u| format!("[{}] ", clean(u))).unwrap_or_default();
                self.entry(&clean(&m.name), name, &format!("{unit}{}{goal}", clean(&m.help)));
            }
        }
    }
}

fn default_of(p: &gradtop_host::ParamDesc) -> String {
    let text = clean(&p.default);
    let text = if p.kind == ParamKind::Str && text.is_empty() { "\"\"".to_owned() } else { text };
    match p.unit.as_deref() {
        Some(unit) => format!("{text} {}", clean(unit)),
        None => text,
    }
}

/// Draws lines, each wrapped.
fn lines_of(lines: &[Line<'_>], theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let room = usize::from(area.width.saturating_sub(4)).max(1);
    let indented = |line: &Line<'_>| {
        let text = line.to_string();
        let indent = " ".repeat(2 + text.len() - text.trim_start().len());
        let parts = if text.is_empty() { vec![text] } else { wrap(&text, room) };
        parts.into_iter().map(move |part| Line::styled(format!("{indent}{part}"), line.style)).collect()
    };
    let lines = lines.iter().flat_map::<Vec<_>, _>(indented);
    let below = Rect { y: area.y + 1.min(area.height), height: area.height.saturating_sub(1), ..area };
    widgets::lines(lines, theme, frame, below);
}

fn empty(shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
    let theme = shared.theme;
    if !shared.plugins.loaded {
        return lines_of(&[Line::styled("looking for plugins …", theme.dim())], theme, frame, area);
    }
    let make = "A library copied there appears here within two seconds. To make one, in another terminal:";
    let folders = shared.plugins.folders.iter().map(|folder| clean(&folder.display().to_string()));
    let mut lines =
        vec![Line::styled("No plugins yet", theme.bold()), Line::default(), Line::from("gradtop looks in")];
    lines.extend(folders.map(|folder| Line::styled(format!("  {folder}"), theme.dim())));
    lines.extend([
        Line::default(),
        Line::from(make),
        Line::styled("  gradtop plugin new my-experiment", theme.accent()),
        Line::styled("  gradtop plugin install $(gradtop plugin build my-experiment)", theme.accent()),
    ]);
    lines_of(&lines, theme, frame, area);
}

fn waiting(like: &Like, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
    let theme = shared.theme;
    let lines = match like {
        Like::Waiting(_) => vec![Line::styled("looking for the run's plugin …", theme.dim())],
        Like::Asked(path, _) => {
            let what = "No installed plugin has this experiment; reading the run's own copy …";
            let path = clean(&path.display().to_string());
            vec![Line::styled(what, theme.text()), Line::styled(path, theme.dim())]
        }
        Like::Impossible(why) => vec![
            Line::styled("This run cannot be restarted", theme.bold()),
            Line::styled(clean(why), theme.alert()),
            Line::styled("esc: back", theme.dim()),
        ],
    };
    lines_of(&lines, theme, frame, area);
}
