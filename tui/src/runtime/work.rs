//! Performs blocking tasks in threads; each answers with a message.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, bail};
use gradtop_host::text::first_line;
use gradtop_host::{PluginWatch, PluginsNow};
use gradtop_store::{Notes, RunDir, change_notes};

use super::{Event, Options, runs, sender, settings};
use crate::app::Msg;
use crate::failure::with_causes;
use crate::list_view;
use crate::screens::actions::{Act as _, RunAction};
use crate::screens::effect::{Answer, Mark, Message, Question, Task};
use crate::screens::run::pane;
use crate::screens::settings::Settings;
use crate::screens::shared::PluginsSnapshot;
use gradtop_view::live::Engine;
use gradtop_view::runs::{RunId, RunsSnapshot};
use gradtop_view::why::{Reader, Verdict, diagnose_run};

/// Parameters are validated when the user has not typed for so long.
const TYPING_PAUSE: Duration = Duration::from_millis(200);

/// Settings are saved when they have not changed for so long.
const SAVE_DELAY: Duration = Duration::from_millis(300);

/// An event that reports a failure.
pub(super) fn failed(text: String) -> Event {
    Msg::Answer(Answer::Done(Message::failure(text), None)).into()
}

/// Diagnoses one run at a time. Of the same run it reads only new rows.
#[derive(Default)]
struct Judge(Option<Reader>);

impl Judge {
    fn of(&mut self, runs: &RunsSnapshot, id: &RunId) -> Option<Verdict> {
        let view = runs.follow(id, gradtop_host::look).ok()?;
        let same = self.0.take().filter(|reader| reader.run() == &view.dir);
        let reader =
            self.0.insert(same.unwrap_or_else(|| Reader::new(&view.dir, view.manifest.import.is_some())));
        let found = diagnose_run(reader, &view, false).ok()?;
        found.first_new(&view).cloned()
    }
}

/// All worker threads.
pub(super) struct Workers {
    tx: Sender<Event>,
    engine: Engine,
    runs: runs::Reader,
    plugins: Option<PluginWatch>,
    judge: Arc<Mutex<Judge>>,
    questions: Option<Newest<Box<Question>>>,
    settings: Option<Newest<Settings>>,
}

impl Workers {
    /// Starts the permanent threads that the first frame needs.
    pub(super) fn start(options: &Options, tx: &Sender<Event>) -> Self {
        let send = sender(tx);
        let engine = Engine::start(move |live| send(Msg::Live(live)));
        let runs = runs::Reader::start(options.runs.clone(), options.read_only, sender(tx));
        let (tx, judge) = (tx.clone(), Arc::default());
        Self { tx, engine, runs, plugins: None, judge, questions: None, settings: None }
    }

    /// Starts the permanent threads that can wait until after the first frame.
    pub(super) fn start_late(&mut self) {
        let send = sender(&self.tx);
        let folders = gradtop_host::search_path();
        let watch = PluginWatch::start(move |PluginsNow { found, pending }| {
            let folders = folders.clone();
            send(Msg::Plugins(Arc::new(PluginsSnapshot { loaded: true, found, pending, folders })));
        });
        match watch {
            Ok(watch) => self.plugins = Some(watch),
            Err(e) => self.fail(format!("cannot watch plugins: {e}")),
        }
    }

    fn fail(&self, text: String) {
        self.tx.send(failed(text)).ok();
    }

    /// Runs `work` in a thread and sends the message that it returns.
    fn spawn(&self, name: &str, work: impl FnOnce() -> Msg + Send + 'static) {
        let send = sender(&self.tx);
        let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            send(work());
        });
        if let Err(e) = spawned {
            self.fail(format!("cannot start a thread: {e}"));
        }
    }

    /// Changes runs in a thread, then reads them anew.
    fn change(&self, name: &str, work: impl FnOnce() -> Answer + Send + 'static) {
        let reader = self.runs.clone();
        self.spawn(name, move || {
            let answer = work();
            reader.wake();
            Msg::Answer(answer)
        });
    }

    /// Performs a task. Its runs are those of the snapshot.
    pub(super) fn perform(&mut self, task: Task, runs: &Arc<RunsSnapshot>) {
        let runs = Arc::clone(runs);
        match task {
            Task::Watch(requests) => self.engine.watch(requests),
            Task::Act(action, ids) => {
                self.change("act", move || Answer::Done(act(action, &runs, &ids), None));
            }
            Task::Mark(mark, ids) => {
                self.change("mark", move || Answer::Done(marked(&mark, &runs, &ids), None));
            }
            Task::Launch(launch) => self.change("launch", move || started(gradtop_host::launch(&launch))),
            Task::Exec(exec) => self.change("launch", move || started(gradtop_host::exec(&exec))),
            Task::Judge(question) => self.ask(question),
            Task::Describe(path) => self.spawn("describe", move || {
                let answer = gradtop_host::describe(&path);
                Msg::Answer(Answer::Described(path, Box::new(answer)))
            }),
            Task::Pane(request) => {
                self.spawn("pane", move || Msg::Answer(Answer::Pane(pane::read(&request))));
            }
            Task::Views(change) => self.spawn("views", move || {
                let views = match change {
                    Some((name, view)) => list_view::change(&name, view),
                    None => list_view::all(),
                };
                Msg::Answer(Answer::Views(views.map_err(|error| with_causes(&error))))
            }),
            Task::Write(spec, file) => {
                let write = move || Msg::Answer(Answer::Done(super::picture::write(&spec, &file), None));
                self.spawn("write", write);
            }
            Task::Why(id) => {
                let judge = self.judge.clone();
                self.spawn("why", move || {
                    let verdict = judge.lock().ok().and_then(|mut judge| judge.of(&runs, &id));
                    Msg::Answer(Answer::Why(id, verdict))
                });
            }
            Task::SaveSettings(settings) => self.save(*settings),
            // These are performed by the main loop.
            Task::Quit
            | Task::Suspend
            | Task::Redraw
            | Task::Mouse(_)
            | Task::Note(_)
            | Task::Query(_)
            | Task::Alert(_) => {}
        }
    }

    /// Has an experiment validate the newest parameters, once the user stops typing.
    fn ask(&mut self, question: Box<Question>) {
        let send = sender(&self.tx);
        // Without the thread, starting the run will report the error.
        let questions = self.questions.get_or_insert_with(|| {
            Newest::start("judge", TYPING_PAUSE, move |asked: Box<Question>| {
                let why = gradtop_host::refused(&asked.plugin, &asked.experiment, &asked.params);
                let why = why.map(|why| first_line(&why).0.to_owned());
                send(Msg::Answer(Answer::Validation(asked, why)));
            })
        });
        questions.to.send(question).ok();
    }

    fn save(&mut self, new: Settings) {
        let tx = self.tx.clone();
        let saved = self.settings.get_or_insert_with(|| {
            Newest::start("settings", SAVE_DELAY, move |newest| {
                if let Err(e) = settings::save(&newest) {
                    tx.send(failed(format!("cannot save the view settings: {}", with_causes(&e)))).ok();
                }
            })
        });
        saved.to.send(new).ok();
    }

    /// Waits for whatever must not be lost.
    pub(super) fn end(self) {
        if let Some(Newest { to, thread }) = self.settings {
            drop(to);
            drop(thread.map(JoinHandle::join));
        }
    }
}

/// A thread that does something with the newest thing sent to it, once nothing newer has come for a while or the sender is
/// gone.
struct Newest<T> {
    to: Sender<T>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Newest<T> {
    fn start(name: &str, pause: Duration, mut act: impl FnMut(T) + Send + 'static) -> Self {
        let (to, from) = channel::<T>();
        let work = move || {
            while let Ok(mut newest) = from.recv() {
                while let Ok(newer) = from.recv_timeout(pause) {
                    newest = newer;
                }
                act(newest);
            }
        };
        Self { to, thread: std::thread::Builder::new().name(name.to_owned()).spawn(work).ok() }
    }
}

fn act(action: RunAction, runs: &RunsSnapshot, ids: &[RunId]) -> Message {
    let mut failures = Vec::new();
    for id in ids {
        if let Err(e) = runs.follow(id, |run| act_on(action, run)) {
            failures.push(format!("{}: {}", id.dir().name(), with_causes(&e)));
        }
    }
    let done = ids.len() - failures.len();
    let what = match ids {
        [id] => id.dir().name(),
        _ => format!("{done} runs"),
    };
    match failures.into_iter().next() {
        Some(text) if done == 0 => Message::failure(text),
        Some(text) => Message::failure(format!("{}; not {text}", action.done(&what, done))),
        None => Message::news(action.done(&what, done)),
    }
}

fn act_on(action: RunAction, run: &RunDir) -> Result<()> {
    match action {
        RunAction::Pause => gradtop_host::pause(run)?,
        RunAction::Checkpoint => gradtop_host::checkpoint(run)?,
        RunAction::Stop => drop(gradtop_host::stop(run, None)?),
        RunAction::Kill => gradtop_host::kill(run)?,
        RunAction::Resume | RunAction::Restart => {
            let how = gradtop_host::Resume { restart: action == RunAction::Restart, trust: false };
            gradtop_host::resume(run, how)?;
        }
        RunAction::Delete => gradtop_host::delete(run.runs(), run, false)?,
        RunAction::Rename => bail!("a new name is needed: gradtop rename"),
    }
    Ok(())
}

fn marked(mark: &Mark, runs: &RunsSnapshot, ids: &[RunId]) -> Message {
    let change = |notes: &mut Notes| match mark {
        Mark::Star(starred) => notes.starred = *starred,
        Mark::Tags(add, remove) => {
            for tag in remove {
                notes.remove_tag(tag);
            }
            for tag in add {
                notes.add_tag(tag);
            }
        }
    };
    let what = match ids {
        [id] => id.dir().name(),
        _ => format!("{} runs", ids.len()),
    };
    let done = |id| runs.follow(id, |run| change_notes(run, change).map(drop));
    if let Err(error) = ids.iter().try_for_each(done) {
        return Message::failure(error.to_string());
    }
    Message::news(match mark {
        Mark::Star(true) => format!("starred {what}"),
        Mark::Star(false) => format!("removed the star of {what}"),
        Mark::Tags(..) => format!("tagged {what}"),
    })
}

fn started(run: gradtop_host::Result<RunDir>) -> Answer {
    match run {
        Ok(run) => Answer::Done(Message::news(format!("started {}", run.name())), Some(RunId::new(&run))),
        Err(e) => {
            let why = format!("not started: {}", first_line(&e.to_string()).0);
            Answer::Done(Message::failure(why), None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::{Bench, run};

    #[test]
    fn an_action_reaches_a_run_that_has_just_left_the_queue() {
        let mut bench = Bench::of(vec![run("fit", "a", 1)]);
        bench.queue(&["a"]);
        let (runs, ids) = (Arc::clone(&bench.app.shared.runs), [bench.id("a")]);
        assert!(ids[0].dir().is_queued() && !ids[0].dir().path().exists());
        let starred = marked(&Mark::Star(true), &runs, &ids);
        assert_eq!((starred.failed, starred.text.as_str()), (false, "starred a"));
        let deleted = act(RunAction::Delete, &runs, &ids);
        assert_eq!((deleted.failed, deleted.text.as_str()), (false, "a is deleted"));
    }
}
