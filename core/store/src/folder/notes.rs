//! `notes.toml`: a user's star, tags and note on a run. Written by viewers only; the run itself never reads it.

use std::io;

use serde::{Deserialize, Serialize};

use crate::disk::inside::{self, TEXT_LIMIT};
use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::folder::manifest::check_schema;
use crate::folder::run_dir::RunDir;
use crate::schema::SCHEMA;

/// Maximum length of a tag in bytes.
const MAX_TAG: usize = 60;

/// A user's star, tags and note on a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// Version of this file, [`SCHEMA`].
    pub schema: u32,
    /// Whether the run is starred.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub starred: bool,
    /// The tags, sorted and without duplicates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The note; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl Default for Notes {
    fn default() -> Self {
        Self { schema: SCHEMA, starred: false, tags: Vec::new(), note: String::new() }
    }
}

impl Notes {
    /// Returns the first line of the note that is not blank.
    pub fn headline(&self) -> &str {
        self.note.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
    }

    /// Adds a tag if it is missing.
    pub fn add_tag(&mut self, tag: &str) {
        if let Err(place) = self.tags.binary_search_by(|known| known.as_str().cmp(tag)) {
            self.tags.insert(place, tag.to_owned());
        }
    }

    /// Removes a tag if it is there.
    pub fn remove_tag(&mut self, tag: &str) {
        self.tags.retain(|known| known != tag);
    }
}

/// Reads a run's notes; empty if there is no such file.
///
/// # Errors
/// The file cannot be read or parsed, or a newer version wrote it.
pub fn read_notes(run: &RunDir) -> Result<Notes> {
    let path = run.notes();
    let Some(text) = inside::if_there(inside::read_text(run, &path, TEXT_LIMIT)).at("read", &path)? else {
        return Ok(Notes::default());
    };
    let mut notes: Notes = toml::from_str(&text).format_at("understand", &path)?;
    check_schema(notes.schema, &path)?;
    notes.tags.sort();
    notes.tags.dedup();
    Ok(notes)
}

/// Changes a run's notes, after those who change them at the same moment. The file is replaced atomically, and removed once
/// it would be empty.
///
/// # Errors
/// The existing file cannot be parsed and is left alone, or the new one cannot be written.
pub fn change_notes(run: &RunDir, change: impl FnOnce(&mut Notes)) -> Result<Notes> {
    let path = run.notes();
    let _turn = inside::take_turn(run).at("lock", run.path())?;
    let before = read_notes(run)?;
    let mut notes = before.clone();
    change(&mut notes);
    notes.note.truncate(notes.note.trim_end().len());
    if notes == before {
        return Ok(notes);
    }
    notes.schema = SCHEMA;
    if notes == Notes::default() {
        inside::remove_file(run, &path).at("remove", &path)?;
        return Ok(notes);
    }
    let text = toml::to_string(&notes).format_at("encode", &path)?;
    if text.len() as u64 > TEXT_LIMIT {
        let longer = io::Error::new(io::ErrorKind::FileTooLarge, "the note is longer than 16 MiB");
        return Err(longer).at("write", &path);
    }
    inside::replace(run, &path, text.as_bytes(), true).at("write", &path)?;
    Ok(notes)
}

/// Checks that a tag is valid: up to 60 bytes that a filter can name without quotes.
///
/// # Errors
/// The rule that the tag breaks.
pub fn validate_tag(tag: &str) -> Result<()> {
    let bad = |why| Err(StoreError::BadName { of: "tag", name: tag.to_owned(), why });
    if tag.is_empty() {
        return bad("it is empty");
    }
    if tag.len() > MAX_TAG {
        return bad("it is longer than 60 characters");
    }
    if tag.starts_with(['-', '+', '.']) {
        return bad("it must begin with a letter or a digit");
    }
    if !tag.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/')) {
        return bad("only letters, digits, '.', '_', '-' and '/' can be in it");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_is_said_is_kept_and_saying_nothing_leaves_no_file() {
        let temp = tempfile::tempdir().unwrap();
        let run = RunDir::new(temp.path());
        assert_eq!(read_notes(&run).unwrap(), Notes::default());
        let said = change_notes(&run, |notes| {
            notes.note = "\nlr too high\nsee \"b\"\n\n".to_owned();
            notes.starred = true;
            for tag in ["b", "a", "b"] {
                notes.add_tag(tag);
            }
        });
        let said = said.unwrap();
        assert_eq!(
            (said.headline(), said.tags.as_slice()),
            ("lr too high", ["a", "b"].map(String::from).as_slice())
        );
        assert_eq!(read_notes(&run).unwrap(), said);
        change_notes(&run, |notes| *notes = Notes::default()).unwrap();
        assert!(!run.notes().exists());
    }

    #[test]
    fn of_many_who_write_at_once_nobody_is_forgotten() {
        let temp = tempfile::tempdir().unwrap();
        let run = RunDir::new(temp.path());
        std::thread::scope(|scope| {
            for n in 0..20 {
                let run = &run;
                scope.spawn(move || change_notes(run, |notes| notes.add_tag(&format!("t{n}"))).unwrap());
            }
            scope.spawn(|| change_notes(&run, |notes| notes.starred = true).unwrap());
        });
        let said = read_notes(&run).unwrap();
        assert_eq!((said.tags.len(), said.starred), (20, true), "{said:?}");
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let run = RunDir::new(temp.path());
        for text in ["schema = 1\nnote = ", "schema = 99\nnote = \"later\"", "\u{0}\u{1}"] {
            std::fs::write(run.notes(), text).unwrap();
            change_notes(&run, |notes| notes.starred = true).unwrap_err();
            assert_eq!(std::fs::read_to_string(run.notes()).unwrap(), text);
        }
    }

    #[test]
    fn tags_are_words_that_a_filter_can_name() {
        for tag in ["a", "best", "lr/1e-3", "2024", "schön", "v1.2_b-c"] {
            validate_tag(tag).unwrap();
        }
        for tag in ["", "-a", "+a", "a b", "a:b", "a\"", "a*", &"x".repeat(61)] {
            validate_tag(tag).unwrap_err();
        }
    }
}
