//! Tables for SQL: `tables/run/`, one row that describes the run and its result, and `tables/params/`, its parameters.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt64Array,
};
use arrow_schema::{DataType, Field, Schema};
use jiff::Timestamp;
use parquet::arrow::ArrowWriter;

use crate::disk::inside;
use crate::error::{FormatContext as _, IoContext as _, Result};
use crate::folder::events::{Event, EventLine, read_events};
use crate::folder::manifest::{Goal, Manifest, MetricInfo, ParamValue};
use crate::folder::run_dir::RunDir;
use crate::folder::status::Status;
use crate::log::part::{list_parts, part_name};
use crate::log::series::SeriesKey;
use crate::read::headline::split_rank;
use crate::read::summary::{SeriesSummary, summarize};
use crate::sealed::table::{PARAMS_TABLE, RUN_TABLE, existing_schema, write_part};

/// Schema metadata that distinguishes gradtop's table `params` from one that an experiment logs under that name.
const OWN: (&str, &str) = ("gradtop.table", "params");

/// The results of a metric in one split, over all models and trials.
#[derive(Debug, Clone, Copy, Default)]
struct Summary {
    /// Time and value of the last row.
    last: Option<(i64, f64)>,
    /// The lowest or highest finite value, depending on the goal.
    best: Option<f64>,
}

/// Summaries by metric and split.
type Summaries = BTreeMap<String, BTreeMap<Option<String>, Summary>>;

/// Writes the run's row, replacing the previous one: name, state, seed, device, times and every parameter as
/// `param.<key>`. After the end, it also has `last.<metric>.<split>` of each declared metric and, if the metric has a
/// goal, `best.<metric>.<split>`, over all models and trials. `last.<metric>` and `best.<metric>` are those of the
/// split that represents the run, see [`split_rank`]; `split.<metric>` names it.
///
/// # Errors
/// The log cannot be read, or the row cannot be written.
pub fn write_run_table(run: &RunDir, manifest: &Manifest, status: &Status) -> Result<()> {
    let dir = run.tables().join(RUN_TABLE);
    write_part(run, &dir, 1, &[run_row(run, manifest, status)?])?;
    let only = part_name(1, 1);
    for other in list_parts(run, &dir)?.iter().filter(|p| !p.path.ends_with(&only)) {
        inside::remove_file(run, &other.path).at("remove", &other.path)?;
    }
    Ok(())
}

/// Writes the row of a run that has none, as another program wrote it, as a file of its own.
///
/// # Errors
/// See [`write_run_table`].
pub fn export_run_table(
    run: &RunDir,
    manifest: &Manifest,
    status: &Status,
    out: impl Write + Send,
) -> Result<()> {
    let row = run_row(run, manifest, status)?;
    let mut writer = ArrowWriter::try_new(out, row.schema(), None).format_at("encode", run.path())?;
    writer.write(&row).format_at("encode", run.path())?;
    writer.close().format_at("encode", run.path())?;
    Ok(())
}

/// Makes the run's row, see [`write_run_table`].
fn run_row(run: &RunDir, manifest: &Manifest, status: &Status) -> Result<RecordBatch> {
    let mut row = Row::default();
    describe(&mut row, manifest, status);
    let is_resume = |line: &&EventLine| matches!(line.event, Event::Resumed { .. });
    let resumes = read_events(run).unwrap_or_default().iter().filter(is_resume).count();
    row.push("resumes", UInt64Array::from(vec![resumes as u64]));
    for (key, value) in &manifest.params {
        let name = format!("param.{key}");
        match value {
            ParamValue::Bool(v) => row.push(&name, BooleanArray::from(vec![*v])),
            ParamValue::Int(v) => row.push(&name, Int64Array::from(vec![*v])),
            ParamValue::Float(v) => row.push(&name, Float64Array::from(vec![*v])),
            ParamValue::Text(v) => row.push(&name, StringArray::from(vec![v.as_str()])),
        }
    }
    let found = if status.state.is_final() { summaries(run, manifest)? } else { Summaries::new() };
    let splits = |metric: &MetricInfo| found.get(&metric.name).into_iter().flatten();
    for metric in &manifest.metrics {
        let chosen = splits(metric).min_by_key(|(split, _)| split_rank(Some(metric), split.as_deref()));
        let summary = chosen.map(|(_, summary)| *summary).unwrap_or_default();
        row.summary(metric, "", summary);
        row.text(&format!("split.{}", metric.name), chosen.and_then(|(split, _)| split.as_deref()));
    }
    for metric in &manifest.metrics {
        for (split, summary) in splits(metric) {
            if let Some(split) = split {
                row.summary(metric, &format!(".{split}"), *summary);
            }
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(row.fields)), row.values).format_at("encode", run.path())
}

/// Writes the run's parameters in long form, one per row: `key`, `value` as text, `number` (0 or 1 for a Boolean) and
/// `kind`. Does nothing if the experiment logs a table of this name.
///
/// # Errors
/// The table cannot be written.
pub fn write_params_table(run: &RunDir, manifest: &Manifest) -> Result<()> {
    let dir = run.tables().join(PARAMS_TABLE);
    if existing_schema(run, PARAMS_TABLE)?.is_some_and(|schema| !is_own(&schema)) {
        return Ok(());
    }
    let params = || manifest.params.iter();
    let kind = |value: &ParamValue| match value {
        ParamValue::Bool(_) => "bool",
        ParamValue::Int(_) => "int",
        ParamValue::Float(_) => "float",
        ParamValue::Text(_) => "text",
    };
    let field = |name: &str, kind, nullable| Field::new(name, kind, nullable);
    let schema = Schema::new(vec![
        field("key", DataType::Utf8, false),
        field("value", DataType::Utf8, false),
        field("number", DataType::Float64, true),
        field("kind", DataType::Utf8, false),
    ])
    .with_metadata([(OWN.0.to_owned(), OWN.1.to_owned())]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(params().map(|(key, _)| key))),
        Arc::new(StringArray::from_iter_values(params().map(|(_, value)| value.to_string()))),
        Arc::new(params().map(|(_, value)| value.number()).collect::<Float64Array>()),
        Arc::new(StringArray::from_iter_values(params().map(|(_, value)| kind(value)))),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).format_at("encode", &dir)?;
    write_part(run, &dir, 1, &[batch])
}

/// Removes gradtop's table for an experiment that logs a table called `params`.
pub(crate) fn yield_params(run: &RunDir) -> Result<()> {
    let dir = run.tables().join(PARAMS_TABLE);
    if existing_schema(run, PARAMS_TABLE)?.is_some_and(|schema| is_own(&schema)) {
        inside::remove_dir(run, &dir).at("remove", &dir)?;
    }
    Ok(())
}

fn is_own(schema: &Schema) -> bool {
    schema.metadata().get(OWN.0).is_some_and(|name| name == OWN.1)
}

/// The columns of the row. A repeated name is ignored.
#[derive(Default)]
struct Row {
    fields: Vec<Field>,
    values: Vec<ArrayRef>,
}

impl Row {
    fn push(&mut self, name: &str, array: impl arrow_array::Array + 'static) {
        if self.fields.iter().all(|f| f.name() != name) {
            self.fields.push(Field::new(name, array.data_type().clone(), array.null_count() > 0));
            self.values.push(Arc::new(array));
        }
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        self.push(name, StringArray::from(vec![text]));
    }

    fn time(&mut self, name: &str, time: Option<Timestamp>) {
        let array = TimestampMicrosecondArray::from(vec![time.map(Timestamp::as_microsecond)]);
        self.push(name, array.with_timezone("UTC"));
    }

    /// Adds `last.<metric><of>`, and `best.<metric><of>` if the metric has a goal.
    fn summary(&mut self, metric: &MetricInfo, of: &str, summary: Summary) {
        let last = summary.last.map(|(_, value)| value);
        self.push(&format!("last.{}{of}", metric.name), Float64Array::from(vec![last]));
        if metric.goal != Goal::None {
            self.push(&format!("best.{}{of}", metric.name), Float64Array::from(vec![summary.best]));
        }
    }
}

fn describe(row: &mut Row, m: &Manifest, s: &Status) {
    row.text("experiment", Some(&m.experiment.id));
    row.text("experiment_version", Some(&m.experiment.version));
    row.text("name", Some(&m.run));
    row.text("state", Some(s.state.word()));
    row.text("cause", s.cause.as_deref());
    row.time("created", Some(m.created));
    row.time("started", s.started);
    row.time("ended", s.ended);
    let duration = s.ended.and_then(|ended| s.took(ended));
    row.push("duration_s", Float64Array::from(vec![duration]));
    row.push("trained_s", Float64Array::from(vec![s.trained_s]));
    row.push("seed", UInt64Array::from(vec![m.seed]));
    row.text("device", m.device.as_deref());
    row.push("threads", Int64Array::from(vec![m.threads.map(i64::from)]));
    row.text("preset", m.preset.as_deref());
    // During the run they would be outdated.
    let ended = s.state.is_final();
    row.push("step", Int64Array::from(vec![s.step.filter(|_| ended)]));
    row.push("epoch", Float64Array::from(vec![s.epoch_of_run(s.state).filter(|_| ended)]));
    row.push("rows", UInt64Array::from(vec![s.rows.filter(|_| ended)]));
    row.text("host", m.host.as_deref());
    row.text("git_commit", m.git_commit.as_deref());
    row.text("gradtop", m.versions.gradtop.as_deref());
    row.text("libtorch", m.versions.libtorch.as_deref());
    row.text("python", m.versions.python.as_deref());
    row.text("torch", m.versions.torch.as_deref());
    row.text("plugin_sha256", m.plugin.as_ref().map(|plugin| plugin.sha256.as_str()));
}

/// Summarizes each split of the declared metrics. Damaged rows are left out.
fn summaries(run: &RunDir, manifest: &Manifest) -> Result<Summaries> {
    let goals: BTreeMap<&str, Goal> = manifest.metrics.iter().map(|m| (m.name.as_str(), m.goal)).collect();
    let goal = |key: &SeriesKey| goals.get(key.metric.as_str()).copied();
    let (series, _) = summarize(run, |key| goal(key).is_some(), |key| goal(key).unwrap_or(Goal::None))?;
    let mut found = Summaries::new();
    for SeriesSummary { key, last, best, .. } in series {
        let max = goal(&key) == Some(Goal::Max);
        let summary = found.entry(key.metric).or_default().entry(key.split).or_default();
        if summary.last.is_none_or(|(before, _)| last.time_us >= before) {
            summary.last = Some((last.time_us, last.value));
        }
        if let Some(new) = best.map(|best| best.value) {
            let better = |old: f64| if max { old.max(new) } else { old.min(new) };
            summary.best = Some(summary.best.map_or(new, better));
        }
    }
    Ok(found)
}
