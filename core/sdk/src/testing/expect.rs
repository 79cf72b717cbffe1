//! Assertions about a recording. A failed one panics with the actual content, at the caller's line.

use super::{ColumnValues, Level, Outcome, Recorded, Table};

impl Table {
    #[track_caller]
    fn expect_column(&self, name: &str) -> &ColumnValues {
        // A panic within a closure would not be reported at the caller's line.
        let Some(values) = self.column(name) else {
            let names: Vec<&str> = self.columns.iter().map(|(name, ..)| name.as_str()).collect();
            panic!("table {} of step {} has no column {name}, but {names:?}", self.name, self.step)
        };
        values
    }

    #[track_caller]
    fn wrong(&self, column: &str, wanted: &str, values: &ColumnValues) -> ! {
        panic!("column {column} of table {} holds no {wanted}: {values:?}", self.name)
    }

    /// Returns the numbers of a column, converting integers.
    ///
    /// # Panics
    /// If there is no such column, or it has another type.
    #[track_caller]
    pub fn f64s(&self, column: &str) -> Vec<f64> {
        match self.expect_column(column) {
            ColumnValues::F64(values) => values.clone(),
            ColumnValues::I64(values) => values.iter().map(|value| *value as f64).collect(),
            other => self.wrong(column, "numbers", other),
        }
    }

    /// Returns the integers of a column.
    ///
    /// # Panics
    /// If there is no such column, or it has another type.
    #[track_caller]
    pub fn i64s(&self, column: &str) -> &[i64] {
        match self.expect_column(column) {
            ColumnValues::I64(values) => values,
            other => self.wrong(column, "whole numbers", other),
        }
    }

    /// Returns the texts of a column.
    ///
    /// # Panics
    /// If there is no such column, or it has another type.
    #[track_caller]
    pub fn strings(&self, column: &str) -> &[String] {
        match self.expect_column(column) {
            ColumnValues::Utf8(values) => values,
            other => self.wrong(column, "text", other),
        }
    }
}

impl Recorded {
    /// Returns the recording of a finished run.
    ///
    /// # Panics
    /// If it did not finish.
    #[must_use]
    #[track_caller]
    pub fn expect_finished(self) -> Self {
        assert_eq!(self.outcome, Outcome::Finished, "the run said {:?}", self.text);
        self
    }

    /// Returns why the run failed or was refused.
    ///
    /// # Panics
    /// If it did neither.
    #[must_use]
    #[track_caller]
    pub fn expect_failure(self) -> String {
        match self.outcome {
            Outcome::Failed(why) | Outcome::Refused(why) => why,
            other => panic!("the run ended as {other:?}, it said {:?}", self.text),
        }
    }

    /// Returns what was last logged to a table.
    ///
    /// # Panics
    /// If nothing was logged to it.
    #[track_caller]
    pub fn last_table(&self, name: &str) -> &Table {
        let Some(table) = self.tables.iter().rfind(|table| table.name == name) else {
            let names: Vec<&str> = self.tables.iter().map(|table| table.name.as_str()).collect();
            panic!("there is no table {name}, but {names:?}")
        };
        table
    }

    /// Returns the messages to users in order: lines at [`Level::Info`].
    pub fn infos(&self) -> Vec<&str> {
        let infos = self.text.iter().filter(|(level, _)| *level == Level::Info);
        infos.map(|(_, line)| line.as_str()).collect()
    }
}

/// Returns parameters with some changed or added, for a test that varies common ones: `host.run::<Mine>(&with(&SMALL,
/// &[("steps", "5")]))`.
pub fn with<'a>(params: &[(&'a str, &'a str)], changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let changed = |key: &str| changes.iter().any(|(other, _)| *other == key);
    let kept = params.iter().filter(|(key, _)| !changed(key));
    kept.chain(changes).copied().collect()
}
