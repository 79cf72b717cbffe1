//! The functions that a plugin calls. Each checks its arguments, acts on the session, and catches panics.
//!
//! The session is a static of the trainer. The `ctx` that a plugin passes is compared with it and never dereferenced.

#![allow(unsafe_code, reason = "extern functions that take pointers of plugins")]

use std::cell::RefCell;
use std::ffi::{CString, c_char, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use gradtop_abi as abi;
use gradtop_abi::{Column, Host, Point, SaveFn, Series, Status, column_type};
use gradtop_store::{ColumnData, SeriesKey, TableColumn};

use crate::plugin::guard::{self, Bad, FIGURES_LIMIT, LIST_LIMIT, TEXT_LIMIT, c_string};
use crate::plugin::read_desc::check_label;
use crate::train::session::{Call, Refused, Session};

static SESSION: OnceLock<Session> = OnceLock::new();

/// Maximum size of a text logged at once, and of a table's column in bytes.
const LOG_LIMIT: u64 = 1 << 20;
const COLUMN_LIMIT: u64 = 2 << 30;

thread_local! {
    static LAST_ERROR: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Installs `session` as the trainer's. `None` if there is one already.
pub(crate) fn install(session: Session) -> Option<&'static Session> {
    SESSION.set(session).ok()?;
    SESSION.get()
}

/// Returns the trainer's session, if installed.
pub(crate) fn installed() -> Option<&'static Session> {
    SESSION.get()
}

/// Creates the function table for the installed session; it lives as long as the process.
pub(crate) fn table(session: &'static Session, seed: u64, device: i32, threads: i32) -> &'static Host {
    static TABLE: OnceLock<Table> = OnceLock::new();
    &TABLE
        .get_or_init(|| {
            let run_dir = c_string(session.run.path().as_os_str().as_bytes());
            let host = Host {
                size: size_of::<Host>() as u32,
                abi_minor: abi::ABI_MINOR,
                ctx: std::ptr::from_ref(session).cast_mut().cast(),
                run_dir: run_dir.as_ptr(),
                seed,
                device,
                threads,
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
            };
            Table { host, _run_dir: run_dir }
        })
        .host
}

struct Table {
    host: Host,
    /// The string that `host.run_dir` points to.
    _run_dir: CString,
}
// SAFETY: immutable after construction, and it points only to statics and its own data.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

fn session(ctx: *mut c_void) -> Option<&'static Session> {
    SESSION.get().filter(|s| std::ptr::eq(std::ptr::from_ref(*s).cast(), ctx.cast_const()))
}

fn remember(why: String) {
    // Thread-locals may be gone while a thread exits; nobody can ask for the error then either.
    LAST_ERROR.try_with(|last| last.replace(why)).ok();
}

/// Runs a function of the table: checks the context, stores errors, and catches panics.
fn guarded(ctx: *mut c_void, f: impl FnOnce(&'static Session) -> Call) -> Status {
    let Some(session) = session(ctx) else {
        remember("ctx is not the one of the host table".to_owned());
        return abi::INVALID;
    };
    match catch_unwind(AssertUnwindSafe(|| f(session))) {
        Ok(Ok(())) => abi::OK,
        Ok(Err(refused)) => {
            remember(refused.why);
            refused.status
        }
        Err(panic) => {
            remember(format!("gradtop itself failed: {}", panic_text(panic.as_ref())));
            abi::FAILED
        }
    }
}

pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}

fn bad(what: &str) -> impl FnOnce(Bad) -> Refused + '_ {
    move |bad| Refused::invalid(format!("{what} {bad}"))
}

unsafe extern "C" fn series(ctx: *mut c_void, s: *const Series, out: *mut u32) -> Status {
    guarded(ctx, |session| {
        // SAFETY: null or a struct that states its size, valid during this call (R3).
        let raw = unsafe { guard::sized(s) }.map_err(bad("the series"))?;
        let label = |p: *const c_char, what: &str| {
            // SAFETY: null or a C string, valid during this call.
            let text = unsafe { guard::text(p, TEXT_LIMIT) }.map_err(bad(what))?;
            check_label(&text).map_err(|problem| {
                Refused::invalid(format!("{what} \"{}\" {problem}", crate::text::clean(&text)))
            })?;
            Ok::<_, Refused>(text)
        };
        let optional = |p: *const c_char, what| if p.is_null() { Ok(None) } else { label(p, what).map(Some) };
        let key = SeriesKey {
            metric: label(raw.metric, "metric")?,
            model: optional(raw.model, "model")?,
            split: optional(raw.split, "split")?,
            trial: match raw.trial {
                -1 => None,
                trial if trial >= 0 => Some(trial),
                trial => return Err(Refused::invalid(format!("trial {trial} is below -1"))),
            },
        };
        let number = session.intern(&key)?;
        // SAFETY: null or the caller's memory for a u32.
        unsafe { guard::write(out, number) }.map_err(bad("out"))
    })
}

unsafe extern "C" fn log_metrics(
    ctx: *mut c_void,
    step: i64,
    epoch: f64,
    points: *const Point,
    n: u64,
) -> Status {
    guarded(ctx, |session| {
        // SAFETY: null or n points, valid during this call.
        let points = unsafe { guard::slice(points, n, u64::MAX) }.map_err(bad("the points"))?;
        session.log(step, epoch, points)
    })
}

unsafe extern "C" fn log_table(
    ctx: *mut c_void,
    table: *const c_char,
    step: i64,
    columns: *const *const Column,
    n_columns: u64,
    n_rows: u64,
) -> Status {
    guarded(ctx, |session| {
        // SAFETY: null or a C string, valid during this call.
        let name = unsafe { guard::text_ref(table, TEXT_LIMIT) }.map_err(bad("the table's name"))?;
        // SAFETY: null or n_columns pointers, valid during this call.
        let pointers = unsafe { guard::slice(columns, n_columns, LIST_LIMIT) }.map_err(bad("the columns"))?;
        if pointers.is_empty() {
            return Err(Refused::invalid("a table needs at least one column"));
        }
        let mut copied: Vec<TableColumn> = Vec::with_capacity(pointers.len());
        for (i, p) in pointers.iter().enumerate() {
            let column = copy_column(*p, i, n_rows)?;
            if abi::RESERVED_COLUMNS.iter().any(|name| column.name.eq_ignore_ascii_case(name)) {
                return Err(Refused::invalid(format!(
                    "no column may be called {:?}: readers of run folders have a column of that name already; choose another, \
                     such as \"trial\"",
                    column.name
                )));
            }
            if let Some(twin) = copied.iter().find(|c| c.name.eq_ignore_ascii_case(&column.name)) {
                return Err(Refused::invalid(if twin.name == column.name {
                    format!("column {:?} is given twice", column.name)
                } else {
                    format!(
                        "columns {:?} and {:?} are the same to DuckDB; rename one",
                        twin.name, column.name
                    )
                }));
            }
            copied.push(column);
        }
        session.log_table(name, step, copied)
    })
}

fn copy_column(p: *const Column, index: usize, rows: u64) -> Call<TableColumn> {
    // SAFETY: null or a struct that states its size, valid during this call.
    let raw = unsafe { guard::sized(p) }.map_err(bad(&format!("column {index}")))?;
    // SAFETY: null or a C string, valid during this call.
    let name =
        unsafe { guard::text(raw.name, TEXT_LIMIT) }.map_err(bad(&format!("name of column {index}")))?;
    check_label(&name).map_err(|problem| {
        Refused::invalid(format!("name \"{}\" of column {index} {problem}", crate::text::clean(&name)))
    })?;
    // SAFETY: as above.
    let unit = unsafe { guard::optional_text(raw.unit, TEXT_LIMIT) }
        .map_err(bad(&format!("unit of {name}")))?
        .map(|u| crate::text::clean(&u));
    let what = format!("data of {name}");
    let data = match raw.kind {
        column_type::I64 => {
            // SAFETY: null or as many values as there are rows, valid during this call.
            let data = unsafe { guard::slice(raw.data.cast::<i64>(), rows, COLUMN_LIMIT / 8) };
            ColumnData::I64(data.map_err(bad(&what))?.to_vec())
        }
        column_type::F64 => {
            // SAFETY: as above.
            let data = unsafe { guard::slice(raw.data.cast::<f64>(), rows, COLUMN_LIMIT / 8) };
            ColumnData::F64(data.map_err(bad(&what))?.to_vec())
        }
        column_type::UTF8 => copy_texts(&raw, rows, &what)?,
        column_type::BYTES => {
            let total = raw.width.checked_mul(rows).filter(|t| raw.width > 0 && *t <= COLUMN_LIMIT);
            let Some(total) = total else {
                return Err(Refused::invalid(format!("{what}: {rows} rows of {} bytes", raw.width)));
            };
            // SAFETY: null or rows times width bytes, valid during this call.
            let data = unsafe { guard::bytes(raw.data, total) }.map_err(bad(&what))?;
            ColumnData::Bytes { width: raw.width as usize, data: data.to_vec() }
        }
        other => return Err(Refused::invalid(format!("{what} has the unknown type {other}"))),
    };
    Ok(TableColumn { name, unit, data })
}

fn copy_texts(raw: &Column, rows: u64, what: &str) -> Call<ColumnData> {
    if rows == 0 {
        return Ok(ColumnData::Utf8(Vec::new()));
    }
    // SAFETY: null or rows + 1 offsets, valid during this call.
    let offsets = unsafe { guard::slice(raw.offsets, rows.saturating_add(1), COLUMN_LIMIT / 8) }
        .map_err(bad(&format!("offsets of {what}")))?;
    if !offsets.is_sorted() {
        return Err(Refused::invalid(format!("offsets of {what} go backwards")));
    }
    let end = offsets.last().copied().unwrap_or(0);
    if end > COLUMN_LIMIT {
        return Err(Refused::invalid(format!("{what} has {end} bytes, at most {COLUMN_LIMIT} are allowed")));
    }
    // SAFETY: null or as many bytes as the last offset says, valid during this call.
    let bytes = unsafe { guard::bytes(raw.data, end) }.map_err(bad(what))?;
    let texts = offsets.windows(2).enumerate().map(|(row, w)| {
        match std::str::from_utf8(&bytes[w[0] as usize..w[1] as usize]) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(Refused::invalid(format!("row {row} of {what} is not UTF-8"))),
        }
    });
    Ok(ColumnData::Utf8(texts.collect::<Call<_>>()?))
}

unsafe extern "C" fn declare_figures(ctx: *mut c_void, toml: *const c_char) -> Status {
    guarded(ctx, |session| {
        // SAFETY: null or a C string, valid during this call.
        let toml = unsafe { guard::text_ref(toml, FIGURES_LIMIT) }.map_err(bad("the figures"))?;
        // Few plugins look at the answer.
        let said = |e: &Refused| session.warn_once(&format!("figures were refused: {}", e.why));
        session.declare_figures(toml).inspect_err(said)
    })
}

unsafe extern "C" fn log_text(ctx: *mut c_void, level: i32, text: *const c_char, len: u64) -> Status {
    guarded(ctx, |session| {
        // SAFETY: null or len bytes, valid during this call.
        let text = unsafe { guard::slice(text.cast::<u8>(), len, LOG_LIMIT) }.map_err(bad("the text"))?;
        session.log_text(level, text)
    })
}

unsafe extern "C" fn progress(ctx: *mut c_void, done: u64, total: u64, phase: *const c_char) -> Status {
    guarded(ctx, |session| {
        if phase.is_null() {
            session.progress.set(done, total, None);
            return Ok(());
        }
        // SAFETY: a C string, valid during this call.
        let phase = unsafe { guard::text_ref(phase, 200) }.map_err(bad("the phase"))?;
        if phase.chars().any(crate::text::is_harmful) {
            session.progress.set(done, total, Some(&crate::text::clean(phase)));
        } else {
            session.progress.set(done, total, Some(phase));
        }
        Ok(())
    })
}

unsafe extern "C" fn should_stop(ctx: *mut c_void) -> i32 {
    // A plugin with a wrong ctx is told to stop, because nothing else it does can work.
    session(ctx).is_none_or(Session::should_stop).into()
}

unsafe extern "C" fn step_end(ctx: *mut c_void) -> Status {
    let mut stops = false;
    let status = guarded(ctx, |session| session.step_end().map(|stop| stops = stop));
    if stops { abi::STOPPED } else { status }
}

unsafe extern "C" fn should_checkpoint(ctx: *mut c_void) -> i32 {
    session(ctx).is_some_and(Session::should_checkpoint).into()
}

unsafe extern "C" fn checkpoint(
    ctx: *mut c_void,
    step: i64,
    save: Option<SaveFn>,
    user: *mut c_void,
) -> Status {
    guarded(ctx, |session| {
        let save = save.ok_or_else(|| Refused::invalid("save is null"))?;
        session.checkpoint(step, |folder| {
            let dir = c_string(folder.as_os_str().as_bytes());
            // SAFETY: the plugin's own function with its own argument, on [main]; no lock of the session is held.
            unsafe { save(user, dir.as_ptr()) }
        })
    })
}

unsafe extern "C" fn last_error(_ctx: *mut c_void, out: *mut c_char, cap: u64) -> u64 {
    LAST_ERROR
        .try_with(|last| {
            let last = last.borrow();
            // SAFETY: null or the caller's memory of cap bytes.
            unsafe { guard::copy_out(&last, out, cap) };
            last.len() as u64
        })
        .unwrap_or(0)
}

unsafe extern "C" fn extension(_ctx: *mut c_void, _id: *const c_char) -> *const c_void {
    std::ptr::null()
}
