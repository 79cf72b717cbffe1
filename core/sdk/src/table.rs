//! Columns of a table.

use std::borrow::Cow;

/// A column of a table: a name, an optional unit, and one value per row.
#[derive(Clone, Debug)]
pub struct Column<'a> {
    pub(crate) name: &'a str,
    pub(crate) unit: Option<&'a str>,
    pub(crate) data: Data<'a>,
}

/// The values, in the format of the ABI.
#[derive(Clone, Debug)]
pub(crate) enum Data<'a> {
    I64(Cow<'a, [i64]>),
    F64(Cow<'a, [f64]>),
    /// Row i is `text[offsets[i]..offsets[i + 1]]`.
    Utf8 {
        text: String,
        offsets: Vec<u64>,
    },
    Bytes {
        data: &'a [u8],
        width: usize,
    },
}

impl<'a> Column<'a> {
    /// Creates a column of integers.
    pub fn i64(name: &'a str, values: impl Into<Cow<'a, [i64]>>) -> Self {
        Self { name, unit: None, data: Data::I64(values.into()) }
    }

    /// Creates a column of floats.
    pub fn f64(name: &'a str, values: impl Into<Cow<'a, [f64]>>) -> Self {
        Self { name, unit: None, data: Data::F64(values.into()) }
    }

    /// Creates a column of text.
    pub fn utf8<S: AsRef<str>>(name: &'a str, values: &[S]) -> Self {
        let mut text = String::new();
        let mut offsets = vec![0];
        for value in values {
            text.push_str(value.as_ref());
            offsets.push(text.len() as u64);
        }
        Self { name, unit: None, data: Data::Utf8 { text, offsets } }
    }

    /// Creates a column of `width` bytes per row, concatenated, such as grey images.
    pub fn bytes(name: &'a str, data: &'a [u8], width: usize) -> Self {
        Self { name, unit: None, data: Data::Bytes { data, width } }
    }

    /// Sets its unit.
    #[must_use]
    pub fn unit(mut self, unit: &'a str) -> Self {
        self.unit = Some(unit);
        self
    }

    /// Returns the number of rows; `None` if the bytes do not divide evenly.
    pub(crate) fn rows(&self) -> Option<usize> {
        match &self.data {
            Data::I64(values) => Some(values.len()),
            Data::F64(values) => Some(values.len()),
            Data::Utf8 { offsets, .. } => Some(offsets.len() - 1),
            Data::Bytes { data, width } => {
                (*width > 0 && data.len().is_multiple_of(*width)).then(|| data.len() / width)
            }
        }
    }
}

/// The columns of a table whose rows are computed from as many items, such as references to results or tuples of them.
///
/// ```
/// # use gradtop_sdk::prelude::*;
/// # struct Fit { model: String, losses: [f64; 2] }
/// # fn write(ctx: &Ctx, fits: &[Fit]) -> Result<()> {
/// let fits = Rows::of(fits)
///     .utf8("model", |fit| &fit.model)
///     .f64("train_loss", |fit| fit.losses[0]).unit("nats")
///     .f64("test_loss", |fit| fit.losses[1]).unit("nats");
/// ctx.table("fits", 0, &fits.columns())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Rows<'a, T> {
    items: Vec<T>,
    columns: Vec<Column<'a>>,
}

impl<'a, T: Copy> Rows<'a, T> {
    /// Creates a table with a row for each item and no columns yet.
    pub fn of(items: impl IntoIterator<Item = T>) -> Self {
        Self { items: items.into_iter().collect(), columns: Vec::new() }
    }

    /// Adds a column of integers.
    #[must_use]
    pub fn i64(self, name: &'a str, of: impl Fn(T) -> i64) -> Self {
        let values: Vec<i64> = self.items.iter().map(|item| of(*item)).collect();
        self.column(Column::i64(name, values))
    }

    /// Adds a column of floats.
    #[must_use]
    pub fn f64(self, name: &'a str, of: impl Fn(T) -> f64) -> Self {
        let values: Vec<f64> = self.items.iter().map(|item| of(*item)).collect();
        self.column(Column::f64(name, values))
    }

    /// Adds a column of text.
    #[must_use]
    pub fn utf8<S: AsRef<str>>(self, name: &'a str, of: impl Fn(T) -> S) -> Self {
        let values: Vec<S> = self.items.iter().map(|item| of(*item)).collect();
        self.column(Column::utf8(name, &values))
    }

    /// Adds an existing column.
    #[must_use]
    pub fn column(mut self, column: Column<'a>) -> Self {
        self.columns.push(column);
        self
    }

    /// Sets the unit of the last column.
    #[must_use]
    pub fn unit(mut self, unit: &'a str) -> Self {
        if let Some(last) = self.columns.last_mut() {
            last.unit = Some(unit);
        }
        self
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the columns, in the order added.
    pub fn columns(self) -> Vec<Column<'a>> {
        self.columns
    }
}

#[cfg(test)]
mod tests {
    use super::{Column, Data, Rows};

    #[test]
    fn every_column_has_a_row_for_each_item_and_a_unit_is_of_the_last() {
        let rows = Rows::of([(2, "b"), (1, "a")])
            .i64("n", |(n, _)| n)
            .f64("half", |(n, _)| n as f64 / 2.0)
            .unit("s")
            .utf8("name", |(_, name)| name)
            .column(Column::bytes("image", &[7, 8], 1));
        assert!(!rows.is_empty());
        let columns = rows.columns();
        assert_eq!(columns.iter().map(|c| c.name).collect::<Vec<_>>(), ["n", "half", "name", "image"]);
        assert_eq!(columns.iter().map(|c| c.unit).collect::<Vec<_>>(), [None, Some("s"), None, None]);
        assert!(columns.iter().all(|column| column.rows() == Some(2)));
        assert!(matches!(&columns[0].data, Data::I64(values) if **values == [2, 1]));
        assert!(matches!(&columns[1].data, Data::F64(values) if **values == [1.0, 0.5]));
        assert!(matches!(&columns[2].data, Data::Utf8 { text, .. } if text == "ba"));
    }
}
