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
        while self.begin()? && self.pass_rest_of_block()? {
            let Some(Piece { len, kind }) = self.piece()? else { return Ok(Next::NotYet) };
            let position = self.tail.position();
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
                record.extend_from_slice(&self.tail.bytes()[HEAD..HEAD + len]);
            }
            self.within = !last;
            self.tail.consume(HEAD + len);
            if last {
                return Ok(if self.large { Next::Large } else { Next::Record });
            }
        }
        Ok(Next::NotYet)
    }

    /// Reads the start of the file. Returns whether it is there.
    fn begin(&mut self) -> Result<bool> {
        if self.begun {
            return Ok(true);
        }
        if !self.tail.fill(FILE_HEAD.len())? {
            return Ok(false);
        }
        if self.tail.bytes()[..FILE_HEAD.len()] != FILE_HEAD {
            return Err(self.tail.damaged(0, "it does not begin as a .wandb file of a known version"));
        }
        self.tail.consume(FILE_HEAD.len());
        self.begun = true;
        Ok(true)
    }

    /// Passes over the end of a block that is too short for a header. Returns whether all of it is there.
    fn pass_rest_of_block(&mut self) -> Result<bool> {
        let left = self.left() as usize;
        if left >= HEAD {
            return Ok(true);
        }
        let there = self.tail.fill(left)?;
        if there {
            self.tail.consume(left);
        }
        Ok(there)
    }

    /// Returns the number of bytes of the current block that are left.
    fn left(&self) -> u64 {
        BLOCK - self.tail.position() % BLOCK
    }

    /// Checks the next piece of a record, and leaves it in the buffer; `None` if it is not complete yet.
    fn piece(&mut self) -> Result<Option<Piece>> {
        let (position, left) = (self.tail.position(), self.left());
        if !self.tail.fill(HEAD)? {
            return Ok(None);
        }
        let head = self.tail.bytes();
        let sum = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let (len, kind) = (usize::from(u16::from_le_bytes([head[4], head[5]])), head[6]);
        if (HEAD + len) as u64 > left {
            return Err(self.tail.damaged(position, "a piece of a record is longer than its block"));
        }
        if !self.tail.fill(HEAD + len)? {
            return Ok(None);
        }
        // The sum is of kind and data.
        if crc32fast::hash(&self.tail.bytes()[HEAD - 1..HEAD + len]) != sum {
            return Err(self.tail.damaged(position, "the checksum of a record does not match"));
        }
        Ok(Some(Piece { len, kind }))
    }
}

/// The head of a piece of a record.
struct Piece {
    len: usize,
    /// Whether it is the first of its record, the last, both or neither.
    kind: u8,
}
