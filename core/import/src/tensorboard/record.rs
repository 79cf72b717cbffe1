//! The frame of each event: length, checksum of the length, event, checksum of the event.

use crate::error::Result;
use crate::tail::{LIMIT, Tail};

const HEAD: usize = 12;
const FOOT: usize = 4;

/// Returns the CRC32C as stored in these files: masked, so that checksums of data containing checksums stay effective.
pub(crate) fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// What is next in a file.
pub(crate) enum Next {
    /// Nothing complete yet.
    NotYet,
    /// A record too large to be a metric, which has been skipped.
    Large,
    /// A record of this length, after the first 12 bytes.
    Record(usize),
}

/// Finds and verifies the next record.
pub(crate) fn next(tail: &mut Tail) -> Result<Next> {
    if !tail.fill(HEAD)? {
        return Ok(Next::NotYet);
    }
    let start = tail.position();
    let head = tail.bytes();
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let len = u64::from(number(0)) | u64::from(number(4)) << 32;
    if number(8) != masked(&head[..8]) {
        return Err(tail.damaged(start, "the checksum of a record's length does not match"));
    }
    let whole = len.saturating_add((HEAD + FOOT) as u64);
    let Some(size) = usize::try_from(whole).ok().filter(|size| *size <= LIMIT) else {
        if tail.len()?.saturating_sub(start) < whole {
            return Ok(Next::NotYet);
        }
        tail.seek(start + whole);
        return Ok(Next::Large);
    };
    if !tail.fill(size)? {
        return Ok(Next::NotYet);
    }
    let (data, sum) = tail.bytes()[HEAD..size].split_at(size - HEAD - FOOT);
    if sum != masked(data).to_le_bytes() {
        return Err(tail.damaged(start, "the checksum of a record does not match"));
    }
    Ok(Next::Record(data.len()))
}

/// Returns the data of the record that [`next`] found.
pub(crate) fn data(tail: &Tail, len: usize) -> &[u8] {
    &tail.bytes()[HEAD..HEAD + len]
}

/// Skips that record.
pub(crate) fn pass(tail: &mut Tail, len: usize) {
    tail.consume(HEAD + len + FOOT);
}
