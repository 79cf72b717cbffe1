//! Columns of tables as numbers and groups.

use std::collections::BTreeMap;

use gradtop_store::figures::{Mark, Steps};
use gradtop_store::{ColumnData, Table};

/// A column as positions on an axis: numbers, or indices of categories.
pub(super) struct Positions {
    pub(super) values: Vec<f64>,
    pub(super) categories: Vec<String>,
}

/// Returns the rows that a mark selects: all, or those of the newest step.
pub(super) fn rows(mark: &Mark, table: &Table) -> Vec<usize> {
    let all = 0..table.rows();
    match (mark.steps, table.column("step")) {
        (Steps::Last, Some(ColumnData::I64(steps))) => {
            let last = steps.iter().max();
            all.filter(|i| steps.get(*i) == last).collect()
        }
        _ => all.collect(),
    }
}

/// Returns a column at the given rows. Texts become indices of the distinct texts in order of appearance.
pub(super) fn positions(table: &Table, name: &str, rows: &[usize]) -> Result<Positions, String> {
    let column = table.column(name).ok_or_else(|| missing(table, name))?;
    let mut categories: Vec<String> = Vec::new();
    let values = match column {
        ColumnData::I64(v) => rows.iter().map(|i| v[*i] as f64).collect(),
        ColumnData::F64(v) => rows.iter().map(|i| v[*i]).collect(),
        ColumnData::Utf8(v) => rows
            .iter()
            .map(|i| {
                let at = categories.iter().position(|c| *c == v[*i]).unwrap_or_else(|| {
                    categories.push(v[*i].clone());
                    categories.len() - 1
                });
                at as f64
            })
            .collect(),
        ColumnData::Bytes { .. } => return Err(format!("column {name:?} contains bytes, not numbers")),
    };
    Ok(Positions { values, categories })
}

/// The named column at the given rows as numbers: only an axis that runs across has places for words.
pub(super) fn numbers(table: &Table, name: &str, rows: &[usize]) -> Result<Vec<f64>, String> {
    match table.column(name) {
        Some(ColumnData::Utf8(_)) => Err(format!("column {name:?} contains words, not numbers")),
        _ => Ok(positions(table, name, rows)?.values),
    }
}

fn missing(table: &Table, name: &str) -> String {
    let known = table.columns.iter().map(|(n, _, _)| n.as_str());
    format!("no column {name:?}; {}", gradtop_store::suggest(name, known, "columns"))
}

/// Returns a column at the given rows as text.
pub(super) fn words(table: &Table, name: &str, rows: &[usize]) -> Result<Vec<String>, String> {
    let column = table.column(name).ok_or_else(|| missing(table, name))?;
    let text = |row: &usize| cell_text(column, *row);
    let bytes = || format!("column {name:?} contains bytes, not text");
    rows.iter().map(|row| text(row).ok_or_else(bytes)).collect()
}

/// Returns a cell as text; `None` for bytes.
fn cell_text(column: &ColumnData, row: usize) -> Option<String> {
    match column {
        ColumnData::Utf8(v) => Some(v[row].clone()),
        ColumnData::I64(v) => Some(v[row].to_string()),
        ColumnData::F64(v) => Some(gradtop_chart::number::value(v[row])),
        ColumnData::Bytes { .. } => None,
    }
}

/// A group's name, if there are several, and its rows.
pub(super) type Group = (Option<String>, Vec<usize>);

/// Groups rows by the values of the `by` columns.
pub(super) fn groups(mark: &Mark, table: &Table, rows: &[usize]) -> Result<Vec<Group>, String> {
    let by = mark.by.as_deref().unwrap_or_default();
    if by.is_empty() {
        return Ok(vec![(None, rows.to_vec())]);
    }
    let mut columns = Vec::new();
    for name in by {
        columns.push((name, table.column(name).ok_or_else(|| missing(table, name))?));
    }
    let mut order: Vec<String> = Vec::new();
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for row in rows {
        let words: Vec<String> = columns
            .iter()
            .filter_map(|(name, column)| {
                let text = cell_text(column, *row)?;
                let is_text = matches!(column, ColumnData::Utf8(_));
                Some(if is_text { text } else { format!("{name} {text}") })
            })
            .filter(|w| !w.is_empty())
            .collect();
        let name = words.join(" · ");
        if !groups.contains_key(&name) {
            order.push(name.clone());
        }
        groups.entry(name).or_default().push(*row);
    }
    Ok(order
        .into_iter()
        .filter_map(|name| groups.remove(&name).map(|rows| (Some(name).filter(|n| !n.is_empty()), rows)))
        .collect())
}

pub(super) fn unit(table: &Table, name: &str) -> Option<String> {
    table.columns.iter().find(|(n, _, _)| n == name).and_then(|(_, unit, _)| unit.clone())
}
