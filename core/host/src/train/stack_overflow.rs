//! Reports a stack overflow of the training thread before the process ends with SIGSEGV. The thread is not started by
//! the standard library, so its handler does not cover it.

#![allow(unsafe_code, reason = "handles a signal")]

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::{c_int, c_void, siginfo_t};

/// The message, which is searched for when the cause of death is determined.
const WORDS: &[u8] = b"the training thread has overflowed its stack\n";
/// Size of the alternate stack, for this handler and any earlier ones.
const ALTERNATE: usize = 64 << 10;
/// How far below the stack an access still counts as an overflow: a large frame may skip the guard page.
const BELOW: usize = 1 << 20;

/// The lowest address of the thread's stack.
static LOWEST: AtomicUsize = AtomicUsize::new(0);
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Reports an overflow of the calling thread's stack on standard error from now on. Best effort: without it the process
/// ends in the same way.
pub(crate) fn say_on_overflow() {
    let Some(lowest) = lowest_address() else { return };
    LOWEST.store(lowest, Ordering::Relaxed);
    let room = Box::leak(vec![0_u8; ALTERNATE].into_boxed_slice());
    let stack = libc::stack_t { ss_sp: room.as_mut_ptr().cast(), ss_flags: 0, ss_size: ALTERNATE };
    // SAFETY: memory that is never freed; the thread uses it until it exits.
    if unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) } != 0 {
        return;
    }
    let mut before = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: only queries, into valid memory.
    if unsafe { libc::sigaction(libc::SIGSEGV, ptr::null(), before.as_mut_ptr()) } != 0 {
        return;
    }
    // SAFETY: initialized by the call above.
    BEFORE.get_or_init(|| unsafe { before.assume_init() });
    set(on_fault as extern "C" fn(c_int, *mut siginfo_t, *mut c_void) as usize);
}

fn lowest_address() -> Option<usize> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: always safe.
    let this = unsafe { libc::pthread_self() };
    // SAFETY: a live thread, and valid memory for the result.
    if unsafe { libc::pthread_getattr_np(this, attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let (mut lowest, mut size) = (ptr::null_mut(), 0);
    // SAFETY: initialized attributes.
    let asked = unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut lowest, &raw mut size) };
    // SAFETY: as above, only once.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    (asked == 0).then_some(lowest as usize)
}

/// Sets the handler of SIGSEGV, on the alternate stack. Async-signal-safe.
fn set(handler: usize) {
    // SAFETY: all zeros is a valid value; it is filled in next.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: a handler of the right type, or the default.
    unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()) };
}

/// Makes only async-signal-safe calls. Returning repeats the access, which then invokes the handler set here.
extern "C" fn on_fault(_signal: c_int, info: *mut siginfo_t, _context: *mut c_void) {
    // SAFETY: the kernel's struct, valid during this call.
    let info = unsafe { &*info };
    // SAFETY: this field is set for SIGSEGV.
    let at = unsafe { info.si_addr() } as usize;
    let lowest = LOWEST.load(Ordering::Relaxed);
    if (lowest.saturating_sub(BELOW)..lowest).contains(&at) {
        // SAFETY: writes a constant to standard error.
        unsafe { libc::write(libc::STDERR_FILENO, WORDS.as_ptr().cast(), WORDS.len()) };
        set(libc::SIG_DFL);
    } else if let Some(before) = BEFORE.get() {
        // SAFETY: restores the previous action.
        unsafe { libc::sigaction(libc::SIGSEGV, before, ptr::null_mut()) };
    } else {
        set(libc::SIG_DFL);
    }
}
