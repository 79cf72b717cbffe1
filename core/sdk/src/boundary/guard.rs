//! Catches panics at the boundary, where nothing may unwind: each callback of the host runs inside [`guard`]. A panic
//! of any other thread ends only that thread, and with it part of the work, so it is recorded and fails the run at its
//! next step or at its end.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use crate::{Error, ErrorKind, Result};

/// The first panic of a thread outside of [`guard`].
static ELSEWHERE: Mutex<Option<String>> = Mutex::new(None);
/// Whether there is or may soon be one: a step checks only this.
static ANY: AtomicBool = AtomicBool::new(false);
/// Set in test programs, where threads that panic are failing tests.
static IN_TESTS: AtomicBool = AtomicBool::new(false);

/// Ignores panics of other threads.
pub(crate) fn in_tests() {
    IN_TESTS.store(true, Ordering::Relaxed);
}

/// Returns the panic of another thread of the plugin, if there was one.
#[inline]
pub(crate) fn panic_elsewhere() -> Option<Error> {
    ANY.load(Ordering::Acquire).then(kept)
}

#[cold]
fn kept() -> Error {
    let text = ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner);
    Error::new(text.as_deref().unwrap_or("a thread of the plugin panicked"))
}

fn keep(info: &PanicHookInfo<'_>) {
    if IN_TESTS.load(Ordering::Relaxed) {
        return;
    }
    let thread = std::thread::current();
    let name =
        thread.name().map_or_else(|| "a thread of the plugin".to_owned(), |n| format!("the thread {n:?}"));
    let text = format!("{name} {}", describe(info).message());
    ELSEWHERE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
    ANY.store(true, Ordering::Release);
}

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static CAUGHT: RefCell<Option<Error>> = const { RefCell::new(None) };
}

/// Runs `f`; a panic becomes an error with its message and location, and its backtrace as detail.
pub(super) fn guard<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    install_hook();
    CAUGHT.take();
    DEPTH.set(DEPTH.get() + 1);
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    DEPTH.set(DEPTH.get() - 1);
    result.unwrap_or_else(|payload| {
        // Dropping a payload may panic again, so leak these few bytes instead.
        let payload = ManuallyDrop::new(payload);
        Err(CAUGHT.take().unwrap_or_else(|| passed_on(&**payload)))
    })
}

/// Installs the panic hook. A guarded panic is recorded and not printed; others are recorded and passed to the previous
/// hook, which prints them.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if DEPTH.try_with(Cell::get).unwrap_or(0) == 0 {
                keep(info);
                before(info);
            } else {
                let error = describe(info);
                CAUGHT.with(|caught| *caught.borrow_mut() = Some(error));
            }
        }));
    });
}

/// Creates the error for a panic of another thread passed on by `resume_unwind`, which no hook sees.
fn passed_on(payload: &(dyn Any + Send)) -> Error {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    Error::of_kind(ErrorKind::Panic, text.unwrap_or("a value that is not text")).context("panicked")
}

fn describe(info: &PanicHookInfo<'_>) -> Error {
    let text = info.payload_as_str().unwrap_or("a value that is not text");
    let error = Error::of_kind(ErrorKind::Panic, text);
    let detail = format!("backtrace:\n{}", Backtrace::force_capture());
    let error = match info.location() {
        Some(at) => error.context(format!("panicked at {}:{}:{}", at.file(), at.line(), at.column())),
        None => error.context("panicked"),
    };
    error.with_detail(&detail)
}
