//! Scrolling of lists.

/// A movement in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// So many lines down.
    By(i8),
    /// So many pages down.
    Page(i8),
    /// To the first line.
    First,
    /// To the last line.
    Last,
}

/// A step to one of two sides: to less or more, to the one before or the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To less, the one before, the left, below or out.
    Back,
    /// To more, the next, the right, above or in.
    On,
}

impl Way {
    /// The index of the neighbour of `at` among `n`, where the last is followed by the first.
    pub(crate) fn around(self, at: usize, n: usize) -> usize {
        match self {
            Self::Back => (at + n.saturating_sub(1)) % n.max(1),
            Self::On => (at + 1) % n.max(1),
        }
    }
}

impl Move {
    /// The new position in a list of `len` lines with so many per page.
    pub(crate) fn from(self, at: usize, len: usize, page: usize) -> usize {
        let last = len.saturating_sub(1);
        match self {
            Self::By(by) => at.saturating_add_signed(by.into()).min(last),
            Self::Page(by) => at.saturating_add_signed(isize::from(by) * page.max(1) as isize).min(last),
            Self::First => 0,
            Self::Last => last,
        }
    }
}

/// The first visible line of `len` in `height` rows, such that the cursor is in the middle if possible.
pub(crate) fn around(cursor: usize, len: usize, height: usize) -> usize {
    cursor.saturating_sub(height / 2).min(len.saturating_sub(height))
}

/// The scroll position of a list that may grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scroll {
    top: usize,
    /// Whether it stays at the end while the list grows.
    follow: bool,
}

impl Scroll {
    /// Creates one that stays at the end.
    pub(crate) fn at_end() -> Self {
        Self { top: 0, follow: true }
    }

    /// The first visible line of `len` in `height` rows.
    pub(crate) fn top(self, len: usize, height: usize) -> usize {
        let last = len.saturating_sub(height);
        if self.follow { last } else { self.top.min(last) }
    }

    #[cfg(test)]
    pub(crate) fn follows(self) -> bool {
        self.follow
    }

    /// Scrolls. A growing list is followed once its end is reached.
    pub(crate) fn go(&mut self, to: Move, len: usize, height: usize, grows: bool) {
        let last = len.saturating_sub(height);
        let by = |by: isize| self.top(len, height).saturating_add_signed(by).min(last);
        let (top, down) = match to {
            Move::By(n) => (by(n.into()), n > 0),
            Move::Page(n) => (by(isize::from(n) * (height as isize - 1).max(1)), n > 0),
            Move::First => (0, false),
            Move::Last => (last, true),
        };
        *self = Self { top, follow: grows && top == last && (down || self.follow && last == 0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_left_and_found_again() {
        let mut scroll = Scroll::at_end();
        assert_eq!(scroll.top(100, 10), 90);
        assert_eq!(scroll.top(120, 10), 110);
        scroll.go(Move::By(-3), 120, 10, true);
        assert_eq!(scroll.top(150, 10), 107);
        scroll.go(Move::Page(100), 150, 10, true);
        assert_eq!(scroll.top(160, 10), 150);
        scroll.go(Move::First, 160, 10, true);
        assert_eq!(scroll.top(160, 10), 0);
        scroll.go(Move::Last, 160, 10, false);
        assert_eq!((scroll.top(160, 10), scroll.top(170, 10)), (150, 150));
    }

    #[test]
    fn a_short_list_does_not_scroll() {
        let mut scroll = Scroll::default();
        scroll.go(Move::By(5), 3, 10, false);
        assert_eq!(scroll.top(3, 10), 0);
        let mut followed = Scroll::at_end();
        followed.go(Move::By(-1), 3, 10, true);
        assert!(followed.follows(), "all of it is here still");
    }
}
