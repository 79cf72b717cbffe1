//! Everything at once for some minutes: a queue and a sweep on a small disk, kills, full disks, and viewers that come and go.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gradtop_store::{Event, RunDir, State, View};
use gradtop_tests::disk::Mounted;
use gradtop_tests::kills::{LOSS, Random};
use gradtop_tests::pty::Terminal;
use gradtop_tests::sandbox::Run;
use gradtop_tests::{Sandbox, check, logged, until};
use rustix::process::{Pid, Signal, kill_process};

/// Slots of the queue, and runs that wait in it as long as there is time.
const SLOTS: usize = 4;
const WAITING: usize = 4;
/// Ended runs that are kept; the others are checked and deleted.
const KEPT: usize = 25;
/// Growth that is none, in bytes: a monitor, and a process that records.
const GROWTH: (f64, f64) = (8e6, 4e6);
/// Time between two looks at what processes take.
const SAMPLE: Duration = Duration::from_secs(10);

/// A run of the queue, and what was done to it.
struct Queued {
    name: String,
    steps: i64,
    file: PathBuf,
    killed: usize,
    resumed: usize,
    stopped: bool,
}

/// What happened, in numbers.
#[derive(Default)]
struct Counts {
    finished: usize,
    stopped: usize,
    crashed: usize,
    kills: [usize; 3],
    resumed: usize,
    full: usize,
    viewers: usize,
    all_killed: usize,
    rows: usize,
    /// Rows of runs that were killed, and the longest time of them.
    lost: (usize, Duration),
    failures: Vec<String>,
}

struct Campaign<'a> {
    sandbox: &'a Sandbox,
    disk: &'a Mounted,
    random: Random,
    runs: Vec<Queued>,
    made: usize,
    counts: Counts,
    /// Monitor, keeper and trainer of a run that is let alone: bytes in use at each look.
    memory: [Vec<f64>; 3],
}

/// What a process has in memory, in bytes.
fn memory(pid: u32) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    Some(text.split(' ').nth(1)?.parse::<f64>().ok()? * rustix::param::page_size() as f64)
}

impl Campaign<'_> {
    fn dice(&mut self, sides: usize) -> usize {
        (self.random.next() * sides as f64) as usize
    }

    fn waiting(&self) -> usize {
        let list = self.sandbox.gradtop(&["queue", "--json"]).json();
        list["waiting"].as_array().map_or(0, Vec::len)
    }

    fn queue(&mut self) {
        let name = format!("c{}", self.made);
        self.made += 1;
        let file = self.sandbox.path().join(format!("{name}.count"));
        let steps = 500 + self.dice(3_500) as i64;
        let sets = [
            format!("steps={steps}"),
            "rate=250".to_owned(),
            format!("burst={}", [1, 5, 25][self.dice(3)]),
            format!("file={}", file.display()),
        ];
        let mut args = vec!["counter", "--queue", "--name", &name, "--checkpoint-every", "2"];
        args.extend(sets.iter().flat_map(|set| ["--set", set]));
        let said = self.sandbox.run(&args);
        if said.code == 0 {
            self.runs.push(Queued { name, steps, file, killed: 0, resumed: 0, stopped: false });
        } else {
            self.counts.failures.push(format!("{name} cannot be queued: {}", said.err));
        }
    }

    /// How a run is now; `None` while it leaves the queue.
    fn view(&self, at: usize) -> Option<View> {
        let run = gradtop_store::find_run(&self.sandbox.runs(), &self.runs[at].name).ok()?;
        gradtop_store::view(&run).ok()
    }

    fn run(&self, at: usize) -> Run<'_> {
        self.sandbox.find(&self.runs[at].name)
    }

    /// One of the runs in a state.
    fn pick(&mut self, state: State) -> Option<usize> {
        let is = |at: &usize| self.view(*at).is_some_and(|v| v.queued.is_none() && v.state == state);
        let found: Vec<usize> = (0..self.runs.len()).filter(is).collect();
        let chosen = self.dice(found.len());
        found.get(chosen).copied()
    }

    fn kill(&mut self) {
        let Some(at) = self.pick(State::Running) else { return };
        let who = self.dice(3);
        let run = self.run(at);
        // The keeper first: it must not get to see its child die.
        let keeper = who != 0 && run.signal_keeper(Signal::KILL);
        let met = (who != 1 && run.signal_trainer(Signal::KILL)) || keeper;
        if met {
            self.runs[at].killed += 1;
            self.counts.kills[who] += 1;
        }
    }

    fn resume(&mut self) {
        let Some(at) = self.pick(State::Crashed) else { return };
        let dir = self.run(at).dir;
        let saved = !gradtop_store::checkpoints(&dir).is_empty();
        let name = self.runs[at].name.clone();
        let said = self.sandbox.gradtop(&["resume", &name, "--detach"]);
        if (said.code == 0) == saved {
            self.runs[at].resumed += usize::from(saved);
            self.counts.resumed += usize::from(saved);
        } else {
            self.counts.failures.push(format!("resume {name}: {}", said.all()));
        }
    }

    fn stop(&mut self) {
        let Some(at) = self.pick(State::Running) else { return };
        self.runs[at].stopped = true;
        // It may end just then.
        self.sandbox.gradtop(&["stop", &self.runs[at].name.clone()]);
    }

    fn fill(&mut self) {
        self.disk.fill();
        std::thread::sleep(Duration::from_secs_f64(0.5 + 2.0 * self.random.next()));
        self.disk.make_room();
        // What waited is written before the next kill: the bound is one of a disk that takes rows.
        std::thread::sleep(Duration::from_secs(2));
        self.counts.full += 1;
    }

    /// A viewer comes, and goes in one of the ways that there are.
    fn look(&mut self) {
        self.counts.viewers += 1;
        let how = self.dice(5);
        if how < 2 {
            for args in [&["list"][..], &["queue"], &["show", "long"], &["why", "long"]] {
                let said = self.sandbox.gradtop(args);
                if said.code != 0 {
                    self.counts.failures.push(format!("{args:?}: {}", said.all()));
                }
            }
            return;
        }
        let mut terminal = Terminal::start(self.sandbox, &[]);
        terminal.shows(&["counter"]);
        match how {
            2 => terminal.press(b"q"),
            3 => terminal.close(),
            _ => kill_process(Pid::from_raw(terminal.pid() as i32).unwrap(), Signal::KILL).unwrap(),
        }
        terminal.exit_code();
    }

    /// As when a machine's user is logged out with all processes: nobody is left to go on with the queue.
    fn kill_all(&mut self) {
        for at in 0..self.runs.len() {
            if self.view(at).is_some_and(|v| v.queued.is_none() && v.state == State::Running) {
                let run = self.run(at);
                let keeper = run.signal_keeper(Signal::KILL);
                if run.signal_trainer(Signal::KILL) || keeper {
                    self.runs[at].killed += 1;
                }
            }
        }
        self.counts.all_killed += 1;
        self.sandbox.gradtop(&["queue", "start"]).expect_code(0);
    }

    /// Checks the oldest of those that have ended, until few are left, and deletes them.
    fn clear(&mut self, kept: usize) {
        let mut ended: Vec<usize> = Vec::new();
        for at in 0..self.runs.len() {
            // One that crashed may still be resumed, so it stays for a while.
            if self.view(at).is_some_and(|v| v.queued.is_none() && v.state.is_final()) {
                ended.push(at);
            }
        }
        let over = ended.len().saturating_sub(kept);
        for at in ended.into_iter().take(over).rev() {
            let queued = self.runs.remove(at);
            if let Err(why) = self.judge(&queued) {
                self.counts.failures.push(format!("{}: {why}", queued.name));
                continue;
            }
            let said = self.sandbox.gradtop(&["rm", "--yes", &queued.name]);
            if said.code != 0 {
                self.counts.failures.push(format!("rm {}: {}", queued.name, said.all()));
            }
        }
    }

    /// Whether a run that has ended is as it should be after what was done to it.
    fn judge(&mut self, queued: &Queued) -> Result<(), String> {
        // Any command recovers what it finds.
        self.sandbox.gradtop(&["show", &queued.name]);
        let run = self.sandbox.find(&queued.name);
        let view = run.view();
        let series =
            gradtop_store::read_series(&run.dir, |key| key.metric == "loss").map_err(|e| e.to_string())?;
        let steps: Vec<i64> = series.into_iter().flat_map(|s| s.step).collect();
        whole(&run.dir)?;
        if !steps.iter().copied().eq(0..steps.len() as i64) {
            return Err(format!("a hole within {} steps", steps.len()));
        }
        let starting = |event: &Event| matches!(event, Event::State { state: State::Starting, .. });
        let starts = run.logged_events(starting).len();
        if starts != 1 + queued.resumed {
            return Err(format!("started {starts} times, resumed {}", queued.resumed));
        }
        self.counts.rows += 3 * steps.len();
        let cause = view.status.cause.clone().unwrap_or_default();
        match view.state {
            State::Finished if steps.len() as i64 == queued.steps => self.counts.finished += 1,
            State::Stopped if queued.stopped => self.counts.stopped += 1,
            State::Crashed if queued.killed > 0 && !cause.is_empty() => self.counts.crashed += 1,
            state => {
                return Err(format!("{state} ({cause}) with {} of {} steps", steps.len(), queued.steps));
            }
        }
        // A resumed one has done steps anew, over what its file says.
        if view.state == State::Crashed && queued.resumed == 0 {
            let logged = logged::all(&queued.file);
            if let (Some(first), Some(last)) = (logged.get(steps.len()), logged.last()) {
                let time = last.beats_since(first);
                self.counts.lost.0 += 3 * (logged.len() - steps.len());
                self.counts.lost.1 = self.counts.lost.1.max(time);
                if time > LOSS {
                    return Err(format!("the rows of {time:?} are lost"));
                }
            }
        }
        fs::remove_file(&queued.file).ok();
        Ok(())
    }

    fn sample(&mut self, monitor: u32) {
        let status = self.sandbox.find("long").status();
        let pids = [Some(monitor), status.keeper_pid, status.trainer_pid];
        for (of, pid) in self.memory.iter_mut().zip(pids) {
            of.extend(pid.and_then(memory));
        }
    }

    fn act(&mut self) {
        match self.dice(10) {
            0..=3 => self.kill(),
            4 | 5 => self.resume(),
            6 => self.fill(),
            7 | 8 => self.look(),
            _ => self.stop(),
        }
    }
}

/// Checks that the log of a run that ended is sealed and that no row is in it twice.
fn whole(run: &RunDir) -> Result<(), String> {
    let checked = std::panic::catch_unwind(|| check::no_row_twice(&check::sealed(run)));
    checked.map_err(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_default())
}

/// What a process had in the second quarter of the time, and what it had at most in the last, in bytes.
fn growth(of: &[f64]) -> Option<(f64, f64)> {
    let quarter = of.len() / 4;
    let most = |part: &[f64]| part.iter().copied().fold(0.0, f64::max);
    (quarter > 0).then(|| (most(&of[quarter..2 * quarter]), most(&of[of.len() - quarter..])))
}

/// `false`: something was not as it should be, which was printed.
pub(crate) fn campaign(minutes: f64, seed: u64) -> bool {
    let sandbox = Sandbox::new();
    let disk = Mounted::small(&sandbox.runs(), 96 << 10).expect("a small disk can be mounted: it needs root");
    let time = Duration::from_secs_f64(60.0 * minutes);
    let mut of = Campaign {
        sandbox: &sandbox,
        disk: &disk,
        random: Random(seed),
        runs: Vec::new(),
        made: 0,
        counts: Counts::default(),
        memory: [const { Vec::new() }; 3],
    };
    sandbox.gradtop(&["queue", "--slots", &SLOTS.to_string()]).expect_code(0);
    // As much as makes its largest parts before the second quarter of an hour.
    let long = ["counter", "--set", "steps=10000000", "--set", "rate=500", "--set", "burst=5"];
    let long = sandbox.start(&long, "long");
    let sweep = ["sweep", "counter", "--name", "sweep", "--vary", "burst=1,5,25", "--vary", "rate=300,600"];
    sandbox.gradtop(&[&sweep[..], &["--seeds", "2", "--set", "steps=2000"]].concat()).expect_code(0);
    let mut monitor = Terminal::start(&sandbox, &[]);
    monitor.shows(&["counter"]);
    let start = Instant::now();
    let (mut sampled, mut halved) = (Instant::now(), false);
    while start.elapsed() < time {
        while of.waiting() < WAITING && of.counts.failures.len() < 20 {
            of.queue();
        }
        std::thread::sleep(Duration::from_secs_f64(1.0 + 3.0 * of.random.next()));
        if !halved && start.elapsed() > time / 2 {
            halved = true;
            of.kill_all();
        } else {
            of.act();
        }
        of.clear(KEPT);
        if sampled.elapsed() >= SAMPLE {
            sampled = Instant::now();
            of.sample(monitor.pid());
        }
    }
    until("the queue to come to its end", || {
        sandbox.gradtop(&["queue", "start"]);
        let views = gradtop_store::list_runs(&sandbox.runs()).into_iter();
        let live = views.filter_map(|run| gradtop_store::view(&run).ok()).filter(|v| !v.state.is_final());
        std::thread::sleep(Duration::from_secs(1));
        (live.count() == 1).then_some(())
    });
    of.sample(monitor.pid());
    monitor.press(b"q");
    if monitor.exit_code() != 0 {
        of.counts.failures.push("the monitor did not leave in order".to_owned());
    }
    sandbox.gradtop(&["stop", "long"]).expect_code(0);
    if let Err(why) = whole(&long.dir) {
        of.counts.failures.push(format!("the long run: {why}; {}", sandbox.gradtop(&["show", "long"]).out));
    }
    let swept = sandbox.gradtop(&["list", "tag:sweep", "--json"]).json();
    let swept: Vec<&str> = swept.as_array().unwrap().iter().filter_map(|run| run["state"].as_str()).collect();
    if swept.len() != 12 || swept.iter().any(|state| *state != "finished") {
        of.counts.failures.push(format!("the sweep: {swept:?}"));
    }
    of.clear(0);
    report(of, start.elapsed())
}

fn report(of: Campaign<'_>, took: Duration) -> bool {
    let Campaign { made, memory, mut counts, .. } = of;
    let mb = |bytes: f64| format!("{:.1} MB", bytes / 1e6);
    let most = [GROWTH.0, GROWTH.1, GROWTH.1];
    let mut words = Vec::new();
    for ((who, of), most) in ["monitor", "keeper", "trainer"].into_iter().zip(&memory).zip(most) {
        let Some((before, after)) = growth(of) else { continue };
        words.push(format!("{who} {} then {}", mb(before), mb(after)));
        if after > before + most {
            counts.failures.push(format!("the {who} grew from {} to {}", mb(before), mb(after)));
        }
    }
    let [trainers, keepers, both] = counts.kills;
    println!("| | |\n|---|---|");
    println!("| time | {} s |", took.as_secs());
    println!(
        "| runs of the queue | {made}: {} finished, {} crashed, {} stopped; each started once, or once more for each of {} resumes |",
        counts.finished, counts.crashed, counts.stopped, counts.resumed
    );
    println!("| runs of a sweep beside them | 12, all finished |");
    println!(
        "| SIGKILL | {trainers} trainers, {keepers} keepers, {both} both; {} times all at once |",
        counts.all_killed
    );
    println!("| disk full | {} times, for 0.5 to 2.5 s |", counts.full);
    println!("| viewers that came and went | {} |", counts.viewers);
    println!(
        "| rows | {} kept, none twice; {} lost by kills, at worst those of {} ms |",
        counts.rows,
        counts.lost.0,
        counts.lost.1.as_millis()
    );
    println!("| memory, second quarter and last | {} |", words.join("; "));
    for failure in &counts.failures {
        println!("FAILED: {failure}");
    }
    counts.failures.is_empty()
}
