//! Random histories of a run: whatever happens to it, each row is there exactly once.

use std::collections::BTreeMap;

use gradtop_store::{Recorder, RunDir, RunLock, Tailer, checkpoints, prepare_resume, read_series, recover};
use proptest::prelude::*;

use crate::common::{parts, poll, series, small};

/// Something that happens to a run.
#[derive(Debug, Clone)]
enum Step {
    /// So many steps of two series.
    Log(u16),
    /// The writer gets time to flush, to seal, to merge.
    Rest,
    Checkpoint,
    /// It ends well and is opened again.
    Finish,
    /// It ends without `finish` and is opened again without being recovered.
    Reopen,
    /// It ends without `finish` and is recovered.
    Recover,
    /// The same, and it goes on from a checkpoint: the newest, or the one before.
    Resume(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..120u16).prop_map(Step::Log),
        2 => Just(Step::Rest),
        2 => Just(Step::Checkpoint),
        1 => Just(Step::Finish),
        1 => Just(Step::Reopen),
        1 => Just(Step::Recover),
        1 => any::<bool>().prop_map(Step::Resume),
    ]
}

/// What should be there: value by step, for each series.
type Model = BTreeMap<&'static str, Vec<(i64, f64)>>;

struct History {
    run: RunDir,
    recorder: Option<Recorder>,
    model: Model,
    /// Rows of the model at each checkpoint.
    saved: BTreeMap<i64, Model>,
    next: i64,
    /// Makes values of a superseded history differ from those that follow it.
    life: f64,
}

impl History {
    fn recorder(&mut self) -> Recorder {
        let run = &self.run;
        self.recorder.get_or_insert_with(|| Recorder::open(run, small()).unwrap()).clone()
    }

    fn end(&mut self) {
        self.recorder = None;
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Log(n) => {
                let recorder = self.recorder();
                let (a, b) = (series(&recorder, "a"), series(&recorder, "b"));
                for _ in 0..*n {
                    let value = self.next as f64 + self.life;
                    recorder.log(self.next, None, [(a, value), (b, -value)]);
                    self.model.entry("a").or_default().push((self.next, value));
                    self.model.entry("b").or_default().push((self.next, -value));
                    self.next += 1;
                }
                assert_eq!(recorder.latest(a).map(|(s, _)| s), Some(self.next - 1));
            }
            Step::Rest => {
                self.recorder();
                std::thread::sleep(std::time::Duration::from_millis(60));
            }
            Step::Checkpoint => {
                let at = self.next;
                self.recorder()
                    .checkpoint(at, None, None, |dir| {
                        std::fs::write(dir.join("model"), "weights").map_err(|e| e.to_string())
                    })
                    .unwrap();
                self.saved.insert(at, self.model.clone());
            }
            Step::Finish => {
                self.recorder().finish().unwrap();
                self.end();
                assert_eq!(std::fs::read_dir(self.run.journal()).unwrap().count(), 0, "a journal is left");
            }
            Step::Reopen => self.end(),
            Step::Recover => {
                self.end();
                recover(&self.run, &RunLock::acquire(&self.run).unwrap()).unwrap();
            }
            Step::Resume(newest) => {
                self.end();
                let all = checkpoints(&self.run);
                assert!(all.len() <= 2);
                let Some(chosen) = (if *newest { all.last() } else { all.first() }) else { return };
                let lock = RunLock::acquire(&self.run).unwrap();
                let got = prepare_resume(&self.run, &lock, Some(&chosen.dir)).unwrap();
                assert_eq!(&got, chosen);
                self.model = self.saved[&chosen.step].clone();
                self.next = chosen.step;
                self.life += 0.25;
            }
        }
    }

    fn check(&self) {
        let read = read_series(&self.run, |_| true).unwrap();
        let found: Model = read
            .iter()
            .map(|s| {
                let name = if s.key.metric == "a" { "a" } else { "b" };
                (name, s.step.iter().copied().zip(s.value.iter().copied()).collect())
            })
            .collect();
        assert_eq!(found, self.model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn each_row_is_there_once(steps in prop::collection::vec(step(), 1..25)) {
        let temp = tempfile::tempdir().unwrap();
        let run = RunDir::new(temp.path().join("exp=e/run=r"));
        std::fs::create_dir_all(run.path()).unwrap();
        let mut history = History {
            run: run.clone(), recorder: None, model: Model::new(), saved: BTreeMap::new(), next: 0, life: 0.0,
        };
        for step in &steps {
            history.apply(step);
            // Reading needs everything in a file: a recorder that is dropped has written all.
            if history.recorder.is_none() {
                history.check();
            }
        }
        history.apply(&Step::Finish);
        history.check();
        let rows: usize = history.model.values().map(Vec::len).sum();
        let mut tailer = Tailer::new(&run);
        let mut tailed = 0;
        loop {
            tailed += poll(&mut tailer, std::time::Duration::ZERO).unwrap().len();
            if tailer.at_end() {
                break;
            }
        }
        prop_assert_eq!(tailed, rows);
        // All merged but for the borders of two checkpoints.
        prop_assert!(parts(&run).len() <= 3, "{:?}", parts(&run));
    }
}
