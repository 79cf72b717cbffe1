//! Files of lines that are only appended to.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use crate::disk::inside;
use crate::error::{IoContext as _, Result, StoreError, counted};
use crate::folder::run_dir::RunDir;

/// Longer lines are not understood.
const LONGEST: u64 = 16 << 20;

/// Reads a file of lines through.
///
/// # Errors
/// The file cannot be read, or has lines that `understands` refuses.
pub(crate) fn check_lines(run: &RunDir, path: &Path, understands: impl Fn(&[u8]) -> bool) -> Result<()> {
    let Some(file) = inside::if_there(inside::open(run, path)).at("read", path)? else { return Ok(()) };
    let mut file = BufReader::new(file);
    let (mut line, mut at, mut first, mut lost) = (Vec::new(), 0, 0, 0);
    while file.by_ref().take(LONGEST).read_until(b'\n', &mut line).at("read", path)? > 0 {
        at += 1;
        if !understands(line.strip_suffix(b"\n").unwrap_or(&line)) {
            first = if lost == 0 { at } else { first };
            lost += 1;
        }
        line.clear();
    }
    if lost == 0 {
        return Ok(());
    }
    let message = match lost {
        1 => format!("line {first} cannot be understood"),
        _ => format!("{} cannot be understood, the first is line {first}", counted(lost, "line", "lines")),
    };
    Err(StoreError::Damaged { path: path.to_owned(), message })
}
