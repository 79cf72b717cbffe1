//! Training steps a second of `function-fit`, for `benches/function_fit_vs_pytorch.py`.
//!
//! It runs the experiment itself in the SDK's host in memory, its logging and the evaluations at the start and the end
//! included, and prints one JSON line: `function_fit [--model deep] [--batch 0] [--points 1000] [--steps 20000]
//! [--trials 1] [--threads 1] [--optimizer adam]`. Batch 0 is the whole grid.

#![allow(clippy::print_stdout, reason = "its result is for a script to read")]

use std::time::Instant;

use deep_vs_shallow::function_fit::FunctionFit;
use gradtop_sdk::Series;
use gradtop_sdk::testing::{Outcome, TestHost};

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let option = |name: &str, default: &str| {
        let at = arguments.iter().position(|a| a == &format!("--{name}"));
        at.and_then(|i| arguments.get(i + 1)).map_or_else(|| default.to_owned(), Clone::clone)
    };
    let (model, batch) = (option("model", "deep"), option("batch", "0"));
    let (steps, points) = (option("steps", "20000"), option("points", "1000"));
    let (trials, threads) = (option("trials", "1"), option("threads", "1"));
    let optimizer = option("optimizer", "adam");
    let parameters = [
        ("functions", "sinc"),
        ("models", model.as_str()),
        ("points", points.as_str()),
        ("batch", batch.as_str()),
        ("steps", steps.as_str()),
        ("trials", trials.as_str()),
        ("rates", ""),
        ("optimizer", optimizer.as_str()),
        ("eval_every", steps.as_str()),
        ("table_every", "0"),
    ];
    let threads = threads.parse().map_err(|_| format!("--threads {threads}: not a number"))?;
    let host = TestHost::new().threads(threads);
    let start = Instant::now();
    let recorded = host.run::<FunctionFit>(&parameters);
    let seconds = start.elapsed().as_secs_f64();
    if recorded.outcome != Outcome::Finished {
        return Err(format!("{:?}", recorded.outcome));
    }
    let losses = recorded.series(Series::metric("loss").model(&model).split("sinc").trial(0));
    println!(
        "{{\"steps_per_s\": {:.1}, \"final_loss\": {:e}, \"logged\": {}}}",
        recorded.steps_ended as f64 / seconds,
        losses.last().copied().unwrap_or(f64::NAN),
        recorded.metrics.len()
    );
    Ok(())
}
