//! Flow control: estimates how far the terminal is behind our output.
//!
//! Between us and a remote terminal lie buffers that hold far more than the line carries quickly, and nothing tells us when
//! output becomes visible. So some frames are followed by a status query, which every terminal answers once it gets there.
//! Until the response arrives, little more is written; after that, the current state is drawn. A terminal that has never
//! responded is written to without limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The most unacknowledged bytes when new data is drawn, and when the user waits for the effect of a key.
const DATA: usize = 2_000;
const KEYS: usize = 4_000;
/// A query follows a frame after so many bytes, or so much time, since the last one.
const ASK_BYTES: usize = 1_000;
const ASK_EVERY: Duration = Duration::from_secs(1);
/// New data waits for a response that takes longer than this and than twice the last one.
const LATE: Duration = Duration::from_millis(500);
/// Smaller delays are not reported.
const TOLD: Duration = Duration::from_secs(1);
/// A terminal that responds faster is on this machine or close to it.
const FAR: Duration = Duration::from_millis(10);
/// If keys arrive but no response for so long, the terminal has stopped responding.
const DEAF: Duration = Duration::from_secs(10);

/// The state of the connection to the terminal.
#[derive(Debug, Default)]
pub(super) struct FlowControl {
    /// It has responded before.
    answers: bool,
    /// When the pending query was sent.
    asked: Option<Instant>,
    /// When the last query was sent.
    last: Option<Instant>,
    /// Bytes written since the last acknowledged query, and since the last query.
    unanswered: usize,
    since: usize,
    /// The last two response times.
    took: [Duration; 2],
    /// The first key since the query.
    key: Option<Instant>,
    /// Tells the input reader that a response is expected.
    due: Arc<AtomicBool>,
}

impl FlowControl {
    pub(super) fn new(due: Arc<AtomicBool>) -> Self {
        Self { due, ..Self::default() }
    }

    /// Returns whether a frame may be written now. `urgent`: the user is waiting for it.
    pub(super) fn open(&self, now: Instant, urgent: bool) -> bool {
        let Some(asked) = self.asked.filter(|_| self.answers) else { return true };
        if urgent {
            return self.unanswered < KEYS;
        }
        let late = LATE.max(2 * self.took[0].min(TOLD));
        self.unanswered < DATA && now.saturating_duration_since(asked) < late
    }

    /// Returns whether a frame of this size should be followed by a query.
    pub(super) fn ask(&self, now: Instant, bytes: usize) -> bool {
        let due = self.last.is_none_or(|last| now.saturating_duration_since(last) >= ASK_EVERY);
        self.asked.is_none() && (due || self.answers && self.unanswered + bytes >= ASK_BYTES)
    }

    /// Records a written frame, and whether a query followed.
    pub(super) fn written(&mut self, now: Instant, bytes: usize, asked: bool) {
        self.unanswered += bytes;
        self.since += bytes;
        if asked {
            (self.asked, self.last, self.since, self.key) = (Some(now), Some(now), 0, None);
            self.due.store(true, Ordering::SeqCst);
        }
    }

    /// Records a response.
    pub(super) fn answered(&mut self, now: Instant) {
        let Some(asked) = self.asked.take() else { return };
        self.answers = true;
        self.took = [now.saturating_duration_since(asked), self.took[0]];
        self.unanswered = self.since;
        self.due.store(false, Ordering::SeqCst);
    }

    /// Records a key, which proves that input arrives.
    pub(super) fn key(&mut self, now: Instant) {
        if self.asked.is_some() {
            let first = *self.key.get_or_insert(now);
            self.answers &= now.saturating_duration_since(first) < DEAF;
        }
    }

    /// Forgets the pending query: this may be another terminal, which will not respond to it.
    pub(super) fn renewed(&mut self) {
        *self = Self::new(Arc::clone(&self.due));
    }

    /// Returns whether a response may be on its way.
    pub(super) fn waiting(&self, now: Instant) -> bool {
        let young = |asked: Instant| now.saturating_duration_since(asked) < DEAF;
        self.asked.is_some_and(|asked| self.answers || young(asked))
    }

    /// Returns whether frames take noticeable time to appear.
    pub(super) fn is_far(&self) -> bool {
        self.answers && self.took[0].min(self.took[1]) >= FAR
    }

    /// Returns how far the screen is behind, if worth reporting: both of the last response times, or the age of the pending
    /// query if that is longer. A single slow response may have been a short interruption.
    pub(super) fn behind(&self, now: Instant) -> Option<Duration> {
        let pending = self.asked.map(|asked| now.saturating_duration_since(asked)).unwrap_or_default();
        let behind = pending.max(self.took[0].min(self.took[1]));
        (self.answers && behind >= TOLD).then_some(behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Creates a link whose first frame was answered after `ms` milliseconds. Also returns the current time.
    fn answered_after(ms: u32) -> (FlowControl, Instant) {
        let start = Instant::now();
        let mut link = FlowControl::new(Arc::default());
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
        let mut link = FlowControl::new(Arc::default());
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
        // Ten frames a second for 45 s.
        let mut sent = 0;
        for frame in 0..450 {
            let now = start + frame * 100 * MS;
            if link.open(now, false) {
                link.written(now, 300, link.ask(now, 300));
                sent += 300;
            }
        }
        assert!(sent <= 2_400, "{sent}");
        // One more key is answered; further keys wait, too.
        let end = start + 45_000 * MS;
        assert!(link.open(end, true));
        assert_eq!(link.behind(end).map(|d| d.as_secs() > 40), Some(true));
        link.written(end, 4_000, link.ask(end, 4_000));
        assert!(!link.open(end, true));
        // After a late response, everything is back to normal.
        link.answered(end);
        assert!(link.open(end, false) && link.behind(end).is_none());
    }

    #[test]
    fn a_slow_link_is_told_and_a_quick_one_is_not() {
        let (mut link, mut now) = answered_after(20);
        for (pending, behind) in [(None, None), (None, Some(2)), (Some(2), Some(2))] {
            link.written(now, 1_500, link.ask(now, 1_500));
            assert_eq!(link.behind(now + 100 * MS).map(|d| d.as_secs()), pending, "of the answers before");
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
        // It responds after all.
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
