//! `gradtop wait`: waits until runs have ended.

use std::time::{Duration, Instant};

use anyhow::Result;
use gradtop_store::View;

use super::Context;
use super::select::{each, is_filter, matching, resolve};
use super::signals::Signals;
use super::watch::{self, LEFT_RUNNING};
use crate::failure::Failure;
use crate::print;
use gradtop_view::list::filter::Filter;
use gradtop_view::run::remark;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Runs by name, or a filter as in the monitor: 'state:running lr>1e-3'
    #[arg(default_value = "last", value_name = "RUN|FILTER")]
    names: Vec<String>,
    /// Give up after this many seconds, with exit code 5
    #[arg(long, value_name = "SECONDS", value_parser = crate::config::seconds)]
    timeout: Option<f64>,
    /// Print each run as a line of JSON
    #[arg(long)]
    json: bool,
}

/// Returns the exit code of the first run that did not finish.
pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let mut signals = Signals::new()?;
    let text = args.names.join(" ");
    // Runs that are asked for by their state may be in another one by now.
    let by_state = args.names.iter().any(|name| is_filter(name))
        && Filter::parse(&text).is_ok_and(|filter| filter.names("state"));
    let views = if by_state { matching(context, &text)?.views } else { resolve(context, &args.names)? };
    if views.is_empty() {
        print::line("no matching run is in progress");
    }
    let deadline = args.timeout.map(|t| Instant::now() + Duration::from_secs_f64(t));
    each(&views, |view| wait(view, args.json, deadline, &mut signals))
}

fn wait(run: &View, json: bool, deadline: Option<Instant>, signals: &mut Signals) -> Result<i32> {
    let mut told = false;
    loop {
        let view = super::again(run)?;
        if view.state.is_final() {
            watch::end(&view, json)?;
            return Ok(view.state.exit_code());
        }
        // For a run in a job, the batch system will report its end.
        if !view.certain && view.job.is_none() {
            let (run, place) = (&view.manifest.run, view.whereabouts());
            return Err(Failure::new(format!("{run} is {place}: nothing here tells when it ends")).into());
        }
        let stuck = stuck(&view);
        if deadline.is_some_and(|d| Instant::now() >= d) || signals.any() {
            if json {
                watch::print_json(&view, "left", Some(LEFT_RUNNING))?;
            } else {
                let why = stuck.map(|why| format!(": {why}")).unwrap_or_default();
                print::note(&format!("{} is still {}{why}", view.manifest.run, view.state));
            }
            return Ok(LEFT_RUNNING);
        }
        if print::nobody_reads() {
            return Ok(LEFT_RUNNING);
        }
        if let Some(why) = stuck.as_ref().filter(|_| !told) {
            print::note(&format!("{}: {why}", view.manifest.run));
        }
        told = stuck.is_some();
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Returns why a run does not go on by itself.
fn stuck(view: &View) -> Option<String> {
    let held = || {
        let queued = view.queued.as_ref().filter(|queued| queued.held.is_some())?;
        let words = remark::queue_words(queued);
        Some(format!("{words}; `gradtop queue release {}` lets it start", view.manifest.run))
    };
    if view.suspended().is_some() { remark::silence(view) } else { held() }
}
