//! The writer thread, which writes rows from memory to the journal.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::disk::inside;
use crate::error::{IoContext as _, Result, StoreError};
use crate::log::journal::{self, BATCH_ROWS, JournalWriter};
use crate::log::part::{list_segments, segment_name};
use crate::log::rows::Rows;
use crate::log::series::encode_line;

use super::hot::{Chunk, Command};
use super::sealer::{Sealer, Segment};
use super::shared::Shared;
use super::trouble::{RETRY, Who};

/// Number of rows that are written at once rather than after a delay.
const FLUSH_ROWS: usize = 1_024;
/// How often the writer checks for rows while points arrive. Waking it for each batch would cost the training thread more.
const TICK: Duration = Duration::from_millis(20);
/// After so long without a point, it sleeps until it is woken.
const IDLE: Duration = Duration::from_secs(2);
/// At the end, rows may wait this much longer to be written, because sealing them makes that unnecessary.
const SEAL_FIRST: Duration = Duration::from_millis(50);

pub(super) struct Writer {
    shared: Arc<Shared>,
    sealer: Sealer,
    /// The number of the current segment.
    segment: u32,
    /// The journal, once the segment has a row.
    journal: Option<JournalWriter>,
    /// All rows of the segment.
    rows: Rows,
    /// How many of them are encoded, and how many are in the file.
    encoded: usize,
    written: usize,
    /// Time of the last encoded row: the next batch must be later.
    last_time: i64,
    /// Time of the last row of each series. It differs between rows of a series, so it determines their order.
    last_times: Vec<i64>,
    /// When the segment's first row was logged.
    since: Instant,
    started: Instant,
    series_file: Option<File>,
    /// Length of the file's complete lines, and how many series they name.
    series_len: u64,
    series_written: usize,
    /// Journals of ended segments that may not be sealed yet.
    unsealed: Vec<PathBuf>,
    last_point: Instant,
    retry_at: Option<Instant>,
}

/// Releases all waiting threads when the writer ends, for any reason.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.troubles.died(Who::Writer, "the thread that writes the log panicked");
        }
        let mut hot = self.0.hot();
        hot.closed = true;
        hot.ended = true;
        // Their senders see the channel closed.
        hot.commands.clear();
        drop(hot);
        self.0.room.notify_all();
    }
}

impl Writer {
    pub(super) fn start(shared: &Arc<Shared>, segment: u32, series_len: u64) -> Result<JoinHandle<()>> {
        let sealer = Sealer::start(Arc::clone(shared))?;
        // Segments left by a crash, if the run was not recovered: later segments must not hide them.
        for (left, _) in list_segments(&shared.run, &shared.run.journal())? {
            sealer.seal(Segment { number: left, rows: None, journaled: true });
        }
        let now = Instant::now();
        let writer = Self {
            series_written: shared.series.lock().len(),
            shared: Arc::clone(shared),
            sealer,
            segment,
            journal: None,
            rows: Rows::default(),
            encoded: 0,
            written: 0,
            last_time: i64::MIN,
            last_times: Vec::new(),
            since: now,
            started: now,
            series_file: None,
            series_len,
            unsealed: Vec::new(),
            last_point: now,
            retry_at: None,
        };
        std::thread::Builder::new()
            .name("log-writer".into())
            .spawn(move || {
                let _ended = Ended(Arc::clone(&writer.shared));
                writer.run();
            })
            .at("start a thread for", &shared.run.journal())
    }

    fn run(mut self) {
        loop {
            let (chunks, commands) = self.next();
            if !chunks.is_empty() {
                self.absorb(chunks);
            }
            let retry = self.retry_at.is_none_or(|t| t <= Instant::now()) || !commands.is_empty();
            if retry {
                self.retry_at = None;
            }
            // Rows that are sealed at once need not be written twice; see `finish`.
            let finishes = commands.iter().any(|c| matches!(c, Command::Finish(_)));
            if self.written < self.rows.len() && retry && !finishes {
                self.note(Self::flush);
            }
            if retry && self.written == self.rows.len() && self.due() {
                self.note(Self::cut);
            }
            for command in commands {
                match command {
                    Command::Cut(answer) => {
                        let cut = self.durable_cut();
                        self.shared.troubles.note(Who::Writer, &cut);
                        // If the sender is gone, nobody needs the answer.
                        answer.send(cut).ok();
                    }
                    Command::Finish(answer) => {
                        answer.send(self.finish()).ok();
                        return;
                    }
                    Command::Close => {
                        self.note(Self::flush_if_needed);
                        // Nothing may touch the folder once the recorder is gone. What cannot be sealed is in the journal.
                        self.sealer.finish().ok();
                        return;
                    }
                }
            }
        }
    }

    /// Waits until there is work, and takes it.
    fn next(&mut self) -> (Vec<Chunk>, Vec<Command>) {
        let shared = Arc::clone(&self.shared);
        let mut hot = shared.hot();
        loop {
            let commands: Vec<Command> = hot.commands.drain(..).collect();
            let age = hot.waiting_oldest().map(|t| shared.clock.now().saturating_sub(t));
            if age.is_some() {
                self.last_point = Instant::now();
            }
            // One tick early, because the next one may be too late.
            let ripe = age
                .is_some_and(|a| a >= (shared.options.flush_after.saturating_sub(TICK)).as_micros() as i64);
            if !commands.is_empty() || hot.has_full() || ripe || hot.waiting() >= FLUSH_ROWS {
                return (hot.take(), commands);
            }
            let now = Instant::now();
            // After a failure, only the time to retry counts.
            let due =
                (!self.rows.is_empty() && self.retry_at.is_none()).then(|| self.since + self.age_limit());
            if due.is_some_and(|t| t <= now) || self.retry_at.is_some_and(|t| t <= now) {
                return (Vec::new(), commands);
            }
            let mut wait = TICK;
            if age.is_none() && self.last_point.elapsed() > IDLE && self.retry_at.is_none() {
                hot.asleep = true;
                wait = due.map_or(Duration::from_hours(1), |t| t - now);
            }
            shared.work.wait_for(&mut hot, wait);
        }
    }

    /// Turns calls into rows and returns the memory.
    fn absorb(&mut self, mut chunks: Vec<Chunk>) {
        if self.rows.is_empty() {
            self.since = Instant::now();
        }
        for chunk in &mut chunks {
            let rows = &mut self.rows;
            // Rows of this batch must be later than those of the last one, because readers track their position by time.
            let mut time = if self.encoded == rows.len() {
                self.last_time.saturating_add(1)
            } else {
                rows.time.last().copied().unwrap_or(i64::MIN)
            };
            let mut points = chunk.series.iter();
            for call in &chunk.calls {
                time = time.max(call.time);
                let n = call.points as usize;
                rows.step.extend(std::iter::repeat_n(call.step, n));
                rows.epoch.extend(std::iter::repeat_n(call.epoch, n));
                for series in points.by_ref().take(n) {
                    let series = *series as usize;
                    if series >= self.last_times.len() {
                        self.last_times.resize(series + 1, i64::MIN);
                    }
                    time = time.max(self.last_times[series].saturating_add(1));
                    self.last_times[series] = time;
                    rows.time.push(time);
                }
            }
            rows.series.extend_from_slice(&chunk.series);
            rows.value.extend_from_slice(&chunk.values);
            chunk.clear();
        }
        self.shared.hot().give_back(chunks);
    }

    /// Runs a fallible step and records its error until it succeeds.
    fn note(&mut self, step: fn(&mut Self) -> Result<()>) {
        let result = step(self);
        self.retry_at = result.is_err().then(|| Instant::now() + RETRY);
        self.shared.troubles.note(Who::Writer, &result);
    }

    /// Writes all rows to the journal.
    fn flush(&mut self) -> Result<()> {
        self.write_series()?;
        let journal = match &mut self.journal {
            Some(journal) => journal,
            None => self.journal.insert(JournalWriter::create(&self.shared.run, self.segment)?),
        };
        if self.encoded < self.rows.len() {
            journal.append(&self.rows, self.encoded..self.rows.len());
            self.encoded = self.rows.len();
            self.last_time = self.rows.time.last().copied().unwrap_or(self.last_time);
        }
        journal.flush()?;
        let new = self.rows.len() - self.written;
        self.written = self.rows.len();
        self.recorded(new as u64);
        Ok(())
    }

    /// Appends lines for new series, before the first row that uses them.
    fn write_series(&mut self) -> Result<()> {
        let path = self.shared.run.series();
        let mut text = Vec::new();
        let count = {
            let table = self.shared.series.lock();
            for (n, (key, unit)) in table.all().iter().enumerate().skip(self.series_written) {
                text.extend(encode_line(n as u32, key, unit.as_deref(), &path)?);
            }
            table.len()
        };
        if text.is_empty() {
            return Ok(());
        }
        let file = match &self.series_file {
            Some(file) => file,
            None => self.series_file.insert(inside::edit(&self.shared.run, &path).at("open", &path)?),
        };
        if let Err(e) = file.write_all_at(&text, self.series_len) {
            file.set_len(self.series_len).ok();
            return Err(e).at("write", &path);
        }
        self.series_len += text.len() as u64;
        self.series_written = count;
        Ok(())
    }

    fn age_limit(&self) -> Duration {
        let (least, most) = self.shared.options.seal_age;
        (self.started.elapsed() / 4).clamp(least, most.max(least))
    }

    /// Returns whether the segment is full or old.
    fn due(&self) -> bool {
        let n = self.rows.len();
        n > 0 && (n >= self.shared.options.seal_rows || self.since.elapsed() >= self.age_limit())
    }

    /// Ends the segment with all rows in the journal and hands it to the sealer.
    fn cut(&mut self) -> Result<()> {
        if let Some(journal) = &mut self.journal {
            journal.end()?;
            self.unsealed.retain(|p| inside::exists(&self.shared.run, p));
            self.unsealed.push(journal.path().to_owned());
        }
        if !self.rows.is_empty() {
            let rows = Arc::new(std::mem::take(&mut self.rows));
            self.rows.series.reserve(rows.len().min(1 << 16));
            self.sealer.seal(Segment { number: self.segment, rows: Some(rows), journaled: true });
            self.segment += 1;
        }
        self.journal = None;
        (self.encoded, self.written) = (0, 0);
        Ok(())
    }

    /// Ends the segment, syncs all journals, and returns the number of the last segment.
    fn durable_cut(&mut self) -> Result<u32> {
        self.flush_if_needed()?;
        // Sync before a later segment can be sealed, let alone merged with this one.
        let last = self.segment - u32::from(self.rows.is_empty());
        self.shared.pending.lock().segment = Some(last);
        self.cut()?;
        let run = &self.shared.run;
        for path in &self.unsealed {
            journal::sync(run, path)?;
        }
        journal::sync(run, &run.series())?;
        inside::sync_dir(run, &run.journal()).at("sync", &run.journal())?;
        Ok(self.segment - 1)
    }

    fn flush_if_needed(&mut self) -> Result<()> {
        if self.written < self.rows.len() { self.flush() } else { Ok(()) }
    }

    /// Seals everything. Rows that are not yet in the journal are sealed from memory if that is fast enough, else they
    /// are journaled meanwhile. If the journal fails, sealing may still succeed: Parquet needs a tenth of the space.
    fn finish(&mut self) -> Result<()> {
        self.write_series().ok();
        let rows = Arc::new(std::mem::take(&mut self.rows));
        let unwritten = rows.time.get(self.written).copied();
        if !rows.is_empty() {
            let journaled = unwritten.is_none();
            self.sealer.seal(Segment { number: self.segment, rows: Some(Arc::clone(&rows)), journaled });
        }
        self.sealer.close();
        if let Some(oldest) = unwritten {
            let age = self.shared.clock.now().saturating_sub(oldest);
            let age = Duration::from_micros(u64::try_from(age).unwrap_or(0));
            let limit = self.shared.options.flush_after + SEAL_FIRST;
            if !self.sealer.has_sealed(limit.saturating_sub(age)) {
                // If this fails, sealing may still succeed.
                self.journal_rest(&rows, true).ok();
            }
        }
        if let Err(e) = self.sealer.finish() {
            self.journal_rest(&rows, false).ok();
            let rows = (rows.len() - self.written) as u64;
            return match e.patience() {
                _ if rows > 0 => Err(StoreError::Lost { rows, table_rows: 0, why: e.in_words() }),
                // Everything is in the journal; recovery seals it once there is space.
                Some(_) if self.shared.troubles.given_up() => Ok(()),
                _ => Err(e),
            };
        }
        let new = self.shared.hot().behind();
        self.recorded(new);
        let shared = Arc::clone(&self.shared);
        shared.troubles.persist(Who::Writer, || {
            self.write_series()?;
            // A journal that was created or written after its rows were sealed.
            let journal = self.journal_path();
            inside::remove_file(&self.shared.run, &journal).at("remove", &journal).map(drop)
        })
    }

    /// Records that `new` more points are safe.
    fn recorded(&self, new: u64) {
        self.shared.hot().recorded += new;
        self.shared.room.notify_all();
    }

    /// Writes the rest of the last segment to the journal; with `unless_sealed`, only while it is not sealed.
    fn journal_rest(&mut self, rows: &Rows, unless_sealed: bool) -> Result<()> {
        self.write_series()?;
        while self.written < rows.len() {
            if unless_sealed && self.sealer.has_sealed(Duration::ZERO) {
                return Ok(());
            }
            let journal = match &mut self.journal {
                Some(journal) => journal,
                none => none.insert(JournalWriter::create(&self.shared.run, self.segment)?),
            };
            let some = self.encoded..rows.len().min(self.encoded + BATCH_ROWS);
            self.encoded = some.end;
            journal.append(rows, some);
            journal.flush()?;
            self.recorded((self.encoded - self.written) as u64);
            self.written = self.encoded;
        }
        self.journal.as_mut().map_or(Ok(()), JournalWriter::end)
    }

    /// Returns the path of the current segment.
    fn journal_path(&self) -> PathBuf {
        self.shared.run.journal().join(segment_name(self.segment))
    }
}
