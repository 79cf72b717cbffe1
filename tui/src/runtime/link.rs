//! How far the terminal has come with what it was sent.
//!
//! Between the program and a terminal far away lie buffers that take much more than the line can carry: what is written is
//! gone, and nobody says whether it was seen. So now and then a frame is followed by a question that every terminal answers
//! once it has come to it. While the answer is due, little more is written; what would have been is drawn, as of then, once the
//! answer is there. A terminal that has never answered is written to as if it had.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Bytes that may be on their way when data is to be drawn, and when a person waits for the effect of a key.
const DATA: usize = 2_000;
const KEYS: usize = 4_000;
/// A frame is followed by a question after so many bytes, or so much time, without one.
const ASK_BYTES: usize = 1_000;
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Data waits for an answer that is later than this, and than twice what the last one took.
const LATE: Duration = Duration::from_millis(500);
/// Behind by less is not worth telling.
const TOLD: Duration = Duration::from_secs(1);
/// A terminal that answers within this is on this machine, or near it.
const FAR: Duration = Duration::from_millis(10);
/// Keys come, and no answer for so long: this terminal does not answer any more.
const DEAF: Duration = Duration::from_secs(10);

/// What is known of the way to the terminal.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// It has answered.
    answers: bool,
    /// Since when an answer is due.
    asked: Option<Instant>,
    /// The last question.
    last: Option<Instant>,
    /// Bytes written since the last question that was answered, and since the last one.
    unanswered: usize,
    since: usize,
    /// What the last two answers took.
    took: [Duration; 2],
    /// The first key since the question.
    key: Option<Instant>,
    /// For who reads what the terminal says.
    due: Arc<AtomicBool>,
}

impl Link {
    pub(super) fn new(due: Arc<AtomicBool>) -> Self {
        Self { due, ..Self::default() }
    }

    /// Whether a frame may be written now, that a person waits for or not.
    pub(super) fn open(&self, now: Instant, urgent: bool) -> bool {
        let Some(asked) = self.asked.filter(|_| self.answers) else { return true };
        if urgent {
            return self.unanswered < KEYS;
        }
        let late = LATE.max(2 * self.took[0].min(TOLD));
        self.unanswered < DATA && now.saturating_duration_since(asked) < late
    }

    /// Whether a frame of so many bytes is to be followed by a question.
    pub(super) fn ask(&self, now: Instant, bytes: usize) -> bool {
        let due = self.last.is_none_or(|last| now.saturating_duration_since(last) >= ASK_EVERY);
        self.asked.is_none() && (due || self.answers && self.unanswered + bytes >= ASK_BYTES)
    }

    /// A frame of so many bytes was written, and a question after it or not.
    pub(super) fn written(&mut self, now: Instant, bytes: usize, asked: bool) {
        self.unanswered += bytes;
        self.since += bytes;
        if asked {
            (self.asked, self.last, self.since, self.key) = (Some(now), Some(now), 0, None);
            self.due.store(true, Ordering::SeqCst);
        }
    }

    /// The terminal has shown what was written before the last question.
    pub(super) fn answered(&mut self, now: Instant) {
        let Some(asked) = self.asked.take() else { return };
        self.answers = true;
        self.took = [now.saturating_duration_since(asked), self.took[0]];
        self.unanswered = self.since;
        self.due.store(false, Ordering::SeqCst);
    }

    /// A key came, so what the terminal says arrives.
    pub(super) fn key(&mut self, now: Instant) {
        if self.asked.is_some() {
            let first = *self.key.get_or_insert(now);
            self.answers &= now.saturating_duration_since(first) < DEAF;
        }
    }

    /// Another terminal perhaps: an answer that is due still may never come.
    pub(super) fn renewed(&mut self) {
        *self = Self::new(Arc::clone(&self.due));
    }

    /// Whether an answer may be on its way.
    pub(super) fn waiting(&self, now: Instant) -> bool {
        let young = |asked: Instant| now.saturating_duration_since(asked) < DEAF;
        self.asked.is_some_and(|asked| self.answers || young(asked))
    }

    /// Whether a frame takes a while to be seen.
    pub(super) fn is_far(&self) -> bool {
        self.answers && self.took[0].min(self.took[1]) >= FAR
    }

    /// How far what a person sees is behind, if it is worth telling: since when an answer is due, or what each of the last two
    /// took. One alone may be of a line that was cut and is well again.
    pub(super) fn behind(&self, now: Instant) -> Option<Duration> {
        let behind = match self.asked {
            Some(asked) => now.saturating_duration_since(asked),
            None => self.took[0].min(self.took[1]),
        };
        (self.answers && behind >= TOLD).then_some(behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A link whose first frame was answered after so many milliseconds, and now.
    fn answered_after(ms: u32) -> (Link, Instant) {
        let start = Instant::now();
        let mut link = Link::new(Arc::default());
        assert!(link.open(start, false) && link.ask(start, 10));
        link.written(start, 5_000, true);
        assert!(link.due.load(Ordering::SeqCst));
        let now = start + ms * MS;
        link.answered(now);
        assert!(!link.due.load(Ordering::SeqCst));
        (link, now)
    }

    #[test]
    fn a_terminal_is_far_once_two_answers_took_their_time() {
        let (mut link, mut now) = answered_after(30);
        assert!(!link.is_far());
        for took in [30, 1] {
            link.written(now, 10, true);
            now += took * MS;
            link.answered(now);
            assert_eq!(link.is_far(), took == 30);
        }
    }

    #[test]
    fn a_terminal_that_never_answers_is_written_to_as_ever() {
        let start = Instant::now();
        let mut link = Link::new(Arc::default());
        link.written(start, 100_000, true);
        for s in 0..100 {
            let now = start + s * 1000 * MS;
            assert!(link.open(now, false) && link.open(now, true) && link.behind(now).is_none());
            assert!(!link.ask(now, 5_000), "it is asked once");
            link.written(now, 5_000, false);
        }
    }

    #[test]
    fn without_an_answer_little_is_written() {
        let (mut link, start) = answered_after(20);
        // Ten frames a second, for 45 s.
        let mut sent = 0;
        for frame in 0..450 {
            let now = start + frame * 100 * MS;
            if link.open(now, false) {
                link.written(now, 300, link.ask(now, 300));
                sent += 300;
            }
        }
        assert!(sent <= 2_400, "{sent}");
        // Keys are answered once more, and then wait too.
        let end = start + 45_000 * MS;
        assert!(link.open(end, true));
        assert_eq!(link.behind(end).map(|d| d.as_secs() > 40), Some(true));
        link.written(end, 4_000, link.ask(end, 4_000));
        assert!(!link.open(end, true));
        // One late answer, and all is as before.
        link.answered(end);
        assert!(link.open(end, false) && link.behind(end).is_none());
    }

    #[test]
    fn a_slow_link_is_told_and_a_quick_one_is_not() {
        let (mut link, mut now) = answered_after(20);
        for behind in [None, Some(2), Some(2)] {
            link.written(now, 1_500, link.ask(now, 1_500));
            now += 2_000 * MS;
            link.answered(now);
            assert_eq!(link.behind(now).map(|d| d.as_secs()), behind);
        }
        link.written(now, 1_500, true);
        link.answered(now + 100 * MS);
        assert_eq!(link.behind(now + 100 * MS), None);
    }

    #[test]
    fn a_terminal_that_grows_deaf_is_found_by_the_keys_that_come() {
        let (mut link, now) = answered_after(20);
        link.written(now, 3_000, true);
        link.key(now + 1_000 * MS);
        assert!(!link.open(now + 5_000 * MS, false));
        link.key(now + 12_000 * MS);
        assert!(link.open(now + 12_000 * MS, false));
        // It answers after all.
        link.answered(now + 13_000 * MS);
        link.written(now + 13_000 * MS, 3_000, true);
        assert!(!link.open(now + 13_000 * MS, false));
    }

    #[test]
    fn questions_are_few() {
        let (mut link, start) = answered_after(1);
        let mut asked = 0;
        for frame in 0..100 {
            let now = start + frame * 100 * MS;
            let ask = link.ask(now, 20);
            asked += u32::from(ask);
            link.written(now, 20, ask);
            link.answered(now + MS);
        }
        assert!((9..=11).contains(&asked), "{asked} in 10 s of frames of 20 bytes");
    }
}
