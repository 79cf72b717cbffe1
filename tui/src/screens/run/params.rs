//! The parameters pane: every parameter with its unit, its help and whether it differs from its default.

use gradtop_host::{ExperimentDesc, ParamDesc};
use gradtop_store::{Kind, Manifest, ParamValue, View};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::print::clean;
use crate::screens::shared::Shared;
use crate::widgets::paragraph;
use gradtop_chart::cells::align::{Align, align, pad};
use gradtop_chart::cells::text::{chopped, width_of, wrap};
use gradtop_chart::cells::theme::Theme;
use gradtop_view::clock::moment_at;
use gradtop_view::run::{facts, param, progress};

/// In narrower panes, help is below its parameter.
const NARROWEST: usize = 30;
/// The widest name and value where others need the room.
const KEY: usize = 24;
const VALUE: usize = 36;

/// A parameter as shown.
struct Row<'a> {
    key: String,
    value: String,
    changed: bool,
    desc: Option<&'a ParamDesc>,
}

impl Row<'_> {
    fn style(&self, theme: Theme) -> Style {
        if self.changed { theme.bold() } else { theme.text() }
    }

    /// The mark of a value that differs from its default.
    fn mark(&self, theme: Theme) -> char {
        if self.changed { theme.glyph('●', '*') } else { ' ' }
    }
}

/// The lines of the pane at a width.
pub(crate) fn lines(shared: &Shared, view: &View, width: usize) -> Vec<Line<'static>> {
    let theme = shared.theme;
    let manifest = &view.manifest;
    let id = manifest.experiment.plugin_id();
    let declared = shared.plugins.found.experiments().map(|(_, e)| e).find(|e| e.id == id);
    let mut out = vec![heading(shared, &manifest.experiment.name)];
    let room = width.saturating_sub(2).max(10);
    out.extend(paragraph(&clean(&manifest.experiment.summary), room, theme.dim()));
    out.push(Line::default());
    let rows = rows(manifest, declared);
    if rows.is_empty() {
        let what = match manifest.kind {
            Kind::Plugin => "this experiment has no parameters",
            Kind::Command => "no parameters of this command were recorded",
            Kind::Import => "no parameters are in the source",
        };
        out.extend(paragraph(what, room, theme.dim()));
    } else {
        out.extend(table(shared, &rows, width));
        let changed = rows.iter().filter(|r| r.changed).count();
        let mark = theme.glyph('●', '*');
        let note = match (declared, changed) {
            // Only plugins have defaults and help.
            (None, _) if manifest.kind != Kind::Plugin => String::new(),
            (None, _) => {
                let id = clean(&manifest.experiment.id);
                format!("no installed plugin has {id}: defaults, units and help are unknown")
            }
            (Some(_), 0) => "all at their defaults".to_owned(),
            (Some(_), 1) => format!("{mark} differs from its default"),
            (Some(_), n) => format!("{mark} {n} differ from their defaults"),
        };
        if !note.is_empty() {
            out.push(Line::default());
            out.extend(paragraph(&note, room, theme.dim()));
        }
    }
    out.push(Line::default());
    out.extend(facts(shared, view, width));
    out
}

fn heading(shared: &Shared, text: &str) -> Line<'static> {
    Line::styled(format!(" {}", clean(text)), shared.theme.bold())
}

fn rows<'a>(manifest: &Manifest, declared: Option<&'a ExperimentDesc>) -> Vec<Row<'a>> {
    let row = |(key, value): &(String, ParamValue)| {
        let desc = declared.and_then(|e| e.params.iter().find(|p| p.key == *key));
        let changed = desc.is_some_and(|d| !same(value, &d.default));
        Row { key: clean(key), value: param::full(value), changed, desc }
    };
    manifest.params.iter().map(row).collect()
}

/// Returns whether a value equals the default.
fn same(value: &ParamValue, default: &str) -> bool {
    match value {
        ParamValue::Bool(v) => default.parse() == Ok(*v),
        ParamValue::Int(v) => default.parse() == Ok(*v),
        ParamValue::Float(v) => default.parse() == Ok(*v),
        ParamValue::Text(v) => v == default,
    }
}

fn table(shared: &Shared, rows: &[Row<'_>], width: usize) -> Vec<Line<'static>> {
    let theme = shared.theme;
    let ascii = theme.ascii();
    let column = |texts: Vec<String>, how, most| align(&texts, how, most, ascii);
    let of = |f: fn(&ParamDesc) -> String| rows.iter().map(|r| r.desc.map(f).unwrap_or_default()).collect();
    let keys =
        column(rows.iter().map(|r| r.key.clone()).collect(), Align::Left, KEY.max(width / 4).min(width / 2));
    // Numbers are aligned at the decimal point; text begins where the longest number does.
    let number = |r: &Row<'_>| if r.value.parse::<f64>().is_ok() { r.value.clone() } else { String::new() };
    let numbers = column(rows.iter().map(number).collect(), Align::Point, VALUE);
    let either =
        rows.iter().zip(numbers).map(|(r, n)| if number(r).is_empty() { r.value.clone() } else { n });
    let units = column(of(|d| d.unit.as_deref().map(clean).unwrap_or_default()), Align::Left, 10);
    let units: Vec<Vec<String>> = units.into_iter().map(|unit| vec![unit]).collect();
    let defaults: Vec<Vec<String>> = rows.iter().map(|r| wrapped_value(&default(r), VALUE)).collect();
    let wide = |cells: &[Vec<String>]| cells.iter().flatten().map(|c| width_of(c)).max().unwrap_or(0);
    let gap = |wide: usize| if wide > 0 { wide + 2 } else { 0 };
    let key = gap(keys.first().map_or(0, |k| width_of(k)));
    // Values have the room that nothing else needs.
    let helps = if rows.iter().any(|r| r.desc.is_some()) { width / 2 } else { 0 };
    let others = 5 + key + gap(wide(&units)) + gap(wide(&defaults)) + helps;
    let most = width.saturating_sub(others).max(VALUE);
    let values: Vec<Vec<String>> = either.map(|text| wrapped_value(&text, most)).collect();
    let columns = [&values, &units, &defaults].map(|cells| (cells, gap(wide(cells))));
    let left = 3 + key + columns.iter().map(|(_, wide)| wide).sum::<usize>();
    if left > width {
        return stacked(shared, rows, &keys, width);
    }
    let beside = width.saturating_sub(left + 1) >= NARROWEST;
    let mut out = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let style = row.style(theme);
        let text = row.desc.map(|d| help(shared, d)).unwrap_or_default();
        let room = if beside { width - left - 1 } else { width.saturating_sub(6).max(10) };
        let parts = wrap(&text, room);
        let beside_it = if beside { parts.len() } else { 0 };
        let height = columns.iter().map(|(cells, _)| cells[i].len()).max().unwrap_or(1).max(beside_it).max(1);
        for at in 0..height {
            let (mark, name) = if at == 0 { (row.mark(theme), keys[i].as_str()) } else { (' ', "") };
            let mut spans =
                vec![Span::styled(format!(" {mark} "), theme.accent()), Span::styled(pad(name, key), style)];
            for ((cells, wide), style) in columns.iter().zip([style, theme.dim(), theme.dim()]) {
                let part = cells[i].get(at).map_or("", String::as_str);
                spans.push(Span::styled(pad(part, *wide), style));
            }
            if let Some(part) = parts.get(at).filter(|_| beside) {
                spans.push(Span::styled(part.clone(), theme.dim()));
            }
            out.push(Line::from(spans));
        }
        out.extend(parts.iter().skip(beside_it).map(|p| Line::styled(format!("     {p}"), theme.dim())));
    }
    out
}

/// Without columns: a value after its name or below it, and the rest below that.
fn stacked(shared: &Shared, rows: &[Row<'_>], keys: &[String], width: usize) -> Vec<Line<'static>> {
    let theme = shared.theme;
    let room = width.saturating_sub(6).max(10);
    let mut out = Vec::new();
    for (row, key) in rows.iter().zip(keys) {
        let style = row.style(theme);
        let unit = row.desc.and_then(|d| d.unit.as_deref()).map(clean).unwrap_or_default();
        let value = format!("{} {unit}", row.value);
        let mut values = wrapped_value(value.trim_end(), room);
        let mut head = vec![
            Span::styled(format!(" {} ", row.mark(theme)), theme.accent()),
            Span::styled(format!("{key}  "), style),
        ];
        if values.len() == 1 && width_of(&values[0]) + width_of(key) + 5 <= width {
            head.push(Span::styled(values.remove(0), style));
        }
        out.push(Line::from(head));
        out.extend(values.into_iter().map(|part| Line::styled(format!("     {part}"), style)));
        let help = row.desc.map(|d| help(shared, d)).unwrap_or_default();
        let below = [default(row), help].into_iter().filter(|text| !text.is_empty());
        let below = below.flat_map(|text| wrap(&text, room));
        out.extend(below.map(|part| Line::styled(format!("     {part}"), theme.dim())));
    }
    out
}

/// Wraps a value to `width` columns, preferably after commas and blanks.
fn wrapped_value(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for piece in text.split_inclusive([',', ' ']) {
        for piece in chopped(piece, width) {
            match lines.last_mut() {
                Some(line) if width_of(line) + width_of(piece) <= width => line.push_str(piece),
                _ => lines.push(piece.to_owned()),
            }
        }
    }
    lines
}

/// The default, if the value differs from it.
fn default(row: &Row<'_>) -> String {
    match row.desc.filter(|_| row.changed).map(|d| d.default.as_str()) {
        Some("") => "default empty".to_owned(),
        Some(text) => format!("default {}", clean(text)),
        None => String::new(),
    }
}

/// The help and the accepted values.
fn help(shared: &Shared, desc: &ParamDesc) -> String {
    let takes = if desc.choices.is_empty() { desc.range() } else { Some(desc.choices.join(" | ")) };
    let text = match takes {
        Some(takes) => format!("{} · {takes}", desc.help.trim_end_matches('.')),
        None => desc.help.clone(),
    };
    shared.signs(&clean(&text))
}

/// The other options of the run, and its folder.
fn facts(shared: &Shared, view: &View, width: usize) -> Vec<Line<'static>> {
    let theme = shared.theme;
    let known = facts::of_run(view, |time| moment_at(time, shared.now));
    let folder = ("folder", clean(&view.dir.path().to_string_lossy()));
    let took = progress::took_fact(view, shared.now);
    let facts = known.into_iter().map(|fact| (fact.name, fact.value)).chain(took).chain([folder]);
    let mut out = vec![heading(shared, "Run")];
    let room = width.saturating_sub(17).max(10);
    for (name, value) in facts {
        for (i, part) in wrap(&value, room).into_iter().enumerate() {
            out.push(Line::from(vec![
                Span::styled(pad(&format!("   {}", if i == 0 { name } else { "" }), 16), theme.dim()),
                Span::raw(part),
            ]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_is_recognized_however_it_is_written() {
        assert!(same(&ParamValue::Float(0.001), "1e-3"));
        assert!(same(&ParamValue::Int(128), "128"));
        assert!(same(&ParamValue::Bool(true), "true"));
        assert!(same(&ParamValue::Text("sin(x)".to_owned()), "sin(x)"));
        assert!(!same(&ParamValue::Float(0.01), "1e-3"));
        assert!(!same(&ParamValue::Text("1".to_owned()), "1.0"));
    }

    #[test]
    fn a_value_is_broken_only_where_there_is_no_room() {
        use crate::app::testing::{Bench, run};
        let value = "/data/sets/of/images/in/a/folder/with-a-long-name/train";
        let bench = Bench::of(vec![run("fit", "a", 1).param("data", ParamValue::Text(value.to_owned()))]);
        let row = &bench.app.shared.runs.rows[0];
        for (width, whole) in [(200, true), (120, true), (80, true), (40, false)] {
            let shown = lines(&bench.app.shared, &row.view, width);
            let shown: Vec<String> = shown.iter().map(|line| line.to_string().trim().to_owned()).collect();
            assert_eq!(shown.iter().any(|line| line.contains(value)), whole, "{width}: {shown:#?}");
            assert!(shown.concat().contains(value), "{width}: {shown:#?}");
        }
    }

    #[test]
    fn a_long_value_is_broken_and_nothing_of_it_is_lost() {
        let list = "3,6,12,18,25,38,50,63,100,160,250,800";
        let lines = wrapped_value(list, 12);
        assert_eq!(lines, ["3,6,12,18,", "25,38,50,63,", "100,160,250,", "800"]);
        assert_eq!(wrapped_value("", 12), [""]);
        let word = "x".repeat(30);
        let lines = wrapped_value(&word, 12);
        assert_eq!(lines.concat(), word);
        assert!(lines.iter().all(|l| width_of(l) <= 12), "{lines:?}");
    }
}
