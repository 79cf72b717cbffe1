//! One JSON object per line.

use std::path::Path;

use super::BUDGET;
use super::columns::Rows;
use super::json::flatten;
use crate::error::Result;
use crate::reader::{Progress, Reader};
use crate::sink::Sink;
use crate::tail::Tail;

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
        let cells: Vec<_> = values.iter().map(|(name, value)| (name, value.cell())).collect();
        self.rows.hand_over(None, &cells, sink)
    }
}

fn end_of_line(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|b| *b == b'\n')
}

impl Reader for JsonLines {
    fn left_out(&self) -> Vec<String> {
        self.rows.left_out()
    }

    fn read(&mut self, sink: &mut dyn Sink) -> Result<Progress> {
        if self.tail.is_replaced()? {
            self.tail.reopen()?;
            self.rows.rewind();
            sink.again()?;
        }
        for _ in 0..BUDGET {
            let Some(end) = self.tail.line(end_of_line)? else { return Ok(Progress::UpToDate) };
            self.line(end, sink)?;
            self.tail.consume(end + 1);
        }
        Ok(Progress::More)
    }

    fn skip_line(&mut self, unfinished: bool) -> Result<bool> {
        self.tail.skip_line(end_of_line, unfinished)
    }

    fn unread_end(&self) -> Option<String> {
        self.tail.unread_end()
    }

    fn finish(&mut self, sink: &mut dyn Sink, _ended: bool) -> Result<()> {
        let len = self.tail.bytes().len();
        if len > 0 && flatten(self.tail.bytes()).is_some() {
            self.line(len, sink)?;
            self.tail.consume(len);
        }
        Ok(())
    }
}
