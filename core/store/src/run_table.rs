//! `tables/run/`: one row that says what the run was and how it ended, for SQL.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt64Array,
};
use arrow_schema::{Field, Schema};
use jiff::Timestamp;

use crate::error::{FormatContext as _, IoContext as _, Result};
use crate::fsutil;
use crate::inside;
use crate::manifest::{Goal, ParamValue};
use crate::part::{list_parts, part_name};
use crate::read::{Snapshot, series_file};
use crate::rows::Rows;
use crate::run_dir::RunDir;
use crate::series::{KeyTable, SeriesKey};
use crate::table::{RUN_TABLE, write_file};
use crate::view::View;

/// What a declared metric came to, over all its series.
#[derive(Debug, Clone, Copy, Default)]
struct Summary {
    /// Time, step and value of the last row.
    last: Option<(i64, i64, f64)>,
    /// The lowest or highest finite value, as the goal asks.
    best: Option<f64>,
}

/// Writes the run's row: name, state, seed, device, times, every parameter as `param.<key>`, and of each declared metric
/// `last.<metric>` and, if it has a goal, `best.<metric>`, over all models, splits and trials.
pub fn write_run_table(run: &RunDir, view: &View) -> Result<()> {
    let dir = run.tables().join(RUN_TABLE);
    inside::create_dir_all(run, &dir).at("create", &dir)?;
    let path = dir.join(part_name(1, 1));
    let mut row = Row::default();
    describe(&mut row, view);
    for (key, value) in &view.manifest.params {
        let name = format!("param.{key}");
        match value {
            ParamValue::Bool(v) => row.push(&name, BooleanArray::from(vec![*v])),
            ParamValue::Int(v) => row.push(&name, Int64Array::from(vec![*v])),
            ParamValue::Float(v) => row.push(&name, Float64Array::from(vec![*v])),
            ParamValue::Text(v) => row.push(&name, StringArray::from(vec![v.as_str()])),
        }
    }
    let metrics = summaries(run, view)?;
    for metric in &view.manifest.metrics {
        let found = metrics.get(metric.name.as_str()).copied().unwrap_or_default();
        row.push(&format!("last.{}", metric.name), Float64Array::from(vec![found.last.map(|(_, _, v)| v)]));
        if metric.goal != Goal::None {
            row.push(&format!("best.{}", metric.name), Float64Array::from(vec![found.best]));
        }
    }
    let schema = Arc::new(Schema::new(row.fields));
    let batch = RecordBatch::try_new(schema, row.values).format_at("encode", &path)?;
    let tmp = fsutil::tmp_beside(&path);
    write_file(run, &tmp, &[batch])?;
    inside::rename(run, &tmp, &path).at("rename", &tmp)?;
    for other in list_parts(run, &dir)?.iter().filter(|p| p.path != path) {
        inside::remove_file(run, &other.path).at("remove", &other.path)?;
    }
    inside::sync_dir(run, &dir).at("sync", &dir)
}

/// The columns of the one row. A name that came before is not taken again.
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
}

fn describe(row: &mut Row, view: &View) {
    let (m, s) = (&view.manifest, &view.status);
    row.text("experiment", Some(&m.experiment.id));
    row.text("experiment_version", Some(&m.experiment.version));
    row.text("name", Some(&m.run));
    row.text("state", Some(view.state.word()));
    row.text("cause", s.cause.as_deref());
    row.time("created", Some(m.created));
    row.time("started", s.started);
    row.time("ended", s.ended);
    let duration = s.ended.and_then(|ended| s.took(ended));
    row.push("duration_s", Float64Array::from(vec![duration]));
    row.push("seed", UInt64Array::from(vec![m.seed]));
    row.text("device", Some(&m.device));
    row.push("threads", Int64Array::from(vec![i64::from(m.threads)]));
    row.text("preset", m.preset.as_deref());
    row.push("step", Int64Array::from(vec![s.step]));
    row.push("epoch", Float64Array::from(vec![s.epoch]));
    row.push("rows", UInt64Array::from(vec![s.rows]));
    row.text("host", Some(&m.host));
    row.text("git_commit", m.git_commit.as_deref());
    row.text("gradtop", Some(&m.versions.gradtop));
    row.text("libtorch", m.versions.libtorch.as_deref());
    row.text("plugin_sha256", Some(&m.plugin.sha256));
}

/// Goes through the rows of declared metrics once, without keeping them.
fn summaries(run: &RunDir, view: &View) -> Result<BTreeMap<String, Summary>> {
    let goals: BTreeMap<&str, Goal> =
        view.manifest.metrics.iter().map(|m| (m.name.as_str(), m.goal)).collect();
    let mut found: BTreeMap<String, Summary> = BTreeMap::new();
    let snapshot = Snapshot::open(run)?;
    let mut series = series_file(run)?;
    let sink = |rows: &Rows, table: &KeyTable| {
        let mut start = 0;
        for chunk in rows.series.chunk_by(|a, b| a == b) {
            let range = start..start + chunk.len();
            start = range.end;
            let Some(metric) = table.key(chunk[0]).map(|k| k.metric.as_str()) else { continue };
            let Some(goal) = goals.get(metric) else { continue };
            if !found.contains_key(metric) {
                found.insert(metric.to_owned(), Summary::default());
            }
            let Some(summary) = found.get_mut(metric) else { continue };
            for i in range {
                let (time, step, value) = (rows.time[i], rows.step[i], rows.value[i]);
                if summary.last.is_none_or(|(t, s, _)| (time, step) >= (t, s)) {
                    summary.last = Some((time, step, value));
                }
                if value.is_finite() {
                    summary.best = Some(match (summary.best, goal) {
                        (None, _) => value,
                        (Some(best), Goal::Max) => best.max(value),
                        (Some(best), _) => best.min(value),
                    });
                }
            }
        }
    };
    // What is damaged is missing here, too, rather than all of it.
    let wanted = |key: &SeriesKey| goals.contains_key(key.metric.as_str());
    snapshot.scan(&mut series, &wanted, sink, |_| Ok(()))?;
    Ok(found)
}
