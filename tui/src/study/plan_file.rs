//! A plan file: `NAME.plan.toml` next to the plugins whose experiments it runs, or anywhere else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use gradtop_host::DeviceChoice;
use serde::Deserialize;
use toml::Spanned;

use super::plan::{Entry, Plan};
use super::report_file::ReportFile;
use crate::failure::{Failure, line_at, toml_error};
use crate::files;
use gradtop_store::suggest;

/// The extension of plans next to the plugins.
const ENDING: &str = ".plan.toml";
/// The default preset of a study.
const USUAL: &str = "default";

/// A plan file: the runs, and the conditions for each.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanFile {
    #[serde(skip)]
    path: PathBuf,
    name: Option<String>,
    #[serde(default)]
    presets: Vec<String>,
    #[serde(default = "one")]
    seed: u32,
    #[serde(default = "any_device")]
    device: String,
    /// The file name of the report, which is in the same folder.
    report: Option<String>,
    /// Whether to use the report of the plan next to the plugins, for those runs that this plan shares.
    #[serde(default)]
    questions: bool,
    #[serde(rename = "run", default)]
    runs: Vec<Run>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    experiment: Spanned<String>,
    key: Option<String>,
    preset: Option<String>,
    #[serde(default = "one")]
    threads: u32,
    #[serde(default)]
    params: toml::Table,
    /// The seconds on one core, by preset.
    #[serde(default)]
    seconds: BTreeMap<String, f64>,
    #[serde(default)]
    when: Vec<When>,
}

/// Parameters that apply under a condition.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct When {
    /// Any of these presets; if empty, all.
    #[serde(default)]
    preset: Vec<String>,
    /// A data set that must be on this machine.
    dataset: Option<String>,
    params: toml::Table,
}

fn one() -> u32 {
    1
}

fn any_device() -> String {
    "auto".to_owned()
}

impl Run {
    fn key(&self) -> &str {
        self.key.as_deref().unwrap_or(self.experiment.get_ref())
    }
}

impl PlanFile {
    /// Finds the plan by file or by the name of one next to the plugins; without a name, the first of those.
    pub(crate) fn find(named: Option<&Path>) -> Result<Self> {
        let beside = beside_plugins();
        let Some(named) = named else {
            let first = beside.first().ok_or_else(|| {
                Failure::new(format!("there is no study plan (*{ENDING}) in {}", searched()))
                    .help("use `--plan FILE` for one elsewhere; in a checkout, `cargo xtask run` puts ours next to the program")
            })?;
            return Self::read(&first.1);
        };
        if !named.exists() {
            let name = named.to_string_lossy();
            let found = beside.iter().find(|(other, _)| *other == name).ok_or_else(|| {
                let known = beside.iter().map(|(name, _)| name.as_str());
                let message = format!("no file or study plan is called {name:?}");
                Failure::unknown(message, &name, known, "plans next to the plugins")
            })?;
            return Self::read(&found.1);
        }
        let mut plan = Self::read(named)?;
        // Durations measured in other plans are a better guess than none.
        let others: Vec<Self> = beside.iter().filter_map(|(_, path)| Self::read(path).ok()).collect();
        for run in plan.runs.iter_mut().filter(|run| run.seconds.is_empty()) {
            let mut measured = others.iter().flat_map(|other| &other.runs);
            let same = measured.find(|other| other.experiment.get_ref() == run.experiment.get_ref());
            run.seconds = same.map(|other| other.seconds.clone()).unwrap_or_default();
        }
        Ok(plan)
    }

    /// Reads and validates a plan.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = files::read(path)?;
        let mut plan =
            Self::parse(&text).map_err(|why| Failure::usage(format!("{}: {why}", path.display())))?;
        path.clone_into(&mut plan.path);
        Ok(plan)
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let plan: Self = toml::from_str(text).map_err(|e| toml_error(text, &e))?;
        plan.check()?;
        for (i, run) in plan.runs.iter().enumerate() {
            let twice = plan.runs[..i].iter().any(|other| other.key() == run.key());
            let twice = twice.then(|| format!("two runs are called {:?}: give one of them a key", run.key()));
            if let Some(why) = twice.or_else(|| plan.check_run(run).err()) {
                return Err(format!("line {}: {why}", line_at(text, run.experiment.span().start)));
            }
        }
        Ok(plan)
    }

    fn check(&self) -> Result<(), String> {
        if self.name.is_none() && self.presets.is_empty() {
            return Err("name = \"…\" is missing: the name of the study".to_owned());
        }
        self.name.iter().try_for_each(|name| valid("name", name))?;
        self.presets.iter().try_for_each(|preset| valid("preset", preset))?;
        self.device.parse::<DeviceChoice>()?;
        if let Some(report) = self.report.as_ref().filter(|name| name.contains('/')) {
            return Err(format!(
                "report = {report:?}: give only the file's name; it must be in the plan's folder"
            ));
        }
        if self.runs.is_empty() {
            return Err("it has no [[run]]".to_owned());
        }
        Ok(())
    }

    fn check_run(&self, run: &Run) -> Result<(), String> {
        valid("key", run.key())?;
        let key = run.key();
        if run.threads == 0 {
            return Err(format!("{key}: threads must be at least 1"));
        }
        for when in &run.when {
            if let Some(odd) = when.preset.iter().find(|preset| !self.presets.contains(preset)) {
                let known = suggest(odd, self.presets.iter().map(String::as_str), "presets");
                return Err(format!("{key}: the plan has no preset {odd:?}; {known}"));
            }
            if let Some(name) = &when.dataset {
                gradtop_data::named(name).ok_or_else(|| {
                    let known = gradtop_data::DATASETS.iter().map(|set| set.name);
                    format!("{key}: there is no data set {name:?}; {}", suggest(name, known, "data sets"))
                })?;
            }
        }
        let params = run.params.iter().chain(run.when.iter().flat_map(|when| &when.params));
        for (name, value) in params {
            if value.is_table() || value.is_array() || value.is_datetime() {
                return Err(format!("{key}: {name} must be a number, text, true or false"));
            }
        }
        match run.seconds.values().find(|seconds| !(seconds.is_finite() && **seconds > 0.0)) {
            Some(odd) => Err(format!("{key}: seconds must be positive, not {odd}")),
            None => Ok(()),
        }
    }

    /// Builds the plan for a preset, on a machine with these data sets.
    pub(crate) fn plan(
        &self,
        preset: Option<&str>,
        has_dataset: impl Fn(&str) -> bool,
    ) -> Result<Plan, Failure> {
        if let Some(typed) = preset.filter(|typed| !self.presets.iter().any(|known| known == typed)) {
            let why = format!("{} has no preset {typed:?}", self.path.display());
            return Err(Failure::unknown(why, typed, self.presets.iter().map(String::as_str), "presets"));
        }
        let usual = || self.presets.iter().find(|preset| *preset == USUAL).or(self.presets.first());
        let preset = preset.or_else(|| usual().map(String::as_str));
        let entry = |run: &Run| {
            let preset = run.preset.as_deref().or(preset);
            let holds = |when: &&When| {
                (when.preset.is_empty() || when.preset.iter().any(|name| Some(name.as_str()) == preset))
                    && when.dataset.as_deref().is_none_or(&has_dataset)
            };
            let mut params = run.params.clone();
            params.extend(run.when.iter().filter(holds).flat_map(|when| when.params.clone()));
            Entry {
                experiment: run.experiment.get_ref().clone(),
                key: run.key.clone(),
                preset: preset.map(str::to_owned),
                threads: run.threads,
                params,
                expected_s: run.seconds.get(preset.unwrap_or(USUAL)).copied(),
            }
        };
        let name: Vec<&str> = self.name.as_deref().into_iter().chain(preset).collect();
        Ok(Plan {
            name: name.join("-"),
            seed: self.seed,
            device: self.device.clone(),
            entries: self.runs.iter().map(entry).collect(),
        })
    }

    /// Reads the report, or returns `None` if the plan has none of its own.
    pub(crate) fn report(&self) -> Result<Option<ReportFile>> {
        let shipped;
        let plan = if self.questions && self.report.is_none() {
            shipped = Self::find(None)?;
            &shipped
        } else {
            self
        };
        let keys: Vec<&str> = plan.runs.iter().map(Run::key).collect();
        plan.report.as_ref().map(|name| ReportFile::read(&plan.path.with_file_name(name), &keys)).transpose()
    }

    /// The files of the plan and its report.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let report = self.report.as_ref().map(|name| self.path.with_file_name(name));
        std::iter::once(self.path.clone()).chain(report).collect()
    }
}

/// Returns whether a file has the name of a plan.
pub(crate) fn is_plan(path: &Path) -> bool {
    path.to_string_lossy().ends_with(ENDING)
}

fn valid(what: &str, name: &str) -> Result<(), String> {
    gradtop_store::validate_name(name).map_err(|e| format!("{what} {name:?}: {e}"))
}

/// The plans next to the plugins with their names, in search order; the first of a name takes precedence.
fn beside_plugins() -> Vec<(String, PathBuf)> {
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for folder in gradtop_host::search_path() {
        for path in files::entries(&folder) {
            let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(ENDING));
            if let Some(name) = name.filter(|name| !found.iter().any(|(known, _)| known == name)) {
                found.push((name.to_owned(), path));
            }
        }
    }
    found
}

/// The folders that are searched, for messages.
pub(crate) fn searched() -> String {
    crate::print::shorts(&gradtop_host::search_path())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_plan_without_presets_is_read() {
        let text = "name = 'mine'\n[[run]]\nexperiment = 'a'\nparams = { n = 3, f = 0.5, s = 'x', b = true }\n\
                    [[run]]\nexperiment = 'a'\nkey = 'a-two'\npreset = 'quick'\nthreads = 2\n";
        let file = PlanFile::parse(text).unwrap();
        let plan = file.plan(None, |_| true).unwrap();
        assert_eq!((plan.name.as_str(), plan.seed, plan.device.as_str()), ("mine", 1, "auto"));
        let sets: Vec<String> = plan.entries[0].sets().iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!((sets.join(" "), &plan.entries[0].preset), ("n=3 f=0.5 s=x b=true".to_owned(), &None));
        let two = &plan.entries[1];
        assert_eq!((two.key(), two.preset.as_deref(), two.threads), ("a-two", Some("quick"), 2));
        assert!(file.plan(Some("quick"), |_| true).unwrap_err().to_string().contains("no preset \"quick\""));
    }

    #[test]
    fn a_preset_chooses_parameters_and_times() {
        let text = "presets = ['small', 'large']\n[[run]]\nexperiment = 'a'\nparams = { data = 'mnist', n = 1 }\n\
                    seconds = { small = 2, large = 50.5 }\n[[run.when]]\npreset = ['large']\n\
                    dataset = 'fashion-mnist'\nparams = { data = 'both' }\n[[run.when]]\nparams = { m = 2 }\n";
        let file = PlanFile::parse(text).unwrap();
        let entry = |preset, there| {
            let plan = file.plan(preset, |_| there).unwrap();
            let sets: Vec<String> = plan.entries[0].sets().into_iter().map(|(_, value)| value).collect();
            (plan.name, sets.join(" "), plan.entries[0].expected_s)
        };
        let named = |name: &str, sets: &str, seconds| (name.to_owned(), sets.to_owned(), Some(seconds));
        assert_eq!(
            entry(None, true),
            named("small", "mnist 1 2", 2.0),
            "the first, without one called default"
        );
        assert_eq!(entry(Some("large"), true), named("large", "both 1 2", 50.5));
        assert_eq!(entry(Some("large"), false), named("large", "mnist 1 2", 50.5));
        let named = PlanFile::parse(&format!("name = 'mine'\n{text}")).unwrap();
        assert_eq!(named.plan(Some("large"), |_| true).unwrap().name, "mine-large");
        let unmeasured = PlanFile::parse("name = 'm'\n[[run]]\nexperiment = 'a'").unwrap();
        assert_eq!(unmeasured.plan(None, |_| true).unwrap().entries[0].expected_s, None);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (wrong, why) in [
            ("name = 'mine'\nrun = []", "no [[run]]"),
            ("[[run]]\nexperiment = 'a'", "name = \"…\" is missing"),
            ("name = '1'\n[[run]]\nexperiment = 'a'", "begin with a letter"),
            (
                "name = 'm'\n[[run]]\nexperiment = 'a'\n[[run]]\nexperiment = 'a'",
                "line 5: two runs are called",
            ),
            ("name = 'm'\n[[run]]\nexperiment = 'a'\nparams = { n = [1] }", "line 3: a: n must be a number"),
            (
                "name = 'm'\n[[run]]\nexperiment = 'a'\npresett = 'x'",
                "line 4: unknown key \"presett\": did you mean preset?",
            ),
            ("name = 'm'\n[[run]]\nexperiment = 'a'\nthreads = 0", "threads"),
            ("name = 'm'\n[[run]]\nexperiment = 'a'\nseconds = { x = 0 }", "seconds must be positive"),
            ("name = 'm'\ndevice = 'gpu'\n[[run]]\nexperiment = 'a'", "unknown device \"gpu\""),
            ("name = 'm'\nseed = -1\n[[run]]\nexperiment = 'a'", "line 2: invalid value: integer `-1`"),
            (
                "presets = ['small']\n[[run]]\nexperiment = 'a'\nwhen = [{ preset = ['smal'], params = {} }]",
                "line 3: a: the plan has no preset \"smal\"; did you mean small?",
            ),
            (
                "name = 'm'\n[[run]]\nexperiment = 'a'\nwhen = [{ dataset = 'mnits', params = {} }]",
                "there is no data set \"mnits\"; did you mean mnist?",
            ),
        ] {
            let error = PlanFile::parse(wrong).unwrap_err();
            assert!(error.contains(why) && error.lines().count() == 1, "{wrong}: {error}");
        }
    }
}
