//! Logs that a program writes, imported while they grow. Content from before the program started is skipped.

use std::collections::HashSet;
use std::mem::take;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use gradtop_store::{ParamValue, SeriesKey, TableColumn};

use crate::error::{ImportError, Result};
use crate::find::{Format, Source, find};
use crate::naming::{name_series, split};
use crate::reader::{Progress, Reader};
use crate::seen::Seen;
use crate::sink::{At, End, Sink, Tag};
use crate::tables::{self, HISTOGRAMS, TEXT, TEXTS};

/// How often folders are searched for new files.
const SEARCH: Duration = Duration::from_secs(1);

/// Receives the content of a command's logs.
pub trait Log {
    /// Returns the number of a series; `None` if the limit is reached.
    fn series(&mut self, key: &SeriesKey) -> Option<u32>;
    /// Logs values of one step, each with the number of its series.
    fn row(&mut self, at: At, values: &[(u32, f64)]);
    /// Logs rows of a table.
    fn table(&mut self, name: &str, step: i64, columns: Vec<TableColumn>);
    /// Sets parameters; earlier values are replaced.
    fn params(&mut self, params: Vec<(String, ParamValue)>);
    /// Sets the number of steps that the training is to take.
    fn total(&mut self, steps: u64);
    /// Reports a problem with a log.
    fn warning(&mut self, message: String);
}

/// A file, or a folder of event files, that a command writes.
pub struct Feed {
    path: PathBuf,
    format: Format,
    /// Rows up to this step are not imported, because they were logged before the run was resumed.
    until: Option<i64>,
    followed: Vec<Followed>,
    known: HashSet<PathBuf>,
    searched: Option<Instant>,
    names: Names,
}

/// The names of the series in all logs of a feed.
#[derive(Default)]
struct Names {
    /// The folder of the log with the first values.
    root: Option<PathBuf>,
    taken: HashSet<SeriesKey>,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A log of a feed.
struct Followed {
    source: Source,
    /// When the file was last written before it was skipped.
    written: Option<SystemTime>,
    reader: Box<dyn Reader + Send>,
    new: New,
    /// What was left out of the content that was skipped.
    old_left_out: Vec<String>,
    failed: bool,
}

impl Feed {
    /// Follows a path, which need not exist yet, from now on. `resumed` is the step from which a resumed run continues.
    /// If the command has not `begun`, existing event files are never written to.
    pub fn new(path: &Path, format: Format, resumed: Option<i64>, begun: bool) -> Self {
        let mut feed = Self {
            path: path.to_owned(),
            format,
            until: resumed,
            followed: Vec::new(),
            known: HashSet::new(),
            searched: None,
            names: Names::default(),
        };
        feed.search();
        for followed in &mut feed.followed {
            if begun || !followed.reader.ignore() {
                followed.pass_over(begun);
            }
        }
        feed
    }

    /// Reads new content; returns whether there is more.
    pub fn read(&mut self, log: &mut dyn Log) -> bool {
        if self.searched.is_none_or(|then| then.elapsed() >= SEARCH) {
            self.search();
        }
        let mut more = false;
        for followed in self.followed.iter_mut().filter(|followed| !followed.failed) {
            more |= followed.read(&mut self.names, log);
        }
        more
    }

    /// Reads the rest after the command has ended. `by_itself` says that it was not killed, so that its last line is complete.
    pub fn finish(&mut self, log: &mut dyn Log, by_itself: bool) {
        self.searched = None;
        while self.read(log) {}
        for followed in &mut self.followed {
            if !followed.failed {
                followed.take_same_again();
                while followed.read(&mut self.names, log) {}
                followed.with(&mut self.names, Some(log), |reader, sink| {
                    reader.finish(sink, by_itself).map(|()| Progress::UpToDate)
                });
            }
            let left_out = followed.reader.left_out().into_iter().chain(followed.reader.unread_end());
            for message in left_out.filter(|message| !followed.old_left_out.contains(message)) {
                log.warning(message);
            }
        }
        if self.followed.is_empty() {
            let what = if self.format == Format::TensorBoard { "no event file" } else { "no file" };
            log.warning(format!("{what} was found at {}", self.path.display()));
        }
    }

    fn search(&mut self) {
        self.searched = Some(Instant::now());
        let found = match self.format {
            Format::TensorBoard => find(&self.path).unwrap_or_default(),
            format if self.path.is_file() => {
                vec![Source { path: self.path.clone(), format, name: String::new() }]
            }
            _ => Vec::new(),
        };
        for source in found {
            // A log that cannot be opened yet may be at the next search.
            if source.format == self.format
                && !self.known.contains(&source.path)
                && let Ok(reader) = source.open()
            {
                self.known.insert(source.path.clone());
                let new = New { until: self.until, ..New::default() };
                let old_left_out = Vec::new();
                self.followed.push(Followed {
                    source,
                    written: None,
                    reader,
                    new,
                    old_left_out,
                    failed: false,
                });
            }
        }
    }
}

impl Followed {
    /// Skips the existing content, including damaged lines. If the command has not `begun`, an incomplete last line
    /// will never be completed.
    fn pass_over(&mut self, begun: bool) {
        self.written = last_write(&self.source.path).filter(|_| !begun);
        self.with(&mut Names::default(), None, |reader, sink| {
            loop {
                match reader.read(sink) {
                    Ok(Progress::More) => {}
                    Ok(Progress::UpToDate) => break,
                    Err(ImportError::Damaged { .. }) if reader.skip_line(false)? => {}
                    Err(e) => return Err(e),
                }
            }
            if !begun {
                reader.skip_line(true)?;
            }
            Ok(Progress::UpToDate)
        });
        self.old_left_out = self.reader.left_out();
        // A persistent error is reported at the next read.
        self.failed = false;
    }

    /// A command that repeats an earlier one may write an identical file; then everything is new.
    fn take_same_again(&mut self) {
        let is_written = self.written.is_some() && last_write(&self.source.path) != self.written;
        if is_written
            && !self.new.handed
            && let Ok(reader) = self.source.open()
        {
            self.reader = reader;
            self.new.again();
        }
    }

    fn read(&mut self, names: &mut Names, log: &mut dyn Log) -> bool {
        self.with(names, Some(log), |reader, sink| reader.read(sink))
    }

    /// Calls the reader with a sink for new rows, or without a `log` for what is skipped; returns whether there is more.
    fn with(
        &mut self,
        names: &mut Names,
        log: Option<&mut dyn Log>,
        read: impl FnOnce(&mut dyn Reader, &mut dyn Sink) -> Result<Progress>,
    ) -> bool {
        let Self { source, reader, new, .. } = self;
        let log = log.map(|log| log as &mut dyn Log);
        let mut handing = Handing { path: &source.path, names, new, log };
        match read(&mut **reader, &mut handing) {
            Ok(progress) => progress == Progress::More,
            // A file may be missing briefly while it is replaced.
            Err(ImportError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => false,
            Err(e) => {
                handing.warning(e.to_string()).ok();
                self.failed = true;
                false
            }
        }
    }
}

/// Returns when a file was last written.
fn last_write(path: &Path) -> Option<SystemTime> {
    path.metadata().ok().filter(std::fs::Metadata::is_file)?.modified().ok()
}

/// Determines which content of a log is new.
#[derive(Default)]
struct New {
    lines: Vec<Line>,
    /// Whether anything was passed on.
    handed: bool,
    /// Whether the log was started again before anything was passed on: rows up to the step of the resume are then not new.
    begun_again: bool,
    until: Option<i64>,
    values: Vec<(u32, f64)>,
}

struct Line {
    tag: String,
    split: Option<&'static str>,
    whole: Option<SeriesKey>,
    /// Its name in the run, once needed, and its number there.
    key: Option<SeriesKey>,
    number: Option<u32>,
    come: Seen,
    /// The rows from before the log was started again, as long as they are repeated.
    before: Option<Seen>,
}

impl Line {
    fn is_new(&mut self, step: i64, value: f64) -> bool {
        self.come.add(step, value);
        let again = |before: &Seen| self.come.rows <= before.rows && before.begins_with(&self.come);
        if self.before.as_ref().is_some_and(again) {
            return false;
        }
        self.before = None;
        true
    }
}

impl New {
    /// The log is read from its start again. Loggers rewrite it to add a column and repeat their rows; a log that was there
    /// before the command has been overwritten by it.
    fn again(&mut self) {
        for line in &mut self.lines {
            let come = take(&mut line.come);
            let before = line.before.take().filter(|before| before.rows > come.rows);
            line.before = Some(before.unwrap_or(come)).filter(|_| self.handed);
        }
        self.begun_again = !self.handed;
    }
}

/// A sink that passes on new rows.
struct Handing<'a> {
    path: &'a Path,
    names: &'a mut Names,
    new: &'a mut New,
    /// `None` while the existing content is being skipped.
    log: Option<&'a mut dyn Log>,
}

impl Handing<'_> {
    /// Derives the name of a series from its tag. If event files are in several folders, the name of each further
    /// folder becomes the model, unless it is a split, as in Keras. No two series get the same name.
    fn key(&mut self, line: usize) -> SeriesKey {
        let Line { tag, split: said, whole, .. } = &self.new.lines[line];
        let folder = self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let of_split = split(folder);
        let mut key = name_series(Tag { name: tag, split: said.or(of_split), whole: whole.as_ref() });
        let Names { root, taken } = &mut *self.names;
        let root = root.get_or_insert_with(|| self.path.to_owned());
        if root != self.path && of_split.is_none() {
            key.model = Some(folder.to_owned());
        }
        // If two tags of a log map to the same name, the second keeps its tag.
        if self.new.lines.iter().any(|line| line.key.as_ref() == Some(&key)) {
            (key.metric, key.split) = (tag.clone(), None);
        }
        // For two logs, the second gets its folder's name and, if that is equal too, those of its parents.
        let around = self.path.ancestors().map(|folder| {
            let below = folder.parent().and_then(|parent| self.path.strip_prefix(parent).ok());
            below.map(|below| below.to_string_lossy().into_owned())
        });
        for model in around {
            if !taken.contains(&key) || model.is_none() {
                break;
            }
            key.model = model;
        }
        taken.insert(key.clone());
        key
    }
}

impl Sink for Handing<'_> {
    fn params(&mut self, params: Vec<(String, ParamValue)>) -> Result<()> {
        if let Some(log) = &mut self.log {
            log.params(params);
        }
        Ok(())
    }

    fn total(&mut self, steps: u64) -> Result<()> {
        if let Some(log) = &mut self.log {
            log.total(steps);
        }
        Ok(())
    }

    fn series(&mut self, tag: Tag<'_>) -> Result<u32> {
        let lines = &mut self.new.lines;
        let known = lines.iter().position(|line| line.tag == tag.name && line.split == tag.split);
        let at = known.unwrap_or_else(|| {
            let (come, before) = (Seen::default(), None);
            lines.push(Line {
                tag: tag.name.to_owned(),
                split: tag.split,
                whole: tag.whole.cloned(),
                key: None,
                number: None,
                come,
                before,
            });
            lines.len() - 1
        });
        Ok(at as u32)
    }

    fn row(&mut self, at: At, values: &[(u32, f64)]) -> Result<()> {
        let mut new = take(&mut self.new.values);
        new.clear();
        for (line, value) in values {
            let place = *line as usize;
            let Some(line) = self.new.lines.get_mut(place) else { continue };
            let old = self.new.begun_again && self.new.until.is_some_and(|until| at.step <= until);
            if !line.is_new(at.step, *value) || self.log.is_none() || old {
                continue;
            }
            if line.key.is_none() {
                let key = self.key(place);
                self.new.lines[place].number = self.log.as_mut().and_then(|log| log.series(&key));
                self.new.lines[place].key = Some(key);
            }
            new.extend(self.new.lines[place].number.map(|number| (number, *value)));
        }
        if let Some(log) = self.log.as_mut().filter(|_| !new.is_empty()) {
            self.new.handed = true;
            log.row(at, &new);
        }
        self.new.values = new;
        Ok(())
    }

    fn text(&mut self, at: At, tag: &str, text: &str) -> Result<()> {
        if let Some(log) = &mut self.log {
            let text = &text[..text.floor_char_boundary(TEXT)];
            log.table(TEXTS, at.step, tables::text(tag, text));
        }
        Ok(())
    }

    fn histogram(&mut self, at: At, tag: &str, bins: &[[f64; 3]]) -> Result<()> {
        if let Some(log) = &mut self.log {
            log.table(HISTOGRAMS, at.step, tables::histogram(tag, bins));
        }
        Ok(())
    }

    /// The command reports its end itself.
    fn ended(&mut self, _end: End) -> Result<()> {
        Ok(())
    }

    fn warning(&mut self, message: String) -> Result<()> {
        if let Some(log) = &mut self.log {
            log.warning(message);
        }
        Ok(())
    }

    fn again(&mut self) -> Result<()> {
        self.new.again();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use super::*;

    /// What was handed on, by the words for a series.
    #[derive(Default)]
    struct Taken(Vec<String>, Vec<(String, i64, f64)>);

    impl Log for Taken {
        fn series(&mut self, key: &SeriesKey) -> Option<u32> {
            let words = [Some(key.metric.as_str()), key.split.as_deref(), key.model.as_deref()];
            self.0.push(words.into_iter().flatten().collect::<Vec<_>>().join(" "));
            Some(self.0.len() as u32 - 1)
        }
        fn row(&mut self, at: At, values: &[(u32, f64)]) {
            for (series, value) in values {
                self.1.push((self.0[*series as usize].clone(), at.step, *value));
            }
        }
        fn table(&mut self, _name: &str, _step: i64, _columns: Vec<TableColumn>) {}
        fn params(&mut self, _params: Vec<(String, ParamValue)>) {}
        fn total(&mut self, steps: u64) {
            self.0.push(format!("total {steps}"));
        }
        fn warning(&mut self, message: String) {
            self.0.push(message);
        }
    }

    /// Steps that came of a CSV file with these contents, one after the other, the first before the command.
    fn steps(resumed: Option<i64>, contents: &[&str]) -> Vec<i64> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.csv");
        let mut taken = Taken::default();
        fs::write(&path, format!("step,loss\n{}", contents[0])).unwrap();
        let mut feed = Feed::new(&path, Format::Csv, resumed, false);
        for (n, rows) in (1..).zip(&contents[1..]) {
            fs::write(&path, format!("step,loss\n{rows}")).unwrap();
            // Not within the same tick of the file system's clock.
            let file = fs::File::options().append(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() + Duration::from_secs(n)).unwrap();
            while feed.read(&mut taken) {}
        }
        feed.finish(&mut taken, false);
        taken.1.iter().map(|(_, step, _)| *step).collect()
    }

    #[test]
    fn what_was_there_before_is_passed_over_and_what_comes_again_is_known() {
        let old = "0,1\n1,2\n2,3\n";
        assert_eq!(steps(None, &[old, "0,1\n1,2\n2,3\n3,4\n"]), [3], "added to");
        assert_eq!(steps(None, &[old, "0,1\n"]), [0], "overwritten, though its rows are the same");
        assert_eq!(steps(None, &[old, "7,1\n8,2\n9,3\n"]), [7, 8, 9], "overwritten by something as long");
        assert_eq!(steps(Some(1), &[old, "0,1\n", "0,1\n1,2\n2,5\n"]), [2], "of a resumed run");
        assert_eq!(steps(None, &["", "0,1\n1,2\n", "0,1\n", "0,1\n1,2\n2,3\n"]), [0, 1, 2], "written anew");
        assert_eq!(steps(None, &["", "0,1\n1,2\n", "5,1\n", "5,1\n6,2\n"]), [0, 1, 5, 6], "another training");
        assert_eq!(steps(None, &[old, old]), [0, 1, 2], "overwritten by the same");
        assert_eq!(steps(Some(1), &[old, old]), [2], "overwritten by the same of a resumed run");
        assert_eq!(steps(None, &[old]), [] as [i64; 0], "not written at all");
    }

    /// A record of an event file: a value of a tag.
    fn event(tag: &str) -> Vec<u8> {
        let within = |field: u8, bytes: &[u8]| [&[field, bytes.len() as u8], bytes].concat();
        let value = [within(0x0a, tag.as_bytes()), vec![0x15, 0, 0, 0x80, 0x3f]].concat();
        let event = within(0x2a, &within(0x0a, &value));
        let len = (event.len() as u64).to_le_bytes();
        let sum = |data: &[u8]| crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes();
        [&len[..], &sum(&len), &event, &sum(&event)].concat()
    }

    #[test]
    fn the_last_line_of_a_command_that_ended_by_itself_is_complete() {
        for (by_itself, steps) in [(true, &[0, 1][..]), (false, &[0])] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("log.csv");
            let mut feed = Feed::new(&path, Format::Csv, None, false);
            fs::write(&path, "step,loss\n0,1\n1,2").unwrap();
            let mut taken = Taken::default();
            feed.finish(&mut taken, by_itself);
            assert_eq!(taken.1.iter().map(|(_, step, _)| *step).collect::<Vec<_>>(), steps);
            assert_eq!(taken.0.iter().any(|said| said.contains("the last line is left out")), !by_itself);
        }
    }

    #[test]
    fn lines_behind_damage_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.csv");
        let mut feed = Feed::new(&path, Format::Csv, None, false);
        fs::write(&path, "step,loss\n0,1\n1,2,3\n2,3\n").unwrap();
        let mut taken = Taken::default();
        feed.finish(&mut taken, true);
        assert_eq!(taken.1.len(), 1);
        assert_eq!(taken.0.last().unwrap(), "2 lines from byte 14 on are left out", "{:?}", taken.0);
    }

    #[test]
    fn no_two_folders_share_a_series() {
        let dir = tempfile::tempdir().unwrap();
        let mut feed = Feed::new(dir.path(), Format::TensorBoard, None, false);
        for folder in ["train", "validation", "x/fold", "y/fold"] {
            let folder = dir.path().join(folder);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("events.out.tfevents.1.a"), [event("loss"), event("loss/test")].concat())
                .unwrap();
        }
        let mut taken = Taken::default();
        feed.finish(&mut taken, false);
        let of_splits = ["loss train", "loss test", "loss val", "loss test validation"];
        let of_models = ["loss fold", "loss test fold", "loss y/fold", "loss test y/fold"];
        assert_eq!(taken.0, [of_splits, of_models].concat());
    }

    #[test]
    fn the_total_that_a_log_tells_is_handed_on_unless_it_was_there_before() {
        let mut taken = Taken::default();
        for (log, steps) in [(None, 5), (Some(&mut taken as &mut dyn Log), 7)] {
            let (mut names, mut new) = (Names::default(), New::default());
            let log = log.map(|log| log as &mut dyn Log);
            let mut handing = Handing { path: Path::new("a"), names: &mut names, new: &mut new, log };
            handing.total(steps).unwrap();
        }
        assert_eq!(taken.0, ["total 7"]);
    }

    #[test]
    fn what_was_damaged_before_harms_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.jsonl");
        fs::write(&path, "{\"step\": 0, \"loss\": 1}\ngarbage\n{\"step\": 1, \"lo").unwrap();
        let mut feed = Feed::new(&path, Format::JsonLines, None, false);
        let mut file = fs::File::options().append(true).open(&path).unwrap();
        std::io::Write::write_all(&mut file, b"{\"step\": 7, \"loss\": 2}\n").unwrap();
        let mut taken = Taken::default();
        while feed.read(&mut taken) {}
        feed.finish(&mut taken, false);
        assert_eq!((taken.0, taken.1), (vec!["loss".to_owned()], vec![("loss".to_owned(), 7, 2.0)]));
    }

    #[test]
    fn a_file_that_never_comes_is_told() {
        let mut taken = Taken::default();
        let mut feed = Feed::new(Path::new("/nonexistent/log.csv"), Format::Csv, None, false);
        assert!(!feed.read(&mut taken));
        feed.finish(&mut taken, false);
        assert_eq!(taken.0, ["no file was found at /nonexistent/log.csv"]);
    }
}
