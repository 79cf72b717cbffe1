//! One JSON object a line.

use std::path::Path;

use super::columns::Rows;
use super::json::flatten;
use crate::error::Result;
use crate::reader::{Progress, Reader};
use crate::sink::Sink;
use crate::tail::Tail;

/// Lines handed over in one call.
const BUDGET: usize = 4_096;
/// The longest line.
const LINE: usize = 1 << 20;

/// A file of JSON lines.
pub(crate) struct JsonLines {
    tail: Tail,
    rows: Rows,
}

impl JsonLines {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(Self { tail: Tail::open(path)?, rows: Rows::default() })
    }

    fn line(&mut self, len: usize, sink: &mut dyn Sink) -> Result<()> {
        let line = &self.tail.bytes()[..len];
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let position = self.tail.position();
        let Some(values) = flatten(line) else {
            return Err(self.tail.damaged(position, "a line is not a JSON object"));
        };
        let cells: Vec<_> = values.iter().filter_map(|(name, value)| Some((name, value.cell()?))).collect();
        self.rows.hand_over(&cells, sink)
    }
}

impl Reader for JsonLines {
    fn read(&mut self, sink: &mut dyn Sink) -> Result<Progress> {
        if self.tail.is_replaced()? {
            self.tail.reopen()?;
            self.rows.rewind();
            sink.again()?;
        }
        for _ in 0..BUDGET {
            match self.tail.bytes().iter().position(|b| *b == b'\n') {
                Some(end) => {
                    self.line(end, sink)?;
                    self.tail.consume(end + 1);
                }
                None if self.tail.bytes().len() > LINE => {
                    return Err(self.tail.damaged(self.tail.position(), "a line is longer than a megabyte"));
                }
                None if self.tail.more()? => {}
                None => return Ok(Progress::UpToDate),
            }
        }
        Ok(Progress::More)
    }

    fn finish(&mut self, sink: &mut dyn Sink) -> Result<()> {
        let len = self.tail.bytes().len();
        if len > 0 && flatten(self.tail.bytes()).is_some() {
            self.line(len, sink)?;
            self.tail.consume(len);
        }
        Ok(())
    }
}
