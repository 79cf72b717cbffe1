//! A plugin written against the C ABI alone, for the tests of this crate: `plain` counts steps and with `mode=fail`
//! fails, `bare` is not resumable.

#![allow(unsafe_code, reason = "the plugin's side of a C boundary")]

use std::ffi::{CStr, c_char, c_void};
use std::ptr::null;
use std::sync::OnceLock;
use std::time::Duration;

use gradtop_abi as abi;
use gradtop_abi::{Desc, Entry, Error, Host, Kv, Metric, Param, Point, Run, Series, Status};

struct Plain {
    host: &'static Host,
    steps: i64,
    /// The last step done before it waits for `gate`, doing as it is asked meanwhile.
    hold: i64,
    /// A file: once there, it says up to which step the run may go; empty: to its end.
    gate: String,
    mode: String,
    first: i64,
}

impl Plain {
    fn may_begin(&self, step: i64) -> bool {
        let told = || std::fs::read_to_string(&self.gate).map(|text| text.parse().unwrap_or(i64::MAX));
        self.gate.is_empty() || step <= self.hold || told().is_ok_and(|last| step <= last)
    }
}

fn param(key: &'static CStr, kind: u32, default: &'static CStr) -> *const Param {
    Box::leak(Box::new(Param {
        size: size_of::<Param>() as u32,
        kind,
        flags: 0,
        reserved: 0,
        key: key.as_ptr(),
        help: c"for the tests".as_ptr(),
        unit: null(),
        default_value: default.as_ptr(),
        choices: null(),
        n_choices: 0,
        min: if kind == abi::param_type::I64 { 0.0 } else { f64::NEG_INFINITY },
        max: f64::INFINITY,
    }))
}

fn desc(id: &'static CStr, flags: u32) -> Desc {
    let params = Box::leak(Box::new([
        param(c"steps", abi::param_type::I64, c"20"),
        param(c"hold", abi::param_type::I64, c"0"),
        param(c"gate", abi::param_type::STR, c""),
        param(c"mode", abi::param_type::STR, c"run"),
    ]));
    let metric: *const Metric = Box::leak(Box::new(Metric {
        size: size_of::<Metric>() as u32,
        goal: abi::goal::MIN,
        flags: abi::metric_flag::HEADLINE | abi::metric_flag::GUARD,
        reserved: 0,
        name: c"loss".as_ptr(),
        unit: null(),
        help: c"falls with the step".as_ptr(),
    }));
    let metrics = Box::leak(Box::new([metric]));
    Desc {
        size: size_of::<Desc>() as u32,
        flags,
        id: id.as_ptr(),
        name: c"Plain \x1b[31mred".as_ptr(),
        version: c"1.0".as_ptr(),
        summary: c"Counts steps".as_ptr(),
        params: params.as_ptr(),
        n_params: 4,
        presets: null(),
        n_presets: 0,
        metrics: metrics.as_ptr(),
        n_metrics: 1,
        figures: null(),
    }
}

struct Shared<T>(T);
// SAFETY: descriptors are never changed and point at leaked memory and constants.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

unsafe extern "C" fn describe(index: u32) -> *const Desc {
    static DESCS: OnceLock<Shared<[Desc; 2]>> = OnceLock::new();
    let descs = DESCS.get_or_init(|| Shared([desc(c"plain", abi::desc_flag::RESUMABLE), desc(c"bare", 0)]));
    descs.0.get(index as usize).map_or(null(), std::ptr::from_ref)
}

unsafe extern "C" fn count() -> u32 {
    match std::env::var("PLAIN_WHEN_DESCRIBED").as_deref() {
        Ok("hangs") => std::thread::sleep(Duration::from_mins(10)),
        Ok("exits") => {
            // SAFETY: what a careless plugin does.
            unsafe { libc::exit(5) }
        }
        _ => {}
    }
    2
}

fn text<'a>(p: *const c_char) -> &'a str {
    // SAFETY: the host passes C strings.
    unsafe { CStr::from_ptr(p) }.to_str().unwrap_or_default()
}

fn fail(err: *mut Error, message: &str) -> Status {
    // SAFETY: the host passes an error to be filled.
    let err = unsafe { &mut *err };
    for (to, from) in err.msg.iter_mut().zip(message.bytes()) {
        *to = c_char::from_ne_bytes([from]);
    }
    err.len = message.len() as u32;
    abi::FAILED
}

unsafe extern "C" fn create(
    _index: u32,
    host: *const Host,
    params: *const Kv,
    n: u64,
    resume_dir: *const c_char,
    out: *mut *mut Run,
    err: *mut Error,
) -> Status {
    // SAFETY: the host table lives as long as the run.
    let host = unsafe { &*host };
    let mut run = Plain { host, steps: 0, hold: 0, gate: String::new(), mode: String::new(), first: 0 };
    // SAFETY: n pairs.
    let pairs = unsafe { std::slice::from_raw_parts(params, n as usize) };
    for pair in pairs {
        let value = text(pair.value);
        match text(pair.key) {
            "steps" => run.steps = value.parse().unwrap_or(-1),
            "hold" => run.hold = value.parse().unwrap_or(0),
            "gate" => value.clone_into(&mut run.gate),
            _ => value.clone_into(&mut run.mode),
        }
    }
    if !resume_dir.is_null() {
        let saved = std::fs::read_to_string(format!("{}/step", text(resume_dir))).unwrap_or_default();
        match saved.parse::<i64>() {
            Ok(step) => run.first = step + 1,
            Err(_) => return fail(err, "the checkpoint holds no step"),
        }
    }
    // SAFETY: the host passes memory for the pointer.
    unsafe { *out = Box::into_raw(Box::new(run)).cast() };
    abi::OK
}

unsafe extern "C" fn save(user: *mut c_void, dir: *const c_char) -> Status {
    // SAFETY: `train` passes its step.
    let step = unsafe { *user.cast::<i64>() };
    match std::fs::write(format!("{}/step", text(dir)), step.to_string()) {
        Ok(()) => abi::OK,
        Err(_) => abi::IO,
    }
}

unsafe extern "C" fn run(run: *mut Run, err: *mut Error) -> Status {
    // SAFETY: what create made.
    let run = unsafe { &mut *run.cast::<Plain>() };
    train(run).unwrap_or_else(|why| fail(err, why))
}

const NONE: &str = "a host function is missing";

/// Saves after a step if asked to. True: stop.
fn between(host: &Host, step: i64) -> Result<bool, &'static str> {
    // SAFETY: the host's own argument.
    if unsafe { host.should_checkpoint.ok_or(NONE)?(host.ctx) } != 0 {
        let mut step = step;
        // SAFETY: `save` takes the step.
        let saved =
            unsafe { host.checkpoint.ok_or(NONE)?(host.ctx, step, Some(save), (&raw mut step).cast()) };
        if saved != abi::OK {
            return Err("no checkpoint");
        }
    }
    // SAFETY: the host's own argument.
    Ok(unsafe { host.step_end.ok_or(NONE)?(host.ctx) } != abi::OK)
}

fn train(run: &Plain) -> Result<Status, &'static str> {
    let host = run.host;
    let mut series = [0u32; 2];
    for (trial, number) in series.iter_mut().enumerate() {
        let key = Series {
            size: size_of::<Series>() as u32,
            trial: trial as i32,
            metric: c"loss".as_ptr(),
            model: c"net".as_ptr(),
            split: c"train".as_ptr(),
        };
        // SAFETY: a valid series and a place for its number.
        if unsafe { host.series.ok_or(NONE)?(host.ctx, &raw const key, number) } != abi::OK {
            return Err("no series");
        }
    }
    let [one, two] = series;
    for step in run.first..run.steps {
        while !run.may_begin(step) {
            if between(host, step - 1)? {
                return Ok(abi::STOPPED);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let value = 1.0 / (step + 1) as f64;
        let points = [one, two].map(|series| Point { series, reserved: 0, value });
        // SAFETY: two points.
        let logged = unsafe { host.log_metrics.ok_or(NONE)?(host.ctx, step, f64::NAN, points.as_ptr(), 2) };
        if logged != abi::OK {
            return Err("not logged");
        }
        // SAFETY: a C string.
        unsafe {
            host.progress.ok_or(NONE)?(host.ctx, (step + 1) as u64, run.steps as u64, c"counting".as_ptr())
        };
        if run.mode == "fail" && step == 3 {
            return Err("no \x1b[31mdata");
        }
        if between(host, step)? {
            return Ok(abi::STOPPED);
        }
    }
    Ok(abi::OK)
}

unsafe extern "C" fn destroy(run: *mut Run) {
    // SAFETY: what create made, once.
    drop(unsafe { Box::from_raw(run.cast::<Plain>()) });
}

unsafe extern "C" fn extension(_id: *const c_char) -> *const c_void {
    null()
}

/// The one exported symbol.
#[unsafe(no_mangle)]
pub extern "C" fn gradtop_entry_v1() -> *const Entry {
    static ENTRY: Shared<Entry> = Shared(Entry {
        magic: abi::MAGIC,
        size: size_of::<Entry>() as u32,
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        built_with: c"plain Rust".as_ptr(),
        count: Some(count),
        desc: Some(describe),
        create: Some(create),
        run: Some(run),
        destroy: Some(destroy),
        extension: Some(extension),
    });
    &raw const ENTRY.0
}
