//! The C functions of the test host.

#![allow(unsafe_code, reason = "the host's side of a C boundary, for tests")]

use std::ffi::{c_char, c_void};
use std::fs;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gradtop_abi::{self as abi, Status};

use super::TestHost;
use super::borrowed::{c_path, text, values};
use super::record::{
    Checkpoint, ColumnValues, Level, Outcome, Point, Progress, Recorded, SeriesKey, Table, TempDir,
};

/// The state behind the host's context pointer.
pub(super) struct State {
    inner: Mutex<Inner>,
    stop_at: Option<i64>,
    saving: AtomicBool,
}

struct Inner {
    recorded: Recorded,
    series: Vec<SeriesKey>,
    last_step: Option<i64>,
    /// Steps at which a checkpoint is still to be requested.
    checkpoints_due: Vec<i64>,
    last_error: String,
}

impl State {
    pub(super) fn new(host: &TestHost, dir: Arc<TempDir>, resumable: bool) -> Self {
        let mut recorded = Recorded::refused("");
        recorded.dir = Some(dir);
        let mut checkpoints_due = host.checkpoint_at.clone();
        if resumable {
            checkpoints_due.extend(host.stop_at);
        }
        let inner = Inner {
            recorded,
            series: Vec::new(),
            last_step: None,
            checkpoints_due,
            last_error: String::new(),
        };
        Self { inner: Mutex::new(inner), stop_at: host.stop_at, saving: AtomicBool::new(false) }
    }

    pub(super) fn into_recorded(self) -> Recorded {
        let inner = self.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        Recorded { outcome: Outcome::Finished, ..inner.recorded }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop_asked(&self) -> bool {
        self.stop_at.is_some_and(|stop| self.lock().last_step.is_some_and(|step| step >= stop))
    }
}

impl Inner {
    fn refuse(&mut self, why: impl Into<String>) -> Status {
        self.last_error = why.into();
        abi::INVALID
    }
}

/// Returns a complete host with these functions; the caller sets run, seed, device and threads.
pub(super) fn table(state: &State) -> abi::Host {
    abi::Host {
        size: size_of::<abi::Host>() as u32,
        abi_minor: abi::ABI_MINOR,
        ctx: ptr::from_ref(state).cast_mut().cast(),
        run_dir: ptr::null(),
        seed: 0,
        device: -1,
        threads: 1,
        series: Some(series),
        log_metrics: Some(log_metrics),
        log_table: Some(log_table),
        declare_figures: Some(declare_figures),
        log_text: Some(log_text),
        progress: Some(progress),
        should_stop: Some(should_stop),
        step_end: Some(step_end),
        should_checkpoint: Some(should_checkpoint),
        checkpoint: Some(checkpoint),
        last_error: Some(last_error),
        extension: Some(extension),
    }
}

/// # Safety
/// `ctx` is the pointer in a [`table`] whose state lives for `'a`.
unsafe fn state<'a>(ctx: *mut c_void) -> &'a State {
    // SAFETY: guaranteed by the contract.
    unsafe { &*ctx.cast::<State>() }
}

/// # Safety
/// `text_` is null or a C string.
unsafe fn optional(text_: *const c_char) -> Option<String> {
    // SAFETY: guaranteed by the contract.
    (!text_.is_null()).then(|| unsafe { text(text_) })
}

unsafe extern "C" fn series(ctx: *mut c_void, series: *const abi::Series, out: *mut u32) -> Status {
    // SAFETY: our own context.
    let state = unsafe { state(ctx) };
    // SAFETY: the plugin passes a series, valid during this call.
    let Some(series) = (unsafe { series.as_ref() }) else { return state.lock().refuse("the series is null") };
    let key = SeriesKey {
        // SAFETY: null or a C string.
        metric: unsafe { text(series.metric) },
        // SAFETY: as above.
        model: unsafe { optional(series.model) },
        // SAFETY: as above.
        split: unsafe { optional(series.split) },
        trial: (series.trial >= 0).then_some(series.trial),
    };
    let mut inner = state.lock();
    if key.metric.is_empty() {
        return inner.refuse("a series needs a metric");
    }
    let number = inner.series.iter().position(|known| *known == key).unwrap_or_else(|| {
        inner.series.push(key);
        inner.series.len() - 1
    });
    // SAFETY: the plugin's variable.
    unsafe { out.write(number as u32) };
    abi::OK
}

unsafe extern "C" fn log_metrics(
    ctx: *mut c_void,
    step: i64,
    epoch: f64,
    points: *const abi::Point,
    n: u64,
) -> Status {
    // SAFETY: our own context.
    let mut inner = unsafe { state(ctx) }.lock();
    // SAFETY: the plugin passes `n` points, valid during this call.
    let points = unsafe { values(points, n) };
    for point in points {
        let Some(series) = inner.series.get(point.series as usize).cloned() else {
            return inner.refuse(format!("series {} is not known", point.series));
        };
        let epoch = (!epoch.is_nan()).then_some(epoch);
        inner.recorded.metrics.push(Point { step, epoch, series, value: point.value });
    }
    inner.last_step = Some(inner.last_step.map_or(step, |last| last.max(step)));
    abi::OK
}

unsafe extern "C" fn log_table(
    ctx: *mut c_void,
    table: *const c_char,
    step: i64,
    columns: *const *const abi::Column,
    n_columns: u64,
    n_rows: u64,
) -> Status {
    // SAFETY: our own context.
    let mut inner = unsafe { state(ctx) }.lock();
    // SAFETY: a C string.
    let name = unsafe { text(table) };
    let mut recorded: Vec<(String, Option<String>, ColumnValues)> = Vec::new();
    // SAFETY: the plugin passes that many columns, valid during this call.
    for column in unsafe { values(columns, n_columns) } {
        // SAFETY: as above.
        let column = unsafe { &**column };
        // SAFETY: a C string.
        let column_name = unsafe { text(column.name) };
        // SAFETY: a column of `n_rows` values.
        let Some(values) = (unsafe { read(column, n_rows) }) else {
            return inner.refuse(format!("column `{column_name}` has an unknown type or wrong offsets"));
        };
        if abi::RESERVED_COLUMNS.iter().any(|name| column_name.eq_ignore_ascii_case(name)) {
            return inner.refuse(format!(
                "no column may be called `{column_name}`: readers have one of that name already"
            ));
        }
        if let Some((twin, ..)) = recorded.iter().find(|(known, ..)| known.eq_ignore_ascii_case(&column_name))
        {
            return inner.refuse(if *twin == column_name {
                format!("column `{column_name}` is given twice")
            } else {
                format!("columns `{twin}` and `{column_name}` are the same to DuckDB; rename one")
            });
        }
        // SAFETY: null or a C string.
        let unit = unsafe { optional(column.unit) };
        recorded.push((column_name, unit, values));
    }
    inner.recorded.tables.push(Table { name, step, columns: recorded });
    abi::OK
}

/// # Safety
/// The column has `n` rows.
unsafe fn read(column: &abi::Column, n: u64) -> Option<ColumnValues> {
    Some(match column.kind {
        // SAFETY: `n` values of this type.
        abi::column_type::I64 => ColumnValues::I64(unsafe { values(column.data.cast::<i64>(), n) }.to_vec()),
        // SAFETY: as above.
        abi::column_type::F64 => ColumnValues::F64(unsafe { values(column.data.cast::<f64>(), n) }.to_vec()),
        abi::column_type::UTF8 => {
            // SAFETY: one more offset than rows.
            let offsets = unsafe { values(column.offsets, n + 1) };
            // SAFETY: as many bytes as the last offset states.
            let bytes = unsafe { values(column.data.cast::<u8>(), *offsets.last()?) };
            let rows = offsets.windows(2).map(|pair| {
                let row = bytes.get(pair[0] as usize..pair[1] as usize)?;
                Some(String::from_utf8_lossy(row).into_owned())
            });
            ColumnValues::Utf8(rows.collect::<Option<_>>()?)
        }
        abi::column_type::BYTES if column.width > 0 => {
            // SAFETY: `n` rows of `width` bytes.
            let bytes = unsafe { values(column.data.cast::<u8>(), n * column.width) };
            ColumnValues::Bytes(bytes.chunks(column.width as usize).map(<[u8]>::to_vec).collect())
        }
        _ => return None,
    })
}

unsafe extern "C" fn declare_figures(ctx: *mut c_void, toml: *const c_char) -> Status {
    // SAFETY: a C string.
    let toml = unsafe { text(toml) };
    // SAFETY: our own context.
    unsafe { state(ctx) }.lock().recorded.figures.push(toml);
    abi::OK
}

unsafe extern "C" fn log_text(ctx: *mut c_void, level: i32, line: *const c_char, len: u64) -> Status {
    // SAFETY: our own context.
    let mut inner = unsafe { state(ctx) }.lock();
    let level = match level {
        abi::log_level::ERROR => Level::Error,
        abi::log_level::WARNING => Level::Warning,
        abi::log_level::INFO => Level::Info,
        abi::log_level::DEBUG => Level::Debug,
        _ => return inner.refuse(format!("there is no level {level}")),
    };
    // SAFETY: the plugin passes `len` bytes, valid during this call.
    let line = unsafe { values(line.cast::<u8>(), len) };
    let line = String::from_utf8_lossy(line).into_owned();
    inner.recorded.text.push((level, line));
    abi::OK
}

unsafe extern "C" fn progress(ctx: *mut c_void, done: u64, total: u64, phase: *const c_char) -> Status {
    // SAFETY: a C string.
    let phase = unsafe { text(phase) };
    // SAFETY: our own context.
    unsafe { state(ctx) }.lock().recorded.progress.push(Progress { done, total, phase });
    abi::OK
}

unsafe extern "C" fn should_stop(ctx: *mut c_void) -> i32 {
    // SAFETY: our own context.
    i32::from(unsafe { state(ctx) }.stop_asked())
}

unsafe extern "C" fn step_end(ctx: *mut c_void) -> Status {
    // SAFETY: our own context.
    let state = unsafe { state(ctx) };
    state.lock().recorded.steps_ended += 1;
    if state.stop_asked() { abi::STOPPED } else { abi::OK }
}

unsafe extern "C" fn should_checkpoint(ctx: *mut c_void) -> i32 {
    // SAFETY: our own context.
    let inner = unsafe { state(ctx) }.lock();
    let due = inner.last_step.is_some_and(|step| inner.checkpoints_due.iter().any(|due| step >= *due));
    i32::from(due)
}

unsafe extern "C" fn checkpoint(
    ctx: *mut c_void,
    step: i64,
    save: Option<abi::SaveFn>,
    user: *mut c_void,
) -> Status {
    // SAFETY: our own context.
    let state = unsafe { state(ctx) };
    let Some(save) = save else { return state.lock().refuse("`save` is null") };
    if state.saving.swap(true, Ordering::Relaxed) {
        return state.lock().refuse("a checkpoint is being written");
    }
    let dir = {
        let inner = state.lock();
        let number = inner.recorded.checkpoints.len();
        inner.recorded.dir.as_ref().map(|dir| dir.0.join(format!("checkpoints/{number}-step-{step}")))
    };
    let Some((dir, path)) = dir.and_then(|dir| Some((c_path(&dir)?, dir))) else {
        return state.lock().refuse("there is no run folder");
    };
    if let Err(error) = fs::create_dir_all(&path) {
        state.saving.store(false, Ordering::Relaxed);
        state.lock().last_error = format!("{}: {error}", path.display());
        return abi::IO;
    }
    // The lock is not held, because `save` may log.
    // SAFETY: the plugin's function with its own pointer.
    let status = unsafe { save(user, dir.as_ptr()) };
    state.saving.store(false, Ordering::Relaxed);
    let mut inner = state.lock();
    let reached = inner.last_step.unwrap_or(step);
    if status == abi::OK {
        inner.checkpoints_due.retain(|due| *due > reached);
        let (metrics, tables) = (inner.recorded.metrics.len(), inner.recorded.tables.len());
        inner.recorded.checkpoints.push(Checkpoint { step, metrics, tables, dir: path });
        return abi::OK;
    }
    drop(inner);
    // A folder that remains is removed with the run's temporary folder.
    fs::remove_dir_all(&path).ok();
    status
}

unsafe extern "C" fn last_error(ctx: *mut c_void, out: *mut c_char, capacity: u64) -> u64 {
    // SAFETY: our own context.
    let inner = unsafe { state(ctx) }.lock();
    let n = inner.last_error.len().min(capacity as usize);
    // SAFETY: the plugin's buffer has `capacity` bytes, and `n` is no more.
    unsafe { ptr::copy_nonoverlapping(inner.last_error.as_ptr().cast(), out, n) };
    inner.last_error.len() as u64
}

unsafe extern "C" fn extension(_ctx: *mut c_void, _id: *const c_char) -> *const c_void {
    ptr::null()
}
