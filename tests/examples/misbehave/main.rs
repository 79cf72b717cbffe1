//! A plugin of many experiments that each misbehave in their own way, and the well-behaved `counter`, which has real state.
//! Written against the raw ABI, because the SDK would prevent most of it.

#![allow(unsafe_code, reason = "it stands on the plugin's side of a C boundary without the SDK")]
#![allow(clippy::unwrap_used, reason = "a fixture fails by panicking, which some of it is for")]

#[path = "../common/mod.rs"]
mod common;

mod calls;
mod counter;
mod deaths;
mod numbers;

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::OnceLock;

use common::Host;
use gradtop_abi as abi;

/// The arguments of a run.
pub(crate) struct Job {
    pub(crate) host: Host,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) resume: Option<PathBuf>,
    experiment: &'static Experiment,
}

impl Job {
    fn int(&self, key: &str) -> i64 {
        self.params[key].parse().unwrap()
    }
}

type Phase = fn(&Job) -> Result<abi::Status, Vec<u8>>;

/// An experiment: its behaviour in each callback, and whether it catches panics like the SDK.
#[derive(Clone, Copy)]
pub(crate) struct Experiment {
    id: &'static CStr,
    resumable: bool,
    caught: bool,
    create: Phase,
    run: Phase,
    destroy: Phase,
}

#[expect(clippy::unnecessary_wraps, reason = "every phase of an experiment has one type")]
fn fine(_: &Job) -> Result<abi::Status, Vec<u8>> {
    Ok(abi::OK)
}

/// An experiment that only implements `run`.
const fn in_run(id: &'static CStr, run: Phase) -> Experiment {
    Experiment { id, resumable: false, caught: false, create: fine, run, destroy: fine }
}

const fn in_create(id: &'static CStr, create: Phase) -> Experiment {
    Experiment { id, resumable: false, caught: false, create, run: numbers::short, destroy: fine }
}

const fn in_destroy(id: &'static CStr, destroy: Phase) -> Experiment {
    Experiment { id, resumable: false, caught: false, create: fine, run: numbers::short, destroy }
}

const fn caught(e: Experiment) -> Experiment {
    Experiment { caught: true, ..e }
}

const fn resumable(e: Experiment) -> Experiment {
    Experiment { resumable: true, ..e }
}

static EXPERIMENTS: &[Experiment] = &[
    resumable(caught(in_run(c"counter", counter::run))),
    in_run(c"threads", counter::threads),
    in_run(c"gated", counter::gated),
    in_run(c"told", counter::told),
    in_run(c"short", numbers::short),
    // Deaths.
    caught(in_create(c"panic-create", deaths::panics)),
    caught(in_run(c"panic-run", deaths::panics)),
    caught(in_destroy(c"panic-destroy", deaths::panics)),
    in_create(c"abort-create", deaths::panics),
    in_run(c"abort-run", deaths::panics),
    in_destroy(c"abort-destroy", deaths::panics),
    in_run(c"segfault", deaths::segfault),
    in_create(c"segfault-create", deaths::segfault),
    in_run(c"stack-overflow", deaths::stack_overflow),
    in_run(c"abort", deaths::abort),
    in_run(c"kill-self", deaths::kill_self),
    in_run(c"exit-0", deaths::exit_0),
    in_run(c"exit-3", deaths::exit_3),
    in_create(c"exit-create", deaths::exit_3),
    in_run(c"fast-exit-0", deaths::fast_exit_0),
    in_run(c"out-of-memory", deaths::out_of_memory),
    in_run(c"hang", deaths::hang),
    in_create(c"hang-create", deaths::hang),
    in_destroy(c"hang-destroy", deaths::hang),
    in_run(c"flood", deaths::flood),
    in_run(c"flood-forever", deaths::flood_forever),
    in_run(c"orphan", deaths::orphan),
    in_run(c"forks", deaths::forks),
    in_run(c"late-thread", deaths::late_thread),
    // What it returns.
    in_run(c"stopped-unasked", |_| Ok(abi::STOPPED)),
    in_run(c"unknown-status", |_| Ok(77)),
    in_run(c"fail-short", |_| Err(b"the data set is empty".to_vec())),
    in_run(c"fail-long", |_| Err("a long complaint; ".repeat(200).into_bytes())),
    in_run(c"fail-silent", |_| Err(Vec::new())),
    in_run(c"fail-bytes", |_| Err(b"bad \xff\xfe bytes".to_vec())),
    in_run(c"fail-lines", |_| Err(b"first line\nsecond line\n  at frame 1".to_vec())),
    in_create(c"fail-create", |_| Err(b"cannot read the data set".to_vec())),
    // Numbers.
    in_run(c"curves", numbers::curves),
    in_run(c"nan-guard", numbers::nan_guard),
    in_run(c"nan-late", numbers::nan_late),
    in_run(c"inf-guard", numbers::inf_guard),
    in_run(c"nan-one-trial", numbers::nan_one_trial),
    in_run(c"nan-plain", numbers::nan_plain),
    in_run(c"million-names", numbers::million_names),
    // Calls.
    in_run(c"invalid-utf8", calls::invalid_utf8),
    in_run(c"escapes", calls::escapes),
    in_run(c"unknown-series", calls::unknown_series),
    in_run(c"null-arguments", calls::null_arguments),
    in_run(c"bad-tables", calls::bad_tables),
    in_run(c"bad-figures", calls::bad_figures),
    in_run(c"long-strings", calls::long_strings),
    resumable(in_run(c"save-fails", calls::save_fails)),
    resumable(in_run(c"save-nested", calls::save_nested)),
    resumable(in_run(c"save-aborts", calls::save_aborts)),
    resumable(caught(in_run(c"save-panics", calls::save_panics))),
    resumable(in_run(c"save-hangs", calls::save_hangs)),
];

/// Runs a callback, catching panics like the SDK or, like a careless author, not: then the process aborts.
fn phase(job: &Job, what: Phase, err: *mut abi::Error) -> abi::Status {
    let result = if job.experiment.caught {
        catch_unwind(AssertUnwindSafe(|| what(job))).unwrap_or_else(|payload| {
            let text = payload.downcast_ref::<&str>().copied().unwrap_or("a panic");
            // SAFETY: `err` comes from the host.
            unsafe { common::say(err, text.as_bytes()) };
            Ok(abi::PANIC)
        })
    } else {
        what(job)
    };
    result.unwrap_or_else(|message| {
        // SAFETY: `err` comes from the host.
        unsafe { common::say(err, &message) };
        abi::FAILED
    })
}

extern "C" fn count() -> u32 {
    EXPERIMENTS.len() as u32
}

extern "C" fn describe(index: u32) -> *const abi::Desc {
    static DESCS: OnceLock<Vec<usize>> = OnceLock::new();
    let all = DESCS.get_or_init(|| EXPERIMENTS.iter().map(|e| common::immortal(desc(e)) as usize).collect());
    all.get(index as usize).map_or(std::ptr::null(), |p| *p as *const abi::Desc)
}

fn desc(e: &Experiment) -> abi::Desc {
    use abi::param_type::{F64, I64, STR};
    let flags = if e.resumable { abi::desc_flag::RESUMABLE } else { 0 };
    let mut params = vec![
        common::param(c"steps", I64, c"20"),
        common::param(c"rate", F64, c"0"),
        common::param(c"burst", I64, c"1"),
        common::param(c"file", STR, c""),
        common::param(c"hold", I64, c"-1"),
        common::param(c"gate", STR, c""),
    ];
    if e.id == c"curves" {
        params.push(common::param(c"lr", F64, c"0.1"));
    }
    let metrics = vec![
        common::metric(c"loss", abi::metric_flag::HEADLINE | abi::metric_flag::GUARD),
        common::metric(c"noise", 0),
        common::metric(c"clock", abi::metric_flag::WALL_CLOCK),
    ];
    common::desc(e.id, flags, params, metrics)
}

unsafe extern "C" fn create(
    index: u32,
    host: *const abi::Host,
    params: *const abi::Kv,
    n: u64,
    resume: *const c_char,
    out: *mut *mut abi::Run,
    err: *mut abi::Error,
) -> abi::Status {
    let string = |p: *const c_char| {
        // SAFETY: the host gives strings that live until this call returns.
        unsafe { CStr::from_ptr(p) }.to_str().unwrap().to_owned()
    };
    // SAFETY: the host gives `n` pairs.
    let pairs = if n == 0 { &[] } else { unsafe { std::slice::from_raw_parts(params, n as usize) } };
    let job = Box::new(Job {
        host: Host(host),
        params: pairs.iter().map(|kv| (string(kv.key), string(kv.value))).collect(),
        resume: (!resume.is_null()).then(|| PathBuf::from(string(resume))),
        experiment: &EXPERIMENTS[index as usize],
    });
    let status = phase(&job, job.experiment.create, err);
    if status == abi::OK {
        // SAFETY: the host gives a place for the handle.
        unsafe { *out = Box::into_raw(job).cast() };
    }
    status
}

unsafe extern "C" fn run(run: *mut abi::Run, err: *mut abi::Error) -> abi::Status {
    // SAFETY: the handle is the one `create` made.
    let job = unsafe { &*run.cast::<Job>() };
    phase(job, job.experiment.run, err)
}

unsafe extern "C" fn destroy(run: *mut abi::Run) {
    // SAFETY: the handle is the one `create` made, and this is its last use.
    let job = unsafe { Box::from_raw(run.cast::<Job>()) };
    phase(&job, job.experiment.destroy, std::ptr::null_mut());
}

unsafe extern "C" fn extension(_: *const c_char) -> *const std::ffi::c_void {
    std::ptr::null()
}

struct Table(abi::Entry);
// SAFETY: only pointers to functions and literals, never written to.
unsafe impl Sync for Table {}

static ENTRY: Table = Table(abi::Entry {
    magic: abi::MAGIC,
    size: size_of::<abi::Entry>() as u32,
    abi_major: abi::ABI_MAJOR,
    abi_minor: abi::ABI_MINOR,
    built_with: c"gradtop's tests".as_ptr(),
    count: Some(count),
    desc: Some(describe),
    create: Some(create),
    run: Some(run),
    destroy: Some(destroy),
    extension: Some(extension),
});

/// The one exported symbol.
// SAFETY: no other symbol of this library has that name.
#[unsafe(no_mangle)]
pub extern "C" fn gradtop_entry_v1() -> *const abi::Entry {
    &raw const ENTRY.0
}
