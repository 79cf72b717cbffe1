//! Reports: documents as data ([`document`]) about a study or any runs ([`runs`]), rendered as HTML and Markdown.

pub(crate) mod claims;
mod comparison;
pub(crate) mod document;
pub(crate) mod html;
pub(crate) mod markdown;
pub(crate) mod repeat;
pub(crate) mod run_section;
pub(crate) mod runs;
mod single_run;

use std::path::Path;

use anyhow::{Context as _, Result};

use self::document::{Block, Document, code, heading, text};
use crate::files::replace;
use crate::print;
use gradtop_view::table::CONCLUSION;

/// The folder of the figures next to a Markdown file.
pub(crate) const FIGURES: &str = "figures";

pub(crate) fn write_figures(document: &Document, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", print::short(folder)))?;
    for figure in document.figures() {
        replace(&folder.join(format!("{}.svg", figure.name)), figure.file.as_bytes())?;
    }
    Ok(())
}

/// Explains where the numbers of a report come from and how to read them without it.
pub(crate) fn where_from() -> [Block; 2] {
    [
        heading(2, "where-it-is-from", "Where the numbers are from"),
        Block::Text(vec![
            text(
                "Every number of this report was read from Parquet files when the report was composed. Below each figure and table \
                 are the run's folder and the metrics or tables it is drawn from. The conclusions were computed by the \
                 experiment at its end and are in the run's table ",
            ),
            code(CONCLUSION),
            text(". Any Parquet reader can open them: "),
            code("duckdb -c \"FROM 'runs/exp=*/run=*/tables/conclusion/*.parquet'\""),
            text(" shows one table, "),
            code("gradtop show RUN"),
            text(" lists them, and "),
            code("gradtop plot RUN"),
            text(" draws the figures again."),
        ]),
    ]
}
