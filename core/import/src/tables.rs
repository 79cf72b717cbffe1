//! Converts data that is not a series to table columns.

use gradtop_store::{ColumnData, TableColumn};

/// Maximum length of a stored text in bytes.
pub(crate) const TEXT: usize = 64 << 10;
/// Names of the tables for texts and histograms.
pub(crate) const TEXTS: &str = "texts";
pub(crate) const HISTOGRAMS: &str = "histograms";

/// A table with counts of its rows.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) taken: u64,
    pub(crate) come: u64,
}

impl Table {
    /// Counts rows of the source; returns whether they are new.
    pub(crate) fn is_new(&mut self, rows: u64) -> bool {
        self.come += rows;
        let new = self.come > self.taken;
        self.taken = self.taken.max(self.come);
        new
    }
}

fn column(name: &str, data: ColumnData) -> TableColumn {
    TableColumn { name: name.to_owned(), unit: None, data }
}

pub(crate) fn text(tag: &str, text: &str) -> Vec<TableColumn> {
    vec![
        column("tag", ColumnData::Utf8(vec![tag.to_owned()])),
        column("text", ColumnData::Utf8(vec![text.to_owned()])),
    ]
}

/// Returns a row for each bin.
pub(crate) fn histogram(tag: &str, bins: &[[f64; 3]]) -> Vec<TableColumn> {
    let numbers = |at: usize| ColumnData::F64(bins.iter().map(|bin| bin[at]).collect());
    vec![
        column("tag", ColumnData::Utf8(vec![tag.to_owned(); bins.len()])),
        column("low", numbers(0)),
        column("high", numbers(1)),
        column("count", numbers(2)),
    ]
}
