//! The bytes that come to a sink: binary rows and lines of text, side by side. docs/sink.md describes them for clients.

/// First byte of a row. No line of text begins with it.
const ROW: u8 = 1;
/// Bytes of a row before its values, behind its length.
const HEAD: usize = 28;
/// Kind and length.
const PREFIX: usize = 5;
/// The longest row: a value for each series that there may be.
const ROW_LIMIT: usize = HEAD + 8 * gradtop_store::MAX_SERIES;
/// The longest line; tables come as lines.
pub(crate) const LINE_LIMIT: usize = 64 << 20;

/// What the next bytes are.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame<'a> {
    /// Values of a shape.
    Row(Row<'a>),
    /// A line, without its end.
    Line(&'a [u8]),
}

/// A binary row.
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

/// The frame at the beginning of `bytes`, and how long it is; `None` if more has to come.
///
/// # Errors
/// What is wrong with the bytes: nothing that follows can be understood.
pub(crate) fn next(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, String> {
    match bytes.first() {
        None => Ok(None),
        Some(&ROW) => row(bytes),
        Some(0 | 2..=8) => Err(format!("a frame of kind {} is not known", bytes[0])),
        Some(_) => line(bytes),
    }
}

fn row(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, String> {
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
    Ok(Some((Frame::Row(row), PREFIX + length)))
}

/// The first bytes of a row that is long enough, and the rest.
fn split<const N: usize>(bytes: &[u8]) -> ([u8; N], &[u8]) {
    bytes.split_first_chunk().map_or(([0; N], &[]), |(first, rest)| (*first, rest))
}

/// The line at the beginning of `bytes`, as [`next`].
pub(crate) fn line(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, String> {
    match bytes.iter().position(|b| *b == b'\n') {
        Some(end) if end <= LINE_LIMIT => Ok(Some((Frame::Line(&bytes[..end]), end + 1))),
        None if bytes.len() <= LINE_LIMIT => Ok(None),
        _ => Err(format!("a line is longer than {} MiB", LINE_LIMIT >> 20)),
    }
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

    #[test]
    fn rows_and_lines_side_by_side_are_told_apart_wherever_they_are_cut() {
        let mut bytes = row(7, -3, &[1.5, f64::INFINITY]);
        bytes.extend(b"{\"do\":\"finish\"}\n\n");
        for cut in 0..bytes.len() {
            let (mut at, mut seen) = (0, 0);
            while let Some((frame, length)) = next(&bytes[at..cut]).unwrap() {
                at += length;
                seen += 1;
                match (seen, frame) {
                    (1, Frame::Row(row)) => {
                        assert_eq!((row.shape, row.step, row.time_us), (7, -3, 0));
                        assert_eq!(row.values().collect::<Vec<_>>(), [1.5, f64::INFINITY]);
                    }
                    (2, Frame::Line(line)) => assert_eq!(line, b"{\"do\":\"finish\"}"),
                    (_, frame) => panic!("{frame:?}"),
                }
            }
        }
    }

    #[test]
    fn what_is_no_frame_is_refused_and_sizes_nothing() {
        assert!(next(b"\0").is_err());
        assert!(next(&[ROW, 255, 255, 255, 255]).is_err());
        assert!(next(&[ROW, 27, 0, 0, 0]).is_err());
        assert!(next(&[ROW, 29, 0, 0, 0]).is_err());
        assert_eq!(next(&[ROW, 28, 0]).unwrap(), None);
    }
}
