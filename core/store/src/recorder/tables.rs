//! The table thread: tables are written as parts as they come.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::checkpoint::table_boundaries;
use crate::error::{IoContext as _, Result, StoreError};
use crate::merge::{Policy, merge};
use crate::part::{list_parts, names};
use crate::table::{TableColumn, TableParts, check, check_same, existing_schema, to_batch, write_part};

use super::{Shared, lock};

/// Bytes waiting to be written beyond which `log_table` waits.
const MAX_WAITING: usize = 64 << 20;
/// Rows of one table that come within this time share a part.
const GATHER: Duration = Duration::from_millis(50);

enum Job {
    Rows(String, RecordBatch),
    /// Write what came before; the answer is the last part of each table.
    Sync(Sender<Result<BTreeMap<String, u32>>>),
}

/// The recorder's end of the table thread.
pub(super) struct Tables {
    shared: Arc<Shared>,
    state: Mutex<State>,
    waiting: Arc<Waiting>,
}

#[derive(Default)]
struct State {
    schemas: HashMap<String, SchemaRef>,
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    finished: bool,
}

/// Bytes handed over and not yet written.
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
        let mut state = lock(&self.state);
        if state.finished {
            return Ok(());
        }
        let old = match state.schemas.get(name) {
            Some(old) => Some(old.clone()),
            None => existing_schema(&self.shared.run, name)?,
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

    /// Writes everything handed over so far; the last part of each table.
    pub(super) fn sync(&self) -> Result<BTreeMap<String, u32>> {
        let (answer, answered) = channel();
        {
            let state = lock(&self.state);
            if state.thread.is_none() {
                return last_parts(&self.shared);
            }
            Self::send(&state, Job::Sync(answer))?;
        }
        answered.recv().map_err(|_| ended())?
    }

    /// Writes everything, merges, and ends the thread.
    pub(super) fn finish(&self) -> Result<()> {
        let mut state = lock(&self.state);
        state.finished = true;
        if state.thread.is_none() {
            return Ok(());
        }
        state.jobs = None;
        match state.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(ended()),
            _ => lock(&self.shared.errors)
                .tables
                .clone()
                .map_or(Ok(()), |message| Err(StoreError::Writer { message })),
        }
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

    /// Waits until less is waiting, and counts `bytes` as waiting too.
    fn wait_for_room(&self, bytes: usize) {
        let mut waiting = lock(&self.waiting.bytes);
        if *waiting > MAX_WAITING {
            let start = std::time::Instant::now();
            while *waiting > MAX_WAITING {
                waiting = self.waiting.room.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            self.shared.hot().wait += start.elapsed();
        }
        *waiting += bytes;
    }
}

fn ended() -> StoreError {
    StoreError::Writer { message: "the recorder has finished".to_owned() }
}

/// The highest part of each table; numbers set aside are not used again.
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
    /// Rows by table, not yet written.
    held: BTreeMap<String, Vec<RecordBatch>>,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) {
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
                        self.note(false);
                    }
                }
                Ok(Job::Sync(answer)) => {
                    let result = self.write(false).map(|()| self.last.clone());
                    if let Ok(last) = &result {
                        lock(&self.shared.pending).tables.clone_from(last);
                    }
                    answer.send(result).ok();
                }
                Err(RecvTimeoutError::Timeout) => self.note(false),
                Err(RecvTimeoutError::Disconnected) => return self.note(true),
            }
        }
    }

    fn note(&mut self, last: bool) {
        let result = self.write(last);
        if result.is_err() && !last {
            // The disk may be full: the rows are kept, and the next call comes later.
            std::thread::sleep(Duration::from_millis(500));
        }
        lock(&self.shared.errors).tables = result.err().map(|e| e.to_string());
    }

    /// Writes what is held, one part a table, and merges.
    fn write(&mut self, last: bool) -> Result<()> {
        let run = &self.shared.run;
        let borders = |table: &str| {
            let mut borders: BTreeSet<u32> =
                lock(&self.shared.pending).tables.get(table).copied().into_iter().collect();
            borders.extend(table_boundaries(run, table));
            borders
        };
        while let Some(entry) = self.held.first_entry() {
            let dir = run.tables().join(entry.key());
            let number = self.last.get(entry.key()).copied().unwrap_or(0) + 1;
            write_part(run, &dir, number, entry.get())?;
            let (table, batches) = entry.remove_entry();
            let bytes: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
            let mut waiting = lock(&self.waiting.bytes);
            *waiting = waiting.saturating_sub(bytes);
            drop(waiting);
            self.waiting.room.notify_all();
            self.last.insert(table.clone(), number);
            if !last && list_parts(run, &dir)?.len() >= self.shared.options.merge_parts {
                let policy = Policy::new(self.shared.options.merge_parts, false);
                merge(run, &dir, &TableParts, &borders(&table), &policy)?;
            }
        }
        if last {
            for table in self.last.keys() {
                let policy = Policy::new(2, true);
                merge(run, &run.tables().join(table), &TableParts, &borders(table), &policy)?;
            }
        }
        Ok(())
    }
}
