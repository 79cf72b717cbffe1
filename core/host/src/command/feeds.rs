//! Logs that a command writes itself, recorded in its run as they grow.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gradtop_abi::Point;
use gradtop_import::{At, Feed, Format, Log};
use gradtop_store::{CommandInfo, ParamValue, SeriesKey, TableColumn};

use crate::command::client::Shared;

/// How often to check the files.
const LOOK: Duration = Duration::from_millis(100);

/// Opens the logs declared for a command. `resumed` is the step it continues from. If it has `begun`, an earlier sink
/// has recorded what is already in them.
pub(crate) fn of(command: &CommandInfo, resumed: Option<i64>, begun: bool) -> Vec<Feed> {
    let known = |name: &str| match name {
        "tensorboard" => Some(Format::TensorBoard),
        "csv" => Some(Format::Csv),
        "jsonl" => Some(Format::JsonLines),
        _ => None,
    };
    let feed = |format, path| Feed::new(Path::new(path), format, resumed, begun);
    command.logs.iter().filter_map(|log| Some(feed(known(&log.format)?, &log.path))).collect()
}

/// Records the logs until the run ends.
pub(crate) fn follow(shared: &Arc<Shared>, mut feeds: Vec<Feed>) {
    let mut run = Recorded { shared, points: Vec::new() };
    // Read once more after the command's end, for what it wrote last.
    let mut look = Duration::ZERO;
    while !shared.over.within(look) {
        let more = feeds.iter_mut().fold(false, |more, feed| feed.read(&mut run) | more);
        look = if more { Duration::ZERO } else { LOOK };
    }
    for feed in &mut feeds {
        feed.finish(&mut run, shared.wrote_all.load(Ordering::Acquire));
    }
}

/// Passes rows of a log on to the run.
struct Recorded<'a> {
    shared: &'a Arc<Shared>,
    points: Vec<Point>,
}

impl Recorded<'_> {
    fn done<T>(&self, done: Result<T, impl Into<String>>) -> Option<T> {
        done.map_err(|why| self.shared.warn_once(&why.into())).ok()
    }
}

impl Log for Recorded<'_> {
    fn series(&mut self, key: &SeriesKey) -> Option<u32> {
        self.done(self.shared.declare_by_name([key]));
        self.done(self.shared.intern(key))
    }

    fn row(&mut self, at: At, values: &[(u32, f64)]) {
        self.points.clear();
        self.points.extend(values.iter().map(|(series, value)| Point {
            series: *series,
            reserved: 0,
            value: *value,
        }));
        let epoch = at.epoch.unwrap_or(f64::NAN);
        let logged = self.shared.session.log_of_file(at.step, epoch, &self.points);
        self.done(logged);
    }

    fn table(&mut self, name: &str, step: i64, columns: Vec<TableColumn>) {
        self.done(self.shared.session.log_table(name, step, columns));
    }

    fn params(&mut self, params: Vec<(String, ParamValue)>) {
        for why in self.done(self.shared.add_params(params)).into_iter().flatten() {
            self.shared.warn_once(&why);
        }
    }

    /// What --total or a client says comes first.
    fn total(&mut self, steps: u64) {
        let session = self.shared.session;
        if session.progress.done_of().1 == 0 {
            self.shared.total.store(steps, Ordering::Relaxed);
            session.progress.set(
                session.progress.done_by_steps(steps),
                steps,
                session.progress.phase().as_deref(),
            );
        }
    }

    fn warning(&mut self, message: String) {
        self.shared.warn_once(&message);
    }
}
