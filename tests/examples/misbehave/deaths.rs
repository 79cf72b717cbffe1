//! Experiments that end in bad ways, or never.

#![allow(clippy::unnecessary_wraps, reason = "every phase of an experiment has one type")]

use std::io::Write as _;
use std::os::fd::FromRawFd as _;
use std::time::Duration;

use gradtop_abi as abi;

use crate::Job;

type Result = std::result::Result<abi::Status, Vec<u8>>;

/// Logs some rows first, so that there is a log to lose.
fn log_some(job: &Job) {
    let loss = job.host.metric(c"loss");
    for step in 0..10 {
        assert_eq!(job.host.log(step, &[(loss, 1.0 / (step + 1) as f64)]), abi::OK);
    }
}

pub(crate) fn panics(_: &Job) -> Result {
    panic!("the fixture panics on purpose")
}

pub(crate) fn segfault(job: &Job) -> Result {
    log_some(job);
    // SAFETY: not at all, which is the purpose; the page is ours, so nothing else is harmed.
    unsafe { crate::common::forbidden::<u8>().write_volatile(1) };
    Ok(abi::OK)
}

pub(crate) fn stack_overflow(job: &Job) -> Result {
    #[inline(never)]
    fn deeper(n: u64) -> u64 {
        let block = std::hint::black_box([n; 512]);
        if block[511] == u64::MAX { 0 } else { deeper(n + 1) + block[0] }
    }
    log_some(job);
    Ok(deeper(0) as abi::Status)
}

pub(crate) fn abort(job: &Job) -> Result {
    log_some(job);
    std::process::abort()
}

pub(crate) fn kill_self(job: &Job) -> Result {
    log_some(job);
    // SAFETY: a signal to this process.
    unsafe { libc::raise(libc::SIGKILL) };
    hang(job)
}

pub(crate) fn exit_0(job: &Job) -> Result {
    log_some(job);
    // SAFETY: C's exit, from the thread that the host called.
    unsafe { libc::exit(0) }
}

pub(crate) fn exit_3(job: &Job) -> Result {
    log_some(job);
    // SAFETY: as above.
    unsafe { libc::exit(3) }
}

pub(crate) fn fast_exit_0(job: &Job) -> Result {
    log_some(job);
    // SAFETY: ends the process without its handlers.
    unsafe { libc::_exit(0) }
}

pub(crate) fn out_of_memory(job: &Job) -> Result {
    log_some(job);
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = status.split(' ').next().unwrap().parse().unwrap();
    let limit = libc::rlimit { rlim_cur: pages * 4096 + (256 << 20), rlim_max: libc::RLIM_INFINITY };
    // SAFETY: `limit` lives until the call returns.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
    let mut hoard = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1u8; 64 << 20]));
    }
}

/// Never calls the host again.
pub(crate) fn hang(_: &Job) -> Result {
    loop {
        std::thread::sleep(Duration::from_hours(1));
    }
}

fn stdout() -> std::fs::File {
    // Not through Rust's standard output, which buffers and locks.
    // SAFETY: the descriptor is open for the life of the process, and this file is never dropped.
    unsafe { std::fs::File::from_raw_fd(1) }
}

/// Prints 100 MiB, then ends normally.
pub(crate) fn flood(job: &Job) -> Result {
    log_some(job);
    let mut out = std::mem::ManuallyDrop::new(stdout());
    let line = format!("{:>1023}\n", "flood");
    for _ in 0..100 << 10 {
        out.write_all(line.as_bytes()).unwrap();
    }
    out.write_all(b"the last line\n").unwrap();
    Ok(abi::OK)
}

/// Prints without line ends for ever.
pub(crate) fn flood_forever(job: &Job) -> Result {
    log_some(job);
    let mut out = std::mem::ManuallyDrop::new(stdout());
    let block = vec![b'x'; 1 << 16];
    loop {
        out.write_all(&block).unwrap();
    }
}

/// Leaves a child that keeps standard output open.
pub(crate) fn orphan(job: &Job) -> Result {
    log_some(job);
    let child =
        std::process::Command::new("sleep").arg("600").spawn().map_err(|e| e.to_string().into_bytes())?;
    job.host.info(&format!("child {}", child.id()));
    Ok(abi::OK)
}

/// Forks a child that does not exec, like a data loader, then hangs.
pub(crate) fn forks(job: &Job) -> Result {
    log_some(job);
    // SAFETY: the child makes one system call after the other.
    let child = unsafe { libc::fork() };
    if child == 0 {
        loop {
            // SAFETY: waits for a signal.
            unsafe { libc::pause() };
        }
    }
    job.host.info(&format!("child {child}"));
    hang(job)
}

/// A thread keeps logging while and after the run ends.
pub(crate) fn late_thread(job: &Job) -> Result {
    log_some(job);
    let host = job.host;
    let loss = host.metric(c"loss");
    std::thread::spawn(move || {
        for step in 100.. {
            host.log(step, &[(loss, 0.0)]);
            host.text(abi::log_level::INFO, b"still here");
            std::thread::sleep(Duration::from_micros(50));
        }
    });
    std::thread::sleep(Duration::from_millis(50));
    Ok(abi::OK)
}
