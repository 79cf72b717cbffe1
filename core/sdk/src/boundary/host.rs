//! Calls to the host's functions.

use std::any::Any;
use std::ffi::{CStr, CString, OsStr, c_char, c_void};
use std::mem::offset_of;
use std::os::unix::ffi::OsStrExt as _;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};

use gradtop_abi::{self as abi, Point, Status};

use crate::series::Series;
use crate::table::{Column, Data};
use crate::{Error, ErrorKind, Result};

/// The host's functions, copied at `create`; those that an older host lacks are absent.
pub(crate) struct Host(pub(crate) abi::Host);

// SAFETY: `ctx` is only passed back to the host, whose functions can be called from any thread, except `step_end` and
// `checkpoint`, which `Ctx` restricts to the main thread; the rest is constant.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

/// The size of what every host has had since 1.0, before its first function.
const BASE: usize = offset_of!(abi::Host, series);

impl Host {
    /// Copies the struct and the run's folder. Fields at or beyond the host's stated size are absent.
    ///
    /// # Safety
    /// `host` is null or points to as many bytes as its first field tells, and what they lead to outlives this value.
    pub(super) unsafe fn copy(host: *const abi::Host) -> Result<(Self, PathBuf)> {
        if host.is_null() {
            return Err(Error::invalid("create: `host` is null"));
        }
        // SAFETY: the size is the first field of every version.
        let size = unsafe { host.cast::<u32>().read() } as usize;
        if size < BASE {
            let text = format!("the host's struct has {size} bytes, fewer than the {BASE} of ABI 1.0");
            return Err(Error::invalid(text));
        }
        // A partly present field is absent: all fields after BASE have eight bytes.
        let known = size.min(size_of::<abi::Host>()) / 8 * 8;
        let mut copy = abi::Host {
            size: known as u32,
            abi_minor: 0,
            ctx: ptr::null_mut(),
            run_dir: ptr::null(),
            seed: 0,
            device: -1,
            threads: 1,
            series: None,
            log_metrics: None,
            log_table: None,
            declare_figures: None,
            log_text: None,
            progress: None,
            should_stop: None,
            step_end: None,
            should_checkpoint: None,
            checkpoint: None,
            last_error: None,
            extension: None,
        };
        // SAFETY: `known` bytes are readable at the host and fit into the copy; the types are the same.
        unsafe { ptr::copy_nonoverlapping(host.cast::<u8>(), (&raw mut copy).cast::<u8>(), known) };
        // SAFETY: null or a C string by the contract.
        let run_dir = unsafe { path(copy.run_dir) };
        Ok((Self(copy), run_dir.unwrap_or_default()))
    }

    pub(crate) fn series(&self, series: &Series<'_>) -> Result<u32> {
        let Some(function) = self.0.series else { return Err(self.absent("series")) };
        let metric = c_string(series.metric)?;
        let model = series.model.map(c_string).transpose()?;
        let split = series.split.map(c_string).transpose()?;
        let series = abi::Series {
            size: size_of::<abi::Series>() as u32,
            trial: series.trial.unwrap_or(-1),
            metric: metric.as_ptr(),
            model: optional(model.as_ref()),
            split: optional(split.as_ref()),
        };
        let mut id = 0;
        // SAFETY: the host's function with its own context; its arguments live until it returns.
        let status = unsafe { function(self.0.ctx, &raw const series, &raw mut id) };
        self.check(status, "series").map(|()| id)
    }

    #[inline]
    pub(crate) fn log_metrics(&self, step: i64, epoch: f64, points: &[Point]) -> Result<()> {
        let Some(function) = self.0.log_metrics else { return Err(self.absent("log_metrics")) };
        // SAFETY: as in `series`.
        let status = unsafe { function(self.0.ctx, step, epoch, points.as_ptr(), points.len() as u64) };
        self.check(status, "log_metrics")
    }

    pub(crate) fn log_table(
        &self,
        table: &str,
        step: i64,
        columns: &[Column<'_>],
        rows: usize,
    ) -> Result<()> {
        let Some(function) = self.0.log_table else { return Err(self.absent("log_table")) };
        let table = c_string(table)?;
        let names = columns.iter().map(|column| c_string(column.name)).collect::<Result<Vec<_>>>()?;
        let units = columns.iter().map(|column| column.unit.map(c_string).transpose());
        let units = units.collect::<Result<Vec<_>>>()?;
        let texts = names.iter().zip(&units);
        let columns: Vec<abi::Column> = columns
            .iter()
            .zip(texts)
            .map(|(column, (name, unit))| c_column(column, name, unit.as_ref()))
            .collect();
        let pointers: Vec<*const abi::Column> = columns.iter().map(ptr::from_ref).collect();
        // SAFETY: as in `series`.
        let status = unsafe {
            function(self.0.ctx, table.as_ptr(), step, pointers.as_ptr(), pointers.len() as u64, rows as u64)
        };
        self.check(status, "log_table")
    }

    pub(crate) fn declare_figures(&self, toml: &str) -> Result<()> {
        let Some(function) = self.0.declare_figures else { return Err(self.absent("declare_figures")) };
        let toml = c_string(toml)?;
        // SAFETY: as in `series`.
        let status = unsafe { function(self.0.ctx, toml.as_ptr()) };
        self.check(status, "declare_figures")
    }

    pub(crate) fn log_text(&self, level: i32, text: &str) -> Result<()> {
        let Some(function) = self.0.log_text else { return Err(self.absent("log_text")) };
        // SAFETY: as in `series`.
        let status = unsafe { function(self.0.ctx, level, text.as_ptr().cast(), text.len() as u64) };
        self.check(status, "log_text")
    }

    pub(crate) fn progress(&self, done: u64, total: u64, phase: &str) -> Result<()> {
        let Some(function) = self.0.progress else { return Err(self.absent("progress")) };
        // Called at every step, so the C string is on the stack and truncated if it is long.
        let mut buffer = [0_u8; 128];
        let len = phase.floor_char_boundary(buffer.len() - 1);
        buffer[..len].copy_from_slice(&phase.as_bytes()[..len]);
        // SAFETY: as in `series`; the last byte of the buffer is always 0.
        let status = unsafe { function(self.0.ctx, done, total, buffer.as_ptr().cast()) };
        self.check(status, "progress")
    }

    pub(crate) fn should_stop(&self) -> bool {
        // SAFETY: as in `series`.
        self.0.should_stop.is_some_and(|function| unsafe { function(self.0.ctx) } != 0)
    }

    #[inline]
    pub(crate) fn step_end(&self) -> Result<()> {
        let Some(function) = self.0.step_end else { return Err(self.absent("step_end")) };
        // SAFETY: as in `series`; `Ctx` lets only the main thread call this.
        let status = unsafe { function(self.0.ctx) };
        self.check(status, "step_end")
    }

    pub(crate) fn should_checkpoint(&self) -> bool {
        // SAFETY: as in `series`.
        self.0.should_checkpoint.is_some_and(|function| unsafe { function(self.0.ctx) } != 0)
    }

    pub(crate) fn checkpoint<F: FnOnce(&Path) -> Result<()>>(&self, step: i64, save: F) -> Result<()> {
        let Some(function) = self.0.checkpoint else { return Err(self.absent("checkpoint")) };
        let mut saving = Saving { save: Some(save), result: None };
        let user = (&raw mut saving).cast::<c_void>();
        // SAFETY: as in `step_end`; `saving` lives until the host returns and has the trampoline's type.
        let status = unsafe { function(self.0.ctx, step, Some(trampoline::<F>), user) };
        match saving.result {
            // The panic continues through the training loop, as if there were no host in between.
            Some(Err(payload)) => panic::resume_unwind(payload),
            // The host has warned about a failing disk, and asks again when the next checkpoint is due.
            _ if status == abi::OK => Ok(()),
            Some(Ok(Err(error))) => Err(error),
            _ => self.check(status, "checkpoint"),
        }
    }

    pub(crate) fn extension(&self, id: &str) -> Option<NonNull<c_void>> {
        let id = c_string(id).ok()?;
        // SAFETY: as in `series`.
        let found = self.0.extension.map(|function| unsafe { function(self.0.ctx, id.as_ptr()) })?;
        NonNull::new(found.cast_mut())
    }

    #[inline]
    fn check(&self, status: Status, what: &str) -> Result<()> {
        if status == abi::OK { Ok(()) } else { Err(self.refused(status, what)) }
    }

    #[cold]
    fn refused(&self, status: Status, what: &str) -> Error {
        let kind =
            KINDS.iter().find(|(known, _)| *known == status).map_or(ErrorKind::Failed, |(_, kind)| *kind);
        match kind {
            ErrorKind::Stop => Error::stop(),
            kind => {
                let why = self.last_error();
                let why = if why.is_empty() { format!("the host answered {status}") } else { why };
                Error::of_kind(kind, format!("{what}: {why}"))
            }
        }
    }

    fn last_error(&self) -> String {
        let Some(function) = self.0.last_error else { return String::new() };
        let mut buffer = vec![0_u8; 4096];
        // SAFETY: as in `series`; the host writes at most as many bytes as stated.
        let len = unsafe { function(self.0.ctx, buffer.as_mut_ptr().cast(), buffer.len() as u64) };
        buffer.truncate(len as usize);
        let end = buffer.iter().position(|byte| *byte == 0).unwrap_or(buffer.len());
        String::from_utf8_lossy(&buffer[..end]).into_owned()
    }

    #[cold]
    fn absent(&self, what: &str) -> Error {
        let minor = self.0.abi_minor;
        let text = format!("this gradtop (ABI {}.{minor}) does not offer `{what}`", abi::ABI_MAJOR);
        Error::of_kind(ErrorKind::Unsupported, text)
    }
}

/// The callback of a checkpoint and its result.
struct Saving<F> {
    save: Option<F>,
    result: Option<Result<Result<()>, Box<dyn Any + Send>>>,
}

unsafe extern "C" fn trampoline<F: FnOnce(&Path) -> Result<()>>(
    user: *mut c_void,
    dir: *const c_char,
) -> Status {
    // SAFETY: the pointer that `checkpoint` passed, which is borrowed until the host returns.
    let saving = unsafe { &mut *user.cast::<Saving<F>>() };
    // SAFETY: null or a C string valid during this call.
    let dir = unsafe { path(dir) };
    let (Some(save), Some(dir)) = (saving.save.take(), dir) else { return abi::INVALID };
    let result = saving.result.insert(panic::catch_unwind(AssertUnwindSafe(|| save(&dir))));
    match result {
        Ok(Ok(())) => abi::OK,
        Ok(Err(error)) if error.is_stop() => abi::STOPPED,
        Ok(Err(error)) if error.kind() == ErrorKind::Io => abi::IO,
        Ok(Err(_)) => abi::FAILED,
        Err(_) => abi::PANIC,
    }
}

fn c_column(column: &Column<'_>, name: &CStr, unit: Option<&CString>) -> abi::Column {
    let (kind, data, offsets, width): (u32, *const c_void, *const u64, usize) = match &column.data {
        Data::I64(values) => (abi::column_type::I64, values.as_ptr().cast(), ptr::null(), 0),
        Data::F64(values) => (abi::column_type::F64, values.as_ptr().cast(), ptr::null(), 0),
        Data::Utf8 { text, offsets } => (abi::column_type::UTF8, text.as_ptr().cast(), offsets.as_ptr(), 0),
        Data::Bytes { data, width } => (abi::column_type::BYTES, data.as_ptr().cast(), ptr::null(), *width),
    };
    abi::Column {
        size: size_of::<abi::Column>() as u32,
        kind,
        name: name.as_ptr(),
        unit: optional(unit),
        data,
        offsets,
        width: width as u64,
    }
}

fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::invalid(format!("`{}` contains a NUL", text.escape_debug())))
}

fn optional(text: Option<&CString>) -> *const c_char {
    text.map_or(ptr::null(), |text| text.as_ptr())
}

/// # Safety
/// `text` is null or a C string.
pub(super) unsafe fn path(text: *const c_char) -> Option<PathBuf> {
    if text.is_null() {
        return None;
    }
    // SAFETY: a C string by the contract.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    Some(PathBuf::from(OsStr::from_bytes(bytes)))
}

/// What each status means; any other is a failure.
const KINDS: [(Status, ErrorKind); 6] = [
    (abi::STOPPED, ErrorKind::Stop),
    (abi::FAILED, ErrorKind::Failed),
    (abi::PANIC, ErrorKind::Panic),
    (abi::INVALID, ErrorKind::Invalid),
    (abi::UNSUPPORTED, ErrorKind::Unsupported),
    (abi::IO, ErrorKind::Io),
];

pub(super) fn status_of(error: &Error) -> Status {
    KINDS.iter().find(|(_, kind)| *kind == error.kind()).map_or(abi::FAILED, |(status, _)| *status)
}
