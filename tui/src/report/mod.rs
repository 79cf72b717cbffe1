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

/// Explains where the numbers of a report, with conclusions or without, come from and how to read them without it.
pub(crate) fn where_from(concluded: bool) -> [Block; 2] {
    let (conclusions, rows) = if concluded {
        let said = " The conclusions were computed by the experiment at its end and are in the run's table ";
        (vec![text(said), code(CONCLUSION), text(".")], "tables/conclusion")
    } else {
        (Vec::new(), "metrics")
    };
    let first = [
        text(
            "Figures, and the numbers of metrics and tables, were read from the runs' Parquet files when the report was composed; of \
             a run at work, the newest rows from its journal. Below each figure and table are the run's folder and the metrics or \
             tables it is drawn from. State, last values and times in the list of runs are what each run last wrote to its ",
        ),
        code("status.json"),
        text(", or what its events and rows say if that is lost."),
    ];
    let read = [
        text(" Any Parquet reader can open them: "),
        code(format!("duckdb -c \"FROM 'runs/exp=*/run=*/{rows}/*.parquet'\"")),
        text(" shows one table, "),
        code("gradtop show RUN"),
        text(" lists them, and "),
        code("gradtop plot RUN"),
        text(" draws the figures again."),
    ];
    [
        heading(2, "where-it-is-from", "Where the numbers are from"),
        Block::Text(first.into_iter().chain(conclusions).chain(read).collect()),
    ]
}
