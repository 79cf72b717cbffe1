//! What a run was started with: every parameter with its unit, its help and whether it differs from its default.

use gradtop_host::{ExperimentDesc, ParamDesc};
use gradtop_store::{Manifest, ParamValue, View};
use ratatui::text::{Line, Span};

use super::align::{Align, align, pad};
use super::words::{clock, signs};
use crate::app::Shared;
use crate::chart::grid::{width_of, wrap};
use crate::print::{clean, number};

/// Columns below which help stands under its parameter.
const NARROWEST: usize = 30;
/// Columns of a value at most.
const VALUE: usize = 36;

/// A parameter as shown.
struct Row<'a> {
    key: String,
    value: String,
    changed: bool,
    desc: Option<&'a ParamDesc>,
}

/// All lines at a width.
pub(crate) fn lines(shared: &Shared, view: &View, width: usize) -> Vec<Line<'static>> {
    let theme = shared.theme;
    let manifest = &view.manifest;
    let declared = shared
        .plugins
        .found
        .experiments()
        .find(|(_, e)| e.id == manifest.experiment.id)
        .map(|(_, experiment)| experiment);
    let mut out = vec![heading(shared, &manifest.experiment.name)];
    for line in wrap(&clean(&manifest.experiment.summary), width.saturating_sub(2).max(10)) {
        out.push(Line::styled(format!(" {line}"), theme.dim()));
    }
    out.push(Line::default());
    let rows = rows(manifest, declared);
    if rows.is_empty() {
        out.push(Line::styled(" this experiment has no parameters", theme.dim()));
    } else {
        out.extend(table(shared, &rows, width));
        let changed = rows.iter().filter(|r| r.changed).count();
        let note = match (declared, changed) {
            (None, _) => format!(
                "no plugin with {} is installed now: defaults, units and help are not known",
                clean(&manifest.experiment.id)
            ),
            (Some(_), 0) => "all are as declared".to_owned(),
            (Some(_), 1) => format!("{} differs from its default", theme.glyph('●', '*')),
            (Some(_), n) => format!("{} {n} differ from their defaults", theme.glyph('●', '*')),
        };
        out.push(Line::default());
        out.extend(
            wrap(&note, width.saturating_sub(2).max(10))
                .into_iter()
                .map(|l| Line::styled(format!(" {l}"), theme.dim())),
        );
    }
    out.push(Line::default());
    out.extend(facts(shared, view, width));
    out
}

fn heading(shared: &Shared, text: &str) -> Line<'static> {
    Line::styled(format!(" {}", clean(text)), shared.theme.bold())
}

fn rows<'a>(manifest: &Manifest, declared: Option<&'a ExperimentDesc>) -> Vec<Row<'a>> {
    manifest
        .params
        .iter()
        .map(|(key, value)| {
            let desc = declared.and_then(|e| e.params.iter().find(|p| p.key == *key));
            Row {
                key: clean(key),
                value: shown(value),
                changed: desc.is_some_and(|d| !same(value, &d.default)),
                desc,
            }
        })
        .collect()
}

/// A value, exactly: what it stands here for must be what can be typed.
fn shown(value: &ParamValue) -> String {
    match value {
        ParamValue::Float(v) if number::value(*v).parse() == Ok(*v) => number::value(*v),
        other => clean(&other.to_string()),
    }
}

/// Whether a value is what a default says.
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
    let keys = column(rows.iter().map(|r| r.key.clone()).collect(), Align::Left, 24);
    // Numbers stand on their points; words begin where the longest number does.
    let number = |r: &Row<'_>| if r.value.parse::<f64>().is_ok() { r.value.clone() } else { String::new() };
    let numbers = column(rows.iter().map(number).collect(), Align::Point, VALUE);
    let either =
        rows.iter().zip(numbers).map(|(r, n)| if number(r).is_empty() { r.value.clone() } else { n });
    let values = column(either.collect(), Align::Left, VALUE);
    let units = column(of(|d| d.unit.as_deref().map(clean).unwrap_or_default()), Align::Left, 10);
    let defaults =
        rows.iter().map(|r| if r.changed { format!("default {}", default(r)) } else { String::new() });
    let defaults = column(defaults.collect(), Align::Left, VALUE);
    let sign = theme.glyph('●', '*');
    let used = |cells: &[String]| cells.first().map_or(0, |c| width_of(c));
    let gap = |cells: &[String]| if used(cells) > 0 { used(cells) + 2 } else { 0 };
    let left = 3 + gap(&keys) + gap(&values) + gap(&units) + gap(&defaults);
    let beside = width.saturating_sub(left + 1) >= NARROWEST;
    let mut out = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let style = if row.changed { theme.bold() } else { theme.text() };
        let mut spans = vec![
            Span::styled(format!(" {} ", if row.changed { sign } else { ' ' }), theme.accent()),
            Span::styled(format!("{}  ", keys[i]), style),
            Span::styled(format!("{}  ", values[i]), style),
        ];
        for (cells, style) in [(&units, theme.dim()), (&defaults, theme.dim())] {
            if used(cells) > 0 {
                spans.push(Span::styled(format!("{}  ", cells[i]), style));
            }
        }
        let help = row.desc.map(|d| help(shared, d)).unwrap_or_default();
        let (indent, room) =
            if beside { (left, width - left - 1) } else { (5, width.saturating_sub(6).max(10)) };
        let mut parts = wrap(&help, room).into_iter();
        if beside && let Some(first) = parts.next() {
            spans.push(Span::styled(first, theme.dim()));
        }
        out.push(Line::from(spans));
        out.extend(parts.map(|p| Line::styled(format!("{}{p}", " ".repeat(indent)), theme.dim())));
    }
    out
}

fn default(row: &Row<'_>) -> String {
    let text = row.desc.map(|d| d.default.as_str()).unwrap_or_default();
    clean(if text.is_empty() { "empty" } else { text })
}

/// What it means and what it takes.
fn help(shared: &Shared, desc: &ParamDesc) -> String {
    let takes = if desc.choices.is_empty() { desc.range() } else { Some(desc.choices.join(" | ")) };
    let text = match takes {
        Some(takes) => format!("{} · {takes}", desc.help.trim_end_matches('.')),
        None => desc.help.clone(),
    };
    signs(shared, &clean(&text))
}

/// What else the run was started with, and where it is.
fn facts(shared: &Shared, view: &View, width: usize) -> Vec<Line<'static>> {
    let theme = shared.theme;
    let m = &view.manifest;
    let text = |t: &Option<String>| t.as_deref().map(clean).unwrap_or_default();
    let device = match m.device_reason.as_deref().filter(|r| !r.is_empty()) {
        Some(reason) => format!("{} ({})", clean(&m.device), clean(reason)),
        None => clean(&m.device),
    };
    let hash = m.plugin.sha256.get(..12).unwrap_or(&m.plugin.sha256);
    let pid = view.status.trainer_pid.filter(|_| !view.state.is_final());
    let waited = view.status.log_wait_ms;
    let facts = [
        ("preset", text(&m.preset)),
        ("seed", m.seed.to_string()),
        ("device", device),
        ("threads", m.threads.to_string()),
        (
            "checkpoints",
            match (m.experiment.resumable, m.checkpoint_every_s) {
                (false, _) => "none: the experiment cannot be resumed".to_owned(),
                (true, 0) => "only when asked for".to_owned(),
                (true, s) => format!("every {}", number::duration(s as f64)),
            },
        ),
        ("created", clock(shared, m.created)),
        ("started", view.status.started.map(|t| clock(shared, t)).unwrap_or_default()),
        ("ended", view.status.ended.map(|t| clock(shared, t)).unwrap_or_default()),
        ("host", clean(&m.host)),
        ("process", pid.map(|p| p.to_string()).unwrap_or_default()),
        ("plugin", format!("{} {}  {}", clean(&m.experiment.id), clean(&m.experiment.version), clean(hash))),
        ("built with", text(&m.plugin.built_with)),
        ("libtorch", text(&m.versions.libtorch)),
        ("gradtop", clean(&m.versions.gradtop)),
        ("commit", text(&m.git_commit)),
        ("rows", number::count(view.status.rows as f64)),
        ("log wait", if waited >= 1.0 { number::duration(waited / 1e3) } else { String::new() }),
        ("folder", clean(&view.dir.path().to_string_lossy())),
    ];
    let mut out = vec![heading(shared, "Run")];
    for (name, value) in facts.into_iter().filter(|(_, v)| !v.is_empty()) {
        let room = width.saturating_sub(17).max(10);
        for (i, part) in pieces(&value, room).into_iter().enumerate() {
            out.push(Line::from(vec![
                Span::styled(pad(&format!("   {}", if i == 0 { name } else { "" }), 16), theme.dim()),
                Span::raw(part),
            ]));
        }
    }
    out
}

/// Wrapped at blanks, and words that are too long anywhere.
fn pieces(text: &str, width: usize) -> Vec<String> {
    let lines = wrap(text, width);
    lines
        .into_iter()
        .flat_map(|line| {
            let chars: Vec<char> = line.chars().collect();
            if width_of(&line) <= width {
                vec![line]
            } else {
                chars.chunks(width / 2).map(|c| c.iter().collect()).collect()
            }
        })
        .collect()
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
    fn a_value_is_shown_as_it_is() {
        assert_eq!(shown(&ParamValue::Float(1e-5)), "1e-5");
        assert_eq!(shown(&ParamValue::Float(0.123_456_789)), "0.123456789");
        assert_eq!(shown(&ParamValue::Text("a\u{1b}[2J".to_owned())), "a\\u{1b}[2J");
    }
}
