//! Outlines of a run's series from the statistics of its Parquet pages, without reading rows.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::folder::run_dir::RunDir;
use crate::log::part::list_parts;
use crate::log::series::SeriesKey;
use crate::sealed::file::Sealed;
use crate::sealed::pages::pages;

/// Statistics of neighbouring rows of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct PageSummary {
    /// Number of rows.
    pub rows: u64,
    /// Smallest and largest step.
    pub step: (i64, i64),
    /// Smallest and largest time, microseconds since 1970, UTC.
    pub time_us: (i64, i64),
    /// Bounds of the epochs, if there are any. They may include neighbouring rows.
    pub epoch: Option<(f64, f64)>,
    /// Smallest and largest value, ignoring NaN.
    pub value: (f64, f64),
}

/// The page statistics of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// The series.
    pub key: SeriesKey,
    /// Total number of rows in the pages.
    pub rows: u64,
    /// The pages, in log order. Pages shared by several series and rows of the journal are not included.
    pub pages: Vec<PageSummary>,
}

/// Returns the outlines of the series selected by `filter`, by key. Rows that are not sealed are left out.
pub fn outline(run: &RunDir, filter: impl Fn(&SeriesKey) -> bool) -> Result<Vec<Outline>> {
    let mut found: BTreeMap<SeriesKey, Outline> = BTreeMap::new();
    for part in list_parts(run, &run.metrics())? {
        let part = match Sealed::open(run, &part.path) {
            // Merged rows are in another part; damage is reported when the rows are read.
            Err(e) if e.is_gone() || e.is_damage() => continue,
            part => part?,
        };
        for page in pages(&part).unwrap_or_default() {
            let Some(key) = page.key.filter(|k| filter(k)) else { continue };
            let page = PageSummary {
                rows: page.rows.len() as u64,
                step: page.step,
                time_us: page.time,
                epoch: (!page.epoch.0.is_nan()).then_some(page.epoch),
                value: page.value,
            };
            let outline = found.entry(key).or_insert_with_key(|key| Outline {
                key: key.clone(),
                rows: 0,
                pages: Vec::new(),
            });
            outline.rows += page.rows;
            outline.pages.push(page);
        }
    }
    let mut outlines: Vec<Outline> = found.into_values().collect();
    for outline in &mut outlines {
        // A part of an older version is sorted by step.
        outline.pages.sort_by_key(|page| page.time_us);
    }
    Ok(outlines)
}
