//! What is worth saying about a run: why it ended, its last alert, that it is silent, where it runs, what it waits for.

use gradtop_chart::number;
use gradtop_host::text::clean;
use gradtop_store::{InQueue, JobSeen, JobStage, State, Suspended, View};
use jiff::Timestamp;

/// Returns an important remark: why it ended badly, with its last alert, that it is silent, where it runs, or what it waits for.
pub fn of(view: &View) -> Option<String> {
    match view.state {
        _ if view.silent_for().is_some() => silence(view),
        _ if view.seen.is_some() || !view.certain => {
            let job = job_words(view, Timestamp::now()).map(|words| format!("; {words}"));
            Some(format!("{}{}", location(view), job.unwrap_or_default()))
        }
        State::Queued | State::Starting if view.job.is_some() => job_words(view, Timestamp::now()),
        State::Queued if view.queued.is_some() => {
            view.queued.as_ref().map(queue_words).filter(|words| !words.is_empty())
        }
        State::Failed | State::Crashed => {
            let cause = cause(view).unwrap_or_else(|| "cause unknown".to_owned());
            Some(std::iter::once(cause).chain(alert(view)).collect::<Vec<_>>().join("; "))
        }
        _ => waiting(view).or_else(|| alert(view)),
    }
}

/// Why a run ended, if that is known.
pub fn cause(view: &View) -> Option<String> {
    view.status.cause.as_deref().filter(|cause| !cause.is_empty()).map(clean)
}

/// Why a run ended, to follow its state: `: the disk is full`, or nothing.
pub fn because(view: &View) -> String {
    cause(view).map(|cause| format!(": {cause}")).unwrap_or_default()
}

/// Describes why a run waits for its disk, and how many rows wait: `the disk is full, 1,234 rows wait`.
pub fn waiting(view: &View) -> Option<String> {
    let waiting = view.status.waiting.as_ref().filter(|_| !view.state.is_final())?;
    let cause = clean(&waiting.cause);
    Some(match waiting.rows {
        None | Some(0) => cause,
        Some(rows) => format!(
            "{cause}, {} wait{}",
            number::counted(rows as usize, "row"),
            if rows == 1 { "s" } else { "" }
        ),
    })
}

/// Returns `no sign for 35s` for an active run that is silent, with the reason if known, or `no row for 35s` if it only
/// logs nothing.
pub fn silence(view: &View) -> Option<String> {
    let quiet = view.silent_for()?;
    let what = if view.gives_no_sign() { "sign" } else { "row" };
    let why = match view.suspended() {
        Some(Suspended::Trainer) => ": its trainer is suspended (SIGSTOP)",
        Some(Suspended::Keeper) => ": its keeper is suspended (SIGSTOP)",
        Some(Suspended::Both) => ": its trainer and its keeper are suspended (SIGSTOP)",
        None => "",
    };
    Some(format!("no {what} for {}{why}", number::duration(quiet.as_secs() as f64)))
}

/// Returns the last alert unless the run's state already implies it.
pub fn alert(view: &View) -> Option<String> {
    let alert = view.alert.as_ref().filter(|alert| !alert.of_end)?;
    Some(format!("alert: {}", clean(&alert.message)))
}

/// Describes where a run is that cannot be observed from here: `on node7 (job 42), last seen 4 s ago`. The folder that a copy is
/// of comes last, because it is long and may be cut off.
pub fn location(view: &View) -> String {
    let (what, time) = view.seen.map_or(("write", view.age_of_last_write), |seen| ("seen", seen));
    let last = format!("last {what} {} ago", number::age(time.as_secs_f64()));
    match &view.copied_from {
        Some(folder) => clean(&format!("a copy, {last}, of {}", folder.display())),
        None => format!("{}, {last}", clean(&view.whereabouts())),
    }
}

/// Describes a run's batch job: `job 12 waits for Priority`, `job 12_3 on node-7, 3 h left`.
pub fn job_words(view: &View, now: Timestamp) -> Option<String> {
    let job = view.job.as_ref()?;
    let Some(name) = job.name() else { return Some("its job is being submitted".to_owned()) };
    let seen = job.seen.as_ref();
    let stage = seen.map_or(JobStage::Waits, JobSeen::stage);
    let node = seen.and_then(|seen| seen.node.as_deref()).map(|node| format!(" on {}", clean(node)));
    let node = node.unwrap_or_default();
    Some(match stage {
        _ if view.state.is_final() => format!("job {name}{node}"),
        JobStage::Unknown => format!("{} does not know job {name} any more", clean(&job.launcher)),
        // Also if the last report is from before it began.
        JobStage::Waits if view.queued.is_none() => format!("job {name}"),
        JobStage::Waits => match seen.and_then(|seen| seen.reason.as_deref()) {
            Some(reason) => format!("job {name} waits for {}", clean(reason)),
            None => format!("job {name} waits"),
        },
        JobStage::Works | JobStage::Over => {
            let left = |ends: Timestamp| ends.duration_since(now).as_secs_f64();
            let left =
                seen.and_then(|seen| seen.ends).map(left).filter(|left| (0.0..NO_LIMIT_S).contains(left));
            let left = left.map(|left| format!(", {} left", number::duration(left.floor())));
            format!("job {name}{node}{}", left.unwrap_or_default())
        }
    })
}

/// A longer time limit counts as none: Slurm gives a year to a job without a limit.
const NO_LIMIT_S: f64 = 300.0 * 86_400.0;

/// Describes what a run in the queue waits for: `#3, after warm-up`, `#3, held: …`.
pub fn queue_words(queued: &InQueue) -> String {
    let place = queued.place.map(|place| format!("#{place}"));
    let after = (!queued.after.is_empty()).then(|| {
        let names = queued.after.iter().map(|run| run.rsplit('/').next().unwrap_or(run));
        format!("after {}", clean(&names.collect::<Vec<_>>().join(", ")))
    });
    let held = queued
        .held
        .as_deref()
        .map(|why| format!("held {}{}", if why.starts_with("by ") { "" } else { "because " }, clean(why)));
    [place, after, held].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
