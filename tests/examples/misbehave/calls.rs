//! Calls that the host must refuse or make harmless. Each writes its result to the run's log.

#![allow(clippy::unnecessary_wraps, reason = "every phase of an experiment has one type")]

use std::ffi::{CStr, CString};

use gradtop_abi as abi;

use crate::Job;
use crate::common::{Host, column, column_f64, column_i64, column_utf8};
use crate::counter::Gate;

type Result = std::result::Result<abi::Status, Vec<u8>>;

/// A short ordinary run, which shows that nothing else was harmed. Tests can hold it.
fn finish(job: &Job) -> Result {
    let host = job.host;
    let loss = host.metric(c"loss");
    let mut gate = Gate::of(job);
    for step in 0..10 {
        while !gate.lets(step) {
            match host.step_end() {
                abi::OK => std::thread::sleep(std::time::Duration::from_millis(2)),
                status => return Ok(status),
            }
        }
        if host.log(step, &[(loss, 1.0)]) != abi::OK {
            return Err(format!("an ordinary point was refused: {}", host.last_error()).into_bytes());
        }
    }
    Ok(abi::OK)
}

fn report_series(host: Host, what: &str, result: std::result::Result<u32, abi::Status>) {
    host.report(what, result.err().unwrap_or(abi::OK));
    if let Ok(series) = result {
        host.log(0, &[(series, 1.0)]);
    }
}

pub(crate) fn invalid_utf8(job: &Job) -> Result {
    let host = job.host;
    let bad: &CStr = c"bad\xff\xfename";
    report_series(host, "metric", host.series(bad, None, -1));
    report_series(host, "model", host.series(c"loss", Some(bad), -1));
    host.report("table", host.table(bad, 0, &[column_f64(c"x", &[1.0])], 1));
    host.report("column", host.table(c"t", 0, &[column_f64(bad, &[1.0])], 1));
    host.report("values", host.table(c"u", 0, &[column_utf8(c"x", b"ok\xff\xfe", &[0, 2, 4])], 2));
    host.report("text", host.text(abi::log_level::INFO, b"text \xff\xfe after"));
    host.report("progress", host.progress(1, 2, Some(bad)));
    host.report("figures", host.declare_figures(bad));
    finish(job)
}

/// Colours, a cleared screen, a window title, C1 control characters, a bell, and a right-to-left override.
const NASTY: &CStr = c"a\x1b[31mb\x1b[2J\x1b]0;owned\x07c\xc2\x9b31md\x08e\xe2\x80\xaef\rg\nh";

pub(crate) fn escapes(job: &Job) -> Result {
    let host = job.host;
    report_series(host, "metric", host.series(NASTY, None, -1));
    report_series(host, "model", host.series(c"loss", Some(NASTY), -1));
    report_series(host, "split", host.series(c"\x1b[31mloss", None, 3));
    host.report("table", host.table(NASTY, 0, &[column_f64(c"x", &[1.0])], 1));
    host.report("path", host.table(c"../../../escaped", 0, &[column_f64(c"x", &[1.0])], 1));
    host.report("slash", host.table(c"a/b", 0, &[column_f64(c"x", &[1.0])], 1));
    host.report("column", host.table(c"t", 0, &[column_f64(NASTY, &[1.0])], 1));
    let bytes = NASTY.to_bytes();
    host.report("values", host.table(c"u", 0, &[column_utf8(c"x", bytes, &[0, bytes.len() as u64])], 1));
    for level in 0..6 {
        host.text(level, bytes);
    }
    host.report("progress", host.progress(1, 2, Some(NASTY)));
    let figures = "[[figure]]\nid = \"loss\"\ntitle = \"\\u001b[31mred\\u001b[2J\"\n[[figure.panel]]\n\
                   [[figure.panel.mark]]\ntype = \"line\"\nmetric = \"loss\"\n";
    host.report("figures", host.declare_figures(&CString::new(figures).unwrap()));
    // Also written to the console.
    std::io::Write::write_all(&mut std::io::stdout(), bytes).unwrap();
    std::io::Write::flush(&mut std::io::stdout()).unwrap();
    finish(job)?;
    Err(bytes.to_vec())
}

pub(crate) fn unknown_series(job: &Job) -> Result {
    let host = job.host;
    let loss = host.metric(c"loss");
    host.report("next", host.log(0, &[(loss + 1, 1.0)]));
    host.report("huge", host.log(1, &[(u32::MAX, 1.0)]));
    host.report("mixed", host.log(2, &[(loss, 1.0), (12_345, 2.0)]));
    finish(job)
}

pub(crate) fn null_arguments(job: &Job) -> Result {
    let host = job.host;
    let raw = host.raw();
    let ctx = raw.ctx;
    let null = std::ptr::null();
    let mut number = 0u32;
    let series = abi::Series {
        size: size_of::<abi::Series>() as u32,
        trial: -1,
        metric: c"loss".as_ptr(),
        model: null,
        split: null,
    };
    let nameless = abi::Series { metric: null, ..series };
    let short = abi::Series { size: 4, metric: c"loss".as_ptr(), ..series };
    let series = abi::Series { metric: c"loss".as_ptr(), ..series };
    macro_rules! call {
        ($what:literal, $field:ident ( $($arg:expr),* )) => {{
            let function = raw.$field.unwrap();
            // SAFETY: null where the header allows none is what this asks about; the host checks it.
            let status = unsafe { function(ctx, $($arg),*) };
            host.report($what, status);
        }};
    }
    call!("series null", series(std::ptr::null(), &raw mut number));
    call!("series out null", series(&raw const series, std::ptr::null_mut()));
    call!("series nameless", series(&raw const nameless, &raw mut number));
    call!("series short", series(&raw const short, &raw mut number));
    call!("points null", log_metrics(0, 0.0, std::ptr::null(), 3));
    call!("no points", log_metrics(0, 0.0, std::ptr::null(), 0));
    call!("table name", log_table(null, 0, std::ptr::null(), 0, 0));
    call!("columns null", log_table(c"t".as_ptr(), 0, std::ptr::null(), 2, 1));
    let columns = [std::ptr::null()];
    call!("column null", log_table(c"t".as_ptr(), 0, columns.as_ptr(), 1, 1));
    let empty = column(abi::column_type::F64, c"x", std::ptr::null());
    let columns = [&raw const empty];
    call!("data null", log_table(c"t".as_ptr(), 0, columns.as_ptr(), 1, 1));
    call!("figures null", declare_figures(null));
    call!("text null", log_text(3, null, 5));
    call!("phase null", progress(1, 2, null));
    call!("save null", checkpoint(0, None, std::ptr::null_mut()));
    // SAFETY: no place for an answer is what this asks about.
    unsafe { (raw.last_error.unwrap())(ctx, std::ptr::null_mut(), 0) };
    // SAFETY: as above.
    unsafe { (raw.last_error.unwrap())(ctx, std::ptr::null_mut(), 100) };
    // SAFETY: as above.
    let extension = unsafe { (raw.extension.unwrap())(ctx, null) };
    host.info(&format!("extension null: {}", extension.is_null()));
    // SAFETY: the id is a string.
    let extension = unsafe { (raw.extension.unwrap())(ctx, c"no.such.extension/9".as_ptr()) };
    host.info(&format!("extension unknown: {}", extension.is_null()));
    finish(job)
}

pub(crate) fn bad_tables(job: &Job) -> Result {
    let host = job.host;
    let (x, n) = ([1.0, 2.0], [1, 2]);
    host.report("good", host.table(c"good", 0, &[column_f64(c"x", &x), column_i64(c"n", &n)], 2));
    host.report("no columns", host.table(c"t", 0, &[], 2));
    host.report("no rows", host.table(c"empty", 0, &[column_f64(c"x", &[])], 0));
    host.report("no name", host.table(c"", 0, &[column_f64(c"x", &x)], 2));
    host.report("no column name", host.table(c"t", 0, &[column_f64(c"", &x)], 2));
    host.report("twice", host.table(c"t", 0, &[column_f64(c"x", &x), column_f64(c"x", &x)], 2));
    host.report("step", host.table(c"t", 0, &[column_f64(c"step", &x)], 2));
    host.report("run", host.table(c"run", 0, &[column_f64(c"x", &x)], 2));
    host.report("other columns", host.table(c"good", 1, &[column_f64(c"y", &x)], 2));
    host.report("other type", host.table(c"good", 1, &[column_i64(c"x", &n), column_i64(c"n", &n)], 2));
    host.report("unknown type", host.table(c"t", 0, &[column(99, c"x", x.as_ptr().cast())], 2));
    host.report(
        "offsets null",
        host.table(c"t", 0, &[column(abi::column_type::UTF8, c"x", x.as_ptr().cast())], 1),
    );
    host.report("offsets back", host.table(c"t", 0, &[column_utf8(c"x", b"abcdef", &[0, 4, 2])], 2));
    host.report(
        "width 0",
        host.table(c"t", 0, &[column(abi::column_type::BYTES, c"x", x.as_ptr().cast())], 2),
    );
    let short = abi::Column { size: 8, ..column_f64(c"x", &x) };
    host.report("short struct", host.table(c"t", 0, &[short], 2));
    host.report("good again", host.table(c"good", 2, &[column_f64(c"x", &x), column_i64(c"n", &n)], 2));
    finish(job)
}

pub(crate) fn bad_figures(job: &Job) -> Result {
    let host = job.host;
    let declare =
        |what: &str, toml: &str| host.report(what, host.declare_figures(&CString::new(toml).unwrap()));
    let figure = |more: &str| format!("[[figure]]\nid = \"loss\"\ntitle = \"Loss\"\n{more}");
    let panel = |more: &str| figure(&format!("[[figure.panel]]\n{more}"));
    let mark = |more: &str| panel(&format!("[[figure.panel.mark]]\n{more}\n"));
    let good = mark("type = \"line\"\nmetric = \"loss\"");
    declare("no toml", "[[figure");
    declare("key twice", &figure("title = \"Loss\"\n"));
    declare("number too large", &mark("type = \"rule\"\ny = 99999999999999999999"));
    declare("no id", "[[figure]]\ntitle = \"x\"\n");
    declare("id twice", &format!("{good}{good}"));
    declare("bad id", &good.replace("\"loss\"\ntitle", "\"The loss\"\ntitle"));
    declare("no panel", &figure(""));
    declare("no mark", &panel(""));
    declare(
        "bad scale",
        &panel("y = { scale = \"ln\" }\n[[figure.panel.mark]]\ntype = \"line\"\nmetric = \"loss\"\n"),
    );
    declare("bad mark", &mark("type = \"pie\""));
    declare("no metric", &mark("type = \"line\""));
    declare("bad type", &mark("type = \"line\"\nmetric = 3"));
    declare("newer schema", &format!("schema = 99\n{good}"));
    declare("good", &good);
    finish(job)
}

/// A megabyte in each string.
pub(crate) fn long_strings(job: &Job) -> Result {
    let host = job.host;
    let long = CString::new("x".repeat(1 << 20)).unwrap();
    report_series(host, "metric", host.series(&long, None, -1));
    host.report("table", host.table(&long, 0, &[column_f64(c"x", &[1.0])], 1));
    host.report("column", host.table(c"t", 0, &[column_f64(&long, &[1.0])], 1));
    host.report("text", host.text(abi::log_level::INFO, long.as_bytes()));
    host.report("progress", host.progress(1, 2, Some(&long)));
    finish(job)
}

fn checkpoint_when_asked(job: &Job, save: impl Fn(&std::path::Path) -> abi::Status) -> Result {
    let host = job.host;
    let loss = host.metric(c"loss");
    for step in 0.. {
        host.log(step, &[(loss, 1.0)]);
        if host.should_checkpoint() {
            host.report("checkpoint", host.checkpoint(step, &save));
            return Ok(abi::OK);
        }
        match host.step_end() {
            abi::OK => std::thread::sleep(std::time::Duration::from_millis(2)),
            status => return Ok(status),
        }
    }
    Ok(abi::OK)
}

pub(crate) fn save_fails(job: &Job) -> Result {
    checkpoint_when_asked(job, |_| abi::FAILED)
}

/// A checkpoint within a checkpoint.
pub(crate) fn save_nested(job: &Job) -> Result {
    checkpoint_when_asked(job, |dir| {
        std::fs::write(dir.join("outer"), b"x").unwrap();
        job.host.report("nested", job.host.checkpoint(1, |_| abi::OK));
        abi::OK
    })
}

pub(crate) fn save_aborts(job: &Job) -> Result {
    checkpoint_when_asked(job, |dir| {
        std::fs::write(dir.join("half"), b"x").unwrap();
        std::process::abort()
    })
}

/// A panic that unwinds out of `save` would unwind through the host, so it must abort.
pub(crate) fn save_panics(job: &Job) -> Result {
    checkpoint_when_asked(job, |_| panic!("the fixture panics on purpose"))
}

pub(crate) fn save_hangs(job: &Job) -> Result {
    checkpoint_when_asked(job, |dir| {
        std::fs::write(dir.join("half"), b"x").unwrap();
        loop {
            std::thread::sleep(std::time::Duration::from_hours(1));
        }
    })
}
