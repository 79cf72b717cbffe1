//! Sick runs, each with its verdict, and healthy ones without any: recorded as real ones are, with the times of a real training.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_host::threads::Thread;
use gradtop_store::{InQueue, Recorder, RecorderOptions, SeriesKey, Status, Waiting, append_event};
use gradtop_tests::run_fixtures::{RunFixtures, now, run};

use super::*;

/// A second of a training.
#[derive(Clone, Copy)]
struct Second {
    /// Steps done in it, each with its loss.
    steps: f64,
    /// Processor, in percent.
    cpu: f64,
    /// Paused, or the machine asleep: it is nobody's second.
    off: bool,
}

/// At work.
fn at(steps: f64) -> Second {
    Second { steps, cpu: 98.0, off: false }
}

/// Waiting, with the processor left alone.
const IDLE: Second = Second { steps: 0.0, cpu: 0.4, off: false };
const OFF: Second = Second { steps: 0.0, cpu: 0.0, off: true };

/// A run to be judged.
struct Case {
    seconds: Vec<Second>,
    /// The metrics of a step.
    values: Box<dyn Fn(i64) -> Vec<(&'static str, f64)>>,
    /// What else is known of the machine, by second.
    machine: Box<dyn Fn(usize) -> Vec<(&'static str, f64)>>,
    state: State,
    threads: Vec<Thread>,
    status: Box<dyn Fn(&mut Status)>,
    events: Vec<gradtop_store::Event>,
    /// Imported from a log that tells no times.
    untimed: bool,
}

fn case(seconds: impl IntoIterator<Item = Second>) -> Case {
    Case {
        seconds: seconds.into_iter().collect(),
        values: Box::new(|step| vec![("loss", 1.0 / (step as f64 + 1.0))]),
        machine: Box::new(|_| Vec::new()),
        state: State::Running,
        threads: Vec::new(),
        status: Box::new(|_| {}),
        events: Vec::new(),
        untimed: false,
    }
}

fn times(n: usize, second: Second) -> impl Iterator<Item = Second> {
    std::iter::repeat_n(second, n)
}

impl Case {
    fn values(self, values: impl Fn(i64) -> Vec<(&'static str, f64)> + 'static) -> Self {
        Self { values: Box::new(values), ..self }
    }

    fn machine(self, machine: impl Fn(usize) -> Vec<(&'static str, f64)> + 'static) -> Self {
        Self { machine: Box::new(machine), ..self }
    }

    fn ended(self, state: State) -> Self {
        Self { state, ..self }
    }

    fn status(self, status: impl Fn(&mut Status) + 'static) -> Self {
        Self { status: Box::new(status), ..self }
    }

    /// Records it, its last second being now, and judges it.
    fn judge(self) -> Diagnosis {
        let mut fixtures = RunFixtures::new();
        let spec = run("fit", "a", 60).at(self.state, 100).with(|m, s| {
            m.checkpoint_every_s = 0;
            s.waiting = None;
            if self.untimed {
                (m.import, s.started) = (Some(gradtop_store::ImportInfo::default()), None);
            }
            (self.status)(s);
        });
        let run = fixtures.make(&spec);
        for event in &self.events {
            append_event(&run, event).unwrap();
        }
        let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
        let of = |metric: &str| recorder.series(&SeriesKey::metric(metric), None).unwrap();
        let begin = now().as_microsecond() - self.seconds.len() as i64 * 1_000_000;
        let (mut step, mut trained) = (0.0_f64, 0.0);
        for (i, second) in self.seconds.iter().enumerate() {
            let start = begin + i as i64 * 1_000_000;
            let target = step + second.steps;
            let (first, last) = (step.floor() as i64 + 1, target.floor() as i64);
            for n in first..=last {
                let time = start + (n - first + 1) * 900_000 / (last - first + 1);
                let values: Vec<_> = (self.values)(n).into_iter().map(|(name, v)| (of(name), v)).collect();
                recorder.log_at(n, None, time, values);
            }
            step = target;
            if second.off {
                continue;
            }
            trained += 1.0;
            let mut machine = vec![(of("system/cpu"), second.cpu), (of("system/trained_s"), trained)];
            machine.extend((self.machine)(i).into_iter().map(|(name, v)| (of(&format!("system/{name}")), v)));
            recorder.log_at(step as i64, None, start + 950_000, machine);
        }
        recorder.finish().unwrap();
        let view = gradtop_store::view(&run).unwrap();
        let mut reader = Reader::new(&run, false);
        while !reader.read(READ_BUDGET).unwrap() {}
        assert!(reader.damage().is_empty());
        let events = gradtop_store::read_events(&run).unwrap();
        let threads = (!self.threads.is_empty()).then_some(self.threads.as_slice());
        diagnose(&Evidence {
            view: &view,
            events: &events,
            summary: reader.summary(),
            threads,
            free: None,
            now: now(),
            dated: false,
        })
    }

    /// Its only verdict.
    fn verdict(self) -> Verdict {
        let found = self.judge();
        assert_eq!(found.verdicts.len(), 1, "{found:#?}");
        found.verdicts.into_iter().next().unwrap()
    }

    fn healthy(self) {
        let found = self.judge();
        assert!(found.verdicts.is_empty(), "{:#?}", found.verdicts);
        assert!(!found.examined.is_empty(), "it says what was looked at");
    }
}

fn thread(name: &str, state: char, waits_in: &str, busy: f64) -> Thread {
    Thread { pid: 1, id: 1, name: name.into(), state, waits_in: Some(waits_in.into()), busy }
}

#[test]
fn a_loss_that_is_no_number_is_named_with_its_first_step() {
    let found =
        case(times(20, at(5.0))).values(|n| vec![("loss", if n >= 62 { f64::NAN } else { 0.5 })]).verdict();
    assert_eq!((found.rule, found.confidence, found.step), (Rule::NotFinite, Confidence::Certain, Some(62)));
    assert_eq!(found.text, "loss is NaN since step 62");
    assert!(found.proof[0].contains("61 rows finite before"), "{:?}", found.proof);
    assert!(found.proof.iter().any(|p| p.starts_with("no gradient is logged: whether")));
}

#[test]
fn of_an_import_without_times_no_time_is_told() {
    let mut imported = case(times(20, at(5.0)));
    imported.untimed = true;
    let found = imported
        .ended(State::Finished)
        .values(|n| vec![("loss", if n >= 62 { f64::NAN } else { 0.5 })])
        .judge();
    let verdict = &found.verdicts[0];
    assert_eq!(
        (verdict.proof[0].as_str(), verdict.since),
        ("loss: NaN at step 62; 61 rows finite before", None)
    );
    let last = found.examined.iter().find(|fact| fact.starts_with("last row"));
    assert!(
        last.is_some_and(|l| l.contains("last row at step 100; it was imported without times")),
        "{found:?}"
    );
}

#[test]
fn all_rows_that_were_finite_before_the_last_that_are_not_are_counted() {
    let odd = |n: i64| n == 20 || n >= 62;
    let found = case(times(20, at(5.0)))
        .values(move |n| vec![("loss", if odd(n) { f64::NAN } else { 0.5 })])
        .verdict();
    assert_eq!(found.step, Some(62));
    assert!(found.proof[0].contains("60 rows finite before"), "{:?}", found.proof);
}

#[test]
fn what_went_first_is_said() {
    let sick = |loss: i64, gradient: i64| {
        let of = |from: i64| move |n: i64, bad: f64| if n >= from { bad } else { 0.5 };
        let (l, g) = (of(loss), of(gradient));
        case(times(20, at(5.0)))
            .values(move |n| vec![("loss", l(n, f64::NAN)), ("grad_norm", g(n, f64::INFINITY))])
            .verdict()
    };
    let first = sick(63, 62);
    assert_eq!(first.text, "grad_norm is inf since step 62, and 1 more series");
    assert!(first.proof.iter().any(|p| p == "the gradient went first: step 62, the loss at step 63"));
    assert!(sick(60, 64).proof.iter().any(|p| p == "the loss went first: step 60, the gradient at step 64"));
    assert!(sick(60, 60).proof.iter().any(|p| p == "loss and gradient went at the same step, 60"));
    assert!(sick(60, 900).proof.iter().any(|p| p.ends_with("the logged gradients are finite")));
}

#[test]
fn a_run_that_failed_of_it_has_its_cause_and_its_first_sign() {
    let found = case(times(20, at(5.0)))
        .values(|n| vec![("loss", if n >= 100 { f64::NAN } else { 0.5 })])
        .ended(State::Failed)
        .status(|s| s.cause = Some("loss is not finite since step 100".into()))
        .judge();
    assert_eq!(found.end.as_deref(), Some("failed: loss is not finite since step 100"));
    assert_eq!(found.verdicts.first().map(|v| (v.rule, v.step)), Some((Rule::NotFinite, Some(100))));
}

#[test]
fn a_run_that_waits_is_told_what_for_and_nothing_else() {
    let mut fixtures = RunFixtures::new();
    let mut view = gradtop_store::view(&fixtures.make(&run("fit", "b", 1))).unwrap();
    let held = Some("a was stopped".to_owned());
    view.state = State::Queued;
    view.queued = Some(InQueue { place: Some(1), held: held.clone(), ..InQueue::default() });
    let found = diagnose_run(&mut Reader::new(&view.dir, false), &view, false).unwrap();
    assert_eq!(found.end.as_deref(), Some("queued: #1, held because a was stopped"));
    assert_eq!((found.verdicts.len(), found.examined.len()), (0, 0));
    assert_eq!(found.to_json(&view)["cause"], serde_json::json!(held));
}

#[test]
fn a_run_that_stands_still_is_stalled() {
    let mut sick = case(times(60, at(5.0)).chain(times(90, IDLE)));
    sick.threads =
        vec![thread("main", 'S', "futex_wait_queue", 0.0), thread("status", 'S', "futex_wait_queue", 0.0)];
    let found = sick.verdict();
    assert_eq!((found.rule, found.confidence, found.step), (Rule::Stalled, Confidence::Certain, Some(300)));
    assert!(found.proof.iter().any(|p| p == "thread main sleeps in futex_wait_queue"), "{:?}", found.proof);
    let ended = case(times(60, at(5.0)).chain(times(90, IDLE))).ended(State::Crashed).verdict();
    assert!(ended.text.starts_with("stalled before its end: no row for 1m30s"), "{}", ended.text);
    // A long pause before says nothing about its pace.
    let paused =
        case(times(60, at(5.0)).chain(times(900, OFF)).chain(times(60, at(5.0))).chain(times(90, IDLE)));
    assert_eq!(paused.verdict().rule, Rule::Stalled);
}

#[test]
fn a_stopped_process_is_stalled() {
    let mut sick = case(times(20, at(5.0)));
    sick.threads = vec![thread("python", 'T', "do_signal_stop", 0.0)];
    assert!(sick.verdict().text.contains("stopped by a signal"));
}

#[test]
fn a_rate_that_fell_is_told_with_when_and_by_how_much() {
    let found = case(times(120, at(20.0)).chain(times(60, Second { cpu: 60.0, ..at(8.0) }))).verdict();
    assert_eq!((found.rule, found.confidence), (Rule::RateFell, Confidence::Certain));
    assert!(found.text.starts_with("rate fell by 60 % at 14:31:0"), "{}", found.text);
    assert!((2_300..=2_440).contains(&found.step.unwrap()), "{:?}", found.step);
    let share = found.proof.iter().find(|p| p.starts_with("its processor use"));
    assert!(share.is_some_and(|p| p.contains("98 % before")), "{:?}", found.proof);
}

#[test]
fn the_moment_the_rate_fell_is_right_however_long_it_has_been_slow() {
    for slow_s in [20, 30, 44, 55, 70] {
        let found = case(times(55, at(90.0)).chain(times(slow_s, at(32.0)))).verdict();
        assert!((4_860..=5_040).contains(&found.step.unwrap()), "{slow_s} s: {:?}", found.step);
        assert!(found.text.contains(", from 90") && found.text.contains("to 32"), "{}", found.text);
    }
}

#[test]
fn what_changed_when_it_fell_is_named_only_where_rows_show_it() {
    let seconds = || times(120, at(20.0)).chain(times(60, at(8.0)));
    let swaps =
        |i: usize| if i < 120 { vec![] } else { vec![("memory_pressure", 40.0), ("swapped_in", 5e7)] };
    let found = case(seconds()).machine(swaps).verdict();
    assert!(found.text.ends_with(": the machine swaps"), "{}", found.text);
    let busy = |i: usize| vec![("cpu_pressure", if i < 120 { 2.0 } else { 70.0 })];
    assert!(case(seconds()).machine(busy).verdict().text.ends_with(": others want the processor"));
    let found = case(seconds()).verdict();
    assert!(found.text.ends_with(": each step takes more processor time"), "{}", found.text);
}

#[test]
fn a_disk_that_takes_nothing_is_waited_for() {
    let waiting = || Some(Waiting { cause: "the disk is full".into(), rows: Some(1_234), since: now() });
    let found = case(times(20, at(5.0))).status(move |s| s.waiting = waiting()).verdict();
    assert_eq!(found.text, "waits for the disk: the disk is full, 1234 rows wait");
    let mut ended = case(times(20, at(5.0))).ended(State::Failed);
    let tell = |message: String| gradtop_store::Event::Warning { message };
    ended.events = vec![tell(format!("the disk is full{}", gradtop_host::ROWS_WAIT))];
    assert_eq!(ended.verdict().text, "waited for the disk when it ended: the disk is full");
    let mut passed = case(times(20, at(5.0))).ended(State::Finished);
    passed.events = vec![
        tell(format!("the disk is full{}", gradtop_host::ROWS_WAIT)),
        tell(format!("{}, after 3 s", gradtop_host::DISK_ACCEPTS)),
    ];
    passed.healthy();
}

#[test]
fn training_that_waits_for_its_log_is_told() {
    let found = case(times(60, at(5.0)))
        .status(|s| (s.log_wait_ms, s.trained_s) = (Some(24_000.0), Some(60.0)))
        .verdict();
    assert_eq!(found.text, "training waited for its log for 40 % of the time");
    case(times(60, at(5.0))).status(|s| (s.log_wait_ms, s.trained_s) = (Some(900.0), Some(60.0))).healthy();
}

#[test]
fn healthy_runs_have_no_verdict() {
    let constant = |_| vec![("loss", 0.5), ("lr", 0.1)];
    case(times(200, at(10.0))).healthy();
    case(times(200, at(10.0))).values(constant).healthy();
    // Bursts: twenty steps, then two seconds of nothing.
    case((0..200).map(|i| if i % 3 == 0 { at(20.0) } else { at(0.0) })).healthy();
    // A slow evaluation each half minute, now too; and the first one of a long run.
    case((0..280).map(|i| if i % 40 < 30 { at(10.0) } else { at(0.0) })).healthy();
    case(times(200, at(10.0)).chain(times(60, at(0.0)))).healthy();
    // Steps of half a minute, and one that has just begun.
    case((0..900).map(|i| at(f64::from(u8::from(i % 30 == 0))))).healthy();
    // A pause, a machine that slept, a resume.
    case(times(60, at(10.0)).chain(times(600, OFF)).chain(times(60, at(10.0)))).healthy();
    case(times(60, at(10.0)).chain(times(600, OFF))).healthy();
    // A rate that wavers, or rises.
    case((0..300).map(|i| at(10.0 + 3.0 * (f64::from(i) / 9.0).sin()))).healthy();
    case((0..300).map(|i| at(5.0 + f64::from(i) / 30.0))).healthy();
    // Slow for a while, and well again.
    case(times(90, at(10.0)).chain(times(30, at(4.0))).chain(times(60, at(10.0)))).healthy();
    // It has only just begun, ended, or never logged.
    case(times(3, at(10.0))).healthy();
    case(times(100, at(10.0))).ended(State::Finished).healthy();
    case(times(100, IDLE)).healthy();
}

#[test]
fn values_that_are_no_numbers_now_and_then_are_no_verdict() {
    // A scaled gradient that overflows, and is finite again.
    let scaled = |n: i64| vec![("loss", 0.5), ("grad_norm", if n % 40 == 3 { f64::INFINITY } else { 1.0 })];
    case(times(60, at(5.0))).values(scaled).healthy();
    // A metric that is not defined here.
    case(times(60, at(5.0))).values(|_| vec![("loss", 0.5), ("r2", f64::NAN)]).healthy();
}

#[test]
fn other_work_is_no_slower_work() {
    let second =
        |n: i64| if n > 2_400 { vec![("loss", 0.5), ("fine_tuning", 0.5)] } else { vec![("loss", 0.5)] };
    case(times(120, at(20.0)).chain(times(60, at(8.0)))).values(second).healthy();
}

#[test]
fn what_uses_the_processor_is_not_called_stalled() {
    let found = case(times(60, at(5.0)).chain(times(120, at(0.0)))).judge();
    assert!(found.verdicts.is_empty());
    assert!(
        found.examined.iter().any(|l| l.contains("not called stalled: it uses the processor (98 %)")),
        "{found:#?}"
    );
    let mut gpu = case(times(60, at(5.0)).chain(times(120, IDLE)));
    gpu.machine = Box::new(|_| vec![("gpu", 97.0)]);
    gpu.healthy();
}

#[test]
fn a_run_of_hundreds_of_hours_is_judged_from_little() {
    let mut track = super::run_summary::DownsampledSeries::default();
    for i in 0..1_000_000 {
        track.push(super::run_summary::Point { step: i, time_us: i, value: 1.0 });
    }
    assert!(track.points().len() < 1 << 16);
    assert_eq!(track.points().first().map(|p| p.step), Some(0));
    assert!(track.points().last().is_some_and(|p| p.step > 999_900));
}

#[test]
fn a_time_without_a_step_is_part_of_the_pace() {
    let pace = |seconds: Vec<Second>| {
        let found = case(seconds).judge();
        assert!(found.verdicts.is_empty(), "{found:#?}");
        found.examined.into_iter().find(|l| l.starts_with("pace of steps")).unwrap()
    };
    let busy = at(0.0);
    let stalls: Vec<Second> = times(20, at(10.0)).chain(times(18, busy)).collect();
    assert!(pace(stalls.clone()).ends_with("; longest time without a step: 18s"), "{}", pace(stalls.clone()));
    let went_on = pace(stalls.into_iter().chain(times(20, at(10.0))).collect());
    assert!(went_on.ends_with("; longest time without a step: 19s"), "{went_on}");
    let steady = pace(times(60, at(10.0)).collect());
    assert!(steady.ends_with("; no lasting fall"), "{steady}");
    let fell = pace(times(10, at(10.0)).chain(times(10, at(2.0))).collect());
    assert!(fell.ends_with("; too short to tell whether it fell"), "{fell}");
}
