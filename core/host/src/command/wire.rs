//! The byte stream to a sink, in which binary rows and lines of text are mixed. See docs/sink.md.

/// The first byte of a row. No line of text starts with it.
const ROW: u8 = 1;
/// Number of bytes between the length of a row and its values.
const HEAD: usize = 28;
/// Number of bytes for type and length.
const PREFIX: usize = 5;
/// Maximum length of a row: one value for each possible series.
const ROW_LIMIT: usize = HEAD + 8 * gradtop_store::MAX_SERIES;
/// Maximum length of a line; tables are sent as lines.
pub(crate) const LINE_LIMIT: usize = 64 << 20;

/// A unit of the stream.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame<'a> {
    /// Values of a shape.
    Row(Row<'a>),
    /// A line without its line break.
    Line(&'a [u8]),
    /// A line beyond [`LINE_LIMIT`], which is dropped.
    LongLine,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Row<'a> {
    pub(crate) shape: u32,
    pub(crate) step: i64,
    /// Microseconds since 1970; 0 for now.
    pub(crate) time_us: i64,
    /// NaN for none.
    pub(crate) epoch: f64,
    values: &'a [u8],
}

impl Row<'_> {
    pub(crate) fn values(&self) -> impl ExactSizeIterator<Item = f64> + '_ {
        self.values.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes))
    }
}

/// Splits a byte stream into frames.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    /// Offset of the next frame.
    at: usize,
    /// How many bytes of the next line are known to contain no line break.
    searched: usize,
    /// Whether the rest of an overlong line is being skipped.
    passes_over: bool,
    /// Whether the stream may contain rows; a shell writes only lines.
    rows: bool,
}

impl Frames {
    /// Creates a splitter for lines, and for rows too if `rows` is set.
    pub(crate) fn new(rows: bool) -> Self {
        Self { rows, ..Self::default() }
    }

    /// Appends bytes; frames already taken are dropped.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.at));
        self.bytes.extend_from_slice(chunk);
    }

    /// Returns the next frame; `None` if it is incomplete.
    ///
    /// # Errors
    /// The bytes are invalid, so nothing after them can be parsed.
    pub(crate) fn next(&mut self) -> Result<Option<Frame<'_>>, String> {
        if self.passes_over && !self.pass_over() {
            return Ok(None);
        }
        let kind = self.bytes.get(self.at).copied();
        match kind.filter(|_| self.rows) {
            Some(ROW) => {
                let Self { bytes, at, .. } = self;
                let next = row(&bytes[*at..])?;
                Ok(next.map(|(row, length)| {
                    *at += length;
                    Frame::Row(row)
                }))
            }
            Some(kind @ (0 | 2..=8)) => Err(format!("a frame of kind {kind} is not known")),
            _ => Ok(self.line()),
        }
    }

    fn line(&mut self) -> Option<Frame<'_>> {
        let begin = self.at;
        let line = &self.bytes[begin..];
        let end = line[self.searched..].iter().position(|b| *b == b'\n').map(|i| self.searched + i);
        self.searched = if end.is_some() { 0 } else { line.len() };
        if end.unwrap_or(line.len()) > LINE_LIMIT {
            self.at += end.map_or(line.len(), |end| end + 1);
            self.passes_over = end.is_none();
            self.searched = 0;
            return Some(Frame::LongLine);
        }
        let end = end?;
        self.at += end + 1;
        Some(Frame::Line(&self.bytes[begin..begin + end]))
    }

    /// Skips an overlong line; returns `false` if its end has not arrived.
    fn pass_over(&mut self) -> bool {
        let end = self.bytes[self.at..].iter().position(|b| *b == b'\n');
        self.at = end.map_or(self.bytes.len(), |end| self.at + end + 1);
        self.passes_over = end.is_none();
        end.is_some()
    }

    /// Returns the incomplete last frame.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }
}

/// Parses the row at the start of `bytes` and returns its length; `None` if it is incomplete.
fn row(bytes: &[u8]) -> Result<Option<(Row<'_>, usize)>, String> {
    let Some(length) = bytes.get(1..PREFIX).and_then(|b| b.first_chunk()) else { return Ok(None) };
    let length = u32::from_le_bytes(*length) as usize;
    if !(HEAD..=ROW_LIMIT).contains(&length) || !(length - HEAD).is_multiple_of(8) {
        return Err(format!("a row of {length} bytes is not one"));
    }
    let Some(body) = bytes.get(PREFIX..PREFIX + length) else { return Ok(None) };
    let (shape, rest) = split(body);
    let (step, rest) = split(rest);
    let (time_us, rest) = split(rest);
    let (epoch, values) = split(rest);
    let row = Row {
        shape: u32::from_le_bytes(shape),
        step: i64::from_le_bytes(step),
        time_us: i64::from_le_bytes(time_us),
        epoch: f64::from_le_bytes(epoch),
        values,
    };
    Ok(Some((row, PREFIX + length)))
}

/// Splits off the first `N` bytes of a row that is long enough.
fn split<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    bytes.split_first_chunk().map_or(([0; N], &[]), |(first, rest)| (*first, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn row(shape: u32, step: i64, values: &[f64]) -> Vec<u8> {
        let mut bytes = vec![ROW];
        bytes.extend(u32::try_from(HEAD + 8 * values.len()).unwrap().to_le_bytes());
        bytes.extend(shape.to_le_bytes());
        bytes.extend(step.to_le_bytes());
        bytes.extend(0i64.to_le_bytes());
        bytes.extend(f64::NAN.to_le_bytes());
        bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        bytes
    }

    /// Everything that a stream of these pieces says.
    fn frames(rows: bool, pieces: &[&[u8]]) -> Result<Vec<String>, String> {
        let (mut frames, mut said) = (Frames::new(rows), Vec::new());
        for piece in pieces {
            frames.push(piece);
            while let Some(frame) = frames.next()? {
                said.push(match frame {
                    Frame::Row(row) => {
                        let values: Vec<f64> = row.values().collect();
                        format!("{} {} {} {values:?}", row.shape, row.step, row.time_us)
                    }
                    Frame::Line(line) => String::from_utf8_lossy(line).into_owned(),
                    Frame::LongLine => "(too long)".to_owned(),
                });
            }
        }
        Ok(said)
    }

    #[test]
    fn rows_and_lines_side_by_side_are_told_apart_wherever_they_are_cut() {
        let mut bytes = row(7, -3, &[1.5, f64::INFINITY]);
        bytes.extend(b"{\"do\":\"finish\"}\n\n");
        for cut in 0..bytes.len() {
            let (before, after) = bytes.split_at(cut);
            let said = frames(true, &[before, after]).unwrap();
            assert_eq!(said, ["7 -3 0 [1.5, inf]", "{\"do\":\"finish\"}", ""], "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused_and_sizes_nothing() {
        for bad in [&b"\0"[..], &[ROW, 255, 255, 255, 255], &[ROW, 27, 0, 0, 0], &[ROW, 29, 0, 0, 0]] {
            assert!(frames(true, &[bad]).is_err(), "{bad:?}");
        }
        assert!(frames(true, &[&[ROW, 28, 0]]).unwrap().is_empty());
        assert_eq!(frames(false, &[b"\x01\n"]).unwrap(), ["\x01"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_named_once_and_costs_only_itself() {
        let long = vec![b'x'; LINE_LIMIT / 8 + 1];
        let mut pieces = vec![&b"1 a=1\n"[..]];
        pieces.extend([&long[..]; 20]);
        pieces.push(b"x\n2 a=");
        pieces.push(b"2\n");
        assert_eq!(frames(false, &pieces).unwrap(), ["1 a=1", "(too long)", "2 a=2"]);
        let mut whole = vec![b'x'; LINE_LIMIT + 1];
        whole.extend(b"\n3 a=3\n");
        assert_eq!(frames(true, &[&whole]).unwrap(), ["(too long)", "3 a=3"]);
    }
}
