//! The C ABI between gradtop and its plugins: the Rust mirror of `include/gradtop.h`.
//!
//! The header is the contract and carries its rules (R1 to R6) and thread tags; this file repeats its
//! types field by field and proves at compile time that both have one layout. Nothing here runs but [`text`], the rules by which
//! both sides read the values of parameters.
//!
//! Use `gradtop-sdk` to write a plugin in Rust; this crate is for the two sides of the boundary.

#![allow(unsafe_code, reason = "the types of a C boundary: raw pointers and extern fn")]

pub mod text;

use core::ffi::{c_char, c_void};

/// The header itself, for tools that provide it (`gradtop plugin new`, documentation, tests).
pub const HEADER: &str = include_str!("../include/gradtop.h");

/// `GRTP`, little-endian: first field of [`Entry`].
pub const MAGIC: u32 = 0x5054_5247;
/// A plugin and a host work together only if their majors are equal.
pub const ABI_MAJOR: u32 = 1;
/// A newer minor version only appends; either side ignores what it does not know.
pub const ABI_MINOR: u32 = 0;
/// Name of the only symbol that a plugin exports.
pub const ENTRY_SYMBOL: &str = "gradtop_entry_v1";
/// Prefix of the entry symbol, in every major version.
pub const ENTRY_PREFIX: &str = "gradtop_entry_v";

/// Result of a call in either direction.
pub type Status = i32;
/// Success.
pub const OK: Status = 0;
/// A stop was requested: leave the training loop and return this.
pub const STOPPED: Status = 1;
/// Failure, with a message.
pub const FAILED: Status = -1;
/// A panic was caught at the boundary; the instance must not be used again.
pub const PANIC: Status = -2;
/// The caller passed something invalid.
pub const INVALID: Status = -3;
/// The callee does not support this.
pub const UNSUPPORTED: Status = -4;
/// Input or output failed.
pub const IO: Status = -5;

/// Types of a parameter ([`Param::kind`]).
pub mod param_type {
    /// 64-bit signed integer.
    pub const I64: u32 = 1;
    /// 64-bit float.
    pub const F64: u32 = 2;
    /// `true` or `false`.
    pub const BOOL: u32 = 3;
    /// Any text.
    pub const STR: u32 = 4;
    /// One of [`Param::choices`](super::Param::choices).
    pub const CHOICE: u32 = 5;
}

/// Bits of [`Param::flags`].
pub mod param_flag {
    /// Show and sample on a log scale.
    pub const LOG: u32 = 1;
    /// The minimum itself is excluded.
    pub const MIN_EXCLUDED: u32 = 2;
    /// The maximum itself is excluded.
    pub const MAX_EXCLUDED: u32 = 4;
}

/// Values of [`Metric::goal`].
pub mod goal {
    /// Neither direction is better.
    pub const NONE: u32 = 0;
    /// Lower is better.
    pub const MIN: u32 = 1;
    /// Higher is better.
    pub const MAX: u32 = 2;
}

/// Bits of [`Metric::flags`].
pub mod metric_flag {
    /// Shown in lists of runs.
    pub const HEADLINE: u32 = 1;
    /// The run fails once it is non-finite in every model and trial.
    pub const GUARD: u32 = 2;
    /// Drawn on a log axis.
    pub const LOG: u32 = 4;
    /// Depends on the clock, so it may differ between equal runs.
    pub const WALL_CLOCK: u32 = 8;
}

/// Bits of [`Desc::flags`].
pub mod desc_flag {
    /// Writes checkpoints and can resume from one.
    pub const RESUMABLE: u32 = 1;
    /// Uses the assigned device.
    pub const USES_DEVICE: u32 = 2;
}

/// Names that no column of a table may have, in any case: every table begins with `step`, and readers of `exp=…/run=…/`
/// folders replace columns with the other names.
pub const RESERVED_COLUMNS: [&str; 3] = ["step", "exp", "run"];

/// Values of [`Column::kind`].
pub mod column_type {
    /// `int64_t` each.
    pub const I64: u32 = 1;
    /// `double` each.
    pub const F64: u32 = 2;
    /// UTF-8; [`Column::offsets`](super::Column::offsets) has rows + 1 entries.
    pub const UTF8: u32 = 3;
    /// [`Column::width`](super::Column::width) bytes each, row-major.
    pub const BYTES: u32 = 4;
}

/// Levels of [`Host::log_text`].
pub mod log_level {
    /// An error.
    pub const ERROR: i32 = 1;
    /// A warning.
    pub const WARNING: i32 = 2;
    /// Information for users.
    pub const INFO: i32 = 3;
    /// Information for authors.
    pub const DEBUG: i32 = 4;
}

/// Receives the reason for a failure. Frozen for major 1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Error {
    /// The plugin's own code, or 0.
    pub code: u32,
    /// Number of bytes used in `msg`, without a terminator.
    pub len: u32,
    /// UTF-8.
    pub msg: [c_char; 1016],
}

impl Error {
    /// An empty error, to be filled by a callee.
    pub const EMPTY: Self = Self { code: 0, len: 0, msg: [0; 1016] };
}

/// A key and its value as text. Frozen for major 1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Kv {
    /// Name of a parameter.
    pub key: *const c_char,
    /// Its value, numbers in the C locale.
    pub value: *const c_char,
}

/// A declared parameter.
#[repr(C)]
pub struct Param {
    /// Size of this struct as compiled into the plugin.
    pub size: u32,
    /// See [`param_type`].
    pub kind: u32,
    /// See [`param_flag`].
    pub flags: u32,
    /// Always zero.
    pub reserved: u32,
    /// `[a-z][a-z0-9_]*`, unique in the experiment.
    pub key: *const c_char,
    /// A one-line explanation.
    pub help: *const c_char,
    /// Unit, or null.
    pub unit: *const c_char,
    /// Default as text.
    pub default_value: *const c_char,
    /// Values of a [`param_type::CHOICE`].
    pub choices: *const *const c_char,
    /// Number of choices.
    pub n_choices: u64,
    /// Minimum, or -infinity.
    pub min: f64,
    /// Maximum, or infinity.
    pub max: f64,
}

/// A named set of parameter values.
#[repr(C)]
pub struct Preset {
    /// Size of this struct as compiled into the plugin.
    pub size: u32,
    /// Always zero.
    pub reserved: u32,
    /// `quick`, `default`, `full`, or the author's own.
    pub name: *const c_char,
    /// A one-line explanation.
    pub help: *const c_char,
    /// The values it sets; other parameters keep their defaults.
    pub values: *const Kv,
    /// Number of values.
    pub n_values: u64,
}

/// A declared metric.
#[repr(C)]
pub struct Metric {
    /// Size of this struct as compiled into the plugin.
    pub size: u32,
    /// See [`goal`].
    pub goal: u32,
    /// See [`metric_flag`].
    pub flags: u32,
    /// Always zero.
    pub reserved: u32,
    /// Name, `/` separating groups.
    pub name: *const c_char,
    /// Unit, or null.
    pub unit: *const c_char,
    /// A one-line explanation.
    pub help: *const c_char,
}

/// A described experiment.
#[repr(C)]
pub struct Desc {
    /// Size of this struct as compiled into the plugin.
    pub size: u32,
    /// See [`desc_flag`].
    pub flags: u32,
    /// `[a-z][a-z0-9-]*`.
    pub id: *const c_char,
    /// Title for display.
    pub name: *const c_char,
    /// Version of the experiment.
    pub version: *const c_char,
    /// A one-line summary.
    pub summary: *const c_char,
    /// Parameters.
    pub params: *const *const Param,
    /// Number of parameters.
    pub n_params: u64,
    /// Presets.
    pub presets: *const *const Preset,
    /// Number of presets.
    pub n_presets: u64,
    /// Metrics.
    pub metrics: *const *const Metric,
    /// Number of metrics.
    pub n_metrics: u64,
    /// Figures as TOML, or null.
    pub figures: *const c_char,
}

/// A series: a metric of a model, a split and a trial.
#[repr(C)]
pub struct Series {
    /// Size of this struct as compiled into the plugin.
    pub size: u32,
    /// Trial, or -1 for none.
    pub trial: i32,
    /// Metric.
    pub metric: *const c_char,
    /// Model, or null.
    pub model: *const c_char,
    /// Split (`train`, `test`, …), or null.
    pub split: *const c_char,
}

/// One value of one series. Frozen for major 1.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Number returned by [`Host::series`].
    pub series: u32,
    /// Always zero.
    pub reserved: u32,
    /// The value; it may be NaN or infinite.
    pub value: f64,
}

/// A column of a table.
#[repr(C)]
pub struct Column {
    /// Size of this struct as compiled into the plugin.
    pub size: u32,
    /// See [`column_type`].
    pub kind: u32,
    /// Name, unique in the table.
    pub name: *const c_char,
    /// Unit, or null.
    pub unit: *const c_char,
    /// The values.
    pub data: *const c_void,
    /// Offsets of [`column_type::UTF8`], one more than rows.
    pub offsets: *const u64,
    /// Number of bytes per row of [`column_type::BYTES`].
    pub width: u64,
}

/// Writes a checkpoint into the given folder.
pub type SaveFn = unsafe extern "C" fn(user: *mut c_void, dir: *const c_char) -> Status;

/// What the host offers to a run. The header carries each function's thread tag.
#[repr(C)]
pub struct Host {
    /// Size of this struct as compiled into the host.
    pub size: u32,
    /// Minor version of the host.
    pub abi_minor: u32,
    /// First argument of every function below.
    pub ctx: *mut c_void,
    /// Folder of the run.
    pub run_dir: *const c_char,
    /// Seed of the run.
    pub seed: u64,
    /// -1 for the CPU, n for `cuda:n`.
    pub device: i32,
    /// Number of threads that the run may use.
    pub threads: i32,
    /// Registers a series; the same series returns the same number.
    pub series: Option<unsafe extern "C" fn(*mut c_void, *const Series, *mut u32) -> Status>,
    /// Logs points at a step; an epoch of NaN means none.
    pub log_metrics: Option<unsafe extern "C" fn(*mut c_void, i64, f64, *const Point, u64) -> Status>,
    /// Appends rows to a table, which are copied.
    pub log_table: Option<
        unsafe extern "C" fn(*mut c_void, *const c_char, i64, *const *const Column, u64, u64) -> Status,
    >,
    /// Adds to the declared figures, replacing those with the same id.
    pub declare_figures: Option<unsafe extern "C" fn(*mut c_void, *const c_char) -> Status>,
    /// Writes a line to the run's log, at a [`log_level`].
    pub log_text: Option<unsafe extern "C" fn(*mut c_void, i32, *const c_char, u64) -> Status>,
    /// Reports progress and phase; a total of 0 means unknown.
    pub progress: Option<unsafe extern "C" fn(*mut c_void, u64, u64, *const c_char) -> Status>,
    /// Returns whether a stop was requested, with one atomic load.
    pub should_stop: Option<unsafe extern "C" fn(*mut c_void) -> i32>,
    /// Called between steps: blocks during a pause, and returns [`STOPPED`] once a stop is requested.
    pub step_end: Option<unsafe extern "C" fn(*mut c_void) -> Status>,
    /// Returns whether a checkpoint was requested or is due.
    pub should_checkpoint: Option<unsafe extern "C" fn(*mut c_void) -> i32>,
    /// Calls `save` with a new, empty folder, which becomes a checkpoint if that returns [`OK`].
    pub checkpoint: Option<unsafe extern "C" fn(*mut c_void, i64, Option<SaveFn>, *mut c_void) -> Status>,
    /// Copies why this thread's last call failed; returns the full length.
    pub last_error: Option<unsafe extern "C" fn(*mut c_void, *mut c_char, u64) -> u64>,
    /// Returns an extension by its id, or null.
    pub extension: Option<unsafe extern "C" fn(*mut c_void, *const c_char) -> *const c_void>,
}

/// A run of a plugin: opaque to the host.
#[repr(C)]
pub struct Run {
    _opaque: [u8; 0],
}

/// Creates a run.
pub type CreateFn = unsafe extern "C" fn(
    index: u32,
    host: *const Host,
    params: *const Kv,
    n: u64,
    resume_dir: *const c_char,
    out: *mut *mut Run,
    err: *mut Error,
) -> Status;

/// The struct returned by a plugin's only exported function.
#[repr(C)]
pub struct Entry {
    /// [`MAGIC`].
    pub magic: u32,
    /// Size of this struct as compiled into the plugin.
    pub size: u32,
    /// [`ABI_MAJOR`] of the plugin.
    pub abi_major: u32,
    /// [`ABI_MINOR`] of the plugin.
    pub abi_minor: u32,
    /// Compiler and library versions for display, or null.
    pub built_with: *const c_char,
    /// Returns the number of experiments.
    pub count: Option<unsafe extern "C" fn() -> u32>,
    /// Describes an experiment; the result is immortal.
    pub desc: Option<unsafe extern "C" fn(u32) -> *const Desc>,
    /// Creates a run of an experiment.
    pub create: Option<CreateFn>,
    /// Runs the training.
    pub run: Option<unsafe extern "C" fn(*mut Run, *mut Error) -> Status>,
    /// Frees the run.
    pub destroy: Option<unsafe extern "C" fn(*mut Run)>,
    /// Returns an extension by its id, or null.
    pub extension: Option<unsafe extern "C" fn(*const c_char) -> *const c_void>,
}

/// Id of the plugin extension that validates parameters before there is a run; it is a [`Validate`].
pub const EXT_VALIDATE: &core::ffi::CStr = c"gradtop.validate/1";

/// The extension [`EXT_VALIDATE`]; immortal.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Validate {
    /// Size of this struct as compiled into the plugin.
    pub size: u32,
    /// Always zero.
    pub reserved: u32,
    /// Validates all parameters of the experiment with that index, given as text; \[main\]. Anything but [`OK`] refuses them.
    pub validate: Option<ValidateFn>,
}

/// Validates parameters.
pub type ValidateFn = unsafe extern "C" fn(index: u32, params: *const Kv, n: u64, err: *mut Error) -> Status;

/// Type of the exported function.
pub type EntryFn = unsafe extern "C" fn() -> *const Entry;

/// A struct of the header: its name, its size, and the name and offset of each field.
pub type StructLayout = (&'static str, usize, Vec<(&'static str, usize)>);

/// Returns every struct of the ABI with its size, and every field with its offset.
///
/// The golden dump in `tests/` compares it with what a C compiler says of the header.
pub fn layout() -> Vec<StructLayout> {
    macro_rules! of {
        ($c:literal, $t:ty, $($f:ident as $n:literal),+) => {
            ($c, size_of::<$t>(), vec![$(($n, core::mem::offset_of!($t, $f))),+])
        };
    }
    vec![
        of!("gradtop_error", Error, code as "code", len as "len", msg as "msg"),
        of!("gradtop_kv", Kv, key as "key", value as "value"),
        of!("gradtop_param", Param, size as "size", kind as "type", flags as "flags", reserved as "reserved",
            key as "key", help as "help", unit as "unit", default_value as "default_value",
            choices as "choices", n_choices as "n_choices", min as "min", max as "max"),
        of!("gradtop_preset", Preset, size as "size", reserved as "reserved", name as "name", help as "help",
            values as "values", n_values as "n_values"),
        of!("gradtop_metric", Metric, size as "size", goal as "goal", flags as "flags",
            reserved as "reserved", name as "name", unit as "unit", help as "help"),
        of!("gradtop_desc", Desc, size as "size", flags as "flags", id as "id", name as "name",
            version as "version", summary as "summary", params as "params", n_params as "n_params",
            presets as "presets", n_presets as "n_presets", metrics as "metrics", n_metrics as "n_metrics",
            figures as "figures"),
        of!("gradtop_series", Series, size as "size", trial as "trial", metric as "metric",
            model as "model", split as "split"),
        of!("gradtop_point", Point, series as "series", reserved as "reserved", value as "value"),
        of!("gradtop_column", Column, size as "size", kind as "type", name as "name", unit as "unit",
            data as "data", offsets as "offsets", width as "width"),
        of!("gradtop_host", Host, size as "size", abi_minor as "abi_minor", ctx as "ctx",
            run_dir as "run_dir", seed as "seed", device as "device", threads as "threads",
            series as "series", log_metrics as "log_metrics", log_table as "log_table",
            declare_figures as "declare_figures", log_text as "log_text", progress as "progress",
            should_stop as "should_stop", step_end as "step_end",
            should_checkpoint as "should_checkpoint", checkpoint as "checkpoint",
            last_error as "last_error", extension as "extension"),
        of!("gradtop_entry", Entry, magic as "magic", size as "size", abi_major as "abi_major",
            abi_minor as "abi_minor", built_with as "built_with", count as "count", desc as "desc",
            create as "create", run as "run", destroy as "destroy", extension as "extension"),
        of!("gradtop_validate", Validate, size as "size", reserved as "reserved", validate as "validate"),
    ]
}

// The sizes of major 1. Structs may only grow; frozen ones may not change.
const _: () = {
    assert!(size_of::<Error>() == 1024);
    assert!(size_of::<Kv>() == 16);
    assert!(size_of::<Point>() == 16);
    assert!(size_of::<Param>() == 80);
    assert!(size_of::<Preset>() == 40);
    assert!(size_of::<Metric>() == 40);
    assert!(size_of::<Desc>() == 96);
    assert!(size_of::<Series>() == 32);
    assert!(size_of::<Column>() == 48);
    assert!(size_of::<Host>() == 136);
    assert!(size_of::<Entry>() == 72);
    assert!(size_of::<Validate>() == 16);
};
