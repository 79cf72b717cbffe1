//! The recorded rows of a run that must be equal for equal runs.

use std::collections::BTreeMap;

use anyhow::Result;
use gradtop_host::ExperimentDesc;
use gradtop_store::{ColumnData, RunDir, SeriesKey, Table, read_series, read_table, table_names};

/// Step, epoch and value; floats as bits, so that NaN equals NaN.
type Row = (i64, u64, u64);

/// The rows of each series and table, without what depends on the clock or the machine.
pub(super) struct Recorded {
    series: BTreeMap<SeriesKey, Vec<Row>>,
    tables: BTreeMap<String, Table>,
}

impl Recorded {
    pub(super) fn of(run: &RunDir, experiment: &ExperimentDesc) -> Result<Self> {
        let by_clock = |metric: &str| experiment.metrics.iter().any(|m| m.name == metric && m.wall_clock);
        let wanted =
            |key: &SeriesKey| !gradtop_store::is_system_metric(&key.metric) && !by_clock(&key.metric);
        let series = read_series(run, wanted)?.into_iter().filter(|data| wanted(&data.key)).map(|data| {
            let floats = data.epoch.iter().zip(&data.value).map(|(e, v)| (e.to_bits(), v.to_bits()));
            let rows = data.step.iter().zip(floats).map(|(step, (epoch, value))| (*step, epoch, value));
            (data.key, rows.collect())
        });
        let mut tables = BTreeMap::new();
        // These two tables are written by the host.
        for name in table_names(run).into_iter().filter(|name| name != "run" && name != "params") {
            let mut table = read_table(run, &name)?;
            // Columns in seconds are never reproducible.
            table.columns.retain(|(_, unit, _)| !matches!(unit.as_deref(), Some("s" | "ms")));
            tables.insert(name, table);
        }
        Ok(Self { series: series.collect(), tables })
    }

    /// The number of metric rows.
    pub(super) fn len(&self) -> usize {
        self.series.values().map(Vec::len).sum()
    }

    /// Measures for each metric how far its last values are from those of another run: the median over its series, as a share
    /// of the largest value of the series. An error names a difference that rounding cannot explain.
    pub(super) fn apart(&self, other: &Self) -> Result<Vec<Apart>, String> {
        let mut metrics: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (key, rows) in &self.series {
            let value = |row: &Row| f64::from_bits(row.2);
            let Some(theirs) = other.series.get(key).and_then(|rows| rows.last()).map(value) else {
                return Err(format!("{}: no values on the other side", name(key)));
            };
            let Some(ours) = rows.last().map(value) else { continue };
            if ours.is_finite() && !theirs.is_finite() {
                return Err(format!("{} ends with {theirs}, not with {ours:?}", name(key)));
            }
            if ours.is_finite() {
                let largest = rows.iter().map(|row| value(row).abs()).filter(|v| v.is_finite());
                let largest = largest.fold(theirs.abs(), f64::max);
                let share = if largest > 0.0 { (ours - theirs).abs() / largest } else { 0.0 };
                metrics.entry(&key.metric).or_default().push(share);
            }
        }
        let apart = |(metric, mut shares): (&str, Vec<f64>)| {
            shares.sort_by(f64::total_cmp);
            let (series, difference) = (shares.len(), shares[shares.len() / 2]);
            Apart { metric: metric.to_owned(), series, difference }
        };
        Ok(metrics.into_iter().map(apart).collect())
    }

    pub(super) fn has_tables(&self) -> bool {
        !self.tables.is_empty()
    }

    pub(super) fn has(&self, metric: &str) -> bool {
        self.series.keys().any(|key| key.metric == metric)
    }
}

/// How far apart the values of a metric are in two runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Apart {
    pub(crate) metric: String,
    /// The number of series compared.
    pub(crate) series: usize,
    /// A share, see [`Recorded::apart`].
    pub(crate) difference: f64,
}

/// Describes the first difference between two runs.
pub(super) fn difference(a: &Recorded, b: &Recorded, of_a: &str, of_b: &str) -> Option<String> {
    for (key, rows) in &a.series {
        let name = name(key);
        let others = b.series.get(key).map(Vec::as_slice).unwrap_or_default();
        for (one, other) in rows.iter().zip(others) {
            if one != other {
                let value = |row: &Row| f64::from_bits(row.2);
                return Some(if one.0 == other.0 {
                    format!("{name}, step {}: {:?} {of_a}, {:?} {of_b}", one.0, value(one), value(other))
                } else {
                    format!("{name}: step {} {of_a} where {of_b} has step {}", one.0, other.0)
                });
            }
        }
        if rows.len() != others.len() {
            return Some(format!("{name}: {} rows {of_a}, {} {of_b}", rows.len(), others.len()));
        }
    }
    if let Some(more) = b.series.keys().find(|key| !a.series.contains_key(key)) {
        return Some(format!("{}: only {of_b}", name(more)));
    }
    let names = a.tables.keys().chain(b.tables.keys());
    let differs = |name: &&String| {
        let tables = a.tables.get(*name).zip(b.tables.get(*name));
        !tables.is_some_and(|(one, other)| same(one, other))
    };
    names.into_iter().find(differs).map(|name| {
        let rows = |of: &Recorded| of.tables.get(name).map_or(0, Table::rows);
        let (one, other) = (rows(a), rows(b));
        if one == other {
            format!("table {name}: other values {of_b} than {of_a}")
        } else {
            format!("table {name}: {one} rows {of_a}, {other} {of_b}")
        }
    })
}

/// Returns whether two tables are equal; NaN equals NaN.
fn same(a: &Table, b: &Table) -> bool {
    let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    a.columns.len() == b.columns.len()
        && a.columns.iter().zip(&b.columns).all(|((name, _, one), (other_name, _, other))| {
            name == other_name
                && match (one, other) {
                    (ColumnData::F64(one), ColumnData::F64(other)) => bits(one) == bits(other),
                    _ => one == other,
                }
        })
}

/// The name of a series: `loss of deep, train, trial 3`.
fn name(key: &SeriesKey) -> String {
    let trial = key.trial.map(|trial| format!("trial {trial}"));
    let parts: Vec<String> = [key.model.clone(), key.split.clone(), trial].into_iter().flatten().collect();
    if parts.is_empty() { key.metric.clone() } else { format!("{} of {}", key.metric, parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn recorded(rows: &[Row]) -> Recorded {
        let key = SeriesKey { model: Some("deep".to_owned()), trial: Some(3), ..SeriesKey::metric("loss") };
        Recorded { series: BTreeMap::from([(key, rows.to_vec())]), tables: BTreeMap::new() }
    }

    #[test]
    fn the_first_difference_is_named() {
        let row = |step: i64, value: f64| (step, f64::NAN.to_bits(), value.to_bits());
        let said = |a: &[Row], b: &[Row]| difference(&recorded(a), &recorded(b), "whole", "resumed");
        let whole = [row(0, 1.0), row(1, f64::NAN), row(2, 0.25)];
        assert_eq!(said(&whole, &whole), None);
        assert_eq!(
            said(&whole, &[whole[0], whole[1], row(2, 0.5)]).as_deref(),
            Some("loss of deep, trial 3, step 2: 0.25 whole, 0.5 resumed")
        );
        assert_eq!(
            said(&whole, &[whole[0], whole[2]]).as_deref(),
            Some("loss of deep, trial 3: step 1 whole where resumed has step 2")
        );
        assert_eq!(
            said(&whole, &whole[..2]).as_deref(),
            Some("loss of deep, trial 3: 3 rows whole, 2 resumed")
        );
    }

    #[test]
    fn differences_are_shares_of_the_largest_value() {
        let row = |step: i64, value: f64| (step, 0, value.to_bits());
        let apart = |a: &[Row], b: &[Row]| recorded(a).apart(&recorded(b));
        let whole = [row(0, 4.0), row(1, 0.5)];
        let found = apart(&whole, &[row(0, 4.0), row(1, 0.7)]).unwrap();
        assert_eq!((found[0].metric.as_str(), found[0].series), ("loss", 1));
        assert!((found[0].difference - 0.05).abs() < 1e-12);
        assert_eq!(
            apart(&whole, &[row(1, f64::NAN)]).unwrap_err(),
            "loss of deep, trial 3 ends with NaN, not with 0.5"
        );
        assert_eq!(apart(&whole, &[]).unwrap_err(), "loss of deep, trial 3: no values on the other side");
        assert_eq!(apart(&[row(0, f64::NAN)], &whole).unwrap(), []);
    }
}
