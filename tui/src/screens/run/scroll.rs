//! Which lines of a list are on the screen.

/// The lines shown of a list that may grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scroll {
    top: usize,
    /// Stays at the end while the list grows.
    follow: bool,
}

impl Scroll {
    /// At the end, and staying there.
    pub(crate) fn at_end() -> Self {
        Self { top: 0, follow: true }
    }

    /// The first line shown, of `len` in `height` rows.
    pub(crate) fn top(self, len: usize, height: usize) -> usize {
        let last = len.saturating_sub(height);
        if self.follow { last } else { self.top.min(last) }
    }

    /// Whether it stays at the end.
    #[cfg(test)]
    pub(crate) fn follows(self) -> bool {
        self.follow
    }

    /// Scrolls down, or up where `by` is negative. A list that was followed is followed again from its end on.
    pub(crate) fn by(&mut self, by: isize, len: usize, height: usize, follow: bool) {
        let last = len.saturating_sub(height);
        let top = self.top(len, height).saturating_add_signed(by).min(last);
        *self = Self { top, follow: follow && top == last && (by > 0 || self.follow && last == 0) };
    }

    /// To the first line.
    pub(crate) fn start(&mut self) {
        *self = Self::default();
    }

    /// To the last line; followed if it may grow.
    pub(crate) fn end(&mut self, len: usize, height: usize, follow: bool) {
        *self = Self { top: len.saturating_sub(height), follow };
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
        scroll.by(-3, 120, 10, true);
        assert_eq!(scroll.top(150, 10), 107);
        scroll.by(1000, 150, 10, true);
        assert_eq!(scroll.top(160, 10), 150);
        scroll.start();
        assert_eq!(scroll.top(160, 10), 0);
        scroll.end(160, 10, false);
        assert_eq!((scroll.top(160, 10), scroll.top(170, 10)), (150, 150));
    }

    #[test]
    fn a_short_list_does_not_scroll() {
        let mut scroll = Scroll::default();
        scroll.by(5, 3, 10, false);
        assert_eq!(scroll.top(3, 10), 0);
        let mut followed = Scroll::at_end();
        followed.by(-1, 3, 10, true);
        assert!(followed.follows(), "all of it is here still");
    }
}
