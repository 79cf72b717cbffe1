//! Starting a command as a run.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gradtop_store::{
    AttachedTo, CommandInfo, Event, ExperimentInfo, Kind, LogInfo, Manifest, MetricInfo, NewRun, ParamValue,
    RunDir, Status, append_event, inside, process_start, write_status,
};

use crate::error::{HostError, Result};
use crate::machine::device::{self, DeviceChoice};
use crate::machine::git;
use crate::machine::signals::Blocked;
use crate::run::alerts;
use crate::run::keeper::start::start;
use crate::run::launch::{Begin, draw_seed};

/// A command to start as a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exec {
    /// The folder of all runs.
    pub runs: PathBuf,
    /// The run's experiment; `None` for the name of the script or program.
    pub experiment: Option<String>,
    /// The run's name; `None` for the next free one.
    pub name: Option<String>,
    /// The running process to attach to, if the command is already running.
    pub attached: Option<u32>,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The same before values were substituted, see [`filled`].
    pub template: Vec<String>,
    /// The working folder.
    pub dir: PathBuf,
    /// Parameters to record, as typed.
    pub params: Vec<(String, String)>,
    /// Declarations of its metrics.
    pub metrics: Vec<MetricInfo>,
    /// The seed to pass on; `None` for a random one.
    pub seed: Option<u64>,
    /// Total units of work.
    pub total: Option<u64>,
    /// Whether the same command can continue from a checkpoint passed to it.
    pub resumable: bool,
    /// How long it may take to end when asked to stop; `None` for [`crate::DEFAULT_GRACE`].
    pub grace: Option<Duration>,
    /// The device assigned to it.
    pub device: DeviceChoice,
    /// Logs that it writes, with absolute paths.
    pub logs: Vec<LogInfo>,
    /// Whether to skip recording the changes relative to the commit.
    pub no_diff: bool,
    /// Interval at which a client is asked for checkpoints; zero for never.
    pub checkpoint_every: Duration,
}

impl Exec {
    /// Returns the id of the run's experiment.
    pub fn experiment_id(&self) -> String {
        self.experiment.clone().unwrap_or_else(|| experiment_of(&self.argv))
    }
}

/// Environment variables to record: those that control devices, threads and ranks.
const RECORDED: [&str; 14] = [
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "WORLD_SIZE",
    "RANK",
    "LOCAL_RANK",
    "NODE_RANK",
    "SLURM_JOB_ID",
    "SLURM_JOB_NODELIST",
    "SLURM_NNODES",
    "SLURM_NTASKS",
    "CONDA_DEFAULT_ENV",
    "VIRTUAL_ENV",
];

/// Starts a command as a run and returns once it no longer depends on the caller, as [`crate::launch`] does for an experiment.
///
/// # Errors
/// The program does not exist, the name is taken, or the folder of runs is not writable.
pub fn exec(exec: &Exec) -> Result<RunDir> {
    let _blocked = Blocked::interrupts();
    let (run, lock) = new_run(exec, NewRun::begin, &git::Asked::default())?.finish()?;
    start(&run, &lock, None, None)?;
    Ok(run)
}

/// Like [`crate::run::launch::Source::new_run`], for a command.
pub(crate) fn new_run(exec: &Exec, begin: Begin, git: &git::Asked) -> Result<NewRun> {
    let Some(program) = exec.argv.first() else {
        return Err(HostError::NoProgram { program: String::new(), why: "no command is given".to_owned() });
    };
    let refused = |why: &str| HostError::NoProgram { program: program.clone(), why: why.to_owned() };
    let attached = exec.attached.map(|pid| {
        let start = process_start(pid).ok_or(HostError::NoProcess(pid))?;
        Ok::<_, HostError>(AttachedTo { pid, start })
    });
    let attached = attached.transpose()?;
    let found = if attached.is_some() {
        program.clone()
    } else {
        find_program(program, &exec.dir).map_err(refused)?
    };
    let runs = std::path::absolute(&exec.runs).map_err(HostError::at("resolve", &exec.runs))?;
    let device = device::of_command(exec.device)?;
    let mut manifest = manifest(exec, found, attached, device);
    let changes = manifest.git_commit.as_deref().filter(|_| !exec.no_diff);
    let changes = changes.map(|commit| git.changes(&exec.dir, commit)).unwrap_or_default();
    if let (Some(command), Some(Ok(changes))) = (&mut manifest.command, &*changes) {
        command.git_dirty = Some(changes.dirty);
    }
    let new_run = begin(&runs, manifest, exec.name.is_none())?;
    let run = new_run.run();
    write_status(run, &Status::queued(exec.total.filter(|total| *total > 0)))?;
    match &*changes {
        Some(Ok(changes)) if !changes.diff.is_empty() => {
            inside::replace(run, &run.code_diff(), &changes.diff, false)
                .map_err(HostError::at("write", &run.code_diff()))?;
        }
        Some(Ok(_)) | None => {}
        Some(Err(why)) => {
            append_event(run, &Event::Warning { message: format!("code.diff is not there: {why}") })?;
        }
    }
    Ok(new_run)
}

fn manifest(exec: &Exec, program: String, attached: Option<AttachedTo>, device: String) -> Manifest {
    let env: BTreeMap<String, String> =
        RECORDED.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?))).collect();
    let mut argv = exec.argv.clone();
    argv[0] = program;
    let has_places = exec.template != exec.argv;
    let command = CommandInfo {
        template: Some(&exec.template).filter(|_| has_places).cloned().unwrap_or_default(),
        given: exec.params.iter().cloned().collect(),
        dir: exec.dir.to_string_lossy().into_owned(),
        grace_s: exec.grace.map(|grace| grace.as_secs_f64()),
        total: exec.total,
        logs: exec.logs.clone(),
        git_branch: git::branch(&exec.dir),
        git_dirty: None,
        attached,
        env,
        argv,
    };
    let id = exec.experiment_id();
    let experiment = ExperimentInfo {
        name: id.clone(),
        id,
        summary: command.in_words(),
        resumable: exec.resumable && attached.is_none(),
        ..ExperimentInfo::default()
    };
    Manifest {
        kind: Kind::Command,
        seed: Some(exec.seed.unwrap_or_else(draw_seed)),
        device: Some(device),
        checkpoint_every_s: exec.checkpoint_every.as_secs_f64().ceil() as u64,
        alerts: alerts::given(),
        git_commit: git::commit(&exec.dir),
        command: Some(command),
        params: exec.params.iter().map(|(key, text)| (key.clone(), ParamValue::typed(text))).collect(),
        metrics: exec.metrics.clone(),
        ..Manifest::new(exec.name.as_deref().unwrap_or_default(), experiment)
    }
}

/// Returns the placeholder for a parameter's value in a command.
pub fn place(key: &str) -> String {
    format!("{{{key}}}")
}

/// Returns a command with placeholders replaced by values. Values are not searched for placeholders.
pub fn filled(words: &[String], places: &[(String, String)]) -> Vec<String> {
    words.iter().map(|word| filled_word(word, places)).collect()
}

fn filled_word(word: &str, places: &[(String, String)]) -> String {
    let (mut out, mut rest) = (String::new(), word);
    let next = |rest: &str| {
        let found =
            places.iter().filter_map(|(place, value)| Some((rest.find(place.as_str())?, place, value)));
        found.min_by_key(|(at, ..)| *at).map(|(at, place, value)| (at, place.len(), value.clone()))
    };
    while let Some((at, length, value)) = next(rest) {
        out.push_str(&rest[..at]);
        out.push_str(&value);
        rest = &rest[at + length..];
    }
    out + rest
}

/// Returns the words in braces in a command that look like placeholders but are none of these, each once. A variable of
/// a shell, as in `${HOME}`, does not look like one; in a command without places, only a whole argument or value does.
pub fn unfilled(words: &[String], places: &[(String, String)]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in words {
        let opened = word.match_indices('{').filter(|(at, _)| !word[..*at].ends_with('$'));
        for key in opened.filter_map(|(at, _)| word[at + 1..].split_once('}')).map(|(key, _)| key) {
            let place = place(key);
            let is_name = key.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
            let is_whole =
                word.strip_suffix(&place).is_some_and(|before| before.is_empty() || before.ends_with('='));
            if is_name
                && (is_whole || !places.is_empty())
                && !found.contains(&place)
                && places.iter().all(|(known, _)| *known != place)
            {
                found.push(place);
            }
        }
    }
    found
}

/// Returns the absolute path of a program, or why it cannot be started.
fn find_program(name: &str, dir: &Path) -> Result<String, &'static str> {
    let is_program = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        let path = dir.join(name);
        return if is_program(&path) {
            Ok(path.to_string_lossy().into_owned())
        } else if path.exists() {
            Err("it is not an executable file")
        } else {
            Err("there is no such file")
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| is_program(&folder.join(name))) {
        Ok(name.to_owned())
    } else {
        Err("it is not in PATH")
    }
}

/// Derives an experiment's name from a command: the first argument that is a script's name, else the program.
fn experiment_of(argv: &[String]) -> String {
    const SCRIPTS: [&str; 8] = ["py", "sh", "bash", "jl", "R", "lua", "pl", "rb"];
    let stem = |text: &str| Path::new(text).file_stem().map(|s| s.to_string_lossy().into_owned());
    let is_script = |text: &&String| {
        Path::new(text.as_str()).extension().is_some_and(|e| SCRIPTS.iter().any(|script| e == *script))
    };
    let module = argv.windows(2).find(|pair| pair[0] == "-m").map(|pair| pair[1].replace('.', "-"));
    let name = argv.iter().skip(1).find(is_script).and_then(|script| stem(script)).or(module);
    let name = name.or_else(|| stem(argv.first()?)).unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = name.chars().map(plain).collect();
    let name = name.trim_matches(['.', '-']).to_owned();
    if name.is_empty() { "command".to_owned() } else { gradtop_store::readable_name(&name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_experiment_has_the_name_of_its_script() {
        let of = |command: &str| experiment_of(&command.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(of("python train.py --lr 1e-3"), "train");
        assert_eq!(of("python -m lm.pretrain"), "lm-pretrain");
        assert_eq!(of("torchrun --nproc-per-node 2 src/fit.py"), "fit");
        assert_eq!(of("./a b.out"), "a");
        assert_eq!(of("/"), "command");
        assert_eq!(of("true"), "true-runs", "readers of Parquet would take it for a truth value");
    }

    #[test]
    fn values_go_to_their_places_in_a_command() {
        let places = [("lr", "1e-3"), ("seed", "2"), ("x", "{lr}")];
        let places = places.map(|(key, value)| (place(key), value.to_owned()));
        assert_eq!(filled_word("--lr={lr},{seed} {x} {other}", &places), "--lr=1e-3,2 {lr} {other}");
        assert_eq!(filled_word("{lr}{lr}", &places), "1e-31e-3");
        assert_eq!(filled_word("{}", &places), "{}");
    }

    #[test]
    fn what_looks_like_a_placeholder_and_has_no_value_is_found() {
        let places = [(place("lr"), String::new())];
        let of = |word: &str| unfilled(&[word.to_owned()], &places).join(" ");
        assert_eq!(of("--lr={lr} {lrr} {lrr}"), "{lrr}");
        assert_eq!(of("{ print $1 } ${HOME} {\"a\": {b}} {} {1} {x"), "{b}");
        let without = |word: &str| unfilled(&[word.to_owned()], &[]).join(" ");
        assert_eq!([without("{lr}"), without("--lr={lr}")], ["{lr}", "{lr}"]);
        assert_eq!(without("print(f'{lr} of {steps}')"), "");
    }

    #[test]
    fn a_program_that_is_not_there_is_told_before_there_is_a_run() {
        let here = Path::new("/");
        assert_eq!(find_program("sh", here), Ok("sh".to_owned()));
        assert_eq!(find_program("bin/sh", here), Ok("/bin/sh".to_owned()));
        assert!(find_program("no-such-program", here).is_err());
        assert_eq!(find_program("./etc/passwd", here), Err("it is not an executable file"));
        assert_eq!(find_program("./nothing", here), Err("there is no such file"));
    }
}
