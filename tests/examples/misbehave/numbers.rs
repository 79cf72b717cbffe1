//! Experiments that log strange values.

#![allow(clippy::unnecessary_wraps, reason = "every phase of an experiment has one type")]

use std::ffi::CString;

use gradtop_abi as abi;

use crate::Job;

type Result = std::result::Result<abi::Status, Vec<u8>>;

/// A short run without any mistake.
pub(crate) fn short(job: &Job) -> Result {
    each_step(job, |_, _| 0.5)
}

/// Logs `steps` steps of the guard metric `loss` in four trials. Ends as the host requests.
fn each_step(job: &Job, value: impl Fn(i64, i32) -> f64) -> Result {
    let host = job.host;
    let series: Vec<_> = (0..4).map(|trial| host.series(c"loss", Some(c"m"), trial).unwrap()).collect();
    for step in 0..job.int("steps") {
        let points: Vec<_> = series.iter().zip(0..).map(|(s, trial)| (*s, value(step, trial))).collect();
        host.log(step, &points);
        match host.step_end() {
            abi::OK => {}
            status => return Ok(status),
        }
    }
    Ok(abi::OK)
}

/// Losses of two models, two splits and three trials. They fall faster with a higher `lr`, and diverge above 1.
pub(crate) fn curves(job: &Job) -> Result {
    let host = job.host;
    let lr: f64 = job.params["lr"].parse().unwrap();
    let of = |split| {
        move |model| (0..3).map(move |trial| host.series_of(c"loss", Some(model), Some(split), trial))
    };
    let models = [c"a", c"b"];
    let tests = models.into_iter().flat_map(of(c"test")).map(|series| (series.unwrap(), 1.0));
    let trains = models.into_iter().flat_map(of(c"train")).map(|series| (series.unwrap(), 0.5));
    let series: Vec<_> = tests.chain(trains).collect();
    for step in 0..job.int("steps") {
        let falls = |scale: f64, n: i32| scale * (-lr * step as f64).exp() * (1.0 + 0.01 * f64::from(n));
        let value = |scale, n| if lr > 1.0 && step > 5 { f64::INFINITY } else { falls(scale, n) };
        let points: Vec<_> = series.iter().zip(0..).map(|((s, scale), n)| (*s, value(*scale, n))).collect();
        host.log(step, &points);
        match host.step_end() {
            abi::OK => {}
            status => return Ok(status),
        }
    }
    Ok(abi::OK)
}

pub(crate) fn nan_guard(job: &Job) -> Result {
    each_step(job, |_, _| f64::NAN)
}

pub(crate) fn nan_late(job: &Job) -> Result {
    each_step(job, |step, _| if step < 10 { 1.0 } else { f64::NAN })
}

pub(crate) fn inf_guard(job: &Job) -> Result {
    each_step(job, |_, trial| if trial % 2 == 0 { f64::INFINITY } else { f64::NEG_INFINITY })
}

pub(crate) fn nan_one_trial(job: &Job) -> Result {
    each_step(job, |step, trial| if trial == 2 && step >= 5 { f64::NAN } else { 1.0 })
}

/// NaN and infinities in a metric that is no guard.
pub(crate) fn nan_plain(job: &Job) -> Result {
    let host = job.host;
    let (loss, noise) = (host.metric(c"loss"), host.metric(c"noise"));
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE / 2.0];
    for step in 0..job.int("steps") {
        host.log(step, &[(loss, 1.0), (noise, odd[step as usize % odd.len()])]);
        if host.step_end() != abi::OK {
            return Ok(abi::STOPPED);
        }
    }
    Ok(abi::OK)
}

/// A new name for every value, as in `loss_step_17`.
pub(crate) fn million_names(job: &Job) -> Result {
    let host = job.host;
    let mut refused = 0;
    let mut last = abi::OK;
    for n in 0..1_000_000 {
        let name = CString::new(format!("loss_step_{n}")).unwrap();
        match host.series(&name, None, -1) {
            Ok(series) => {
                host.log(n, &[(series, n as f64)]);
            }
            Err(status) => {
                refused += 1;
                last = status;
            }
        }
    }
    host.report("series", last);
    host.info(&format!("refused {refused}"));
    Ok(abi::OK)
}
