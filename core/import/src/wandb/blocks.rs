//! LevelDB's log format: blocks of 32 KiB with fragments of records, each with a checksum.

use crate::error::Result;
use crate::tail::{LIMIT, Tail};

const BLOCK: u64 = 32 << 10;
/// Size of checksum, length and type.
const HEAD: usize = 7;
/// `:W&B`, a magic number and a version.
const FILE_HEAD: [u8; 7] = [b':', b'W', b'&', b'B', 0xe1, 0xbe, 0];

/// The result of reading a record.
pub(crate) enum Next {
    NotYet,
    /// A record, which is in the given buffer.
    Record,
    /// A record too large for metrics.
    Large,
}

/// A reader of the records of a file.
#[derive(Debug)]
pub(crate) struct Blocks {
    pub(crate) tail: Tail,
    begun: bool,
    /// Whether a record of several fragments has begun, and whether it is too large.
    within: bool,
    large: bool,
}

impl Blocks {
    pub(crate) fn new(tail: Tail) -> Self {
        Self { tail, begun: false, within: false, large: false }
    }

    /// Reads the next record into `record`, which keeps the fragments of an incomplete one.
    pub(crate) fn next(&mut self, record: &mut Vec<u8>) -> Result<Next> {
        if !self.begun {
            if !self.tail.fill(FILE_HEAD.len())? {
                return Ok(Next::NotYet);
            }
            if self.tail.bytes()[..FILE_HEAD.len()] != FILE_HEAD {
                return Err(self.tail.damaged(0, "it does not begin as a .wandb file of a known version"));
            }
            self.tail.consume(FILE_HEAD.len());
            self.begun = true;
        }
        loop {
            let position = self.tail.position();
            let left = BLOCK - position % BLOCK;
            if left < HEAD as u64 {
                // The end of a block that is too short for a header.
                if !self.tail.fill(left as usize)? {
                    return Ok(Next::NotYet);
                }
                self.tail.consume(left as usize);
                continue;
            }
            if !self.tail.fill(HEAD)? {
                return Ok(Next::NotYet);
            }
            let head = self.tail.bytes();
            let sum = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
            let (len, kind) = (usize::from(u16::from_le_bytes([head[4], head[5]])), head[6]);
            if (HEAD + len) as u64 > left {
                return Err(self.tail.damaged(position, "a piece of a record is longer than its block"));
            }
            if !self.tail.fill(HEAD + len)? {
                return Ok(Next::NotYet);
            }
            // Type and data.
            let piece = &self.tail.bytes()[HEAD - 1..HEAD + len];
            if crc32fast::hash(piece) != sum {
                return Err(self.tail.damaged(position, "the checksum of a record does not match"));
            }
            let (first, last) = match kind {
                1 => (true, true),
                2 => (true, false),
                3 => (false, false),
                4 => (false, true),
                _ => {
                    return Err(self
                        .tail
                        .damaged(position, format!("a record is of the unknown kind {kind}")));
                }
            };
            if first == self.within {
                return Err(self.tail.damaged(position, "the pieces of a record do not follow each other"));
            }
            if first {
                record.clear();
                self.large = false;
            }
            self.large |= record.len() + len > LIMIT;
            if !self.large {
                record.extend_from_slice(&piece[1..]);
            }
            self.within = !last;
            self.tail.consume(HEAD + len);
            if last {
                return Ok(if self.large { Next::Large } else { Next::Record });
            }
        }
    }
}
