//! A thin, safe wrapper around the raw ABI, for plugins that violate rules which the SDK would enforce.

#![allow(unsafe_code, reason = "these plugins stand on the plugin's side of a C boundary without the SDK")]
#![allow(dead_code, reason = "each fixture uses a part of it")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::path::{Path, PathBuf};

use gradtop_abi as abi;

/// The host's functions, as passed to `create`.
#[derive(Clone, Copy)]
pub(crate) struct Host(pub(crate) *const abi::Host);

// SAFETY: the host's table is immortal for the run, and its functions are tagged [any] where threads use them.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

impl Host {
    pub(crate) fn raw(self) -> &'static abi::Host {
        // SAFETY: the host keeps its table alive until the process ends.
        unsafe { &*self.0 }
    }

    pub(crate) fn run_dir(self) -> PathBuf {
        // SAFETY: the header promises a string here.
        PathBuf::from(unsafe { CStr::from_ptr(self.raw().run_dir) }.to_str().unwrap_or_default())
    }

    /// Interns a series, or returns the status of the refusal.
    pub(crate) fn series(self, metric: &CStr, model: Option<&CStr>, trial: i32) -> Result<u32, abi::Status> {
        self.series_of(metric, model, None, trial)
    }

    /// Like [`Host::series`], with a split.
    pub(crate) fn series_of(
        self,
        metric: &CStr,
        model: Option<&CStr>,
        split: Option<&CStr>,
        trial: i32,
    ) -> Result<u32, abi::Status> {
        let s = abi::Series {
            size: size_of::<abi::Series>() as u32,
            trial,
            metric: metric.as_ptr(),
            model: model.map_or(std::ptr::null(), CStr::as_ptr),
            split: split.map_or(std::ptr::null(), CStr::as_ptr),
        };
        let mut out = 0;
        // SAFETY: `s` and `out` live until the call returns.
        let status =
            unsafe { (self.raw().series.expect("series"))(self.raw().ctx, &raw const s, &raw mut out) };
        if status == abi::OK { Ok(out) } else { Err(status) }
    }

    pub(crate) fn metric(self, name: &CStr) -> u32 {
        self.series(name, None, -1).expect("a plain series is accepted")
    }

    pub(crate) fn log(self, step: i64, points: &[(u32, f64)]) -> abi::Status {
        self.log_epoch(step, f64::NAN, points)
    }

    pub(crate) fn log_epoch(self, step: i64, epoch: f64, points: &[(u32, f64)]) -> abi::Status {
        let points: Vec<_> = points
            .iter()
            .map(|(series, value)| abi::Point { series: *series, reserved: 0, value: *value })
            .collect();
        let log = self.raw().log_metrics.expect("log_metrics");
        // SAFETY: the points live until the call returns.
        unsafe { log(self.raw().ctx, step, epoch, points.as_ptr(), points.len() as u64) }
    }

    pub(crate) fn text(self, level: i32, text: &[u8]) -> abi::Status {
        let log = self.raw().log_text.expect("log_text");
        // SAFETY: the text lives until the call returns.
        unsafe { log(self.raw().ctx, level, text.as_ptr().cast(), text.len() as u64) }
    }

    pub(crate) fn info(self, text: &str) {
        self.text(abi::log_level::INFO, text.as_bytes());
    }

    /// Writes a call's status and the reason of a refusal to the run's log, where the test reads it.
    pub(crate) fn report(self, what: &str, status: abi::Status) {
        let why = if status == abi::OK { String::new() } else { self.last_error() };
        self.info(&format!("{what} -> {status}: {why}"));
    }

    pub(crate) fn last_error(self) -> String {
        let mut buffer = vec![0u8; 4096];
        let last_error = self.raw().last_error.expect("last_error");
        // SAFETY: the buffer has the length stated.
        let whole = unsafe { last_error(self.raw().ctx, buffer.as_mut_ptr().cast(), buffer.len() as u64) };
        buffer.truncate((whole as usize).min(4096));
        while buffer.last() == Some(&0) {
            buffer.pop();
        }
        String::from_utf8(buffer).unwrap_or_else(|e| format!("NOT UTF-8: {e}"))
    }

    pub(crate) fn progress(self, done: u64, total: u64, phase: Option<&CStr>) -> abi::Status {
        let progress = self.raw().progress.expect("progress");
        let phase = phase.map_or(std::ptr::null(), CStr::as_ptr);
        // SAFETY: the phase lives until the call returns.
        unsafe { progress(self.raw().ctx, done, total, phase) }
    }

    pub(crate) fn should_stop(self) -> bool {
        // SAFETY: the context is the host's own.
        unsafe { (self.raw().should_stop.expect("should_stop"))(self.raw().ctx) != 0 }
    }

    pub(crate) fn step_end(self) -> abi::Status {
        // SAFETY: the context is the host's own, and this is the main thread.
        unsafe { (self.raw().step_end.expect("step_end"))(self.raw().ctx) }
    }

    pub(crate) fn should_checkpoint(self) -> bool {
        // SAFETY: the context is the host's own.
        unsafe { (self.raw().should_checkpoint.expect("should_checkpoint"))(self.raw().ctx) != 0 }
    }

    pub(crate) fn declare_figures(self, toml: &CStr) -> abi::Status {
        // SAFETY: the text lives until the call returns.
        unsafe { (self.raw().declare_figures.expect("declare_figures"))(self.raw().ctx, toml.as_ptr()) }
    }

    /// Saves a checkpoint with a closure. A panic in the closure is not caught: the process aborts.
    pub(crate) fn checkpoint(self, step: i64, mut save: impl FnMut(&Path) -> abi::Status) -> abi::Status {
        unsafe extern "C" fn call<F: FnMut(&Path) -> abi::Status>(
            user: *mut c_void,
            dir: *const c_char,
        ) -> abi::Status {
            // SAFETY: `user` is the closure that `checkpoint` below lent for this call.
            let save = unsafe { &mut *user.cast::<F>() };
            // SAFETY: the host gives a string.
            let dir = unsafe { CStr::from_ptr(dir) };
            save(Path::new(dir.to_str().expect("a path of the test is UTF-8")))
        }
        fn pointer<F: FnMut(&Path) -> abi::Status>(_: &F) -> abi::SaveFn {
            call::<F>
        }
        let function = pointer(&save);
        let checkpoint = self.raw().checkpoint.expect("checkpoint");
        // SAFETY: the closure outlives the call, and `function` was made for its type.
        unsafe { checkpoint(self.raw().ctx, step, Some(function), (&raw mut save).cast()) }
    }

    pub(crate) fn table(self, name: &CStr, step: i64, columns: &[abi::Column], rows: u64) -> abi::Status {
        let pointers: Vec<*const abi::Column> = columns.iter().map(std::ptr::from_ref).collect();
        let log = self.raw().log_table.expect("log_table");
        // SAFETY: names, columns and data live until the call returns.
        unsafe { log(self.raw().ctx, name.as_ptr(), step, pointers.as_ptr(), pointers.len() as u64, rows) }
    }
}

/// A column of borrowed values, which the caller keeps alive.
pub(crate) fn column_f64(name: &CStr, values: &[f64]) -> abi::Column {
    column(abi::column_type::F64, name, values.as_ptr().cast())
}

/// Like [`column_f64`], for integers.
pub(crate) fn column_i64(name: &CStr, values: &[i64]) -> abi::Column {
    column(abi::column_type::I64, name, values.as_ptr().cast())
}

/// Like [`column_f64`], for strings: the concatenated bytes, and the offset of each.
pub(crate) fn column_utf8(name: &CStr, bytes: &[u8], offsets: &[u64]) -> abi::Column {
    abi::Column { offsets: offsets.as_ptr(), ..column(abi::column_type::UTF8, name, bytes.as_ptr().cast()) }
}

pub(crate) fn column(kind: u32, name: &CStr, data: *const c_void) -> abi::Column {
    abi::Column {
        size: size_of::<abi::Column>() as u32,
        kind,
        name: name.as_ptr(),
        unit: std::ptr::null(),
        data,
        offsets: std::ptr::null(),
        width: 0,
    }
}

/// Leaks a copy: descriptors must live for ever.
pub(crate) fn immortal<T>(value: T) -> *const T {
    Box::leak(Box::new(value))
}

/// Leaks a list; null if empty.
pub(crate) fn immortal_list<T>(values: Vec<T>) -> *const T {
    if values.is_empty() { std::ptr::null() } else { Box::leak(values.into_boxed_slice()).as_ptr() }
}

/// Leaks a C string of any bytes except NUL.
pub(crate) fn text(bytes: impl Into<Vec<u8>>) -> *const c_char {
    CString::new(bytes).expect("no NUL inside").into_raw()
}

pub(crate) fn param(key: &CStr, kind: u32, default: &CStr) -> abi::Param {
    abi::Param {
        size: size_of::<abi::Param>() as u32,
        kind,
        flags: 0,
        reserved: 0,
        key: key.as_ptr(),
        help: c"A parameter of a fixture.".as_ptr(),
        unit: std::ptr::null(),
        default_value: default.as_ptr(),
        choices: std::ptr::null(),
        n_choices: 0,
        min: f64::NEG_INFINITY,
        max: f64::INFINITY,
    }
}

pub(crate) fn metric(name: &CStr, flags: u32) -> abi::Metric {
    abi::Metric {
        size: size_of::<abi::Metric>() as u32,
        goal: abi::goal::MIN,
        flags,
        reserved: 0,
        name: name.as_ptr(),
        unit: std::ptr::null(),
        help: c"A metric of a fixture.".as_ptr(),
    }
}

pub(crate) fn desc(id: &CStr, flags: u32, params: Vec<abi::Param>, metrics: Vec<abi::Metric>) -> abi::Desc {
    let params: Vec<_> = params.into_iter().map(immortal).collect();
    let metrics: Vec<_> = metrics.into_iter().map(immortal).collect();
    abi::Desc {
        size: size_of::<abi::Desc>() as u32,
        flags,
        id: id.as_ptr(),
        name: id.as_ptr(),
        version: c"1.0".as_ptr(),
        summary: c"A fixture of gradtop's tests.".as_ptr(),
        n_params: params.len() as u64,
        params: immortal_list(params),
        presets: std::ptr::null(),
        n_presets: 0,
        n_metrics: metrics.len() as u64,
        metrics: immortal_list(metrics),
        figures: std::ptr::null(),
    }
}

/// Writes a message for the host.
///
/// # Safety
/// `err` is null or the host's.
pub(crate) unsafe fn say(err: *mut abi::Error, message: &[u8]) {
    // SAFETY: as the caller promises.
    let Some(err) = (unsafe { err.as_mut() }) else { return };
    let n = message.len().min(err.msg.len());
    for (to, from) in err.msg.iter_mut().zip(&message[..n]) {
        *to = *from as c_char;
    }
    err.len = n as u32;
}

/// A page that may be neither read nor written, so that any access is a segmentation fault.
pub(crate) fn forbidden<T>() -> *mut T {
    // SAFETY: an anonymous mapping at an address of the system's choice.
    let page = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    page.cast()
}
