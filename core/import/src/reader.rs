//! The interface of all readers.

use crate::error::Result;
use crate::sink::Sink;

/// The progress of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There is more to read now.
    More,
    /// Everything has been read.
    UpToDate,
}

/// Reads the files of one run.
pub trait Reader {
    /// Reads about another megabyte. After [`Progress::UpToDate`] it can be called again once the files have grown.
    ///
    /// # Errors
    /// The file cannot be read or is damaged. What precedes the damage has been passed on; another call returns the same error.
    fn read(&mut self, sink: &mut dyn Sink) -> Result<Progress>;

    /// Skips the existing files if none of them will be written to again; returns `false` if they may be.
    fn ignore(&mut self) -> bool {
        false
    }

    /// Skips an unreadable line, or with `unfinished` an incomplete one. Returns `false` if there is none.
    ///
    /// # Errors
    /// The file cannot be read.
    fn skip_line(&mut self, _unfinished: bool) -> Result<bool> {
        Ok(false)
    }

    /// Reads what is left if nothing will follow, such as a last line without a line break. `ended` says that whoever wrote
    /// it has ended by itself.
    ///
    /// # Errors
    /// See [`Self::read`].
    fn finish(&mut self, _sink: &mut dyn Sink, _ended: bool) -> Result<()> {
        Ok(())
    }

    /// Returns how much of a file was not read because it is damaged or may be incomplete, in a sentence.
    fn unread_end(&self) -> Option<String> {
        None
    }

    /// Returns what has been left out so far though it looks like something to import, in sentences.
    fn left_out(&self) -> Vec<String> {
        Vec::new()
    }
}
