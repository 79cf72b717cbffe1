//! The callback for Hugging Face's `Trainer`, called as that calls it, without the library.

use std::fs;

use gradtop_store::State;

use crate::{sandbox, start, values};

/// What `transformers` offers a callback, and a trainer that calls it in the library's order: `CallbackHandler` hands each
/// event over with arguments, state and control, and the state has the number of steps before training begins.
const TRAINER: &str = r#"
import dataclasses, os, sys, time, types

library = types.ModuleType("transformers")
class TrainerCallback:
    def on_init_end(self, args, state, control, **more): pass
    on_train_begin = on_train_end = on_epoch_begin = on_epoch_end = on_step_begin = on_step_end = on_init_end
    on_optimizer_step = on_pre_optimizer_step = on_substep_end = on_evaluate = on_log = on_save = on_init_end
library.TrainerCallback = TrainerCallback
sys.modules["transformers"] = library

@dataclasses.dataclass
class TrainingArguments:
    output_dir: str = "out"
    learning_rate: float = 5e-5
    num_train_epochs: float = 3.0
    max_steps: int = -1

def train(callback, epochs, steps_per_epoch, gate):
    args = TrainingArguments(num_train_epochs=epochs)
    state = types.SimpleNamespace(global_step=0, epoch=0.0, max_steps=0, is_world_process_zero=True)
    control = types.SimpleNamespace(should_training_stop=False, should_save=False, should_log=False)
    def call(event, **more):
        changed = getattr(callback, event)(args, state, control, model=None, optimizer=None, **more)
        assert changed is None or changed is control
    call("on_init_end")
    state.max_steps = epochs * steps_per_epoch
    call("on_train_begin")
    while not os.path.exists(gate):
        time.sleep(0.02)
    for epoch in range(epochs):
        call("on_epoch_begin")
        for step in range(steps_per_epoch):
            call("on_step_begin")
            call("on_pre_optimizer_step")
            call("on_optimizer_step")
            state.global_step += 1
            state.epoch = epoch + (step + 1) / steps_per_epoch
            call("on_step_end")
            call("on_log", logs={"loss": 1 / state.global_step, "learning_rate": 0.1, "epoch": state.epoch})
            if control.should_training_stop:
                break
        call("on_epoch_end")
        call("on_log", logs={"eval_loss": 2.0, "epoch": state.epoch})
        call("on_evaluate", metrics={"eval_loss": 2.0})
        if control.should_training_stop:
            break
    call("on_log", logs={"train_runtime": 1.0, "train_loss": 0.5, "epoch": state.epoch})
    call("on_train_end")

import gradtop
train(gradtop.HFCallback(), int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
"#;

#[test]
fn a_trainer_tells_its_total_before_its_first_step_and_reaches_it() {
    let sandbox = sandbox();
    let script = sandbox.path().join("trainer.py");
    fs::write(&script, TRAINER).unwrap();
    let gate = sandbox.path().join("go");
    let command = ["python3", script.to_str().unwrap(), "3", "7", gate.to_str().unwrap()];
    let run = start(&sandbox, &[], "a", &command);
    let status =
        gradtop_tests::until("its number of steps", || Some(run.status()).filter(|s| s.total.is_some()));
    assert_eq!((status.done, status.total, status.step), (Some(0), Some(21), None));
    fs::write(&gate, "").unwrap();
    run.until_state(State::Finished);
    let status = run.status();
    assert_eq!((status.done, status.total, status.step), (Some(21), Some(21), Some(21)));
    assert_eq!(values(&run, "loss", Some("train")).len(), 21);
    assert_eq!(
        values(&run, "loss", Some("eval")).iter().map(|(step, _)| *step).collect::<Vec<_>>(),
        [7, 14, 21]
    );
}

#[test]
fn a_trainer_that_is_stopped_keeps_its_total() {
    let sandbox = sandbox();
    let script = sandbox.path().join("trainer.py");
    fs::write(&script, TRAINER).unwrap();
    let gate = sandbox.path().join("go");
    fs::write(&gate, "").unwrap();
    let command = ["python3", script.to_str().unwrap(), "1000", "1000", gate.to_str().unwrap()];
    let run = start(&sandbox, &[], "a", &command);
    run.until_step(20);
    sandbox.gradtop(&["stop", "a"]).expect_code(0);
    let status = run.status();
    assert_eq!((status.state, status.total), (State::Stopped, Some(1_000_000)));
    assert!((Some(20)..Some(1_000_000)).contains(&status.done), "{status:?}");
}
