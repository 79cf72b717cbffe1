//! Has the training thread say that its stack overflows, before the process ends by SIGSEGV. It is a bare thread, which the
//! standard library's own handler does not know.

#![allow(unsafe_code, reason = "handles a signal")]

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::{c_int, c_void, siginfo_t};

/// What is written; it is looked for when a death is judged.
const WORDS: &[u8] = b"the training thread has overflowed its stack\n";
/// Room for the handlers, ours and those before it.
const ALTERNATE: usize = 64 << 10;
/// How far below the stack an access still is of the stack: a big frame may step over the guard page.
const BELOW: usize = 1 << 20;

/// The lowest address of the thread's stack.
static LOWEST: AtomicUsize = AtomicUsize::new(0);
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// From now on an overflow of the calling thread's stack is said on standard error. Best effort: without it the process ends
/// all the same.
pub(crate) fn say_on_overflow() {
    let Some(lowest) = lowest_address() else { return };
    LOWEST.store(lowest, Ordering::Relaxed);
    let room = Box::leak(vec![0_u8; ALTERNATE].into_boxed_slice());
    let stack = libc::stack_t { ss_sp: room.as_mut_ptr().cast(), ss_flags: 0, ss_size: ALTERNATE };
    // SAFETY: memory that stays; the thread keeps it to its end.
    if unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) } != 0 {
        return;
    }
    let mut before = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: asks, into memory for the answer.
    if unsafe { libc::sigaction(libc::SIGSEGV, ptr::null(), before.as_mut_ptr()) } != 0 {
        return;
    }
    // SAFETY: just filled.
    BEFORE.get_or_init(|| unsafe { before.assume_init() });
    set(on_fault as extern "C" fn(c_int, *mut siginfo_t, *mut c_void) as usize);
}

fn lowest_address() -> Option<usize> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: always.
    let this = unsafe { libc::pthread_self() };
    // SAFETY: a thread that lives, and memory for the answer.
    if unsafe { libc::pthread_getattr_np(this, attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let (mut lowest, mut size) = (ptr::null_mut(), 0);
    // SAFETY: attributes that were just filled.
    let asked = unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut lowest, &raw mut size) };
    // SAFETY: as above, once.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    (asked == 0).then_some(lowest as usize)
}

/// Handles SIGSEGV by a function, on the alternate stack. Safe in a handler.
fn set(handler: usize) {
    // SAFETY: all zeros is a valid value; it is filled next.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: a handler of the right type, or the default one.
    unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()) };
}

/// Only calls that are safe in a handler. Returning repeats the access, which then meets what is set here.
extern "C" fn on_fault(_signal: c_int, info: *mut siginfo_t, _context: *mut c_void) {
    // SAFETY: the kernel's own struct, for the time of this call.
    let info = unsafe { &*info };
    // SAFETY: a field that SIGSEGV has.
    let at = unsafe { info.si_addr() } as usize;
    let lowest = LOWEST.load(Ordering::Relaxed);
    if (lowest.saturating_sub(BELOW)..lowest).contains(&at) {
        // SAFETY: a constant, to standard error.
        unsafe { libc::write(libc::STDERR_FILENO, WORDS.as_ptr().cast(), WORDS.len()) };
        set(libc::SIG_DFL);
    } else if let Some(before) = BEFORE.get() {
        // SAFETY: what was there.
        unsafe { libc::sigaction(libc::SIGSEGV, before, ptr::null_mut()) };
    } else {
        set(libc::SIG_DFL);
    }
}
