//! The table thread, which writes each batch of rows as a part.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parking_lot::{Condvar, Mutex};

use crate::error::{IoContext as _, Result, StoreError};
use crate::folder::run_table::yield_params;
use crate::log::checkpoint::table_boundaries;
use crate::log::merge::{Policy, merge};
use crate::log::part::{list_parts, names};
use crate::sealed::table::{
    PARAMS_TABLE, TableColumn, TableParts, check, check_same, existing_schema, to_batch, write_part,
};

use super::shared::Shared;
use super::trouble::Who;

/// Number of waiting bytes beyond which `log_table` waits.
const MAX_WAITING: usize = 64 << 20;
/// Rows of one table logged within this time share a part.
const GATHER: Duration = Duration::from_millis(50);

enum Job {
    Rows(String, RecordBatch),
    /// Write everything received so far; the answer is the last part of each table.
    Sync(Sender<Result<BTreeMap<String, u32>>>),
}

/// The recorder's handle of the table thread.
pub(super) struct Tables {
    shared: Arc<Shared>,
    state: Mutex<State>,
    waiting: Arc<Waiting>,
}

#[derive(Default)]
struct State {
    schemas: HashMap<String, SchemaRef>,
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<Result<()>>>,
    finished: bool,
}

/// Number of bytes handed over but not yet written.
#[derive(Default)]
struct Waiting {
    bytes: Mutex<usize>,
    room: Condvar,
}

impl Tables {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, state: Mutex::default(), waiting: Arc::default() }
    }

    pub(super) fn append(&self, name: &str, step: i64, columns: Vec<TableColumn>) -> Result<()> {
        let schema = check(name, &columns)?;
        let mut state = self.state.lock();
        if state.finished {
            return Ok(());
        }
        let old = if let Some(old) = state.schemas.get(name) {
            Some(old.clone())
        } else {
            let run = &self.shared.run;
            self.shared.troubles.persist(Who::Caller, || {
                if name == PARAMS_TABLE {
                    yield_params(run)?;
                }
                existing_schema(run, name)
            })?
        };
        if let Some(old) = &old {
            check_same(name, old, &schema)?;
        }
        state.schemas.entry(name.to_owned()).or_insert_with(|| old.unwrap_or_else(|| schema.clone()));
        let batch = to_batch(name, schema, step, columns)?;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.start(&mut state)?;
        self.wait_for_room(batch.get_array_memory_size());
        Self::send(&state, Job::Rows(name.to_owned(), batch))
    }

    /// Writes everything handed over so far and returns the last part of each table.
    pub(super) fn sync(&self) -> Result<BTreeMap<String, u32>> {
        let (answer, answered) = channel();
        {
            let state = self.state.lock();
            if state.thread.is_none() {
                return last_parts(&self.shared);
            }
            Self::send(&state, Job::Sync(answer))?;
        }
        answered.recv().map_err(|_| ended())?
    }

    /// Stops accepting rows; the thread writes what it has, merges, and ends.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.finished = true;
        state.jobs = None;
    }

    /// Waits for the thread to end.
    pub(super) fn finish(&self) -> Result<()> {
        self.close();
        let thread = self.state.lock().thread.take();
        thread.map_or(Ok(Ok(())), JoinHandle::join).unwrap_or_else(|_| Err(ended()))
    }

    fn start(&self, state: &mut State) -> Result<()> {
        if state.thread.is_some() || state.finished {
            return Ok(());
        }
        let (jobs, receiver) = channel();
        let worker = Worker {
            shared: Arc::clone(&self.shared),
            waiting: Arc::clone(&self.waiting),
            last: last_parts(&self.shared)?,
            held: BTreeMap::new(),
        };
        let thread = std::thread::Builder::new()
            .name("log-tables".into())
            .spawn(move || worker.run(&receiver))
            .at("start a thread for", &self.shared.run.tables())?;
        (state.jobs, state.thread) = (Some(jobs), Some(thread));
        Ok(())
    }

    fn send(state: &State, job: Job) -> Result<()> {
        state.jobs.as_ref().ok_or_else(ended)?.send(job).map_err(|_| ended())
    }

    /// Waits until less is pending, and adds `bytes` to it.
    fn wait_for_room(&self, bytes: usize) {
        let mut waiting = self.waiting.bytes.lock();
        if *waiting > MAX_WAITING {
            let start = std::time::Instant::now();
            while *waiting > MAX_WAITING && !self.shared.hot().hurried {
                self.waiting.room.wait_for(&mut waiting, Duration::from_millis(100));
            }
            self.shared.hot().wait += start.elapsed();
        }
        *waiting += bytes;
    }
}

/// The error of whoever asks a recorder that is no more.
pub(super) fn ended() -> StoreError {
    StoreError::Writer("the recorder has finished".to_owned())
}

/// Returns the highest part number of each table; numbers set aside are not reused.
fn last_parts(shared: &Shared) -> Result<BTreeMap<String, u32>> {
    let mut last = BTreeMap::new();
    let run = &shared.run;
    let mut folders = vec![run.tables()];
    folders
        .extend(names(run, &run.superseded())?.into_iter().map(|n| run.superseded().join(n).join("tables")));
    for folder in folders {
        for table in names(run, &folder)? {
            if let Some(part) = list_parts(run, &folder.join(&table))?.last() {
                let number = last.entry(table).or_insert(0);
                *number = part.last.max(*number);
            }
        }
    }
    Ok(last)
}

struct Worker {
    shared: Arc<Shared>,
    waiting: Arc<Waiting>,
    last: BTreeMap<String, u32>,
    /// Unwritten rows by table.
    held: BTreeMap<String, Vec<RecordBatch>>,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) -> Result<()> {
        loop {
            let job = if self.held.is_empty() {
                jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                jobs.recv_timeout(GATHER)
            };
            match job {
                Ok(Job::Rows(name, batch)) => {
                    self.held.entry(name).or_default().push(batch);
                    let held: usize = self.held.values().map(Vec::len).sum();
                    if held >= 64 {
                        self.try_to_write();
                    }
                }
                Ok(Job::Sync(answer)) => {
                    let result = self.write().map(|()| self.last.clone());
                    self.shared.troubles.note(Who::Tables, &result);
                    if let Ok(last) = &result {
                        self.shared.pending.lock().tables.clone_from(last);
                    }
                    answer.send(result).ok();
                }
                Err(RecvTimeoutError::Timeout) => self.try_to_write(),
                Err(RecvTimeoutError::Disconnected) => return self.finish(),
            }
        }
    }

    fn try_to_write(&mut self) {
        let result = self.write();
        self.shared.troubles.note(Who::Tables, &result);
        if result.is_err() {
            // The rows are kept and the next attempt is delayed.
            self.shared.troubles.pause();
        }
    }

    fn finish(mut self) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        if let Err(e) = shared.troubles.persist(Who::Tables, || self.write()) {
            let table_rows = self.held.values().flatten().map(|b| b.num_rows() as u64).sum();
            return Err(StoreError::Lost { rows: 0, table_rows, why: e.in_words() });
        }
        for table in self.last.keys() {
            self.merge(table, &Policy::new(2, true));
        }
        Ok(())
    }

    /// Merges parts. Failure is harmless, as unmerged parts are complete.
    fn merge(&self, table: &str, policy: &Policy) {
        let run = &self.shared.run;
        let mut borders: BTreeSet<u32> =
            self.shared.pending.lock().tables.get(table).copied().into_iter().collect();
        borders.extend(table_boundaries(run, table));
        merge(run, &run.tables().join(table), &TableParts, &borders, policy).ok();
    }

    /// Writes the pending rows, one part per table, and merges.
    fn write(&mut self) -> Result<()> {
        while let Some(entry) = self.held.first_entry() {
            let dir = self.shared.run.tables().join(entry.key());
            let number = self.last.get(entry.key()).copied().unwrap_or(0) + 1;
            write_part(&self.shared.run, &dir, number, entry.get())?;
            let (table, batches) = entry.remove_entry();
            let bytes: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
            let mut waiting = self.waiting.bytes.lock();
            *waiting = waiting.saturating_sub(bytes);
            drop(waiting);
            self.waiting.room.notify_all();
            self.last.insert(table.clone(), number);
            let most = self.shared.options.merge_table_parts;
            if list_parts(&self.shared.run, &dir)?.len() >= most {
                self.merge(&table, &Policy::new(most, false));
            }
        }
        Ok(())
    }
}
