//! Reports: documents as data, of a study or of any runs, written as HTML and as Markdown.

pub(crate) mod document;
pub(crate) mod html;
pub(crate) mod markdown;
pub(crate) mod run_section;
