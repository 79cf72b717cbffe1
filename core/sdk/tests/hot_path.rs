//! What a training loop calls at every step allocates nothing and costs next to nothing over the host.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "it plays a host and counts allocations")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::hint::black_box;
use std::ptr;
use std::time::Instant;

use gradtop_abi::{self as abi, Point, Status};
use gradtop_sdk::prelude::*;

thread_local! { static ALLOCATIONS: Cell<u64> = const { Cell::new(0) } }

struct Counting;

// SAFETY: it passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: by the caller's contract.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: by the caller's contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

unsafe extern "C" fn series(_: *mut c_void, _: *const abi::Series, out: *mut u32) -> Status {
    // SAFETY: the plugin's variable.
    unsafe { out.write(0) };
    abi::OK
}

/// As little as a host can do with points.
unsafe extern "C" fn log_metrics(
    ctx: *mut c_void,
    step: i64,
    _: f64,
    points: *const Point,
    n: u64,
) -> Status {
    black_box((ctx, step, points, n));
    abi::OK
}

unsafe extern "C" fn progress(ctx: *mut c_void, done: u64, total: u64, phase: *const c_char) -> Status {
    black_box((ctx, done, total, phase));
    abi::OK
}

unsafe extern "C" fn step_end(ctx: *mut c_void) -> Status {
    black_box(ctx);
    abi::OK
}

unsafe extern "C" fn should_checkpoint(ctx: *mut c_void) -> i32 {
    black_box(ctx);
    0
}

const STEPS: i64 = 10_000;

/// Nanoseconds a call: the best of many short rounds, as others share the machine. It ends early with what is `enough`.
fn best(enough: f64, mut call: impl FnMut(i64)) -> f64 {
    let mut best = f64::INFINITY;
    for round in 0..5000 {
        if round >= 50 && best < enough {
            break;
        }
        let start = Instant::now();
        (0..STEPS).for_each(&mut call);
        best = best.min(start.elapsed().as_nanos() as f64 / STEPS as f64);
    }
    best
}

/// Logs as fast as it can.
#[derive(Params)]
struct Fast;

impl Experiment for Fast {
    fn info() -> Info {
        Info::new("fast", "Fast", "")
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let id = ctx.series(Series::metric("loss"))?;
        let points = [(id, 1.0); 4];
        let before = ALLOCATIONS.with(Cell::get);
        for step in 0..STEPS {
            ctx.log_epoch(step, 0.5, &points)?;
            ctx.progress(step, STEPS, "training")?;
            if ctx.should_checkpoint() || ctx.should_stop() {
                Err("nobody asked")?;
            }
            ctx.step_end()?;
        }
        let allocations = ALLOCATIONS.with(Cell::get) - before;
        assert_eq!(allocations, 0, "a step must not allocate");

        let raw = [Point { series: 0, reserved: 0, value: 1.0 }; 4];
        let function: unsafe extern "C" fn(*mut c_void, i64, f64, *const Point, u64) -> Status =
            black_box(log_metrics);
        let host = best(f64::INFINITY, |step| {
            // SAFETY: the function above takes anything.
            black_box(unsafe { function(ptr::null_mut(), step, f64::NAN, raw.as_ptr(), 4) });
        });
        let sdk = best(host + 30.0, |step| {
            black_box(ctx.log(step, black_box(&points))).unwrap();
        });
        let overhead = sdk - host;
        assert!(overhead < 30.0, "4 points cost {overhead:.1} ns over the host's {host:.1} ns");
        Ok(())
    }
}

gradtop_sdk::export_experiments![Fast];

#[test]
fn steps_are_cheap() {
    let host = abi::Host {
        size: size_of::<abi::Host>() as u32,
        abi_minor: 0,
        ctx: ptr::null_mut(),
        run_dir: ptr::null(),
        seed: 0,
        device: -1,
        threads: 1,
        series: Some(series),
        log_metrics: Some(log_metrics),
        log_table: None,
        declare_figures: None,
        log_text: None,
        progress: Some(progress),
        should_stop: None,
        step_end: Some(step_end),
        should_checkpoint: Some(should_checkpoint),
        checkpoint: None,
        last_error: None,
        extension: None,
    };
    // SAFETY: the entry is immortal.
    let entry = unsafe { &*gradtop_entry_v1() };
    let mut error = abi::Error::EMPTY;
    let mut run = ptr::null_mut();
    // SAFETY: the host outlives the run.
    let created = unsafe {
        entry.create.unwrap()(0, &raw const host, ptr::null(), 0, ptr::null(), &raw mut run, &raw mut error)
    };
    assert_eq!(created, abi::OK);
    // SAFETY: made above.
    let status = unsafe { entry.run.unwrap()(run, &raw mut error) };
    let message: Vec<u8> = error.msg[..error.len as usize].iter().map(|byte| byte.cast_unsigned()).collect();
    assert_eq!(status, abi::OK, "{}", String::from_utf8_lossy(&message));
    // SAFETY: made above, not used again.
    unsafe { entry.destroy.unwrap()(run) };
}
