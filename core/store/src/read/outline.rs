//! The outline of a run's series, from the statistics of its Parquet pages: no row is read.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::folder::run_dir::RunDir;
use crate::log::part::list_parts;
use crate::log::series::SeriesKey;
use crate::sealed::file::Sealed;
use crate::sealed::pages::pages;

/// What is known of neighbouring rows of one series without reading them.
#[derive(Debug, Clone, PartialEq)]
pub struct PageSummary {
    /// How many rows.
    pub rows: u64,
    /// Smallest and largest step.
    pub step: (i64, i64),
    /// Smallest and largest time, microseconds since 1970, UTC.
    pub time_us: (i64, i64),
    /// Bounds of the epochs, where epochs were given: they may be those of neighbouring rows too.
    pub epoch: Option<(f64, f64)>,
    /// Smallest and largest value that is a number.
    pub value: (f64, f64),
}

/// A series' pages.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline {
    /// Which series.
    pub key: SeriesKey,
    /// Rows of the pages.
    pub rows: u64,
    /// Its pages, in the order logged. Rows of pages that several series share, and rows of the journal, are in none.
    pub pages: Vec<PageSummary>,
}

/// The outlines of the series that `filter` takes, by key. Rows that are not sealed yet are left out.
pub fn outline(run: &RunDir, filter: impl Fn(&SeriesKey) -> bool) -> Result<Vec<Outline>> {
    let mut found: BTreeMap<SeriesKey, Outline> = BTreeMap::new();
    for part in list_parts(run, &run.metrics())? {
        let part = match Sealed::open(run, &part.path) {
            // Of rows merged since there are others; whoever reads those of a damaged part is told.
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
        // In a part of an older version they are in the order of their steps.
        outline.pages.sort_by_key(|page| page.time_us);
    }
    Ok(outlines)
}
