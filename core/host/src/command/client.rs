//! A client that logs to a sink: at the socket, or a shell writing to descriptor 3.

use std::collections::{HashMap, HashSet};
use std::io::{ErrorKind, Read, Write as _};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use gradtop_abi::{self as abi, Point};
use gradtop_import::declare_metric;
use gradtop_store::{
    Event, Manifest, MetricInfo, ParamValue, SeriesKey, counted, read_manifest, read_status,
};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::command::end_signal::EndSignal;
use crate::command::keeper_link::FromKeeper;
use crate::command::message::{self, Message, PROTOCOL};
use crate::command::wire::{Frame, Frames, LINE_LIMIT, Row};
use crate::plugin::read_desc::check_label;
use crate::text::{clean_bytes, first_line};
use crate::train::session::Session;

/// How long to collect input before handling it: waking the sink for each row would cost a client more than sending it.
const GATHER: Duration = Duration::from_micros(500);
/// The age in microseconds up to which a client's time of a row is believed.
const OLDEST_US: i64 = 60_000_000;
/// Number of bytes read at once.
const CHUNK: usize = 256 << 10;
/// Maximum length of a cause or complaint in bytes.
const CAUSE: usize = 500;
/// How many different complaints about clients are logged as warnings.
const COMPLAINTS: usize = 100;
/// Maximum number of parameters and of metrics that a command may declare.
const DECLARED: usize = 10_000;

/// A message to the sink's main thread.
pub(crate) enum SinkEvent {
    /// Save a checkpoint of this step; the client's replies come over the channel.
    Save { step: i64, client: Arc<Client>, answers: Receiver<Option<String>> },
    /// The set of listening or waiting clients has changed.
    Changed,
    /// The work is done, with the reason if it failed.
    Done(Option<String>),
    /// A message of the keeper.
    Keeper(FromKeeper),
    /// The keeper has died.
    Orphaned,
}

/// No order: the client continues.
pub(crate) const GO: u8 = 0;

/// A client, as seen by the sink.
#[derive(Default)]
pub(crate) struct Client {
    /// Where replies go; `None` for a shell.
    stream: Option<UnixStream>,
    /// Whether it checks for requests between steps.
    pub(crate) listens: AtomicBool,
    /// Whether it is paused.
    pub(crate) waits: AtomicBool,
    /// Whether it was told that a checkpoint is due.
    pub(crate) should_save: AtomicBool,
    /// The last order it was sent: [`GO`] or one of the sink's orders.
    pub(crate) last_order: AtomicU8,
    /// Whether it has disconnected.
    pub(crate) gone: AtomicBool,
    /// Number of processes that train together, including this one.
    pub(crate) world: AtomicU64,
    /// Its rank among them.
    rank: AtomicU64,
    /// Units of work done.
    pub(crate) done: AtomicU64,
}

impl Client {
    /// Sends a message. A client that does not read its socket misses it.
    pub(crate) fn send(&self, what: &Value) {
        if let Some(mut stream) = self.stream.as_ref() {
            let line = format!("{what}\n");
            stream.write_all(line.as_bytes()).ok();
        }
    }
}

pub(crate) struct Shared {
    pub(crate) session: &'static Session,
    main: Mutex<Sender<SinkEvent>>,
    /// Whether clients may return from an earlier sink, with its orders.
    begun: bool,
    /// Signals the end of the run: further input is not waited for.
    pub(crate) over: EndSignal,
    /// Whether the command has ended and was not killed.
    pub(crate) wrote_all: AtomicBool,
    clients: Mutex<Vec<Arc<Client>>>,
    complaints: Mutex<HashSet<String>>,
    /// Serializes declarations.
    manifest: Mutex<()>,
    /// The number of steps, if the work is counted in them; else 0.
    pub(crate) total: AtomicU64,
}

impl Shared {
    pub(crate) fn new(
        session: &'static Session,
        begun: bool,
        total: Option<u64>,
        main: Sender<SinkEvent>,
    ) -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            session,
            main: Mutex::new(main),
            begun,
            over: EndSignal::new()?,
            wrote_all: AtomicBool::new(false),
            clients: Mutex::default(),
            complaints: Mutex::default(),
            manifest: Mutex::default(),
            total: AtomicU64::new(total.unwrap_or(0)),
        }))
    }

    pub(crate) fn clients(&self) -> Vec<Arc<Client>> {
        let mut clients = self.clients.lock();
        clients.retain(|client| !client.gone.load(Ordering::Acquire));
        clients.clone()
    }

    /// Returns the clients that check for requests.
    pub(crate) fn listeners(&self) -> Vec<Arc<Client>> {
        let mut clients = self.clients();
        clients.retain(|client| client.listens.load(Ordering::Acquire));
        clients
    }

    pub(crate) fn tell_main(&self, what: SinkEvent) {
        self.main.lock().send(what).ok();
    }

    /// Logs a problem with a client's input, each only once.
    pub(crate) fn warn_once(&self, why: &str) {
        let mut said = self.complaints.lock();
        if said.len() < COMPLAINTS && said.insert(why.to_owned()) {
            self.session.event(&Event::Warning { message: format!("not logged: {why}") });
        }
    }

    pub(crate) fn intern(&self, key: &SeriesKey) -> Result<u32, String> {
        let labels =
            [("metric", Some(&key.metric)), ("model", key.model.as_ref()), ("split", key.split.as_ref())];
        for (what, label) in labels {
            let Some(label) = label else { continue };
            check_label(label).map_err(|why| format!("{what} {} {why}", message::quoted(label)))?;
        }
        Ok(self.session.intern(key)?)
    }

    /// Declares what the names of undeclared metrics imply. Must be called before the series are interned.
    pub(crate) fn declare_by_name<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k SeriesKey>,
    ) -> Result<(), String> {
        let mut new = Vec::new();
        let add = |manifest: &mut Manifest| {
            for key in keys.into_iter().filter(|key| check_label(&key.metric).is_ok()) {
                if declare_metric(&mut manifest.metrics, &key.metric) {
                    new.extend(manifest.metrics.last().cloned());
                }
            }
            Ok(())
        };
        self.declare(add)?;
        for metric in &new {
            self.session.declare_metric(metric);
        }
        Ok(())
    }

    /// Changes the run's declarations, in memory and in its folder.
    fn declare(&self, change: impl FnOnce(&mut Manifest) -> Result<(), String>) -> Result<(), String> {
        let _one_at_a_time = self.manifest.lock();
        let run = &self.session.run;
        let mut manifest = read_manifest(run).map_err(|e| e.to_string())?;
        let before = manifest.clone();
        change(&mut manifest)?;
        let write = || {
            gradtop_store::replace_manifest(run, &manifest)?;
            gradtop_store::write_params_table(run, &manifest)?;
            gradtop_store::write_run_table(run, &manifest, &read_status(run)?)
        };
        if manifest == before { Ok(()) } else { write().map_err(|e| e.to_string()) }
    }

    /// Adds parameters to the run or replaces their values. Returns what is wrong with those left out.
    pub(crate) fn add_params(
        &self,
        params: impl IntoIterator<Item = (String, ParamValue)>,
    ) -> Result<Vec<String>, String> {
        let mut refused = Vec::new();
        let add = |manifest: &mut Manifest| {
            refused = add_params(manifest, params);
            Ok(())
        };
        self.declare(add)?;
        Ok(refused)
    }
}

/// Serves a client of the socket until it disconnects or the run ends.
pub(crate) fn serve(shared: &Arc<Shared>, stream: &UnixStream) {
    let Ok(answers) = stream.try_clone() else { return };
    // Never block on a reply.
    if stream.set_nonblocking(true).is_ok() {
        Source::new(shared, Some(answers)).read_all(stream, true);
    }
}

/// Reads the lines of a shell until the pipe is closed or the run ends.
pub(crate) fn read_lines(shared: &Arc<Shared>, pipe: &std::fs::File) {
    Source::new(shared, None).read_all(pipe, false);
}

/// A stream of frames from one client.
struct Source<'a> {
    shared: &'a Arc<Shared>,
    client: Arc<Client>,
    /// Series of each shape, by its number.
    shapes: Vec<Option<Vec<u32>>>,
    /// Numbers of series by name, for rows without shapes.
    numbers: HashMap<String, u32>,
    points: Vec<Point>,
    step: i64,
    /// Where replies to a checkpoint request go.
    saving: Option<Sender<Option<String>>>,
}

impl<'a> Source<'a> {
    fn new(shared: &'a Arc<Shared>, stream: Option<UnixStream>) -> Self {
        let last_order = AtomicU8::new(if shared.begun { u8::MAX } else { GO });
        let world = AtomicU64::new(1);
        let client = Arc::new(Client { stream, last_order, world, ..Client::default() });
        shared.clients.lock().push(client.clone());
        Self {
            shared,
            client,
            shapes: Vec::new(),
            numbers: HashMap::new(),
            points: Vec::new(),
            step: shared.session.progress.step().unwrap_or(-1),
            saving: None,
        }
    }

    fn read_all<S: AsFd>(mut self, stream: &S, binary: bool)
    where
        for<'s> &'s S: Read,
    {
        let (mut frames, mut chunk) = (Frames::new(binary), vec![0; CHUNK]);
        let mut reader = stream;
        while self.shared.over.before(stream) {
            let n = match reader.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => 0,
                Err(_) => break,
            };
            frames.push(&chunk[..n]);
            if let Err(why) = self.take(&mut frames) {
                self.refuse(&why);
                break;
            }
            self.shared.over.within(GATHER);
        }
        // The last line of a shell may lack its line break.
        if !binary && !frames.rest().is_empty() {
            self.line(frames.rest());
        }
    }

    /// Handles the complete frames.
    fn take(&mut self, frames: &mut Frames) -> Result<(), String> {
        while let Some(frame) = frames.next()? {
            match frame {
                Frame::Row(row) => self.row(&row),
                Frame::Line(line) => self.line(line),
                Frame::LongLine => {
                    self.refuse(&format!("a line is longer than {} MiB", LINE_LIMIT >> 20));
                }
            }
        }
        Ok(())
    }

    fn refuse(&self, why: &str) {
        let why = clean_bytes(why.as_bytes(), CAUSE);
        self.shared.warn_once(&why);
        self.client.send(&json!({"error": why}));
    }

    fn row(&mut self, row: &Row<'_>) {
        let Some(Some(series)) = self.shapes.get(row.shape as usize) else {
            return self.refuse(&format!("shape {} was not defined", row.shape));
        };
        if series.len() != row.values().len() {
            let (has, wants) = (row.values().len(), series.len());
            return self.refuse(&format!("a row of shape {} has {has} values instead of {wants}", row.shape));
        }
        self.points.clear();
        // A series that exceeded the limit has no valid number.
        let known = series.iter().zip(row.values()).filter(|(series, _)| **series != u32::MAX);
        self.points.extend(known.map(|(series, value)| Point { series: *series, reserved: 0, value }));
        let ago = self.shared.session.recorder.now().saturating_sub(row.time_us);
        let time_us = Some(row.time_us).filter(|_| (0..=OLDEST_US).contains(&ago));
        self.log(row.step, row.epoch, time_us);
    }

    /// Logs [`Self::points`], at a time in microseconds since 1970 if it is known.
    fn log(&mut self, step: i64, epoch: f64, time_us: Option<i64>) {
        if step > self.step.saturating_add(1) {
            self.shared.session.progress.note_gap();
        }
        self.step = step;
        if let Err(refused) = self.shared.session.log_at(step, epoch, time_us, &self.points) {
            self.refuse(&refused.why);
        }
    }

    fn line(&mut self, line: &[u8]) {
        let said = match message::parse(line) {
            Ok(None) => Ok(()),
            Ok(Some(message)) => self.obey(message),
            Err(why) => Err(why),
        };
        if let Err(why) = said {
            self.refuse(&why);
        }
    }

    fn obey(&mut self, message: Message) -> Result<(), String> {
        let session = self.shared.session;
        match message {
            Message::Hello { protocol, rank, world } => {
                self.client.rank.store(u64::from(rank), Ordering::Release);
                self.greet(&protocol, world)?;
            }
            Message::Shape { shape, series } => self.shape(shape, series)?,
            Message::Log { step, epoch, values, odd } => {
                self.values(step, epoch, &values);
                odd.map_or(Ok(()), Err)?;
            }
            Message::Params { params } => {
                let params = params.into_iter().map(|(key, value)| (key, message::param(value)));
                self.shared.add_params(params)?.iter().for_each(|why| self.refuse(why));
            }
            Message::Versions { python, torch } => self.versions(python, torch)?,
            Message::Metric(metric) => self.metric(metric)?,
            Message::Table { name, step, columns } => {
                let columns = columns.into_iter().map(message::Column::into_store);
                session.log_table(&name, step, columns.collect::<Result<_, _>>()?)?;
            }
            Message::Figures { toml } => session.declare_figures(&toml)?,
            Message::Text { level, text } => {
                session.log_text(log_level(level.as_deref()), text.as_bytes())?;
            }
            Message::Saved { error } => {
                let saving = self.saving.take().ok_or("no checkpoint is being saved")?;
                saving.send(error).ok();
            }
            Message::Progress { done, total, phase } => self.progress(done, total, phase.as_deref()),
            Message::Checkpoint { step } => {
                let (answer, answers) = channel();
                self.saving = Some(answer);
                self.shared.tell_main(SinkEvent::Save { step, client: self.client.clone(), answers });
            }
            Message::Listen => self.change(&self.client.listens, true),
            Message::Paused => self.change(&self.client.waits, true),
            Message::Unpaused => self.change(&self.client.waits, false),
            Message::Waited { dropped } => self.dropped(dropped),
            // A cause is one line; the rest is in the command's output.
            Message::Finish { error } => {
                let cause = |why: String| clean_bytes(first_line(&why).0.as_bytes(), CAUSE);
                self.shared.tell_main(SinkEvent::Done(error.map(cause)));
            }
        }
        Ok(())
    }

    fn change(&self, flag: &AtomicBool, to: bool) {
        flag.store(to, Ordering::Release);
        self.shared.tell_main(SinkEvent::Changed);
    }

    fn progress(&mut self, done: u64, total: u64, phase: Option<&str>) {
        self.client.done.store(done, Ordering::Release);
        // The first of several processes speaks for all.
        let speaks = self.client.rank.load(Ordering::Acquire) == 0;
        if speaks {
            let progress = &self.shared.session.progress;
            progress.set(done, total, phase.map(crate::text::clean).as_deref());
            progress.compare_with_steps();
        }
    }

    fn dropped(&self, dropped: u64) {
        if dropped > 0 {
            let points = counted(dropped, "point was", "points were");
            let message = format!("{points} dropped by a client that could not reach the sink");
            self.shared.session.event(&Event::Warning { message });
        }
    }

    fn greet(&self, protocol: &str, world: Option<u32>) -> Result<(), String> {
        if protocol != PROTOCOL {
            return Err(format!("the protocol {protocol:?} is not known; this is {PROTOCOL}"));
        }
        self.client.world.store(u64::from(world.unwrap_or(1).max(1)), Ordering::Release);
        let run = &self.shared.session.run;
        let manifest = read_manifest(run).map_err(|e| e.to_string())?;
        self.client.send(&json!({
            "hello": PROTOCOL,
            "run": manifest.run,
            "experiment": manifest.experiment.id,
            "dir": run.path().to_string_lossy(),
            "seed": manifest.seed,
            "params": manifest.params_json(),
            "resumable": manifest.experiment.resumable,
            "attached": manifest.command.is_some_and(|command| command.attached.is_some()),
        }));
        Ok(())
    }

    fn shape(&mut self, shape: u32, series: Vec<Value>) -> Result<(), String> {
        /// More shapes than the maximum number of series are useless.
        const SHAPES: usize = 100_000;
        let place = shape as usize;
        if place >= SHAPES || series.len() > gradtop_store::MAX_SERIES {
            return Err(format!("shape {shape} with {} series is beyond the bounds", series.len()));
        }
        let keys: Vec<_> = series.into_iter().map(message::series_key).collect();
        self.shared.declare_by_name(keys.iter().flatten()).unwrap_or_else(|why| self.refuse(&why));
        let mut numbers = Vec::with_capacity(keys.len());
        for key in keys {
            match key.and_then(|key| self.shared.intern(&key)) {
                Ok(number) => numbers.push(number),
                Err(why) => {
                    numbers.push(u32::MAX);
                    self.refuse(&why);
                }
            }
        }
        if self.shapes.len() <= place {
            self.shapes.resize(place + 1, None);
        }
        self.shapes[place] = Some(numbers);
        Ok(())
    }

    fn values(&mut self, step: Option<i64>, epoch: Option<f64>, values: &Map<String, Value>) {
        self.points.clear();
        let is_new = |(name, value): &(&String, &Value)| {
            !self.numbers.contains_key(*name) && message::number(value).is_some()
        };
        let new: Vec<_> = values.iter().filter(is_new).map(|(name, _)| message::key_of(name)).collect();
        if !new.is_empty() {
            self.shared.declare_by_name(&new).unwrap_or_else(|why| self.refuse(&why));
        }
        for (name, value) in values {
            // Skip non-numbers: a logger of JSON lines writes more than values.
            let Some(value) = message::number(value) else { continue };
            let number = match self.numbers.get(name) {
                Some(number) => Ok(*number),
                None => self.shared.intern(&message::key_of(name)).inspect(|number| {
                    self.numbers.insert(name.clone(), *number);
                }),
            };
            match number {
                Ok(series) => self.points.push(Point { series, reserved: 0, value }),
                Err(why) => self.refuse(&why),
            }
        }
        if !self.points.is_empty() {
            let step = step.unwrap_or(self.step.saturating_add(1));
            self.log(step, epoch.unwrap_or(f64::NAN), None);
        }
    }

    fn versions(&self, python: Option<String>, torch: Option<String>) -> Result<(), String> {
        for version in python.iter().chain(&torch) {
            check_label(version).map_err(|why| format!("version {} {why}", message::quoted(version)))?;
        }
        let note = |m: &mut Manifest| {
            for (known, new) in [(&mut m.versions.python, python), (&mut m.versions.torch, torch)] {
                *known = new.or(known.take());
            }
            Ok(())
        };
        self.shared.declare(note)
    }

    fn metric(&self, metric: MetricInfo) -> Result<(), String> {
        check_label(&metric.name).map_err(|why| format!("metric {} {why}", message::quoted(&metric.name)))?;
        self.shared.session.declare_metric(&metric);
        let add = |m: &mut Manifest| {
            let full = m.metrics.len() >= DECLARED;
            match m.metrics.iter_mut().find(|known| known.name == metric.name) {
                Some(known) => *known = metric,
                None if full => return Err("too many metrics are declared".to_owned()),
                None => m.metrics.push(metric),
            }
            Ok(())
        };
        self.shared.declare(add)
    }
}

impl Drop for Source<'_> {
    fn drop(&mut self) {
        self.client.gone.store(true, Ordering::Release);
        self.saving = None;
        self.shared.tell_main(SinkEvent::Changed);
    }
}

fn log_level(name: Option<&str>) -> i32 {
    match name {
        Some("error") => abi::log_level::ERROR,
        Some("warn" | "warning") => abi::log_level::WARNING,
        Some("debug") => abi::log_level::DEBUG,
        _ => abi::log_level::INFO,
    }
}

/// Adds parameters to a run or replaces their values. Returns what is wrong with those left out.
fn add_params(
    manifest: &mut Manifest,
    params: impl IntoIterator<Item = (String, ParamValue)>,
) -> Vec<String> {
    let mut refused = Vec::new();
    for (key, value) in params {
        if let Err(why) = check_label(&key) {
            refused.push(format!("parameter {} {why}", message::quoted(&key)));
            continue;
        }
        let full = manifest.params.len() >= DECLARED;
        match manifest.params.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None if full => {
                refused.push(format!("there are more than {DECLARED} parameters"));
                break;
            }
            None => manifest.params.push((key, value)),
        }
    }
    refused
}
