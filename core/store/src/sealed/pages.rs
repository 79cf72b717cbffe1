//! Finds which series and values are in which rows of a part from its page index, without reading rows.

use std::ops::Range;

use parquet::file::metadata::page_index::RowGroupPageIndex;
use parquet::file::page_index::column_index::ColumnIndexMetaData;

use crate::log::series::SeriesKey;
use crate::sealed::file::Sealed;

/// A block of neighbouring rows of a part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Page {
    pub(crate) rows: Range<usize>,
    /// Their series, if they all have the same; `None` if not or unknown.
    pub(crate) key: Option<SeriesKey>,
    /// Smallest and largest step.
    pub(crate) step: (i64, i64),
    /// Smallest and largest time, in microseconds.
    pub(crate) time: (i64, i64),
    /// Smallest and largest epoch; NaN if there is none.
    pub(crate) epoch: (f64, f64),
    /// Smallest and largest value; NaN if none is a number.
    pub(crate) value: (f64, f64),
}

/// Returns the pages of a part in order. `None` if it has no usable page index.
pub(crate) fn pages(part: &Sealed) -> Option<Vec<Page>> {
    let metadata = part.metadata();
    let schema = metadata.file_metadata().schema_descr();
    let place = |name: &str| (0..schema.num_columns()).find(|i| schema.column(*i).path().string() == name);
    let columns = Columns {
        step: place("step")?,
        time: place("time")?,
        epoch: place("epoch")?,
        value: place("value")?,
        metric: place("metric")?,
        model: place("model")?,
        split: place("split")?,
        trial: place("trial")?,
    };
    let mut out = Vec::new();
    let mut start = 0;
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let index = metadata.page_index_for_row_group(number);
        let rows = group.num_rows() as usize;
        out.extend(of_group(&index, &columns, start, rows)?);
        start += rows;
    }
    Some(out)
}

/// The indices of the columns.
struct Columns {
    step: usize,
    time: usize,
    epoch: usize,
    value: usize,
    metric: usize,
    model: usize,
    split: usize,
    trial: usize,
}

fn of_group(index: &RowGroupPageIndex, columns: &Columns, start: usize, rows: usize) -> Option<Vec<Page>> {
    let column = |place: usize| Indexed::new(index, place, rows);
    let value = column(columns.value)?;
    let (step, time, epoch) = (column(columns.step)?, column(columns.time)?, column(columns.epoch)?);
    let keys = [columns.metric, columns.model, columns.split].map(column);
    let trial = column(columns.trial)?;
    let pages = (0..value.starts.len()).map(|page| {
        let range = value.range(page);
        let integers = |c: &Indexed<'_>| {
            c.over(&range).filter_map(|p| c.integers(p)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        };
        let floats = |c: &Indexed<'_>| {
            let none = (f64::NAN, f64::NAN);
            c.over(&range).filter_map(|p| c.floats(p)).fold(none, |a, b| (a.0.min(b.0), a.1.max(b.1)))
        };
        let text = |c: &Option<Indexed<'_>>| {
            let c = c.as_ref()?;
            same(c.over(&range).map(|p| c.text(p)))?.known()
        };
        let key = (|| {
            Some(SeriesKey {
                metric: text(&keys[0])??,
                model: text(&keys[1])?,
                split: text(&keys[2])?,
                trial: same(trial.over(&range).map(|p| trial.trial(p)))?.known()?,
            })
        })();
        Some(Page {
            rows: start + range.start..start + range.end,
            key,
            step: integers(&step)?,
            time: integers(&time)?,
            epoch: floats(&epoch),
            value: floats(&value),
        })
    });
    pages.collect()
}

/// Returns the value that all items share.
fn same<T: PartialEq>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.all(|v| v == first).then_some(first)
}

/// The content of a page of a key column.
#[derive(PartialEq)]
enum Content<T> {
    /// Only nulls.
    Null,
    /// A single repeated value.
    One(T),
    /// Several values, or unknown.
    Several,
}

impl<T> Content<T> {
    /// Returns the value, if there is one; `None` if there are several.
    #[expect(clippy::option_option, reason = "a null is a value here")]
    fn known(self) -> Option<Option<T>> {
        match self {
            Self::Null => Some(None),
            Self::One(v) => Some(Some(v)),
            Self::Several => None,
        }
    }
}

/// The index of a column chunk.
struct Indexed<'a> {
    index: &'a ColumnIndexMetaData,
    /// First row of each page, followed by the number of rows.
    starts: Vec<usize>,
    rows: usize,
}

impl<'a> Indexed<'a> {
    fn new(index: &'a RowGroupPageIndex, place: usize, rows: usize) -> Option<Self> {
        let starts: Vec<usize> =
            index.page_locations(place)?.iter().map(|l| l.first_row_index as usize).collect();
        let index = index.column_index(place)?;
        let in_order = starts.first() == Some(&0)
            && starts.is_sorted_by(|a, b| a < b)
            && starts.last().is_some_and(|last| *last < rows);
        (in_order && index.num_pages() as usize == starts.len()).then_some(Self { index, starts, rows })
    }

    /// Returns the rows of a page within the row group.
    fn range(&self, page: usize) -> Range<usize> {
        self.starts[page]..self.starts.get(page + 1).copied().unwrap_or(self.rows)
    }

    /// Returns the pages that overlap a range of rows.
    fn over(&self, rows: &Range<usize>) -> Range<usize> {
        let first = self.starts.partition_point(|s| *s <= rows.start).saturating_sub(1);
        first..self.starts.partition_point(|s| *s < rows.end).max(first)
    }

    fn integers(&self, page: usize) -> Option<(i64, i64)> {
        let ColumnIndexMetaData::INT64(index) = self.index else { return None };
        Some((*index.min_value(page)?, *index.max_value(page)?))
    }

    fn floats(&self, page: usize) -> Option<(f64, f64)> {
        let ColumnIndexMetaData::DOUBLE(index) = self.index else { return None };
        Some((*index.min_value(page)?, *index.max_value(page)?))
    }

    /// Returns whether a page has no nulls (`false`) or only nulls (`true`), else `None`.
    fn nulls(&self, page: usize) -> Option<bool> {
        match (self.index.is_null_page(page), self.index.null_count(page)) {
            (true, _) => Some(true),
            (false, Some(0)) => Some(false),
            _ => None,
        }
    }

    fn text(&self, page: usize) -> Content<String> {
        let one = || {
            let ColumnIndexMetaData::BYTE_ARRAY(index) = self.index else { return None };
            let (low, high) = (index.min_value(page)?, index.max_value(page)?);
            // A truncated text differs, because its upper bound is then rounded up.
            (low == high).then(|| String::from_utf8(low.to_vec()).ok())?
        };
        self.content(page, one)
    }

    fn content<T>(&self, page: usize, one: impl FnOnce() -> Option<T>) -> Content<T> {
        match self.nulls(page) {
            None => Content::Several,
            Some(true) => Content::Null,
            Some(false) => one().map_or(Content::Several, Content::One),
        }
    }

    /// Like [`Self::text`], for the trial.
    fn trial(&self, page: usize) -> Content<i32> {
        let one = || {
            let ColumnIndexMetaData::INT32(index) = self.index else { return None };
            let (low, high) = (*index.min_value(page)?, *index.max_value(page)?);
            (low == high).then_some(low)
        };
        self.content(page, one)
    }
}
