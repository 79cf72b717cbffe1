//! What figures are drawn from, read once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gradtop_store::figures::Figure;
use gradtop_store::{
    RunDir, SeriesData, StoreError, Table, read_series_around_damage, read_table, series_keys,
};

/// A run's data, as far as some figures need it.
#[derive(Debug, Default)]
pub struct Data {
    /// Series of the metrics asked for.
    pub series: Vec<SeriesData>,
    /// Tables asked for; text where one could not be read.
    pub tables: BTreeMap<String, Arc<Result<Table, String>>>,
    /// The names the run's lines are known by, so that each has its colour in every figure.
    pub names: BTreeSet<String>,
    /// When the run started, in microseconds since 1970: the zero of time axes.
    pub started_us: i64,
}

impl Data {
    /// Reads what the figures need; with it, what is wrong with files that could not be read.
    pub fn load(
        run: &RunDir,
        figures: &[Figure],
        started_us: i64,
    ) -> Result<(Self, Vec<StoreError>), StoreError> {
        let marks = || figures.iter().flat_map(|f| &f.panels).flat_map(|p| &p.marks);
        let metrics: BTreeSet<&str> = marks().filter_map(|m| m.metric.as_deref()).collect();
        let (series, damaged) = if metrics.is_empty() {
            Default::default()
        } else {
            read_series_around_damage(run, |k| metrics.contains(k.metric.as_str()))?
        };
        let wanted: BTreeSet<&str> = marks().filter_map(|m| m.table.as_deref()).collect();
        let tables = wanted
            .into_iter()
            .map(|name| {
                let table = match read_table(run, name) {
                    Ok(table) => Ok(table),
                    Err(StoreError::NoSuchTable { .. }) => Ok(Table::default()),
                    Err(e) => Err(e.to_string()),
                };
                (name.to_owned(), Arc::new(table))
            })
            .collect();
        let names = super::names(series_keys(run)?.into_iter().map(|(key, _)| key));
        Ok((Self { series, tables, names, started_us }, damaged))
    }
}
