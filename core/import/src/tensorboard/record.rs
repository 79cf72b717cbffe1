//! The frame around each event: its length, the length's checksum, the event, its checksum.

use crate::error::Result;
use crate::tail::{LIMIT, Tail};

const HEAD: usize = 12;
const FOOT: usize = 4;

/// CRC32C as these files store it, so that a sum of data that holds sums is not weakened.
pub(crate) fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// What is at the front of the unused part of a file.
pub(crate) enum Next {
    /// Nothing whole yet.
    NotYet,
    /// A record too large to hold a metric; it has been passed over.
    Large,
    /// A record of so many bytes behind the first 12.
    Record(usize),
}

/// Looks for the next record and verifies it.
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

/// The data of the record that [`next`] found.
pub(crate) fn data(tail: &Tail, len: usize) -> &[u8] {
    &tail.bytes()[HEAD..HEAD + len]
}

/// Goes on behind it.
pub(crate) fn pass(tail: &mut Tail, len: usize) {
    tail.consume(HEAD + len + FOOT);
}
