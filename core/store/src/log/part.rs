//! File names of parts and journal segments, which contain the numbers of the segments they cover.

use std::path::{Path, PathBuf};

use crate::disk::inside;
use crate::error::{IoContext as _, Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::sealed::file::Sealed;

/// Maximum number of a segment: one every two seconds for sixty years.
const MAX_SEGMENT: u32 = 1_000_000_000;

/// A sealed part in a folder of metrics or of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The first segment it covers.
    pub(crate) first: u32,
    /// The last segment it covers.
    pub(crate) last: u32,
    pub(crate) path: PathBuf,
}

/// Returns `part-00001.parquet`, or `part-00001-00032.parquet` for several segments.
pub(crate) fn part_name(first: u32, last: u32) -> String {
    if first == last {
        format!("part-{first:05}.parquet")
    } else {
        format!("part-{first:05}-{last:05}.parquet")
    }
}

fn parse_part(name: &str) -> Option<(u32, u32)> {
    let numbers = name.strip_prefix("part-")?.strip_suffix(".parquet")?;
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}

/// Parses the number of a segment. Larger numbers are rejected, so that the next one always fits.
fn number(digits: &str) -> Option<u32> {
    digits.parse().ok().filter(|n| *n <= MAX_SEGMENT)
}

/// Returns `journal-00001.arrows`.
pub(crate) fn segment_name(number: u32) -> String {
    format!("journal-{number:05}.arrows")
}

fn parse_segment(name: &str) -> Option<u32> {
    name.strip_prefix("journal-")?.strip_suffix(".arrows").and_then(number)
}

/// Returns the number of rows in all parts of the metrics. Unreadable parts count as zero; their readers report them.
pub(crate) fn sealed_rows(run: &RunDir) -> Result<u64> {
    let parts = list_parts(run, &run.metrics())?;
    Ok(parts.iter().filter_map(|part| Some(Sealed::open(run, &part.path).ok()?.rows() as u64)).sum())
}

/// Lists the parts in a folder, in order, without those that a wider part covers. A missing folder has none.
pub(crate) fn list_parts(run: &RunDir, dir: &Path) -> Result<Vec<Part>> {
    let mut parts: Vec<Part> = names(run, dir)?
        .into_iter()
        .filter_map(|n| parse_part(&n).map(|(first, last)| Part { first, last, path: dir.join(n) }))
        .collect();
    parts.sort_by_key(|p| (p.first, std::cmp::Reverse(p.last)));
    let mut covered = None;
    parts.retain(|p| {
        let new = covered.is_none_or(|c| p.last > c);
        if new {
            covered = Some(p.last);
        }
        new
    });
    Ok(parts)
}

/// Lists the journal segments in a folder, in order.
pub(crate) fn list_segments(run: &RunDir, dir: &Path) -> Result<Vec<(u32, PathBuf)>> {
    let mut segments: Vec<_> =
        names(run, dir)?.into_iter().filter_map(|n| Some((parse_segment(&n)?, dir.join(n)))).collect();
    segments.sort();
    Ok(segments)
}

/// Returns what was listed; nothing of a folder that is damaged, which is told to `damaged`.
pub(crate) fn or_none<T>(listed: Result<Vec<T>>, damaged: impl FnOnce(StoreError)) -> Result<Vec<T>> {
    match listed {
        Err(e) if e.is_damage() => {
            damaged(e);
            Ok(Vec::new())
        }
        listed => listed,
    }
}

/// Lists the names in a folder; none if it does not exist.
pub(crate) fn names(run: &RunDir, dir: &Path) -> Result<Vec<String>> {
    let names = inside::names(run, dir).at("list", dir)?;
    Ok(names.into_iter().map(|n| n.to_string_lossy().into_owned()).collect())
}
