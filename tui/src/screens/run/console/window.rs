//! The part of a log that is in memory, and its visible rows.

use std::collections::VecDeque;
use std::ops::Range;

use unicode_width::UnicodeWidthChar as _;

use super::chunk::{Chunk, Wanted};
use super::line::Line;
use super::sgr::Look;
use crate::widgets::Way;

/// The most bytes of the log kept in memory.
const KEPT: u64 = 1 << 20;

/// A position in the log: a row of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The offset of the line.
    pub(crate) at: u64,
    /// The row within the wrapped line.
    pub(crate) row: usize,
}

/// How lines are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) width: usize,
    /// The number of visible rows.
    pub(crate) height: usize,
    /// Whether long lines are wrapped.
    pub(crate) wrap: bool,
}

/// A contiguous range of lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    lines: VecDeque<Line>,
    /// The offset after the last line.
    end: u64,
    /// The size of the log when it was last read.
    total: u64,
    /// Whether something has been read.
    loaded: bool,
    /// The row at the top; `None` follows the end of the log.
    top: Option<Place>,
    /// Rows left to scroll up once more of the log has been read.
    owed: usize,
    /// What to read first.
    jump: Option<Wanted>,
    /// The style after the last line.
    look: Look,
}

impl Window {
    /// Returns whether anything has been read.
    pub(crate) fn loaded(&self) -> bool {
        self.loaded
    }

    /// The size of the log.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Returns whether the end of the log is followed.
    pub(crate) fn follows(&self) -> bool {
        self.top.is_none()
    }

    /// Adds a piece. If the log has become shorter, because its two ends were joined, it is read anew.
    pub(crate) fn take(&mut self, wanted: Wanted, chunk: Chunk, shape: Shape) {
        let shrunk = chunk.total < self.total;
        self.total = chunk.total;
        self.loaded = true;
        if self.jump == Some(wanted) {
            self.jump = None;
        }
        let first = self.lines.front().map_or(0, |l| l.at);
        let next = chunk.lines.first().map_or(chunk.end, |l| l.at);
        match wanted {
            Wanted::From(..) if !shrunk && !self.lines.is_empty() && (first..=self.end).contains(&next) => {
                while self.lines.back().is_some_and(|l| l.at >= next) {
                    self.lines.pop_back();
                }
                self.lines.extend(chunk.lines);
                (self.end, self.look) = (chunk.end, chunk.look);
                self.shorten(Way::Back);
            }
            Wanted::Before(_) if !shrunk && chunk.end == first => {
                let before = chunk.lines.len();
                for line in chunk.lines.into_iter().rev() {
                    self.lines.push_front(line);
                }
                if before > 0 {
                    self.pay(shape);
                }
                self.shorten(Way::On);
            }
            _ => {
                if shrunk {
                    (self.top, self.owed) = (None, 0);
                }
                self.lines = chunk.lines.into();
                (self.end, self.look) = (chunk.end, chunk.look);
                // Lines above what was gone to are already there, or are read next.
                self.pay(shape);
            }
        }
        self.settle();
    }

    /// Drops lines far above or below the visible ones.
    fn shorten(&mut self, way: Way) {
        let shown = self.top.map_or(self.end, |p| p.at);
        while let (Some(first), Some(last)) = (self.lines.front(), self.lines.back()) {
            if last.end - first.at <= KEPT {
                return;
            }
            if way == Way::Back && first.end + KEPT / 2 < shown {
                self.lines.pop_front();
            } else if way == Way::On && last.at > shown + KEPT / 2 {
                self.end = last.at;
                self.look = last.before;
                self.lines.pop_back();
            } else {
                return;
            }
        }
    }

    /// Keeps the top on a loaded line.
    fn settle(&mut self) {
        let (Some(top), Some(first)) = (self.top, self.lines.front()) else { return };
        if self.find(top.at).is_none() {
            let at = self.lines.iter().rev().find(|l| l.at <= top.at).unwrap_or(first).at;
            self.top = Some(Place { at, row: 0 });
        }
    }

    /// Returns what to read next: first the end of the log; then, if the end is loaded and the run is `live`, new lines; and
    /// lines beyond the edges of the screen.
    pub(crate) fn wants(&self, shape: Shape, live: bool) -> Option<Wanted> {
        if self.jump.is_some() {
            return self.jump;
        }
        if !self.loaded {
            return Some(Wanted::Tail);
        }
        let Some(first) = self.lines.front() else {
            return (live || self.total > 0).then_some(Wanted::Tail);
        };
        if self.owed > 0 && first.at > 0 {
            return Some(Wanted::Before(first.at));
        }
        if self.follows() && self.end < self.total {
            // Far behind: jump to the end.
            return Some(if self.total - self.end > KEPT / 2 { Wanted::Tail } else { self.rest() });
        }
        let rows = self.rows(shape);
        let (Some((from, top, _)), Some((to, bottom, _))) = (rows.first(), rows.last()) else { return None };
        if *from <= shape.height && top.at - first.at < KEPT / 8 && first.at > 0 {
            return Some(Wanted::Before(first.at));
        }
        let near_end = to + shape.height >= self.lines.len() && self.end - bottom.at < KEPT / 8;
        (near_end && (self.end < self.total || live)).then(|| self.rest())
    }

    /// The last line if it may have grown, else what follows it.
    fn rest(&self) -> Wanted {
        match self.lines.back() {
            Some(last) if !last.whole => Wanted::From(last.at, last.before),
            _ => Wanted::From(self.end, self.look),
        }
    }

    /// The offset after the line at `at`, if it is loaded.
    pub(crate) fn end_of(&self, at: u64) -> Option<u64> {
        self.find(at).map(|i| self.lines[i].end)
    }

    fn find(&self, at: u64) -> Option<usize> {
        self.lines.binary_search_by_key(&at, |l| l.at).ok()
    }

    fn height_of(&self, line: usize, shape: Shape) -> usize {
        self.lines.get(line).map_or(1, |l| rows_of(l, shape).len())
    }

    /// The line and row at the top of the screen. There is nothing below the end of the log.
    fn first(&self, shape: Shape) -> (usize, usize) {
        let last = || self.last_first(shape);
        self.top_row(shape).map_or_else(last, |top| if self.end < self.total { top } else { top.min(last()) })
    }

    /// The line and row that was scrolled or gone to.
    fn top_row(&self, shape: Shape) -> Option<(usize, usize)> {
        let top = self.top?;
        let line = self.find(top.at)?;
        Some((line, top.row.min(self.height_of(line, shape) - 1)))
    }

    /// The line and row at the top when the end of the log is at the bottom.
    fn last_first(&self, shape: Shape) -> (usize, usize) {
        self.back((self.lines.len(), 0), shape.height, shape).0
    }

    /// Moves up by `rows`. Also returns how many rows were missing.
    fn back(
        &self,
        (mut line, mut row): (usize, usize),
        mut rows: usize,
        shape: Shape,
    ) -> ((usize, usize), usize) {
        while rows > row {
            if line == 0 {
                return ((0, 0), rows - row);
            }
            rows -= row;
            line -= 1;
            row = self.height_of(line, shape);
        }
        ((line, row - rows), 0)
    }

    /// Moves down by `rows`, at most to the last row.
    fn forth(&self, (mut line, mut row): (usize, usize), mut rows: usize, shape: Shape) -> (usize, usize) {
        loop {
            let height = self.height_of(line, shape);
            if row + rows < height {
                return (line, row + rows);
            }
            if line + 1 >= self.lines.len() {
                return (line, height - 1);
            }
            rows -= height - row;
            (line, row) = (line + 1, 0);
        }
    }

    fn place(&self, (line, row): (usize, usize)) -> Option<Place> {
        self.lines.get(line).map(|l| Place { at: l.at, row })
    }

    /// Scrolls up; missing lines follow once they have been read.
    pub(crate) fn up(&mut self, rows: usize, shape: Shape) {
        self.raise(self.first(shape), rows, shape);
    }

    fn raise(&mut self, now: (usize, usize), rows: usize, shape: Shape) {
        let (then, left) = self.back(now, rows, shape);
        let more = self.lines.front().is_some_and(|l| l.at > 0);
        self.owed = if more { (self.owed + left).min(1_000_000) } else { 0 };
        if then != now || self.owed > 0 {
            self.top = self.place(then);
        }
    }

    /// Scrolls down; at the end of the log, it is followed again.
    pub(crate) fn down(&mut self, rows: usize, shape: Shape) {
        self.owed = 0;
        if self.follows() {
            return;
        }
        let then = self.forth(self.first(shape), rows, shape);
        let last = self.last_first(shape);
        self.top = if then < last {
            self.place(then)
        } else if self.end >= self.total {
            None
        } else {
            self.place(last)
        };
    }

    /// Scrolls to the first line.
    pub(crate) fn start(&mut self) {
        self.to(0);
    }

    /// Follows the end of the log.
    pub(crate) fn follow(&mut self) {
        (self.top, self.owed) = (None, 0);
        if self.end < self.total {
            self.jump = Some(Wanted::Tail);
        }
    }

    /// Stops following the log.
    pub(crate) fn hold(&mut self, shape: Shape) {
        if self.follows() {
            self.top = self.place(self.first(shape));
        }
    }

    /// Scrolls to the line at this offset.
    pub(crate) fn to(&mut self, at: u64) {
        self.owed = 0;
        self.top = Some(Place { at, row: 0 });
        self.jump = self.find(at).is_none().then_some(Wanted::From(at, Look::default()));
    }

    /// Scrolls so that the line at this offset is in the middle.
    pub(crate) fn centre(&mut self, at: u64, shape: Shape) {
        self.to(at);
        self.owed = shape.height / 2;
        self.pay(shape);
    }

    /// Scrolls up by what is owed, as far as lines are there.
    fn pay(&mut self, shape: Shape) {
        if let Some(now) = self.top_row(shape) {
            let owed = std::mem::take(&mut self.owed);
            self.raise(now, owed, shape);
        }
    }

    /// The visible rows: index of the line, the line, and the byte range of its text.
    pub(crate) fn rows(&self, shape: Shape) -> Vec<(usize, &Line, Range<usize>)> {
        let (line, row) = self.first(shape);
        let all = self.lines.iter().enumerate().skip(line);
        let rows = all.flat_map(|(i, l)| rows_of(l, shape).into_iter().map(move |r| (i, l, r)));
        rows.skip(row).take(shape.height).collect()
    }
}

/// The byte ranges of a line's rows, at least one.
fn rows_of(line: &Line, shape: Shape) -> Vec<Range<usize>> {
    let text = &line.text;
    let mut rows = Vec::new();
    let (mut start, mut used) = (0, 0);
    // The last blank in the row, and its column.
    let mut blank: Option<(usize, usize)> = None;
    let wrapped = if shape.wrap && text.len() > shape.width { text } else { "" };
    for (i, c) in wrapped.char_indices() {
        let wide = c.width().unwrap_or(0);
        if used + wide > shape.width && i > start {
            // Breaks between words, unless that leaves much of the row empty.
            let (at, columns) = match blank.take() {
                Some((at, columns)) if columns * 3 > shape.width * 2 => (at, columns),
                _ => (i, used),
            };
            rows.push(start..at);
            (start, used) = (at, used - columns);
        }
        used += wide;
        if c == ' ' {
            blank = Some((i + 1, used));
        }
    }
    rows.push(start..text.len());
    rows
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::chunk::{cut, span};
    use super::*;

    const SHAPE: Shape = Shape { width: 20, height: 5, wrap: true };

    fn read(log: &[u8], wanted: Wanted) -> Chunk {
        let total = log.len() as u64;
        let (from, len) = span(wanted, total);
        cut(wanted, from, &log[from as usize..from as usize + len], total)
    }

    /// Reads everything that is wanted.
    fn settle(window: &mut Window, log: &[u8], live: bool) -> usize {
        let mut reads = 0;
        while let Some(wanted) = window.wants(SHAPE, live && reads == 0) {
            window.take(wanted, read(log, wanted), SHAPE);
            reads += 1;
            assert!(reads < 1000, "it never has enough");
        }
        reads
    }

    fn shown(window: &Window) -> Vec<String> {
        window.rows(SHAPE).into_iter().map(|(_, l, r)| l.text[r].to_owned()).collect()
    }

    fn numbered(n: usize) -> Vec<u8> {
        (0..n).flat_map(|i| format!("line {i}\n").into_bytes()).collect()
    }

    #[test]
    fn the_end_is_followed_while_the_log_grows() {
        let mut window = Window::default();
        settle(&mut window, &numbered(10), false);
        assert_eq!(shown(&window), ["line 5", "line 6", "line 7", "line 8", "line 9"]);
        let mut log = numbered(12);
        log.extend(b"half");
        settle(&mut window, &log, true);
        assert_eq!(shown(&window)[2..], ["line 10", "line 11", "half"]);
        log.extend(b" a line\nnext");
        settle(&mut window, &log, true);
        assert_eq!(shown(&window)[2..], ["line 11", "half a line", "next"]);
    }

    #[test]
    fn what_is_looked_at_stays_while_the_log_grows() {
        let mut window = Window::default();
        settle(&mut window, &numbered(20), false);
        window.up(7, SHAPE);
        assert_eq!(shown(&window)[0], "line 8");
        settle(&mut window, &numbered(1000), true);
        assert_eq!(shown(&window)[0], "line 8");
        window.down(3, SHAPE);
        assert_eq!(shown(&window)[0], "line 11");
        window.follow();
        settle(&mut window, &numbered(1000), true);
        assert_eq!(shown(&window)[4], "line 999");
        window.hold(SHAPE);
        settle(&mut window, &numbered(1010), true);
        assert_eq!(shown(&window)[4], "line 999");
        window.down(100, SHAPE);
        assert!(window.follows());
    }

    #[test]
    fn long_lines_are_wrapped_and_scrolled_by_rows() {
        let mut window = Window::default();
        let log = b"short\n0123456789012345678901234567890123456789abc\nend\n";
        settle(&mut window, log, false);
        let all = ["short", "01234567890123456789", "01234567890123456789", "abc", "end"];
        assert_eq!(shown(&window), all);
        let low = Shape { height: 2, ..SHAPE };
        window.up(2, low);
        assert_eq!(window.rows(low).into_iter().map(|r| r.2).collect::<Vec<_>>(), [0..20, 20..40]);
        let words = Line { text: "these are words that go on".to_owned(), ..Line::default() };
        assert_eq!(rows_of(&words, SHAPE), [0..16, 16..26]);
        let cut = Shape { wrap: false, ..SHAPE };
        assert_eq!(window.rows(cut).len(), 3, "nothing is blank below the end");
    }

    #[test]
    fn a_large_log_is_walked_through_in_both_directions() {
        let log = numbered(300_000);
        let mut window = Window::default();
        settle(&mut window, &log, false);
        let mut steps = 0;
        while shown(&window)[0] != "line 0" {
            window.up(10_000, SHAPE);
            settle(&mut window, &log, false);
            assert!(window.lines.back().unwrap().end - window.lines[0].at <= 2 * KEPT, "memory is bounded");
            steps += 1;
            assert!(steps < 100);
        }
        window.down(50_000, SHAPE);
        settle(&mut window, &log, false);
        let mut before = 0;
        loop {
            let now: usize = shown(&window)[0].strip_prefix("line ").unwrap().parse().unwrap();
            assert!(now > before || window.follows());
            before = now;
            if window.follows() {
                break;
            }
            window.down(10_000, SHAPE);
            settle(&mut window, &log, false);
        }
        assert_eq!(shown(&window)[4], "line 299999");
        window.start();
        settle(&mut window, &log, false);
        assert_eq!(shown(&window)[0], "line 0");
        window.to(read(&log, Wanted::Before(2_000_000)).lines[0].at);
        settle(&mut window, &log, false);
        assert!(window.first(SHAPE).0 > 0, "there are lines above the one gone to");
    }

    #[test]
    fn a_line_that_is_gone_to_has_its_surroundings_and_nothing_is_blank() {
        let log = numbered(100_000);
        let line = |i: usize| numbered(i).len() as u64;
        let mut window = Window::default();
        settle(&mut window, &log, false);
        // Loaded or not, in the middle and at both ends.
        for (i, top) in [(99_990, 99_988), (500, 498), (99_999, 99_995), (1, 0), (70_000, 69_998)] {
            window.centre(line(i), SHAPE);
            settle(&mut window, &log, false);
            assert_eq!(
                shown(&window),
                (top..top + 5).map(|i| format!("line {i}")).collect::<Vec<_>>(),
                "{i}"
            );
        }
    }

    #[test]
    fn a_log_that_was_joined_is_read_anew() {
        let mut window = Window::default();
        settle(&mut window, &numbered(1000), true);
        window.up(50, SHAPE);
        settle(&mut window, &numbered(100), true);
        assert_eq!(shown(&window)[0], "line 945", "what is in memory stays");
        window.down(60, SHAPE);
        settle(&mut window, &numbered(100), true);
        assert_eq!(shown(&window)[4], "line 99");
        window.up(1000, SHAPE);
        settle(&mut window, &numbered(50), true);
        assert_eq!(shown(&window)[0], "line 0");
    }

    #[test]
    fn nothing_is_wanted_of_an_empty_log_that_has_ended() {
        let mut window = Window::default();
        assert_eq!(settle(&mut window, b"", false), 1);
        assert!(window.loaded() && shown(&window).is_empty());
        window.up(3, SHAPE);
        window.down(3, SHAPE);
        window.start();
        settle(&mut window, b"", false);
    }
}
