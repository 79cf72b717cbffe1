//! Tables as text, for screens and reports alike.

use gradtop_chart::number;
use gradtop_host::text::clean;
use gradtop_store::{ColumnData, Table};

/// The table in which an experiment writes what it concludes.
pub const CONCLUSION: &str = "conclusion";

/// Puts the conclusions before the numbers behind them.
pub fn conclusion_first(mut tables: Vec<String>) -> Vec<String> {
    tables.sort_by_key(|name| name != CONCLUSION);
    tables
}

/// Returns the columns of a table in the order in which they are read: first texts, which say what a row is of, then numbers.
pub fn reading_order(table: &Table) -> Vec<usize> {
    let mut order: Vec<usize> = (0..table.columns.len()).collect();
    order.sort_by_key(|column| !is_text(&table.columns[*column].2));
    order
}

/// Returns whether a column contains text.
pub fn is_text(data: &ColumnData) -> bool {
    matches!(data, ColumnData::Utf8(_))
}

/// Formats a cell.
pub fn cell(data: &ColumnData, row: usize) -> String {
    match data {
        ColumnData::I64(v) => v[row].to_string(),
        ColumnData::F64(v) => number::value(v[row]),
        ColumnData::Utf8(v) => clean(&v[row]),
        ColumnData::Bytes { width, .. } => format!("{width} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_concluded_comes_first() {
        let tables = ["barriers", "conclusion", "fits", "params", "run"].map(str::to_owned);
        assert_eq!(conclusion_first(tables.to_vec()), ["conclusion", "barriers", "fits", "params", "run"]);
    }

    #[test]
    fn what_a_row_is_of_comes_before_its_numbers() {
        let column = |name: &str, data| (name.to_owned(), None, data);
        let text = |text: &str| ColumnData::Utf8(vec![text.to_owned()]);
        let columns = vec![
            column("step", ColumnData::I64(vec![198])),
            column("network", text("mlp")),
            column("parameters", ColumnData::F64(vec![0.5])),
            column("claim", text("not\u{1b}learnt")),
        ];
        let table = Table { columns, ..Table::default() };
        assert_eq!(reading_order(&table), [1, 3, 0, 2]);
        let cells: Vec<String> =
            reading_order(&table).into_iter().map(|i| cell(&table.columns[i].2, 0)).collect();
        assert_eq!([&cells[0], &cells[2], &cells[3]], ["mlp", "198", "0.5"]);
        assert!(!cells[1].contains('\u{1b}'), "{cells:?}");
    }
}
