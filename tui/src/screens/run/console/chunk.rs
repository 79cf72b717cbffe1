//! Bounded pieces of a log of any size, split at line breaks.

use super::line::{Line, parse};
use super::sgr::Look;
use crate::widgets::Way;

/// Bytes read at once. A longer line is shown in pieces.
pub(crate) const CHUNK: usize = 128 << 10;

/// Which piece to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The last lines.
    Tail,
    /// Lines from this byte on, which begins a line in this style.
    From(u64, Look),
    /// The lines that end at this byte.
    Before(u64),
}

/// A piece: complete lines and, at the end of the log, perhaps a line that is still being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Contiguous lines.
    pub(crate) lines: Vec<Line>,
    /// The offset after the last line.
    pub(crate) end: u64,
    /// The size of the log when this was read.
    pub(crate) total: u64,
    /// The style after the last line.
    pub(crate) look: Look,
}

/// The offset and length of the bytes to read for a piece of a log of `total` bytes.
pub(crate) fn span(wanted: Wanted, total: u64) -> (u64, usize) {
    span_of(wanted, total, CHUNK as u64)
}

fn span_of(wanted: Wanted, total: u64, most: u64) -> (u64, usize) {
    let (from, to) = match wanted {
        Wanted::Tail => (total.saturating_sub(most), total),
        Wanted::From(at, _) => (at.min(total), total.min(at.saturating_add(most))),
        Wanted::Before(end) => (end.min(total).saturating_sub(most), end.min(total)),
    };
    (from, (to - from) as usize)
}

/// Splits the bytes that were read at `from` into lines.
pub(crate) fn cut(wanted: Wanted, from: u64, bytes: &[u8], total: u64) -> Chunk {
    let end = from + bytes.len() as u64;
    let mut look = match wanted {
        Wanted::From(_, look) => look,
        _ => Look::default(),
    };
    // The text before the first line break belongs to a line that began earlier.
    let skip = match wanted {
        Wanted::From(..) => 0,
        _ if from == 0 => 0,
        _ => bytes.iter().position(|b| *b == b'\n').map_or(0, |i| i + 1),
    };
    // A piece within the log ends at a line break, so that the next one begins with a line.
    let keep = match wanted {
        Wanted::From(..) if end < total => {
            bytes.iter().rposition(|b| *b == b'\n').map_or(bytes.len(), |i| i + 1)
        }
        _ => bytes.len(),
    };
    // A single line that began before the piece: the part that was read is shown.
    let skip = if skip >= keep { 0 } else { skip };
    let mut at = from + skip as u64;
    let lines = bytes[skip..keep]
        .split_inclusive(|b| *b == b'\n')
        .map(|bytes| {
            let text = bytes.strip_suffix(b"\n");
            let line = parse(text.unwrap_or(bytes), &mut look);
            let start = at;
            at += bytes.len() as u64;
            Line { at: start, end: at, whole: text.is_some() || at < total, ..line }
        })
        .collect();
    Chunk { lines, end: at, total, look }
}

/// Finds the last (`Way::Back`) or first line that contains `needle`.
pub(crate) fn find(chunk: &Chunk, needle: &str, way: Way) -> Option<u64> {
    let mut holds = chunk.lines.iter().filter(|l| contains(&l.text, needle));
    if way == Way::Back { holds.next_back() } else { holds.next() }.map(|l| l.at)
}

/// Returns whether a line contains `needle`; case matters only if the needle has capitals.
pub(crate) fn contains(text: &str, needle: &str) -> bool {
    matches(text, needle).next().is_some()
}

/// The byte ranges of all matches in a line.
pub(crate) fn matches<'a>(text: &'a str, needle: &'a str) -> impl Iterator<Item = (usize, usize)> + 'a {
    let exact = needle.chars().any(char::is_uppercase);
    let same = move |a: char, b: char| a == b || (!exact && a.to_lowercase().eq(b.to_lowercase()));
    let mut from = 0;
    std::iter::from_fn(move || {
        if needle.is_empty() {
            return None;
        }
        for (i, _) in text.get(from..)?.char_indices() {
            let start = from + i;
            let mut rest = text[start..].char_indices();
            let mut end = start;
            let all = needle.chars().all(|n| {
                rest.next().is_some_and(|(at, c)| {
                    end = start + at + c.len_utf8();
                    same(c, n)
                })
            });
            if all {
                from = end;
                return Some((start, end));
            }
        }
        from = text.len();
        None
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn read(log: &[u8], wanted: Wanted) -> Chunk {
        let total = log.len() as u64;
        let (from, len) = span(wanted, total);
        cut(wanted, from, &log[from as usize..from as usize + len], total)
    }

    fn texts(chunk: &Chunk) -> Vec<&str> {
        chunk.lines.iter().map(|l| l.text.as_str()).collect()
    }

    #[test]
    fn a_small_log_is_one_piece() {
        let chunk = read(b"one\ntwo\nthr", Wanted::Tail);
        assert_eq!(texts(&chunk), ["one", "two", "thr"]);
        assert_eq!(chunk.lines.iter().map(|l| l.whole).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!((chunk.lines[2].at, chunk.end), (8, 11));
        assert_eq!(texts(&read(b"", Wanted::Tail)), Vec::<&str>::new());
        assert_eq!(texts(&read(b"\n\n", Wanted::Tail)), ["", ""]);
    }

    #[test]
    fn a_large_log_is_read_from_its_end_and_back() {
        let log: Vec<u8> = (0..40_000).flat_map(|i| format!("line {i}\n").into_bytes()).collect();
        let mut chunk = read(&log, Wanted::Tail);
        assert_eq!(chunk.lines.last().unwrap().text, "line 39999");
        assert!(chunk.lines.len() < 12_000);
        let mut first = 40_000;
        loop {
            let number = |l: &Line| l.text.strip_prefix("line ").unwrap().parse::<u64>().unwrap();
            assert_eq!(number(chunk.lines.last().unwrap()), first - 1, "no line is lost or seen twice");
            first = number(&chunk.lines[0]);
            if chunk.lines[0].at == 0 {
                break;
            }
            chunk = read(&log, Wanted::Before(chunk.lines[0].at));
        }
        assert_eq!(first, 0);
    }

    #[test]
    fn a_line_longer_than_a_piece_comes_in_pieces() {
        let mut log = vec![b'x'; 3 * CHUNK];
        log.extend(b"\nend\n");
        let first = read(&log, Wanted::From(0, Look::default()));
        assert_eq!((first.lines.len(), first.end), (1, CHUNK as u64));
        let back = read(&log, Wanted::Before(3 * CHUNK as u64 + 1));
        assert_eq!(back.lines.len(), 1);
        assert!(back.lines[0].at > 0);
    }

    #[test]
    fn words_are_found_whatever_their_case_unless_capitals_are_asked_for() {
        let chunk = read(b"Epoch 1\nloss nan\nepoch 2\n", Wanted::Tail);
        assert_eq!(find(&chunk, "epoch", Way::Back), Some(17));
        assert_eq!(find(&chunk, "epoch", Way::On), Some(0));
        assert_eq!(find(&chunk, "Epoch", Way::Back), Some(0));
        assert_eq!(find(&chunk, "gone", Way::Back), None);
        assert_eq!(matches("a.A.a", "a").collect::<Vec<_>>(), [(0, 1), (2, 3), (4, 5)]);
        assert_eq!(matches("ÄÖ äö", "äö").collect::<Vec<_>>(), [(0, 4), (5, 9)]);
        assert_eq!(matches("aaa", "").count(), 0);
    }

    proptest! {
        #[test]
        fn pieces_from_the_start_hold_every_line_once(lines in proptest::collection::vec("[a-z]{0,30}", 0..60)) {
            let log = lines.join("\n").into_bytes();
            let total = log.len() as u64;
            let (mut at, mut seen) = (0, Vec::new());
            loop {
                let wanted = Wanted::From(at, Look::default());
                let (from, len) = span_of(wanted, total, 40);
                let chunk = cut(wanted, from, &log[from as usize..from as usize + len], total);
                seen.extend(chunk.lines.iter().map(|l| l.text.clone()));
                prop_assert!(chunk.end > at || at == log.len() as u64);
                at = chunk.end;
                if at == log.len() as u64 { break; }
            }
            let expected: Vec<String> = String::from_utf8(log).unwrap().lines().map(str::to_owned).collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
