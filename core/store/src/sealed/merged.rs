//! Parts of metrics as one, without holding their rows: of each part only the pages that come next are in memory.

use std::cmp::Ordering;
use std::ops::Range;
use std::path::Path;

use crate::error::Result;
use crate::folder::run_dir::RunDir;
use crate::log::merge::PartKind;
use crate::log::rows::Rows;
use crate::log::seal::sort;
use crate::log::series::KeyTable;
use crate::sealed::file::Sealed;
use crate::sealed::metrics::PartWriter;
use crate::sealed::reader::PartReader;

/// Rows encoded at a time.
const CHUNK: usize = 1 << 16;

/// Metrics parts, for merging.
pub(crate) struct Metrics;

impl PartKind for Metrics {
    fn merge(&self, run: &RunDir, parts: &[&Sealed], out: &Path) -> Result<()> {
        let mut table = KeyTable::default();
        let mut parts = parts.iter().map(|part| Open::new(part, &mut table)).collect::<Result<Vec<_>>>()?;
        let mut writer = PartWriter::create(run, out)?;
        let mut rows = Rows::default();
        while let Some(series) = first(&parts, &table) {
            for part in &mut parts {
                while part.series() == Some(series) {
                    let next = part.next_of(series, CHUNK - rows.len());
                    rows.append_some(&part.rows, next);
                    if rows.len() == CHUNK {
                        writer.write(std::mem::take(&mut rows), &table)?;
                    }
                    part.refill(&mut table)?;
                }
            }
        }
        writer.write(rows, &table)?;
        writer.finish()
    }
}

/// The series that comes first among those that come next in the parts.
fn first(parts: &[Open], table: &KeyTable) -> Option<u32> {
    let order = |a: &u32, b: &u32| if a == b { Ordering::Equal } else { table.key(*a).cmp(&table.key(*b)) };
    parts.iter().filter_map(Open::series).min_by(order)
}

/// A part that is being read.
struct Open {
    reader: PartReader,
    /// Rows that have been read; those from `next` on have not been taken.
    rows: Rows,
    next: usize,
}

impl Open {
    fn new(part: &Sealed, table: &mut KeyTable) -> Result<Self> {
        let mut open = Self { reader: PartReader::new(part)?, rows: Rows::default(), next: 0 };
        if !open.reader.in_order() {
            while let Some(rows) = open.reader.next(table)? {
                open.rows.append(&rows);
            }
            open.rows = sort(&open.rows, table);
        }
        open.refill(table)?;
        Ok(open)
    }

    /// The series of the next row.
    fn series(&self) -> Option<u32> {
        self.rows.series.get(self.next).copied()
    }

    /// Takes rows of the next series, as far as they have been read, `most` of them.
    fn next_of(&mut self, series: u32, most: usize) -> Range<usize> {
        let start = self.next;
        self.next += self.rows.series[start..].partition_point(|s| *s == series).min(most);
        start..self.next
    }

    fn refill(&mut self, table: &mut KeyTable) -> Result<()> {
        while self.next == self.rows.len() {
            let Some(rows) = self.reader.next(table)? else { break };
            (self.rows, self.next) = (rows, 0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::log::part::part_name;
    use crate::log::series::SeriesKey;
    use crate::sealed::metrics::write_part;

    /// Rows whose values count on from `first`, so many of each series after the other.
    fn rows(runs: &[(u32, usize)], first: usize) -> Rows {
        let series: Vec<u32> = runs.iter().flat_map(|(s, n)| std::iter::repeat_n(*s, *n)).collect();
        let places = first..first + series.len();
        Rows {
            step: places.clone().map(|i| i as i64 % 100).collect(),
            epoch: places.clone().map(|i| if i % 7 == 0 { f64::NAN } else { i as f64 }).collect(),
            time: places.clone().map(|i| i as i64 / 3).collect(),
            value: places.map(|i| i as f64).collect(),
            series,
        }
    }

    fn read(run: &RunDir, name: &str, table: &mut KeyTable) -> Rows {
        let part = Sealed::open(run, &run.path().join(name)).unwrap();
        part.verify().unwrap();
        let mut reader = PartReader::new(&part).unwrap();
        let mut rows = Rows::default();
        while let Some(batch) = reader.next(table).unwrap() {
            rows.append(&batch);
        }
        rows
    }

    #[test]
    fn rows_come_by_series_in_the_order_logged() {
        let temp = tempfile::tempdir().unwrap();
        let run = RunDir::new(temp.path().to_owned());
        let mut table = KeyTable::default();
        for metric in ["loss", "accuracy", "error", "rate"] {
            table.intern(&SeriesKey::metric(metric), None);
        }
        // By key: accuracy, error, loss, rate. The second part is not in this order; the third has a run of rows longer than
        // what is encoded at a time, and the last one a series that no other has.
        let parts: [&[(u32, usize)]; 4] = [
            &[(1, 40_000), (2, 3), (0, 20_000)],
            &[(0, 5), (1, 17_000), (0, 30_000)],
            &[(1, 1), (0, 70_000)],
            &[(2, 1), (3, 1)],
        ];
        let mut all = Rows::default();
        let paths = parts.iter().zip(1..).map(|(part, number)| {
            let (rows, path) = (rows(part, all.len()), run.path().join(part_name(number, number)));
            write_part(&run, &path, rows.clone(), &table).unwrap();
            all.append(&rows);
            path
        });
        let opened: Vec<Sealed> = paths.map(|path| Sealed::open(&run, &path).unwrap()).collect();
        let out = run.path().join("out.parquet");
        Metrics.merge(&run, &opened.iter().collect::<Vec<_>>(), &out).unwrap();
        let (merged, sorted) = (read(&run, "out.parquet", &mut table), sort(&all, &table));
        assert_eq!(merged.series, sorted.series);
        assert_eq!(merged.value, sorted.value);
        assert_eq!((&merged.step, &merged.time), (&sorted.step, &sorted.time));
        let bits = |rows: &Rows| rows.epoch.iter().map(|e| e.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&merged), bits(&sorted));
    }
}
