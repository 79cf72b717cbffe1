//! `gradtop show`: everything about a run.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use gradtop_store::{
    Goal, SeriesKey, State, View, checkpoints, inside, known_damage, read_events, read_notes, series_keys,
    summarize, table_names,
};
use serde_json::{Value, json};

use super::logs::event_text;
use super::{Context, rm};
use crate::failure::Failure;
use crate::print::table::{Table, Words};
use crate::print::{self, clean};
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::number;
use gradtop_view::figure::name_of;
use gradtop_view::natural;
use gradtop_view::state;

/// Events shown.
const EVENTS: usize = 8;
/// Metrics' lines shown.
const SERIES: usize = 40;
/// Columns of metrics that give way on a narrow terminal, in this order.
const DISPENSABLE: [&str; 4] = ["points", "at step", "unit", "best"];

/// Arguments of `show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run
    #[arg(default_value = "last")]
    run: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print how a command's code differed from its commit, as a patch
    #[arg(long, conflicts_with = "json")]
    diff: bool,
}

/// A series in numbers.
struct Summary {
    metric: String,
    line: Option<String>,
    unit: Option<String>,
    points: u64,
    last: (i64, f64),
    best: Option<(i64, f64)>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let view = context.view(&args.run)?;
    if args.diff {
        return diff(&view);
    }
    if args.json {
        let (summaries, _) = summaries(&view, usize::MAX)?;
        print::json(&as_json(&view, &summaries)?)?;
    } else {
        let (summaries, all) = summaries(&view, SERIES)?;
        as_text(&view, &summaries, all)?;
    }
    Ok(0)
}

/// Prints `code.diff`.
fn diff(view: &View) -> Result<i32> {
    /// No run has a longer one.
    const LIMIT: u64 = 4 << 20;
    let bytes = match inside::read(&view.dir, &view.dir.code_diff(), LIMIT) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let name = clean(&view.manifest.run);
            return Err(Failure::new(format!("{name} has no code.diff"))
                .help(
                    "`gradtop exec` writes it in a checkout of git where something was changed or is untracked, \
                     unless --no-diff or code_diff=false in the settings forbids it",
                )
                .into());
        }
        Err(e) => return Err(e).context("cannot read code.diff"),
    };
    // Colours of others, too, are shown as text.
    print::out(&String::from_utf8_lossy(&bytes).replace('\u{1b}', r"\u{1b}"));
    Ok(0)
}

/// The first `most` series, and how many there are. The rows of the others are not read.
fn summaries(view: &View, most: usize) -> Result<(Vec<Summary>, usize)> {
    let declared = &view.manifest.metrics;
    let place = |metric: &str| declared.iter().position(|m| m.name == metric).unwrap_or(usize::MAX);
    let order = |a: &SeriesKey, b: &SeriesKey| {
        place(&a.metric).cmp(&place(&b.metric)).then_with(|| natural::series(a, b))
    };
    let mut keys: Vec<SeriesKey> = series_keys(&view.dir)?.into_iter().map(|(key, _)| key).collect();
    keys.sort_by(order);
    let all = keys.len();
    let shown: BTreeSet<SeriesKey> = keys.into_iter().take(most).collect();
    let goal =
        |key: &SeriesKey| declared.iter().find(|m| m.name == key.metric).map_or(Goal::None, |m| m.goal);
    let (mut series, damaged) = summarize(&view.dir, |key| shown.is_empty() || shown.contains(key), goal)?;
    super::warn_of(&damaged);
    series.sort_by(|a, b| order(&a.key, &b.key));
    let summaries = series
        .into_iter()
        .map(|s| Summary {
            line: name_of(s.key.model.as_deref(), s.key.split.as_deref(), s.key.trial),
            metric: s.key.metric,
            unit: s.unit,
            points: s.rows,
            last: (s.last.step, s.last.value),
            best: s.best.map(|best| (best.step, best.value)),
        })
        .collect();
    Ok((summaries, all))
}

fn as_json(view: &View, summaries: &[Summary]) -> Result<Value> {
    let mut fields = state::to_json(view);
    let metrics: Vec<Value> = summaries
        .iter()
        .map(|s| {
            let point = |(step, value): (i64, f64)| json!({"step": step, "value": state::float(value)});
            json!({"metric": s.metric, "series": s.line, "unit": s.unit, "points": s.points, "last": point(s.last), "best": s.best.map(point)})
        })
        .collect();
    let saved: Vec<Value> = checkpoints(&view.dir)
        .iter()
        .map(|c| json!({"step": c.step, "epoch": c.epoch, "path": c.dir.to_string_lossy()}))
        .collect();
    fields.insert("metrics".into(), Value::Array(metrics));
    fields.insert("checkpoints".into(), Value::Array(saved));
    fields.insert("tables".into(), json!(table_names(&view.dir)));
    fields.insert("damage".into(), serde_json::to_value(known_damage(&view.dir)?)?);
    fields.insert("events".into(), serde_json::to_value(read_events(&view.dir)?)?);
    fields.insert("manifest".into(), serde_json::to_value(&view.manifest)?);
    Ok(Value::Object(fields))
}

fn heading(text: &str) {
    print::line("");
    print::line(&print::styled(text, Ink::Bold));
}

fn facts(rows: Vec<(&str, String)>) {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    for (name, value) in rows.into_iter().filter(|(_, v)| !v.is_empty()) {
        table.row(vec![Words::new(name, Ink::Dim), value.into()]);
    }
    table.print_hanging(2);
}

fn as_text(view: &View, summaries: &[Summary], all: usize) -> Result<()> {
    let View { manifest: m, status: s, .. } = view;
    print::line(&format!(
        "{}  {}  {}",
        print::styled(&state::words(view), state::ink(view.state)),
        print::styled(&m.run, Ink::Bold),
        print::styled(
            format!("{} {}", clean(&m.experiment.id), clean(&m.experiment.version)).trim_end(),
            Ink::Dim
        )
    ));
    if let Some(cause) = s.cause.as_deref().filter(|c| !c.is_empty()) {
        let bad = matches!(view.state, State::Failed | State::Crashed);
        print::line(&print::styled(&format!("  {}", clean(cause)), if bad { Ink::Alert } else { Ink::Dim }));
    }
    if let Some(waiting) = state::waiting(view) {
        print::line(&print::styled(&format!("  {waiting}"), Ink::Alert));
    }
    if view.seen.is_some() || !view.certain {
        print::line(&format!("  {}; its processes cannot be seen from here", state::far(view)));
    }
    if let Some(pid) = gradtop_host::left_behind(view) {
        let name = clean(&view.manifest.run);
        let text =
            format!("  process {pid} of its command still works: `gradtop stop --kill {name}` ends it");
        print::line(&print::styled(&text, Ink::Alert));
    }
    if let Some(silence) = state::silence(view) {
        print::line(&print::styled(&format!("  {silence}"), Ink::Alert));
    }
    if let Some(job) = state::job_words(view, jiff::Timestamp::now()) {
        print::line(&print::styled(&format!("  {job}"), Ink::Dim));
    }
    notes(view);
    progress(view);
    heading("parameters");
    facts(m.params.iter().map(|(k, v)| (k.as_str(), state::whole_param(v))).collect());
    metrics(summaries, all);
    run_facts(view);
    damage(view)?;
    let events = read_events(&view.dir)?;
    if !events.is_empty() {
        heading("events");
        for event in &events[events.len().saturating_sub(EVENTS)..] {
            print::line(&format!("  {}", event_text(event)));
        }
        if events.len() > EVENTS {
            let more = format!("  {} earlier: gradtop logs --events {}", events.len() - EVENTS, m.run);
            print::line(&print::styled(&more, Ink::Dim));
        }
    }
    files(view);
    Ok(())
}

/// What people say of it, whole.
fn notes(view: &View) {
    let notes = &view.notes;
    if let Err(error) = read_notes(&view.dir) {
        print::note(&format!("warning: {}", clean(&error.to_string())));
    }
    let marks = notes.starred.then_some(state::STAR).into_iter().chain(notes.tags.iter().map(String::as_str));
    let marks = marks.map(clean).collect::<Vec<_>>().join(" ");
    if marks.is_empty() && notes.note.is_empty() {
        return;
    }
    heading("notes");
    for line in Some(marks.as_str()).filter(|marks| !marks.is_empty()).into_iter().chain(notes.note.lines()) {
        print::line(format!("  {}", clean(&line.replace('\t', "    "))).trim_end());
    }
}

fn progress(view: &View) {
    let s = &view.status;
    let moment = |t: Option<jiff::Timestamp>| t.map(gradtop_view::clock::moment).unwrap_or_default();
    let of = match state::progress(view) {
        Some((done, total)) if s.total > 0 => {
            format!(
                "{} ({} of {})",
                number::percent(done, total),
                number::count(done as f64),
                number::count(total as f64)
            )
        }
        _ => String::new(),
    };
    let live = !view.state.is_final();
    heading("progress");
    facts(vec![
        ("done", of),
        ("phase", s.phase.as_deref().filter(|_| live).map(clean).unwrap_or_default()),
        ("step", state::step(s).map(|v| v.to_string()).unwrap_or_default()),
        ("epoch", state::epoch(view).map(number::value).unwrap_or_default()),
        ("rate", state::rate(view).map(number::rate).unwrap_or_default()),
        ("eta", state::eta(view).map(number::time_left).unwrap_or_default()),
        ("started", moment(s.started)),
        ("ended", moment(s.ended)),
        (
            "took",
            state::took(view, jiff::Timestamp::now())
                .filter(|_| !live || s.started.is_some())
                .map(number::duration)
                .unwrap_or_default(),
        ),
    ]);
}

fn metrics(summaries: &[Summary], all: usize) {
    if summaries.is_empty() {
        return;
    }
    heading("metrics");
    // Where the terminal is narrow, values stay.
    let fits = |gone: &usize| metrics_table(summaries, &DISPENSABLE[..*gone]).fits(2);
    let gone = (0..DISPENSABLE.len()).find(fits).unwrap_or(DISPENSABLE.len());
    metrics_table(summaries, &DISPENSABLE[..gone]).print(2);
    if all > SERIES {
        let more = format!("  {} more series: show --json lists all", all - SERIES);
        print::line(&print::styled(&more, Ink::Dim));
    }
}

/// One row for each series, without some of the columns.
fn metrics_table(summaries: &[Summary], without: &[&str]) -> Table {
    type Cell = fn(&Summary) -> Words;
    let columns: [(&str, Align, Cell); 7] = [
        ("metric", Align::Left, |s| clean(&s.metric).into()),
        ("series", Align::Left, |s| s.line.as_deref().map(clean).unwrap_or_default().into()),
        ("unit", Align::Left, |s| Words::new(s.unit.as_deref().map(clean).unwrap_or_default(), Ink::Dim)),
        ("points", Align::Right, |s| number::count(s.points as f64).into()),
        ("last", Align::Point, |s| number::value(s.last.1).into()),
        ("best", Align::Point, |s| s.best.map(|(_, v)| number::value(v)).unwrap_or_default().into()),
        ("at step", Align::Right, |s| {
            s.best.map(|(step, _)| number::count(step as f64)).unwrap_or_default().into()
        }),
    ];
    let shown: Vec<_> = columns.into_iter().filter(|(name, ..)| !without.contains(name)).collect();
    let mut table = Table::new(&shown.iter().map(|(name, align, _)| (*name, *align)).collect::<Vec<_>>());
    for summary in summaries {
        table.row(shown.iter().map(|(_, _, cell)| cell(summary)).collect());
    }
    table
}

fn run_facts(view: &View) {
    let View { manifest: m, status: s, .. } = view;
    let pid =
        |pid: Option<u32>| pid.filter(|_| !view.state.is_final()).map(|p| p.to_string()).unwrap_or_default();
    heading("run");
    let device = match m.device_reason.as_deref().filter(|r| !r.is_empty()) {
        Some(reason) => format!("{} ({})", clean(&m.device), clean(reason)),
        None => clean(&m.device),
    };
    facts(vec![
        ("seed", state::seed(m).map(|seed| seed.to_string()).unwrap_or_default()),
        ("device", device),
        ("threads", if m.threads == 0 { String::new() } else { m.threads.to_string() }),
        (
            "source",
            m.import.as_ref().map(|i| clean(&format!("{}: {}", i.format, i.source))).unwrap_or_default(),
        ),
        ("preset", m.preset.as_deref().map(clean).unwrap_or_default()),
        ("created", gradtop_view::clock::moment(m.created)),
        ("host", clean(&m.host)),
        ("command", m.command.as_ref().map(|c| clean(&c.in_words())).unwrap_or_default()),
        ("works in", m.command.as_ref().map(|c| clean(&c.dir)).unwrap_or_default()),
        (
            "logs",
            m.command.as_ref().map_or_else(String::new, |command| {
                let logs = command.logs.iter().map(|log| format!("{}: {}", log.format, log.path));
                clean(&logs.collect::<Vec<_>>().join(", "))
            }),
        ),
        (
            "plugin",
            m.plugin.as_ref().zip(m.plugin_hash()).map_or_else(String::new, |(plugin, hash)| {
                format!("{} {}", clean(&plugin.file), clean(hash))
            }),
        ),
        (
            "built with",
            m.plugin.as_ref().and_then(|p| p.built_with.as_deref()).map(clean).unwrap_or_default(),
        ),
        ("libtorch", m.versions.libtorch.as_deref().map(clean).unwrap_or_default()),
        ("Python", m.versions.python.as_deref().map(clean).unwrap_or_default()),
        ("PyTorch", m.versions.torch.as_deref().map(clean).unwrap_or_default()),
        ("commit", state::commit(m).unwrap_or_default()),
        ("trainer", pid(s.trainer_pid)),
        ("keeper", pid(s.keeper_pid)),
        ("rows", if s.rows > 0 { number::count(s.rows as f64) } else { String::new() }),
        (
            "log wait",
            if s.log_wait_ms >= 1.0 { number::duration(s.log_wait_ms / 1e3) } else { String::new() },
        ),
    ]);
}

/// Files that were found damaged.
fn damage(view: &View) -> Result<()> {
    let damage = known_damage(&view.dir)?;
    if damage.is_empty() {
        return Ok(());
    }
    heading("damaged files");
    for found in damage {
        let kept = found.kept.map(|kept| format!("; kept as {}", kept.display())).unwrap_or_default();
        let text = format!("{}: {}{kept}", found.file.display(), found.message);
        print::line(&format!("  {}", print::styled(&clean(&text), Ink::Alert)));
    }
    Ok(())
}

fn files(view: &View) {
    let dir = &view.dir;
    let path = print::short(dir.path());
    heading("files");
    let saved: Vec<String> = checkpoints(dir).iter().map(|c| format!("step {}", c.step)).collect();
    let tables = table_names(dir);
    let tables: Vec<String> = tables.iter().map(|t| clean(t)).collect();
    facts(vec![
        ("folder", format!("{path} ({})", rm::size_in_words(dir))),
        ("checkpoints", saved.join(", ")),
        ("tables", tables.join(", ")),
    ]);
    print::line("");
    print::line(&print::styled(&format!("  duckdb -c {}", query(&path)), Ink::Dim));
}

/// The argument that has `DuckDB` read all metrics of a run, as a shell takes it.
fn query(path: &str) -> String {
    // What would be a pattern is put into brackets.
    let literal = |c| if matches!(c, '*' | '?' | '[') { format!("[{c}]") } else { String::from(c) };
    let plain: String = path.chars().map(literal).collect();
    let sql = format!("SELECT * FROM '{}/metrics/*.parquet'", plain.replace('\'', "''"));
    if sql.contains(['"', '$', '`', '\\', '!']) {
        format!("'{}'", sql.replace('\'', r"'\''"))
    } else {
        format!("\"{sql}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::query;

    #[test]
    fn odd_paths_reach_duckdb_as_they_are() {
        assert_eq!(query("/runs/a"), r#""SELECT * FROM '/runs/a/metrics/*.parquet'""#);
        assert_eq!(query("/it's/[a]*"), r#""SELECT * FROM '/it''s/[[]a][*]/metrics/*.parquet'""#);
        assert_eq!(query("/$a"), r"'SELECT * FROM '\''/$a/metrics/*.parquet'\'''");
    }
}
