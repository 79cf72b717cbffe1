//! `gradtop show`: prints everything about a run.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use gradtop_store::{
    Damage, Goal, Point, SeriesKey, SeriesSummary, State, View, agree, checkpoints, damage_of, inside,
    read_events, read_notes, series_keys, summarize, table_names,
};
use serde_json::{Value, json};

use super::logs::event_ink;
use super::{Context, rm};
use crate::failure::Failure;
use crate::print::table::{Table, Words};
use crate::print::{self, clean, cleaned};
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::number;
use gradtop_view::clock;
use gradtop_view::figure::series_name;
use gradtop_view::natural;
use gradtop_view::run::{facts, json, notes, param, progress, remark, state};

/// The most events shown.
const EVENTS: usize = 8;
/// The most metric series shown.
const SERIES: usize = 40;
/// Columns of the metrics table that are dropped on a narrow terminal, in this order.
const DISPENSABLE: [&str; 4] = ["points", "at step", "unit", "best"];

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

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let mut view = context.view(&args.run)?;
    if args.diff {
        return diff(&view);
    }
    let read = read(&mut view, if args.json { usize::MAX } else { SERIES })?;
    if args.json {
        print::json(&as_json(&view, &read)?)?;
    } else {
        as_text(&view, &read)?;
    }
    Ok(0)
}

/// What was read of a run's rows.
struct Read {
    /// The first series.
    summaries: Vec<SeriesSummary>,
    /// How many series there are.
    all: usize,
    damage: Vec<Damage>,
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
    print::content(&String::from_utf8_lossy(&bytes));
    Ok(0)
}

/// Summarizes the first `most` series and counts all, and finds damage. The status of a live run is brought to the same moment; of an ended
/// run the rows of the others are not read.
fn read(view: &mut View, most: usize) -> Result<Read> {
    let m = &view.manifest;
    let place =
        |key: &SeriesKey| m.metrics.iter().position(|known| known.name == key.metric).unwrap_or(usize::MAX);
    let order = |a: &SeriesKey, b: &SeriesKey| place(a).cmp(&place(b)).then_with(|| natural::series(a, b));
    let mut keys: Vec<SeriesKey> = series_keys(&view.dir)?.into_iter().map(|(key, _)| key).collect();
    keys.sort_by(order);
    let all = keys.len();
    let shown: BTreeSet<SeriesKey> = keys.into_iter().take(most).collect();
    let goal = |key: &SeriesKey| m.metric(&key.metric).map_or(Goal::None, |info| info.goal);
    let live = !view.state.is_final();
    let wanted = |key: &SeriesKey| live || shown.is_empty() || shown.contains(key);
    let (mut series, damaged) = summarize(&view.dir, wanted, goal)?;
    print::warn_of_damage(&damaged);
    series.sort_by(|a, b| order(&a.key, &b.key));
    if live {
        agree(&view.dir, &mut view.status, &series);
    }
    series.truncate(most);
    Ok(Read { summaries: series, all, damage: damage_of(view, &damaged)? })
}

fn as_json(view: &View, Read { summaries, damage, .. }: &Read) -> Result<Value> {
    let mut fields = json::of(view);
    let metrics: Vec<Value> = summaries
        .iter()
        .map(|s| {
            let point = |p: Point| json!({"step": p.step, "value": json::float(p.value)});
            json!({"metric": s.key.metric, "series": series_name(&s.key), "unit": s.unit, "points": s.rows,
                   "last": point(s.last), "best": s.best.map(point),
                   "model": s.key.model, "split": s.key.split, "trial": s.key.trial})
        })
        .collect();
    let saved: Vec<Value> = checkpoints(&view.dir)
        .iter()
        .map(|c| json!({"step": c.step, "epoch": c.epoch, "path": c.dir.to_string_lossy()}))
        .collect();
    fields.insert("metrics".into(), Value::Array(metrics));
    fields.insert("checkpoints".into(), Value::Array(saved));
    fields.insert("tables".into(), json!(table_names(&view.dir)));
    fields.insert("damage".into(), serde_json::to_value(damage)?);
    fields.insert("events".into(), serde_json::to_value(read_events(&view.dir)?)?);
    let mut manifest = serde_json::to_value(&view.manifest)?;
    manifest["params"] = view.manifest.params_json();
    fields.insert("manifest".into(), manifest);
    Ok(Value::Object(fields))
}

/// Prints a heading and the facts that are known, unless none is.
fn facts<'a>(heading: &str, rows: impl IntoIterator<Item = (&'a str, Option<String>)>) {
    let known = rows.into_iter().map(|(name, value)| (name, cleaned(value)));
    let rows: Vec<_> = known.filter(|(_, value)| !value.is_empty()).collect();
    if !rows.is_empty() {
        print::heading(heading);
        Table::of_facts(rows).print_hanging(2);
    }
}

fn as_text(view: &View, Read { summaries, all, damage }: &Read) -> Result<()> {
    let m = &view.manifest;
    let experiment = format!("{} {}", clean(&m.experiment.id), clean(&m.experiment.version));
    title(view, experiment.trim_end());
    ending(view, remark::cause(view).as_deref());
    if let Some(waiting) = remark::waiting(view) {
        print::alert(&format!("  {waiting}"));
    }
    if view.seen.is_some() || !view.certain {
        print::line(&format!("  {}; its processes cannot be seen from here", remark::location(view)));
    }
    if let Some(pid) = gradtop_host::left_behind(view) {
        let name = clean(&view.manifest.run);
        print::alert(&format!(
            "  process {pid} of its command still works: `gradtop stop --kill {name}` ends it"
        ));
    }
    if let Some(silence) = remark::silence(view) {
        print::alert(&format!("  {silence}"));
    }
    let queued = view.queued.as_ref().filter(|_| view.job.is_none()).map(remark::queue_words);
    for words in remark::job_words(view, jiff::Timestamp::now()).into_iter().chain(queued) {
        print::dim(&format!("  {words}"));
    }
    notes(view);
    progress(view);
    facts("parameters", m.params.iter().map(|(k, v)| (k.as_str(), Some(param::full(v)))));
    metrics(summaries, *all);
    let known = facts::of_run(view, clock::moment);
    facts("run", known.into_iter().map(|fact| (fact.name, Some(fact.value))));
    damaged(damage);
    let events = read_events(&view.dir)?;
    if !events.is_empty() {
        print::heading("events");
        let mut table = Table::of_words(["", ""]);
        for line in &events[events.len().saturating_sub(EVENTS)..] {
            let (words, ink) = event_ink(&line.event);
            table.row([Words::dim(clock::moment(line.time)), Words::new(words, ink)]);
        }
        table.print_hanging(2);
        if events.len() > EVENTS {
            print::dim(&format!("  {} earlier: gradtop logs --events {}", events.len() - EVENTS, m.run));
        }
    }
    files(view);
    Ok(())
}

/// Prints the state of a run, its name and its experiment.
pub(super) fn title(view: &View, experiment: &str) {
    let state = print::styled(&state::label(view), state::ink(view.state));
    let name = print::styled(&view.manifest.run, Ink::Bold);
    print::line(&format!("{state}  {name}  {}", print::styled(experiment, Ink::Dim)));
}

/// Prints why a run ended.
pub(super) fn ending(view: &View, cause: Option<&str>) {
    if let Some(cause) = cause {
        let bad = matches!(view.state, State::Failed | State::Crashed);
        let ink = if bad { Ink::Alert } else { Ink::Dim };
        print::line(&print::styled(&format!("  {}", clean(cause)), ink));
    }
}

/// Prints stars, tags and the note in full.
fn notes(view: &View) {
    let notes = &view.notes;
    if let Err(error) = read_notes(&view.dir) {
        print::warn(error);
    }
    let marks = notes.starred.then_some(notes::STAR).into_iter().chain(notes.tags.iter().map(String::as_str));
    let marks = marks.map(clean).collect::<Vec<_>>().join(" ");
    if marks.is_empty() && notes.note.is_empty() {
        return;
    }
    print::heading("notes");
    for line in Some(marks.as_str()).filter(|marks| !marks.is_empty()).into_iter().chain(notes.note.lines()) {
        print::line(format!("  {}", clean(&line.replace('\t', "    "))).trim_end());
    }
}

fn progress(view: &View) {
    let s = &view.status;
    let done = progress::of(view).filter(|_| s.total.is_some()).map(|(done, total)| {
        let (share, [done, total]) = (
            number::percent(done, total),
            [done, total].map(|n| number::whole(n.try_into().unwrap_or(i64::MAX))),
        );
        let past =
            if progress::is_past_total(view) { format!(", {}", progress::PAST_TOTAL) } else { String::new() };
        format!("{share} ({done} of {total}{past})")
    });
    let live = !view.state.is_final();
    let (took, time) = progress::took_fact(view, jiff::Timestamp::now()).unzip();
    facts(
        "progress",
        [
            ("done", done),
            ("phase", s.phase.clone().filter(|_| live)),
            ("step", s.step.map(number::whole)),
            ("epoch", progress::epoch(view).map(progress::epoch_words)),
            ("rate", progress::rate(view).map(number::rate)),
            ("eta", progress::eta(view).map(number::time_left)),
            (took.unwrap_or_default(), time),
        ],
    );
}

fn metrics(summaries: &[SeriesSummary], all: usize) {
    if summaries.is_empty() {
        return;
    }
    print::heading("metrics");
    // On a narrow terminal, the values stay longest.
    let without = |n: &usize| metrics_table(summaries, &DISPENSABLE[..*n]).fits(2);
    let most = DISPENSABLE.len();
    metrics_table(summaries, &DISPENSABLE[..(0..most).find(without).unwrap_or(most)]).print(2);
    if all > SERIES {
        print::dim(&format!("  {} more series: show --json lists all", all - SERIES));
    }
}

/// A table with a row for each series, without some columns.
fn metrics_table(summaries: &[SeriesSummary], without: &[&str]) -> Table {
    type Cell<'a> = &'a dyn Fn(&SeriesSummary) -> Words;
    let names = names(summaries);
    let name = |s: &SeriesSummary| cleaned(names.get(&s.key).cloned().flatten()).into();
    // Without a column of their own, units stay beside the metrics; those of bytes are in the values.
    let metric = |s: &SeriesSummary| {
        let beside = s.unit.as_deref().filter(|unit| without.contains(&"unit") && *unit != "B");
        let unit = cleaned(beside.map(|unit| format!(" ({unit})")));
        Words::from(clean(&s.key.metric) + &unit)
    };
    let columns: [(&str, Align, Cell<'_>); 7] = [
        ("metric", Align::Left, &metric),
        ("series", Align::Left, &name),
        ("unit", Align::Left, &|s| Words::dim(cleaned(s.unit.as_deref()))),
        ("points", Align::Right, &|s| number::count(s.rows as f64).into()),
        ("last", Align::Point, &|s| values(s).0.into()),
        ("best", Align::Point, &|s| values(s).1.into()),
        ("at step", Align::Right, &|s| cleaned(s.best.map(|p| number::whole(p.step))).into()),
    ];
    let shown: Vec<_> = columns.into_iter().filter(|(name, ..)| !without.contains(name)).collect();
    let mut table = Table::new(&shown.iter().map(|(name, align, _)| (*name, *align)).collect::<Vec<_>>());
    for summary in summaries {
        table.row(shown.iter().map(|(_, _, cell)| cell(summary)).collect::<Vec<_>>());
    }
    table
}

/// The name of each series. Of a metric with a model and a split of one name, each name says which it is of.
fn names(summaries: &[SeriesSummary]) -> BTreeMap<&SeriesKey, Option<String>> {
    let mut counts: BTreeMap<(&str, Option<String>), usize> = BTreeMap::new();
    for SeriesSummary { key, .. } in summaries {
        *counts.entry((&key.metric, series_name(key))).or_default() += 1;
    }
    let name = |key: &SeriesKey| {
        let short = series_name(key);
        if counts[&(key.metric.as_str(), short.clone())] == 1 {
            return short;
        }
        let model = key.model.as_ref().map(|model| format!("model {model}"));
        let split = key.split.as_ref().map(|split| format!("split {split}"));
        series_name(&SeriesKey { model, split, ..key.clone() })
    };
    summaries.iter().map(|summary| (&summary.key, name(&summary.key))).collect()
}

/// The last and the best value; bytes are in a unit that suits each.
fn values(series: &SeriesSummary) -> (String, String) {
    let (last, best) = (series.last.value, series.best.map(|point| point.value));
    if series.unit.as_deref() == Some("B") {
        return (number::amount(last), cleaned(best.map(number::amount)));
    }
    let [last, other] = number::apart(last, best.unwrap_or(last));
    (last, cleaned(best.map(|_| other)))
}

/// Warns about damaged files.
fn damaged(damage: &[Damage]) {
    if !damage.is_empty() {
        print::heading("damaged files");
    }
    for found in damage {
        let kept = cleaned(found.kept.as_ref().map(|kept| format!("; kept as {}", kept.display())));
        let text = format!("{}: {}{kept}", found.file.display(), found.message);
        print::line(&format!("  {}", print::styled(&clean(&text), Ink::Alert)));
    }
}

fn files(view: &View) {
    let dir = &view.dir;
    let path = print::short(dir.path());
    let saved: Vec<String> =
        checkpoints(dir).iter().map(|c| format!("step {}", number::whole(c.step))).collect();
    facts(
        "files",
        [
            ("folder", Some(format!("{path} ({})", rm::size_in_words(dir)))),
            ("checkpoints", Some(saved.join(", "))),
            ("tables", Some(table_names(dir).join(", "))),
        ],
    );
    // A command may have logged nothing, and rows of a run in progress may all be in the journal still.
    let mut files = inside::names(dir, &dir.metrics()).into_iter().flatten();
    if files.any(|name| name.to_string_lossy().ends_with(".parquet")) {
        print::line("");
        print::command(&format!("duckdb -c {}", query(&path)));
    }
}

/// The shell-quoted argument that makes DuckDB read all metrics of a run.
fn query(path: &str) -> String {
    // Characters of a glob pattern are put into brackets.
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
    use gradtop_store::{SeriesKey, State};
    use gradtop_tests::run_fixtures::{RunFixtures, run};

    use super::{metrics_table, query};

    #[test]
    fn a_model_and_a_split_of_one_name_are_told_apart() {
        let mut fixtures = RunFixtures::new();
        let split = SeriesKey { split: Some("A".to_owned()), ..SeriesKey::metric("loss") };
        let spec = run("fit", "a", 1).series("loss", Some("A"), &[(0, 52.0)]).logged(split, &[(0, 12.0)]);
        let mut view = gradtop_store::view(&fixtures.make(&spec)).expect("it was made");
        let read = super::read(&mut view, 40).expect("its rows").summaries;
        let lines = metrics_table(&read, &[]).lines(0).join("\n");
        assert!(lines.contains("model A") && lines.contains("split A"), "{lines}");
    }

    #[test]
    fn step_rows_and_values_of_a_live_run_are_of_one_moment() {
        let mut fixtures = RunFixtures::new();
        let points: Vec<(i64, f64)> = (0..40).map(|step| (step, 1.0)).collect();
        let spec = run("fit", "a", 1).series("loss", None, &points).at(State::Running, 30);
        let spec = spec.with(|_, status| status.rows = Some(31));
        let mut view = gradtop_store::view(&fixtures.make(&spec)).expect("it was made");
        assert_eq!(view.status.step, Some(30));
        let read = super::read(&mut view, 40).expect("its rows").summaries;
        assert_eq!((view.status.step, view.status.rows, read[0].last.step), (Some(39), Some(40), 39));
    }

    #[test]
    fn they_are_also_where_not_all_series_are_shown() {
        let mut fixtures = RunFixtures::new();
        let points: Vec<(i64, f64)> = (0..40).map(|step| (step, 1.0)).collect();
        let spec = run("fit", "a", 1).series("loss", None, &points).series("error", None, &points);
        let spec = spec.at(State::Running, 30).with(|_, status| status.rows = Some(62));
        let mut view = gradtop_store::view(&fixtures.make(&spec)).expect("it was made");
        let read = super::read(&mut view, 1).expect("its rows");
        assert_eq!(
            (read.summaries.len(), read.all, view.status.step, view.status.rows),
            (1, 2, Some(39), Some(80))
        );
    }

    #[test]
    fn odd_paths_reach_duckdb_as_they_are() {
        assert_eq!(query("/runs/a"), r#""SELECT * FROM '/runs/a/metrics/*.parquet'""#);
        assert_eq!(query("/it's/[a]*"), r#""SELECT * FROM '/it''s/[[]a][*]/metrics/*.parquet'""#);
        assert_eq!(query("/$a"), r"'SELECT * FROM '\''/$a/metrics/*.parquet'\'''");
    }
}
