//! Imports one source into one run.

use gradtop_store::{RunDir, State};

use crate::error::{ImportError, Result, unless_full};
use crate::find::Source;
use crate::in_order::InOrder;
use crate::reader::{Progress, Reader};
use crate::recording::{Recording, Target};
use crate::series::Compared;
use crate::sink::{End, Sink as _};
use crate::tail::INCOMPLETE;

/// A source being imported into a run.
pub struct Import {
    target: Target,
    source: Source,
    reader: Box<dyn Reader>,
    pub(crate) recording: Recording,
    /// The run with the content of the source before it was overwritten.
    before: Option<RunDir>,
    /// Whether nothing more is read from it.
    pub(crate) over: bool,
    /// Whether the source has been read up to its end, as it was then.
    is_at_end: bool,
    /// How many sentences about what is left out the run has.
    told: usize,
}

impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import").field("run", &self.recording.dir()).finish_non_exhaustive()
    }
}

/// The result of an import.
#[derive(Debug)]
pub struct Imported {
    /// The run; `None` if there was nothing to import.
    pub run: Option<RunDir>,
    /// Number of rows that the run has now, and had before.
    pub rows: (u64, u64),
    /// If the source was overwritten, the run with its earlier content; `run` is then a new one.
    pub overwritten: Option<RunDir>,
    /// What was left out of the run though it looks like values, in sentences.
    pub left_out: Vec<String>,
    /// The error that ended the import before the source's end.
    pub error: Option<ImportError>,
}

impl Import {
    /// Starts to import a source, or continues if a run in the target has read it before.
    ///
    /// # Errors
    /// The source cannot be opened, or its run is being followed by another process.
    pub fn begin(target: &Target, source: &Source) -> Result<Self> {
        let reader = source.open()?;
        let recording = Recording::new(target.clone(), source)?;
        let (target, source) = (target.clone(), source.clone());
        Ok(Self { target, source, reader, recording, before: None, over: false, is_at_end: false, told: 0 })
    }

    /// Imports a whole source and ends the run. `stop` is called now and then to ask whether to stop early.
    ///
    /// # Errors
    /// The run cannot be written. A problem of the source is part of the result; what precedes it is kept.
    pub fn whole(target: &Target, source: &Source, mut stop: impl FnMut() -> bool) -> Result<Imported> {
        let mut import = Self::begin(target, source)?;
        let before = import.recording.rows();
        let mut error = None;
        let mut stopped = false;
        loop {
            match import.read() {
                Ok(Progress::More) => {}
                Ok(Progress::UpToDate) if import.recording.compares() => {
                    // The source has fewer rows than the run, but all its rows are there.
                    import.reader.finish(&mut import.recording, false).ok();
                    import.after_comparing(Compared::Same)?;
                }
                Ok(Progress::UpToDate) => {
                    error = import.reader.finish(&mut import.recording, false).err();
                    break;
                }
                Err(e) => {
                    error = Some(e);
                    break;
                }
            }
            if import.recording.beat(false)? || stop() {
                stopped = true;
                // The source is to be read again, and would then have rows that are older than these.
                import.recording.waiting = InOrder::default();
                break;
            }
        }
        let mut left_out = import.left_out();
        if error.is_none() && !stopped && import.run().is_none() && !left_out.is_empty() {
            let (path, why) = (source.path.clone(), left_out.join("; "));
            return Err(ImportError::Nothing { path, why });
        }
        if let Some(e @ ImportError::Store(_)) = error {
            import.recording.close(State::Failed, Some(e.to_string())).ok();
            return Err(e);
        }
        let (state, cause) = match &error {
            Some(e) => (State::Failed, Some(e.to_string())),
            None if stopped => (State::Stopped, Some("the import was interrupted".to_owned())),
            None => import.natural_end(),
        };
        import.close(state, cause)?;
        left_out.extend(import.reader.unread_end().filter(|_| !stopped));
        let error = error.or_else(|| stopped.then(|| ImportError::Interrupted(source.path.clone())));
        let before = if import.before.is_some() { 0 } else { before };
        let rows = (import.recording.rows(), before);
        let run = import.recording.dir().cloned();
        Ok(Imported { run, rows, overwritten: import.before, left_out, error })
    }

    /// Returns how the run ends if nothing went wrong.
    fn natural_end(&self) -> (State, Option<String>) {
        match self.recording.end() {
            Some(End::Failed(cause)) => (State::Failed, Some(cause.clone())),
            _ => (State::Finished, None),
        }
    }

    /// Continues reading.
    pub(crate) fn read(&mut self) -> Result<Progress> {
        if self.over {
            return Ok(Progress::UpToDate);
        }
        let read = self.reader.read(&mut self.recording);
        self.is_at_end = matches!(read, Ok(Progress::UpToDate)) && !self.recording.compares();
        match read {
            Ok(Progress::UpToDate) if self.recording.compares() => self.after_comparing(Compared::SoFar),
            // Rows before the damage still need to be written.
            Err(e) if self.recording.compares() && !matches!(e, ImportError::Store(_)) => {
                self.after_comparing(Compared::Same)
            }
            Ok(Progress::UpToDate) => self.recording.record(true).map(|()| Progress::UpToDate),
            progress => progress,
        }
    }

    /// Returns what has been left out so far, in sentences.
    fn left_out(&self) -> Vec<String> {
        self.reader.left_out().into_iter().chain(self.recording.waiting.left_out()).collect()
    }

    /// Decides how to continue after a source has been read again for comparison; `so_far` is the result of an incomplete one.
    fn after_comparing(&mut self, so_far: Compared) -> Result<Progress> {
        match (self.recording.compared(), so_far) {
            (Compared::Other, _) => self.begin_anew()?,
            (Compared::SoFar, Compared::SoFar) => return Ok(Progress::UpToDate),
            _ => self.recording.go_through(),
        }
        self.reader = self.source.open()?;
        Ok(Progress::More)
    }

    /// Starts a new run because another training has overwritten the source.
    fn begin_anew(&mut self) -> Result<()> {
        let run = self.recording.dir().cloned();
        self.recording.close(State::Stopped, Some("its log was overwritten".to_owned()))?;
        if self.target.name.is_some() {
            let run = run.map(|run| run.name()).unwrap_or_default();
            return Err(ImportError::Overwritten { path: self.source.path.clone(), run });
        }
        self.before = run;
        self.recording = Recording::fresh(self.target.clone(), &self.source);
        self.told = 0;
        Ok(())
    }

    /// Returns the run, once there is one.
    pub fn run(&self) -> Option<&RunDir> {
        self.recording.dir()
    }

    /// Says in the run what else has been left out of it. The final counts come at its end.
    pub(crate) fn tell_left_out(&mut self) -> Result<()> {
        let left_out = self.left_out();
        if left_out.len() > self.told {
            self.told = left_out.len();
            for message in left_out {
                self.recording.warning(format!("not imported: {message}"))?;
            }
        }
        unless_full(self.recording.tell_warnings())
    }

    /// Ends the run, which says what was left out of it, but not that a last line may still become complete.
    fn close(&mut self, state: State, cause: Option<String>) -> Result<()> {
        let unread = self.reader.unread_end().filter(|said| state != State::Stopped && said != INCOMPLETE);
        for message in self.left_out().into_iter().chain(unread) {
            self.recording.warning(format!("not imported: {message}"))?;
        }
        self.recording.close(state, cause)
    }

    /// Ends the run as its source says.
    pub(crate) fn end(&mut self) -> Result<()> {
        let (state, cause) = self.natural_end();
        self.close(state, cause)
    }

    /// Ends the run with an error of its source; nothing more is read.
    pub(crate) fn fail(&mut self, error: &ImportError) -> Result<()> {
        self.over = true;
        self.close(State::Failed, Some(error.to_string()))
    }

    /// Ends the run on request; nothing more is read but a last line to which nobody has written for long. One that is left
    /// out is said.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.over = true;
        if !self.is_at_end {
            self.recording.waiting = InOrder::default();
        } else if let Err(e) = self.reader.finish(&mut self.recording, false) {
            return if matches!(e, ImportError::Store(_)) { Err(e) } else { self.fail(&e) };
        } else if let Some(message) = self.reader.unread_end() {
            self.recording.warning(format!("not imported: {message}"))?;
        }
        self.close(State::Stopped, Some("following it was ended".to_owned()))
    }
}
