//! A temporary folder from which DuckDB reads runs: links to sealed files, copies of unsealed or damaged ones, and JSON for
//! what only gradtop knows. It contains only what a query names.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use gradtop_store::{
    Declared, Event, Headline, ParamValue, Shape, StoreError, View, export_parquet, export_run_table,
    metric_files, missing_tables, read_events, table_files, table_names,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{identifier, literal};
use crate::files::Cannot as _;
use crate::foreground;
use crate::print::{self, clean};
use gradtop_view::run::headline;

/// Names of views that no table of an experiment may have.
const OWN: [&str; 4] = ["runs", "params", "metrics", "events"];
/// The table that gradtop writes for each run.
const RUN_TABLE: &str = "run";

/// The columns of the view `runs`.
const RUNS: &str = "exp: 'VARCHAR', run: 'VARCHAR', state: 'VARCHAR', cause: 'VARCHAR', starred: 'BOOLEAN', \
                    tags: 'VARCHAR[]', note: 'VARCHAR', started: 'TIMESTAMPTZ', headline: 'VARCHAR', split: 'VARCHAR', model: 'VARCHAR', trials: 'BIGINT', split_rank: 'UTINYINT', \
                    value: 'VARCHAR', unit: 'VARCHAR', goal: 'VARCHAR', logarithmic: 'BOOLEAN'";
const PARAMS: &str =
    "exp: 'VARCHAR', run: 'VARCHAR', key: 'VARCHAR', value: 'VARCHAR', number: 'VARCHAR', kind: 'VARCHAR'";
const EVENTS: &str = "exp: 'VARCHAR', run: 'VARCHAR', time: 'TIMESTAMPTZ', event: 'VARCHAR', what: 'VARCHAR', \
                      step: 'BIGINT', data: 'JSON'";
/// The average of [`gradtop_store::Average`] over the finite values of a metric, which is declared logarithmic or not.
const MACROS: &str = "\
CREATE MACRO is_geometric(v, logarithmic) AS coalesce(bool_and(logarithmic) AND min(v) FILTER (isfinite(v)) > 0, false);
CREATE MACRO average(v, logarithmic) AS if(is_geometric(v, logarithmic),
    greatest(min(v) FILTER (isfinite(v)), least(max(v) FILTER (isfinite(v)), exp(avg(ln(if(v > 0, v, NULL))) FILTER (isfinite(v))))),
    avg(v) FILTER (isfinite(v)));
";
/// The view of a log without rows.
const NO_METRICS: &str = "SELECT NULL::VARCHAR AS exp, NULL::VARCHAR AS run, NULL::BIGINT AS step, NULL::DOUBLE AS epoch, \
                          NULL::TIMESTAMPTZ AS time, NULL::VARCHAR AS metric, NULL::VARCHAR AS model, \
                          NULL::VARCHAR AS split, NULL::BIGINT AS trial, NULL::DOUBLE AS value WHERE false";

/// The folder, removed on drop.
#[derive(Debug)]
pub(crate) struct Lake {
    folder: TempDir,
    /// SQL statements that create the views.
    pub(crate) views: String,
    /// The names of the views, built-in ones first.
    names: Vec<String>,
    /// What could not be read.
    damage: Vec<String>,
}

impl Lake {
    /// Prepares what `sql` names, or everything if there is no `sql` yet. Warns about unreadable files.
    pub(crate) fn new(runs: &[View], sql: Option<&str>) -> Result<Self> {
        let mut lake = Self {
            folder: temporary()?,
            views: format!("SET autoinstall_known_extensions = false;\n{MACROS}"),
            names: Vec::new(),
            damage: Vec::new(),
        };
        let sql = sql.map(str::to_lowercase);
        let named = |name: &str| sql.as_ref().is_none_or(|sql| sql.contains(&name.to_lowercase()));
        if named("runs") {
            lake.runs(runs)?;
        }
        if named("params") {
            let rows =
                runs.iter().flat_map(|run| run.manifest.params.iter().map(|param| param_row(run, param)));
            let from = lake.json("params", PARAMS, rows)?;
            let number = "SELECT * REPLACE (TRY_CAST(number AS DOUBLE) AS number)";
            lake.view("params", &format!("{number} FROM {from}"));
        }
        if named("metrics") {
            lake.metrics(runs)?;
        }
        if named("events") {
            let events = |run: &View| read_events(&run.dir).unwrap_or_default();
            let rows =
                runs.iter().flat_map(|run| events(run).into_iter().map(move |line| event_row(run, &line)));
            let from = lake.json("events", EVENTS, rows)?;
            lake.view("events", &format!("FROM {from}"));
        }
        lake.tables(runs, named)?;
        print::warn_of_damage(&lake.damage);
        Ok(lake)
    }

    /// Runs DuckDB's prompt with the views. Returns its exit code. `stopped` is passed to [`foreground::run`].
    pub(crate) fn prompt(&self, program: &Path, stopped: impl FnMut()) -> Result<i32> {
        let file = self.file("views.sql");
        fs::write(&file, &self.views).context("cannot write the views")?;
        print::note(&format!("views: {}; .exit leaves", clean(&self.names.join(", "))));
        foreground::run(Command::new(program).arg("-init").arg(&file), stopped)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Creates the view `runs`: the current state of each run, with the row that it recorded.
    fn runs(&mut self, runs: &[View]) -> Result<()> {
        let now = self.json("runs", RUNS, run_rows(runs))?;
        let now = format!("(SELECT * REPLACE (TRY_CAST(value AS DOUBLE) AS value) FROM {now})");
        match self.table(runs, RUN_TABLE)? {
            // The row of a run may be damaged, but its path is known.
            Some(files) => self.view(
                "runs",
                &format!(
                    "SELECT n.exp, n.run, t.* EXCLUDE (exp, run) REPLACE (n.state AS state, n.cause AS cause, n.started AS started), \
                     n.starred, n.tags, n.note, n.headline, n.split, n.model, n.trials, n.split_rank, n.value, n.unit, n.goal, n.logarithmic \
                     FROM {now} n LEFT JOIN {} t ON t.exp = n.exp AND t.run = n.run",
                    parquet(&files, true)
                ),
            ),
            None => self.view("runs", &format!("FROM {now}")),
        }
        Ok(())
    }

    fn metrics(&mut self, runs: &[View]) -> Result<()> {
        let mut any = false;
        for run in runs {
            let place = self.place("metrics", run)?;
            let sealed = if run.state.is_final() { metric_files(&run.dir)? } else { None };
            if let Some(files) = sealed {
                any |= !files.is_empty();
                link(&files, &place)?;
                continue;
            }
            let path = place.join("rows.parquet");
            let file = File::create(&path).cannot("write", &path)?;
            let exported = export_parquet(&run.dir, Shape::Long, BufWriter::new(file))?;
            self.damage.extend(exported.damage.iter().map(ToString::to_string));
            any = true;
        }
        let files = self.glob("metrics");
        let from = if any { format!("FROM {}", parquet(&files, false)) } else { NO_METRICS.to_owned() };
        self.view("metrics", &from);
        Ok(())
    }

    /// Creates a view for each table that experiments log, if the query names it.
    fn tables(&mut self, runs: &[View], named: impl Fn(&str) -> bool) -> Result<()> {
        let mut tables: BTreeMap<String, Vec<&View>> = BTreeMap::new();
        for run in runs {
            for name in table_names(&run.dir) {
                tables.entry(name).or_default().push(run);
            }
        }
        for (name, runs) in tables {
            let own = OWN.contains(&name.as_str()) || name == RUN_TABLE;
            if own || !named(&name) {
                continue;
            }
            let runs: Vec<View> = runs.into_iter().cloned().collect();
            if let Some(files) = self.table(&runs, &name)? {
                self.view(&name, &format!("FROM {}", parquet(&files, true)));
            }
        }
        let missing = runs.iter().flat_map(|run| missing_tables(&run.dir));
        let of = |e: &StoreError| Some(e.damaged_file()?.file_name()?.to_string_lossy().into_owned());
        self.damage.extend(missing.filter(|e| of(e).is_some_and(|name| named(&name))).map(|e| e.to_string()));
        Ok(())
    }

    /// The glob for the files of a table, or `None` if there are none.
    fn table(&mut self, runs: &[View], name: &str) -> Result<Option<String>> {
        // The name of a table may contain glob characters.
        let folder = format!("tables/{}", self.names.len());
        let mut any = false;
        for run in runs {
            if !table_names(&run.dir).iter().any(|table| table == name) {
                // Another program wrote the run.
                if name == RUN_TABLE {
                    let path = self.place(&folder, run)?.join("row.parquet");
                    let file = File::create(&path).cannot("write", &path)?;
                    export_run_table(&run.dir, &run.manifest, &run.status, file)?;
                    any = true;
                }
                continue;
            }
            match table_files(&run.dir, name) {
                Ok(files) => {
                    link(&files, &self.place(&folder, run)?)?;
                    any = true;
                }
                Err(error) => self.damage.push(error.to_string()),
            }
        }
        Ok(any.then(|| self.glob(&folder)))
    }

    /// The folder of a run in the Hive layout, from which readers derive `exp` and `run`.
    fn place(&self, kind: &str, run: &View) -> Result<PathBuf> {
        let place =
            self.folder.path().join(kind).join(format!("exp={}", escaped(&run.manifest.experiment.id)));
        let place = place.join(format!("run={}", escaped(&run.manifest.run)));
        fs::create_dir_all(&place).cannot("create", &place)?;
        Ok(place)
    }

    fn glob(&self, kind: &str) -> String {
        self.folder.path().join(kind).join("*/*/*.parquet").to_string_lossy().into_owned()
    }

    /// Writes rows as JSON. Returns the SQL that reads them.
    fn json(&self, name: &str, columns: &str, rows: impl Iterator<Item = Value>) -> Result<String> {
        let path = self.file(&format!("{name}.json"));
        let cannot = || format!("cannot write {}", path.display());
        let mut out = BufWriter::new(File::create(&path).with_context(cannot)?);
        for row in rows {
            writeln!(out, "{row}").with_context(cannot)?;
        }
        out.flush().with_context(cannot)?;
        let file = literal(&path.to_string_lossy());
        Ok(format!("read_json({file}, format = 'newline_delimited', columns = {{{columns}}})"))
    }

    fn view(&mut self, name: &str, query: &str) {
        self.views += &["CREATE VIEW ", &identifier(name), " AS ", query, ";\n"].concat();
        self.names.push(name.to_owned());
    }
}

fn temporary() -> Result<TempDir> {
    let private = fs::Permissions::from_mode(0o700);
    let made = tempfile::Builder::new().prefix("gradtop-query-").permissions(private).tempdir();
    made.context("cannot make a temporary folder")
}

/// A name in the Hive layout. Older versions had experiments whose names mean something else to DuckDB.
fn escaped(name: &str) -> String {
    // The sign of an escape is the first.
    let escape = |name: String, c: &char| name.replace(*c, &format!("%{:02X}", u32::from(*c)));
    ['%', '=', '*', '?', '[', ']', '\\'].iter().fold(name.to_owned(), escape)
}

fn link(files: &[PathBuf], place: &Path) -> Result<()> {
    for file in files {
        let name = file.file_name().unwrap_or_default();
        symlink(file, place.join(name)).cannot("link to", file)?;
    }
    Ok(())
}

fn parquet(files: &str, by_name: bool) -> String {
    let by_name = if by_name { ", union_by_name = true" } else { "" };
    let files = literal(files);
    format!(
        "read_parquet({files}, hive_partitioning = true, hive_types = {{'exp': VARCHAR, 'run': VARCHAR}}{by_name})"
    )
}

fn run_rows(runs: &[View]) -> impl Iterator<Item = Value> {
    let headlines: Vec<_> = runs.iter().map(|run| headline::all(run).into_iter().next()).collect();
    let mut infos: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (run, headline) in runs.iter().zip(&headlines) {
        if let Some(headline) = headline {
            let of = (run.manifest.experiment.id.as_str(), headline.metric);
            infos.entry(of).or_default().push(headline.info);
        }
    }
    // No run of an experiment decides for another.
    let declared: BTreeMap<_, Declared<'_>> =
        infos.into_iter().map(|(of, infos)| (of, infos.into_iter().collect())).collect();
    runs.iter().zip(headlines).map(move |(run, headline)| {
        let id = run.manifest.experiment.id.as_str();
        let declared = headline.as_ref().and_then(|headline| declared.get(&(id, headline.metric)));
        run_row(run, headline.as_ref(), declared)
    })
}

fn run_row(run: &View, headline: Option<&Headline<'_>>, declared: Option<&Declared<'_>>) -> Value {
    let line = headline.and_then(|headline| Some((headline, headline.line()?)));
    let value = line.map(|(_, line)| line.value.to_string());
    // Values of the split with the lowest rank represent an experiment.
    let split = line.zip(declared).map(|((_, line), declared)| declared.split_rank(line.split));
    let info = headline.and_then(|headline| headline.info);
    let (m, notes) = (&run.manifest, &run.notes);
    json!({"exp": m.experiment.id, "run": m.run, "state": run.state.word(), "cause": run.status.cause,
        "starred": notes.starred, "tags": notes.tags, "note": notes.note,
        "started": run.status.started.map(|t| t.to_string()), "headline": headline.map(|headline| headline.metric),
        "split": split.and_then(|(_, split)| split), "model": line.and_then(|(_, line)| line.model), "trials": line.map(|(_, line)| line.trials), "split_rank": split.map(|(rank, _)| rank), "value": value, "unit": Declared::from(info).unit(), "goal": info.map(|info| info.goal), "logarithmic": info.is_some_and(|info| info.log)})
}

fn param_row(run: &View, (key, value): &(String, ParamValue)) -> Value {
    let (number, kind) = match value {
        ParamValue::Bool(v) => (Some(u8::from(*v).to_string()), "bool"),
        ParamValue::Int(v) => (Some(v.to_string()), "int"),
        ParamValue::Float(v) => (Some(v.to_string()), "float"),
        ParamValue::Text(_) => (None, "text"),
    };
    let (exp, run) = (&run.manifest.experiment.id, &run.manifest.run);
    json!({"exp": exp, "run": run, "key": key, "value": value.to_string(), "number": number, "kind": kind})
}

fn event_row(run: &View, line: &gradtop_store::EventLine) -> Value {
    let data = serde_json::to_value(&line.event).unwrap_or_default();
    let (what, step) = match &line.event {
        Event::State { state, cause } => {
            let cause = cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
            (format!("{}{cause}", state.word()), None)
        }
        Event::Checkpoint { step, path } => (path.clone(), Some(*step)),
        Event::Resumed { step, checkpoint } => (checkpoint.clone(), Some(*step)),
        Event::Request { what } => (what.clone(), None),
        Event::Warning { message } | Event::Alert { message } | Event::Log { message, .. } => {
            (message.clone(), None)
        }
        Event::Signal { name, process } => (format!("{name} to the {process}"), None),
        _ => (String::new(), None),
    };
    let (exp, run, time) = (&run.manifest.experiment.id, &run.manifest.run, line.time.to_string());
    json!({"exp": exp, "run": run, "time": time, "event": data["event"], "what": what, "step": step, "data": data})
}
