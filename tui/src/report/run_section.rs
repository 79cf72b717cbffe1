//! The parts of a report that one run contributes: settings, tables, conclusions and figures.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Result;
use gradtop_store::figures::Figure as Declared;
use gradtop_store::{ColumnData, StoreError, Table, View, read_table_last};

use super::claims;
use super::document::{self, Block, Claim, Span, code, plain, text};
use crate::print::clean;
use gradtop_chart::number;
use gradtop_view::clock::dated;
use gradtop_view::figure::chart::evaluate;
use gradtop_view::figure::run_figures::{add_source, figures_of_run};
use gradtop_view::live::{self, RunData};
use gradtop_view::run::facts::{self, Topic};
use gradtop_view::run::{param, progress};
use gradtop_view::table::{self, CONCLUSION, is_text, reading_order};
use jiff::Timestamp;

/// The most rows of a table shown; the rest is counted.
const ROWS: usize = 120;

/// A run and what was read of it.
pub(crate) struct RunSection<'a> {
    pub(crate) view: &'a View,
    /// The prefix of its figures' names.
    key: String,
    /// The relative path from the report to the run, if such a link will stay valid.
    path: Option<String>,
    declared: Vec<Declared>,
    data: Arc<RunData>,
}

impl<'a> RunSection<'a> {
    /// Reads the data of the figures. Also returns what could not be read.
    pub(crate) fn of(view: &'a View, key: &str, path: Option<String>) -> Result<(Self, Vec<String>)> {
        let (declared, _) = figures_of_run(view)?;
        let (data, damaged) = live::read(view, &declared, 0.0)?;
        let odd = damaged.iter().map(|e| clean(&e.to_string())).collect();
        Ok((Self::with(view, key, path, declared, data), odd))
    }

    /// Draws these figures from data that was read.
    pub(crate) fn with(
        view: &'a View,
        key: &str,
        path: Option<String>,
        declared: Vec<Declared>,
        data: Arc<RunData>,
    ) -> Self {
        Self { view, key: key.to_owned(), path, declared, data }
    }

    /// The metrics that no figure shows.
    pub(crate) fn without_figure(&self) -> Vec<&str> {
        let marks = || self.declared.iter().flat_map(|figure| &figure.panels).flat_map(|panel| &panel.marks);
        let shown = |name: &str| marks().any(|mark| mark.metric.as_deref() == Some(name));
        let own = self.data.metric_names().into_iter().filter(|name| !gradtop_store::is_system_metric(name));
        own.filter(|name| !shown(name)).collect()
    }

    /// The ids of all figures, in declared order.
    pub(crate) fn figure_ids(&self) -> impl Iterator<Item = &str> + Clone {
        self.declared.iter().map(|figure| figure.id.as_str())
    }

    /// A link to the run with its name.
    pub(crate) fn named(&self) -> Span {
        self.file(&self.view.manifest.run, "")
    }

    /// A link to the run with its folder.
    pub(crate) fn link(&self) -> Span {
        let (experiment, name) = (self.view.dir.experiment(), self.view.dir.name());
        self.file(&format!("exp={experiment}/run={name}"), "")
    }

    /// A link to a file or folder of the run.
    fn inside(&self, place: &str) -> Span {
        self.file(place, &format!("/{place}"))
    }

    fn file(&self, name: &str, below: &str) -> Span {
        match &self.path {
            Some(path) => Span::File { name: clean(name), path: format!("{path}{below}") },
            None => code(clean(name)),
        }
    }

    /// The settings of the run and where it ran; `sets` are the parameters that were changed.
    pub(crate) fn settings(&self, sets: &[(String, String)]) -> Block {
        let named = |name: &str, value: Vec<Span>| (name.to_owned(), value);
        let mut facts = vec![named("run", vec![self.link(), text(format!(": {}", self.how_it_ended()))])];
        for fact in facts::of_run(self.view, dated).into_iter().filter(|fact| fact.topic != Topic::Course) {
            facts.push(named(fact.name, vec![text(fact.value)]));
        }
        let list = |of: Vec<String>| vec![code(of.join(" "))];
        let changed: Vec<_> = sets.iter().map(|(key, value)| clean(&format!("{key}={value}"))).collect();
        facts.extend((!changed.is_empty()).then(|| named("changed", list(changed))));
        let params = &self.view.manifest.params;
        let params = params.iter().map(|(key, value)| format!("{}={}", clean(key), param::brief(value)));
        facts.push(named("parameters", list(params.collect())));
        let recorded =
            vec![self.inside("run.toml"), text(" and, as a row of Parquet, "), self.inside("tables/run")];
        facts.push(named("recorded in", recorded));
        Block::Facts(facts)
    }

    /// How the run ended: `finished, 12s of work`.
    pub(crate) fn how_it_ended(&self) -> String {
        let worked =
            progress::took(self.view, Timestamp::now()).map(|s| format!(", {} of work", number::duration(s)));
        format!("{}{}", self.view.state.word(), worked.unwrap_or_default())
    }

    /// The newest rows of a table, or `None` if there is no such table.
    pub(crate) fn table(&self, name: &str) -> Result<Option<Block>, StoreError> {
        Ok(self.read(name)?.map(|table| self.block(name, &table, &[])))
    }

    /// The conclusions with the numbers behind them, or `None` if there are none.
    pub(crate) fn found(&self) -> Result<Option<Vec<Block>>, StoreError> {
        // Columns that the claims show; what they are about tells the rows apart.
        const SAID: [&str; 5] = ["claim", "evidence", "caution", "strength", "statement"];
        let Some(table) = self.read(CONCLUSION)? else { return Ok(None) };
        let claims = claims::of_table(&table);
        if claims.is_empty() {
            return Ok(None);
        }
        let source = vec![text("Computed by the experiment: "), self.inside("tables/conclusion"), text(".")];
        let mut found = vec![Block::Found { claims, source }];
        if table.columns.iter().any(|(_, _, data)| matches!(data, ColumnData::F64(_))) {
            found.push(Block::More {
                summary: "The numbers behind it".to_owned(),
                blocks: vec![self.block(CONCLUSION, &table, &SAID)],
            });
        }
        Ok(Some(found))
    }

    /// The experiment's claims, empty if there are none or they cannot be read.
    pub(crate) fn claims(&self) -> Vec<Claim> {
        self.read(CONCLUSION).ok().flatten().map(|table| claims::of_table(&table)).unwrap_or_default()
    }

    fn read(&self, name: &str) -> Result<Option<Table>, StoreError> {
        match read_table_last(&self.view.dir, name) {
            Ok(table) if table.rows() > 0 => Ok(Some(table)),
            Ok(_) | Err(StoreError::NoSuchTable { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn block(&self, name: &str, table: &Table, without: &[&str]) -> Block {
        let columns = reading_order(table).into_iter().map(|at| (at, &table.columns[at]));
        let mut shown: Vec<_> = columns.collect();
        shown.retain(|(_, (column, _, data))| {
            let left_out = column == "step" || without.contains(&column.as_str());
            !left_out && !matches!(data, ColumnData::Bytes { .. })
        });
        let head = shown.iter().map(|(_, (column, unit, data))| {
            let unit = unit.as_deref().map(|u| format!(" [{}]", clean(u))).unwrap_or_default();
            (format!("{}{unit}", clean(column)), !is_text(data))
        });
        let row =
            |row| shown.iter().map(|(at, (_, _, data))| vec![text(cell(table, (*at, row), data))]).collect();
        let end = match table.rows().saturating_sub(ROWS) {
            0 => ".".to_owned(),
            1 => ", without its last row.".to_owned(),
            beyond => format!(", without its last {beyond} rows."),
        };
        let source = vec![text("Table "), self.inside(&format!("tables/{name}")), text(end)];
        Block::Table { head: head.collect(), rows: (0..table.rows().min(ROWS)).map(row).collect(), source }
    }

    pub(crate) fn figure(&self, id: &str) -> Option<Block> {
        let declared = self.declared.iter().find(|figure| figure.id == id)?;
        let chart = evaluate(declared, &self.data);
        let mut signed = chart.clone();
        signed.title = format!("{}  {}", clean(&self.view.manifest.run), chart.title);
        add_source(&mut signed, self.view);
        let name = self.figure_name(id);
        Some(document::figure(chart, &signed, name, self.source(declared)))
    }

    /// The name of a figure in the page: equal names are numbered.
    fn figure_name(&self, id: &str) -> String {
        let mut taken = BTreeSet::new();
        for figure in &self.declared {
            let base = plain(&format!("{}-{}", self.key, figure.id));
            let numbered = (2..).map(|n| format!("{base}-{n}"));
            let name = std::iter::once(base.clone()).chain(numbered).find(|name| taken.insert(name.clone()));
            if figure.id == id {
                return name.unwrap_or(base);
            }
        }
        plain(&format!("{}-{id}", self.key))
    }

    /// The metrics and tables that a figure is drawn from.
    fn source(&self, figure: &Declared) -> Vec<Span> {
        let mut metrics: Vec<&str> = Vec::new();
        let mut tables: Vec<&str> = Vec::new();
        for mark in figure.panels.iter().flat_map(|panel| &panel.marks) {
            for (list, name) in [(&mut metrics, &mark.metric), (&mut tables, &mark.table)] {
                if let Some(name) = name.as_deref().filter(|name| !list.contains(name)) {
                    list.push(name);
                }
            }
        }
        let mut spans = vec![text("Data: "), self.link()];
        if !metrics.is_empty() {
            spans.push(text(if metrics.len() == 1 { ", metric " } else { ", metrics " }));
            for (i, metric) in metrics.iter().enumerate() {
                spans.extend((i > 0).then(|| text(", ")));
                spans.push(code(clean(metric)));
            }
            spans.extend([text(" in "), self.inside("metrics")]);
        }
        for table in tables {
            spans.extend([text(", "), self.inside(&format!("tables/{}", clean(table)))]);
        }
        spans.push(text("."));
        spans
    }
}

/// The cell in a column and row of a table.
fn cell(table: &Table, (column, row): (usize, usize), data: &ColumnData) -> String {
    match data {
        _ if table.absent.contains(&(column, row)) => number::MISSING.to_owned(),
        data => table::cell(data, row),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_no_number_is_not_a_missing_one() {
        let data = ColumnData::F64(vec![1.5, f64::NAN, f64::NEG_INFINITY, f64::NAN]);
        let columns = vec![("v".to_owned(), None, data.clone())];
        let table = Table { columns, absent: [(0, 3)].into() };
        let cells: Vec<String> = (0..4).map(|row| cell(&table, (0, row), &data)).collect();
        assert_eq!(cells, ["1.5", "NaN", "-inf", "–"]);
    }
}
