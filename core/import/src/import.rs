//! One source on its way into one run.

use gradtop_store::{RunDir, State};

use crate::error::{ImportError, Result};
use crate::find::Source;
use crate::reader::{Progress, Reader};
use crate::recording::{Recording, Target};
use crate::sink::End;

/// A source being read into a run.
pub struct Import {
    reader: Box<dyn Reader>,
    recording: Recording,
    failed: bool,
}

impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import").field("run", &self.recording.dir()).finish_non_exhaustive()
    }
}

/// What came of an import.
#[derive(Debug)]
pub struct Imported {
    /// The run; `None`: there was nothing to make one of.
    pub run: Option<RunDir>,
    /// Rows that the run has now, and had before.
    pub rows: (u64, u64),
    /// What ended the reading before the source's end.
    pub error: Option<ImportError>,
}

impl Import {
    /// Begins with a source, or goes on with it if a run in the target has read it before.
    ///
    /// # Errors
    /// If the source cannot be opened, or its run is being followed by another process.
    pub fn begin(target: &Target, source: &Source) -> Result<Self> {
        let reader = source.open()?;
        let recording = Recording::new(target.clone(), source)?;
        Ok(Self { reader, recording, failed: false })
    }

    /// Reads a source to its end and ends the run. `stop` is asked now and then whether to stop early.
    ///
    /// # Errors
    /// If the run cannot be written. What is wrong with the source is part of the answer: what came before it is kept.
    pub fn whole(target: &Target, source: &Source, mut stop: impl FnMut() -> bool) -> Result<Imported> {
        let mut import = Self::begin(target, source)?;
        let before = import.recording.rows();
        let mut error = None;
        let mut stopped = false;
        loop {
            match import.reader.read(&mut import.recording) {
                Ok(Progress::More) => {}
                Ok(Progress::UpToDate) => {
                    error = import.reader.finish(&mut import.recording).err();
                    break;
                }
                Err(e) => {
                    error = Some(e);
                    break;
                }
            }
            if import.recording.beat(false)? || stop() {
                stopped = true;
                break;
            }
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
        import.recording.close(state, cause)?;
        let rows = (import.recording.rows(), before);
        Ok(Imported { run: import.recording.dir().cloned(), rows, error })
    }

    /// How the run ends where nothing went wrong.
    fn natural_end(&self) -> (State, Option<String>) {
        match self.recording.end() {
            Some(End::Failed(cause)) => (State::Failed, Some(cause.clone())),
            _ => (State::Finished, None),
        }
    }

    /// Reads on.
    pub(crate) fn read(&mut self) -> Result<Progress> {
        if self.failed {
            return Ok(Progress::UpToDate);
        }
        self.reader.read(&mut self.recording)
    }

    pub(crate) fn recording(&mut self) -> &mut Recording {
        &mut self.recording
    }

    /// The run, once there is one.
    pub fn run(&self) -> Option<&RunDir> {
        self.recording.dir()
    }

    /// Goes on with a run that is there and not being written; `true`: it was of that kind.
    pub(crate) fn go_on(&mut self) -> Result<bool> {
        self.recording.go_on()
    }

    /// Whether its run is being written.
    pub(crate) fn is_open(&self) -> bool {
        self.recording.is_open()
    }

    /// Whether the source says that nothing will follow.
    pub(crate) fn has_ended(&self) -> bool {
        self.recording.end().is_some()
    }

    /// Ends the run as its source says.
    pub(crate) fn end(&mut self) -> Result<()> {
        let (state, cause) = self.natural_end();
        self.recording.close(state, cause)
    }

    /// Ends the run with what is wrong with its source; nothing more is read.
    pub(crate) fn fail(&mut self, error: &ImportError) -> Result<()> {
        self.failed = true;
        self.recording.close(State::Failed, Some(error.to_string()))
    }

    /// Ends the run because somebody asked for it; nothing more is read.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.failed = true;
        self.recording.close(State::Stopped, Some("following it was ended".to_owned()))
    }

    /// Whether nothing more is read from it.
    pub(crate) fn is_over(&self) -> bool {
        self.failed
    }
}
