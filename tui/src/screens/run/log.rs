//! The console pane.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::console::chunk::{Chunk, Wanted, matches};
use super::console::line;
use super::console::window::{Shape, Window};
use super::pane::{Hit, Search, What};
use crate::screens::shared::Shared;
use crate::widgets::{Edit, Input, Move, Way};
use gradtop_chart::number;

/// The most columns of the search text shown.
const LONGEST: usize = 40;

#[derive(Debug, Default)]
pub(crate) struct Log {
    window: Window,
    /// Long lines are cut, not wrapped.
    cut: bool,
    /// The first visible column, if lines are cut.
    left: usize,
    /// The search that is being typed.
    typed: Option<Input>,
    /// The search text; its matches are highlighted.
    needle: String,
    /// A search in progress.
    search: Option<Search>,
    /// The line found last.
    found: Option<u64>,
    /// The result of the last search, in words.
    outcome: Option<String>,
}

impl Log {
    /// The rows of the log: all but the status line.
    fn shape(&self, (width, height): (usize, usize)) -> Shape {
        let (width, height) = (width.saturating_sub(2).max(1), height.saturating_sub(1).max(1));
        Shape { width, height, wrap: !self.cut }
    }

    /// What to read next.
    pub(crate) fn wants(&self, size: (usize, usize), live: bool) -> Option<What> {
        if let Some(search) = &self.search {
            return Some(What::Find(search.clone()));
        }
        self.window.wants(self.shape(size), live).map(What::Console)
    }

    /// Adds a piece of the log.
    pub(crate) fn take(&mut self, wanted: Wanted, chunk: Chunk, size: (usize, usize)) {
        self.window.take(wanted, chunk, self.shape(size));
    }

    /// Handles the result of a search.
    pub(crate) fn hit(&mut self, search: &Search, hit: Hit, size: (usize, usize)) {
        if self.search.as_ref() != Some(search) {
            return;
        }
        self.search = None;
        match hit {
            Hit::At(at) => {
                self.found = Some(at);
                self.outcome = None;
                self.window.centre(at, self.shape(size));
            }
            Hit::NotYet(from) => self.search = Some(Search { from, ..search.clone() }),
            Hit::Nowhere => {
                let beyond = match (self.found.is_some(), search.way) {
                    (false, _) => "nowhere",
                    (true, Way::Back) => "nowhere above",
                    (true, Way::On) => "nowhere below",
                };
                self.outcome = Some(format!("{:?} is {beyond}", search.needle));
            }
        }
    }

    /// Handles a read error; the same is not requested again at once.
    pub(crate) fn fail(&mut self) {
        self.search = None;
    }

    /// Scrolls; from the end on, the log is followed.
    pub(crate) fn go(&mut self, to: Move, size: (usize, usize)) {
        let shape = self.shape(size);
        let page = shape.height.saturating_sub(1).max(1) as isize;
        let by = match to {
            Move::By(by) => by.into(),
            Move::Page(by) => isize::from(by) * page,
            Move::First => return self.window.start(),
            Move::Last => return self.window.follow(),
        };
        if by < 0 {
            self.window.up(by.unsigned_abs(), shape);
        } else {
            self.window.down(by.unsigned_abs(), shape);
        }
    }

    /// Follows the end of the log, or stops following.
    pub(crate) fn toggle_follow(&mut self, size: (usize, usize)) {
        if self.window.follows() { self.window.hold(self.shape(size)) } else { self.window.follow() }
    }

    /// Toggles wrapping of long lines.
    pub(crate) fn toggle_wrap(&mut self) {
        self.cut = !self.cut;
        self.left = 0;
    }

    /// Scrolls to the right, if lines are cut.
    pub(crate) fn sideways(&mut self, by: isize) {
        if self.cut {
            self.left = self.left.saturating_add_signed(by).min(line::LONGEST);
        }
    }

    /// Begins to type a search.
    pub(crate) fn type_search(&mut self) {
        self.typed = Some(Input::default());
    }

    /// Returns whether a search is being typed.
    pub(crate) fn typing(&self) -> bool {
        self.typed.is_some()
    }

    /// Edits the search; backspace in an empty one cancels it.
    pub(crate) fn edit(&mut self, edit: Edit) {
        let over = edit == Edit::Backspace && self.typed.as_ref().is_some_and(Input::is_empty);
        self.typed.take_if(|_| over);
        if let Some(text) = &mut self.typed {
            text.edit(edit);
        }
    }

    /// Cancels typing.
    pub(crate) fn cancel(&mut self) {
        self.typed = None;
    }

    /// Starts the typed search, from the end of the log upwards.
    pub(crate) fn accept(&mut self) {
        self.needle = self.typed.take().unwrap_or_default().text();
        (self.found, self.outcome, self.search) = (None, None, None);
        if !self.needle.is_empty() {
            self.seek(Way::Back, self.window.total());
        }
    }

    /// Goes to the next match above or below.
    pub(crate) fn next(&mut self, way: Way) {
        if self.needle.is_empty() {
            self.outcome = Some("no search: press / to start one".to_owned());
            return;
        }
        let from = match self.found {
            Some(at) if way == Way::Back => at,
            // After the line found: `at + 1` lies within it, and would find the rest of it again.
            Some(at) => self.window.end_of(at).unwrap_or(at + 1),
            None => self.window.total(),
        };
        self.seek(way, from);
    }

    fn seek(&mut self, way: Way, from: u64) {
        self.search = Some(Search { needle: self.needle.clone(), from, way });
    }

    /// The lines of the pane.
    pub(crate) fn lines(&self, shared: &Shared, size: (usize, usize), live: bool) -> Vec<Line<'static>> {
        let shape = self.shape(size);
        let theme = shared.theme;
        let mut out: Vec<Line<'static>> = Vec::with_capacity(size.1);
        for (_, line, range) in self.window.rows(shape) {
            let mut row = self.row(shared, line, range.start, range.end, shape);
            let last = range.end == line.text.len();
            if line.cut > 0 && last {
                let cut = number::count(line.cut as f64);
                row.push(Span::styled(format!(" +{cut} characters"), theme.dim()));
            }
            let found = self.found == Some(line.at) && range.start == 0;
            let mark = if found { theme.glyph("›", ">") } else { " " };
            let mut spans = vec![Span::styled(mark, if found { theme.accent() } else { Style::new() })];
            spans.append(&mut row);
            out.push(Line::from(spans));
        }
        out.resize(shape.height, Line::default());
        out.push(self.status(shared, live));
        out
    }

    /// The parts of a row, with matches highlighted.
    fn row(
        &self,
        shared: &Shared,
        line: &line::Line,
        from: usize,
        to: usize,
        shape: Shape,
    ) -> Vec<Span<'static>> {
        let marked: Vec<(usize, usize)> =
            if self.needle.is_empty() { Vec::new() } else { matches(&line.text, &self.needle).collect() };
        let (mut spans, mut at, mut column) = (Vec::new(), 0, 0);
        for (part, look) in line.parts() {
            let style = look.style(shared.theme);
            for c in part.chars() {
                let inside = (from..to).contains(&at);
                let wide = gradtop_chart::cells::text::width_of(c.encode_utf8(&mut [0; 4]));
                let shown = inside && column >= self.left && column + wide <= self.left + shape.width;
                if shown {
                    let hit = marked.iter().any(|(a, b)| (*a..*b).contains(&at));
                    let style = if hit { style.add_modifier(Modifier::REVERSED) } else { style };
                    match spans.last_mut() {
                        Some((text, last)) if *last == style => String::push(text, c),
                        _ => spans.push((c.to_string(), style)),
                    }
                }
                if inside {
                    column += wide;
                }
                at += c.len_utf8();
            }
        }
        let mut out: Vec<Span<'static>> = spans.into_iter().map(|(t, s)| Span::styled(t, s)).collect();
        if !shape.wrap && column > self.left + shape.width {
            out.push(Span::styled(shared.theme.glyph("›", ">"), shared.theme.dim()));
        }
        out
    }

    fn status(&self, shared: &Shared, live: bool) -> Line<'static> {
        let theme = shared.theme;
        if let Some(text) = &self.typed {
            let mut spans = vec![Span::styled(" find ", theme.accent())];
            spans.extend(text.spans(LONGEST, theme));
            spans.push(Span::styled("  lower case also matches capitals", theme.dim()));
            return Line::from(spans);
        }
        let mut parts = vec![number::bytes(self.window.total())];
        match (self.window.follows(), live) {
            (true, true) => parts.push("following".to_owned()),
            (true, false) => {}
            (false, true) => parts.push("scrolled back, F to follow".to_owned()),
            (false, false) => parts.push("scrolled back, F to the end".to_owned()),
        }
        if self.cut {
            parts.push("no wrap".to_owned());
        }
        if let Some(search) = &self.search {
            parts.push(format!("searching for {:?}…", search.needle));
        } else if let Some(outcome) = &self.outcome {
            parts.push(outcome.clone());
        } else if !self.needle.is_empty() {
            parts.push(format!("{:?}: n above, N below", self.needle));
        }
        Line::styled(shared.signs(&format!(" {}", parts.join(" · "))), theme.dim())
    }

    /// The size of the log, as last read.
    pub(crate) fn total(&self) -> u64 {
        self.window.total()
    }

    /// Returns whether the log was read and is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.window.loaded() && self.window.total() == 0
    }

    /// Returns whether the log was read.
    pub(crate) fn loaded(&self) -> bool {
        self.window.loaded()
    }
}
