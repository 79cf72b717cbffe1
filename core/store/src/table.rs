//! Tables: what is no time series.

use crate::error::Result;
use crate::run_dir::RunDir;

/// A column handed to [`crate::Recorder::log_table`].
#[derive(Debug, Clone, PartialEq)]
pub struct TableColumn {
    /// Its name; `step` is taken.
    pub name: String,
    /// Its unit.
    pub unit: Option<String>,
    /// Its values; all columns of a table are equally long.
    pub data: ColumnData,
}

/// A column's values.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnData {
    /// Integers.
    I64(Vec<i64>),
    /// Floats.
    F64(Vec<f64>),
    /// Texts.
    Utf8(Vec<String>),
    /// Rows of `width` bytes, one after the other.
    Bytes {
        /// Bytes of a row.
        width: usize,
        /// All rows.
        data: Vec<u8>,
    },
}

impl ColumnData {
    /// How many rows it has.
    pub fn len(&self) -> usize {
        match self {
            Self::I64(v) => v.len(),
            Self::F64(v) => v.len(),
            Self::Utf8(v) => v.len(),
            Self::Bytes { width, data } => data.len().checked_div(*width).unwrap_or(0),
        }
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A table as read back: a leading `step` column, then those logged.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Name, unit and values of each column.
    pub columns: Vec<(String, Option<String>, ColumnData)>,
}

impl Table {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, _, data)| data.len())
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&ColumnData> {
        self.columns.iter().find(|(n, _, _)| n == name).map(|(_, _, data)| data)
    }
}

/// Reads a table, all steps, in the order logged.
pub fn read_table(_run: &RunDir, _name: &str) -> Result<Table> {
    Err(crate::not_yet())
}

/// The run's tables by name.
pub fn table_names(_run: &RunDir) -> Vec<String> {
    Vec::new()
}
