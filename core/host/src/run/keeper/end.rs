//! The end of a run: what its log still lacks, and its last status.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gradtop_store::{
    Event, EventLog, RunDir, RunLock, State, Status, counted, give_up_reserve, read_manifest, read_status,
    recover, write_status,
};
use jiff::Timestamp;

use crate::run::alerts::Guard;

/// Delay between attempts to write the end.
const AGAIN: Duration = Duration::from_millis(500);

/// A run whose processes have ended.
pub(super) struct Ending<'a> {
    pub(super) run: &'a RunDir,
    pub(super) lock: &'a RunLock,
    pub(super) events: &'a EventLog,
    pub(super) alerts: Option<&'a Guard>,
    /// Set by SIGTERM.
    pub(super) terminated: &'a AtomicBool,
    /// Whether the recording process has reported its end, with the rows that are lost.
    pub(super) reported: bool,
}

impl Ending<'_> {
    /// Recovers the folder and writes the end.
    pub(super) fn write(&self, state: State, cause: Option<String>) {
        self.recover_rows();
        if let Some(alerts) = self.alerts {
            alerts.catch_up();
        }
        let mut status = read_status(self.run).unwrap_or_default();
        let waiting = status.waiting.take().and_then(|waiting| waiting.rows);
        let lost = waiting.filter(|rows| *rows > 0 && !self.reported);
        let cause = cause.map(|cause| with_lost_rows(&crate::text::clean(&cause), lost));
        // A trainer that was killed or suspended has not said how long the run was at work.
        let took = status.outcome.is_none().then(|| status.took(Timestamp::now())).flatten();
        (status.schema, status.state) = (gradtop_store::SCHEMA, state);
        (status.cause, status.outcome) = (cause.clone(), None);
        if state != State::Finished || waiting.is_some() {
            gradtop_store::settle(self.run, &mut status);
        }
        status.elapsed_s = status.elapsed_s.map(|elapsed| took.map_or(elapsed, |took| took.max(elapsed)));
        // These describe only the last moments.
        (status.eta_s, status.steps_per_s, status.sink) = (None, None, None);
        status.updated = Timestamp::now();
        // The clock may have been set back since.
        status.ended = status.started.max(Some(status.updated)).filter(|_| state.is_final());
        // The table before the status: whoever sees a final state finds everything complete.
        let written = read_manifest(self.run)
            .and_then(|manifest| gradtop_store::write_run_table(self.run, &manifest, &status));
        if let Err(e) = written {
            status.unsettled = true;
            self.events.warn(format!("the table of runs could not be written: {e}"));
        }
        self.events.record(&Event::State { state, cause });
        // Before the status: the observer of a final status may end this process, as the first process of a container does.
        if waiting.is_none() {
            give_up_reserve(self.run);
        }
        self.write_status(&status);
        give_up_reserve(self.run);
        self.events.flush().ok();
    }

    /// Recovers rows from the journal. Does nothing if the trainer ended properly and has sealed its log.
    fn recover_rows(&self) {
        match recover(self.run, self.lock) {
            Ok(done) if done.rows_recovered > 0 || done.torn_bytes > 0 => {
                self.events.warn(counted(done.rows_recovered, "row", "rows") + " recovered from the journal");
            }
            Ok(_) => {}
            Err(e) => self.events.warn(format!("the log could not be recovered: {e}")),
        }
    }

    /// Writes the last status, retrying if the disk fails, unless told to end.
    fn write_status(&self, status: &Status) {
        let start = Instant::now();
        self.terminated.store(false, Ordering::Release);
        while let Err(e) = write_status(self.run, status) {
            let over = e.patience().is_none_or(|patience| start.elapsed() >= patience);
            if over || self.terminated.load(Ordering::Acquire) {
                self.events.warn(format!("the last status could not be written: {e}"));
                return;
            }
            self.events.flush().ok();
            std::thread::sleep(AGAIN);
        }
    }
}

/// Adds to a cause how many rows are lost.
fn with_lost_rows(cause: &str, rows: Option<u64>) -> String {
    let (one, many) = ("row that waited for the disk is", "rows that waited for the disk are");
    let lost = rows.map(|rows| format!("; {} lost", counted(rows, one, many)));
    format!("{cause}{}", lost.unwrap_or_default())
}
