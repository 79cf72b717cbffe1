//! Finds logs at a path.

use std::fs::DirEntry;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::error::{At as _, ImportError, Result};
use crate::reader::Reader;
use crate::table::{Csv, JsonLines, STATE, TrainerState};
use crate::tail;
use crate::tensorboard::{EventFiles, is_event_file, is_of_hyperparameters};
use crate::wandb::Wandb;

/// Maximum depth of folders, and number of entries of all of them.
const DEPTH: usize = 12;
const ENTRIES: usize = 200_000;
/// Maximum number of runs at one path.
const RUNS: usize = 10_000;

/// The format of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// TensorBoard event files, all those of a folder.
    TensorBoard,
    /// A table with a header line.
    Csv,
    /// One JSON object per line.
    JsonLines,
    /// A `.wandb` file.
    Wandb,
    /// The state file of a Hugging Face trainer.
    TrainerState,
}

impl Format {
    /// Returns the name of the format.
    pub fn name(self) -> &'static str {
        match self {
            Self::TensorBoard => "TensorBoard",
            Self::Csv => "CSV",
            Self::JsonLines => "JSON lines",
            Self::Wandb => "wandb",
            Self::TrainerState => "Hugging Face",
        }
    }
}

/// The log of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its file, or the folder of its files.
    pub path: PathBuf,
    /// Its format.
    pub format: Format,
    /// A name for the run.
    pub name: String,
}

impl Source {
    /// Opens it for reading from the start.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&self) -> Result<Box<dyn Reader + Send>> {
        Ok(match self.format {
            Format::TensorBoard => Box::new(EventFiles::new(&self.path)),
            Format::Csv => Box::new(Csv::open(&self.path)?),
            Format::JsonLines => Box::new(JsonLines::open(&self.path)?),
            Format::Wandb => Box::new(Wandb::open(&self.path)?),
            Format::TrainerState => Box::new(TrainerState::new(&self.path)),
        })
    }
}

/// What [`find`] looks for in a folder, for people.
pub const LOOKED_FOR: &str = "event files, .wandb files, metrics.csv, progress.csv, results.csv, metrics.jsonl, log.jsonl and trainer_state.json";

/// Finds the runs at a path, sorted: a file's, or those of a folder and its subfolders. Links within it are not
/// followed. The path must exist but need not contain a run yet.
///
/// # Errors
/// The path does not exist or cannot be read, or is a file of unknown format.
pub fn find(path: &Path) -> Result<Vec<Source>> {
    let path = &path.canonicalize().at("find", path)?;
    if path.is_file() {
        let format = of_file(path)?;
        return Ok(vec![Source { path: path.clone(), format, name: name_of_file(path) }]);
    }
    if !path.is_dir() {
        let why = "it is neither a file nor a folder".to_owned();
        return Err(ImportError::Nothing { path: path.clone(), why });
    }
    let mut search = Search { root: path, found: Vec::new(), entries: 0 };
    search.look_into(path, DEPTH)?;
    search.found.sort_by(|a, b| a.path.cmp(&b.path));
    search.found.truncate(RUNS);
    Ok(search.found)
}

/// Returns the experiment for the runs of a path: the name of its folder, ignoring uninformative names.
pub fn experiment_of(path: &Path) -> String {
    const PLAIN: [&str; 11] = [
        "runs",
        "logs",
        "log",
        "wandb",
        "tb",
        "tb_logs",
        "tensorboard",
        "lightning_logs",
        "output",
        "outputs",
        "results",
    ];
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
    let names = || folder.into_iter().flat_map(Path::ancestors).filter_map(|p| p.file_name()?.to_str());
    let telling = names().find(|name| !PLAIN.contains(&name.to_lowercase().as_str()));
    let name = telling.or_else(|| names().next()).unwrap_or("imported");
    gradtop_store::readable_name(&name.chars().take(100).collect::<String>())
}

struct Search<'a> {
    root: &'a Path,
    found: Vec<Source>,
    entries: usize,
}

impl Search<'_> {
    fn look_into(&mut self, folder: &Path, depth: usize) -> Result<()> {
        let listed = match std::fs::read_dir(folder) {
            // Subfolders of other users are skipped.
            Err(_) if folder != self.root => return Ok(()),
            listed => listed.at("list", folder)?,
        };
        let mut entries: Vec<DirEntry> = Vec::new();
        for entry in listed {
            self.entries += 1;
            if self.entries > ENTRIES {
                let why = format!("it has more than {ENTRIES} files and folders; name a smaller one");
                return Err(ImportError::Nothing { path: self.root.to_owned(), why });
            }
            entries.extend(entry);
        }
        let named = |name: &str| entries.iter().any(|e| is_file(e) && e.file_name() == *name);
        let checkpoint = |e: &&DirEntry| {
            e.file_name().to_str().is_some_and(|n| n.starts_with("checkpoint-"))
                && e.path().join(STATE).is_file()
        };
        let has_events =
            entries.iter().any(|e| is_file(e) && e.file_name().to_str().is_some_and(is_event_file));
        if has_events {
            self.add(folder, folder, Format::TensorBoard);
        } else if let Some(file) =
            entries.iter().find(|e| is_file(e) && e.path().extension().is_some_and(|kind| kind == "wandb"))
        {
            self.add(folder, &file.path(), Format::Wandb);
        } else if named(STATE) || entries.iter().any(|e| checkpoint(&e)) {
            self.add(folder, folder, Format::TrainerState);
        } else {
            for (file, format) in [
                ("metrics.csv", Format::Csv),
                ("progress.csv", Format::Csv),
                ("results.csv", Format::Csv),
                ("metrics.jsonl", Format::JsonLines),
                ("log.jsonl", Format::JsonLines),
            ] {
                if named(file) {
                    self.add(folder, &folder.join(file), format);
                    break;
                }
            }
        }
        for entry in &entries {
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let passed = name.starts_with('.')
                || name == "node_modules"
                || checkpoint(&entry)
                || has_events && is_of_hyperparameters(&name);
            if is_dir && !passed && depth > 0 {
                self.look_into(&entry.path(), depth - 1)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, folder: &Path, path: &Path, format: Format) {
        let below = folder.strip_prefix(self.root).unwrap_or(folder);
        let name = if below.as_os_str().is_empty() { self.root.file_name() } else { Some(below.as_os_str()) };
        let name = run_name(&name.unwrap_or_default().to_string_lossy());
        self.found.push(Source { path: path.to_owned(), format, name });
    }
}

fn is_file(entry: &DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| kind.is_file())
}

/// Determines the format of a file from its name, else from its beginning.
fn of_file(path: &Path) -> Result<Format> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    if is_event_file(&name) {
        return Ok(Format::TensorBoard);
    }
    let kind = Path::new(&name).extension().and_then(|kind| kind.to_str()).unwrap_or_default();
    match kind {
        "wandb" => return Ok(Format::Wandb),
        "csv" | "tsv" => return Ok(Format::Csv),
        "jsonl" | "ndjson" => return Ok(Format::JsonLines),
        _ => {}
    }
    let mut begin = Vec::new();
    tail::open(path)?.take(4_096).read_to_end(&mut begin).at("read", path)?;
    let text = String::from_utf8_lossy(&begin);
    if text.trim_start().starts_with('{') {
        // One object, by its name, its key or many lines, or one per line.
        let first = text.lines().next().unwrap_or_default().trim_end();
        let one = name == STATE || text.contains("\"log_history\"");
        let many = first.ends_with('}') || !text.contains('\n');
        return Ok(if many && !one { Format::JsonLines } else { Format::TrainerState });
    }
    let why = "it is not an event file, a .wandb file, CSV, JSON lines or a trainer_state.json".to_owned();
    Err(ImportError::Nothing { path: path.to_owned(), why })
}

/// Returns a name for the run of a file: the file's, or that of its folder if the file's is uninformative.
fn name_of_file(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let plain = ["metrics", "progress", "results", "log", "trainer_state"].contains(&&*stem);
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let tells = !plain && !is_event_file(&path.file_name().unwrap_or_default().to_string_lossy());
    run_name(if tells || folder.is_empty() { &stem } else { &folder })
}

/// Converts a text to a valid run name.
pub(crate) fn run_name(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
    let name: String = text.chars().map(plain).take(90).collect();
    let name = name.trim_matches(['-', '.']);
    if gradtop_store::validate_name(name).is_ok() {
        name.to_owned()
    } else {
        format!("run-{name}").trim_end_matches('-').to_owned()
    }
}
