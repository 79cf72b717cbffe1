//! What all readers have in common.

use crate::error::Result;
use crate::sink::Sink;

/// How far a reader has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There is more to read at once.
    More,
    /// All that is there has been read.
    UpToDate,
}

/// Reads the files of one run.
pub trait Reader {
    /// Reads on, about a megabyte. After [`Progress::UpToDate`] it may be called again once the files have grown.
    ///
    /// # Errors
    /// What cannot be read or is damaged. What came before has been handed over, and another call says the same again.
    fn read(&mut self, sink: &mut dyn Sink) -> Result<Progress>;

    /// Passes over the files that are there, where none of them will ever be written to; `false`: their new ends would be missed.
    fn ignore(&mut self) -> bool {
        false
    }

    /// Passes over the line at the front, which cannot be read; with `unfinished`, over one that has no end. `false`: there is none.
    ///
    /// # Errors
    /// The file cannot be read.
    fn skip_line(&mut self, _unfinished: bool) -> Result<bool> {
        Ok(false)
    }

    /// Takes what is left where nothing will follow, such as a last line without its end.
    ///
    /// # Errors
    /// As [`Self::read`].
    fn finish(&mut self, _sink: &mut dyn Sink) -> Result<()> {
        Ok(())
    }
}
