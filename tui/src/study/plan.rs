//! What a study runs: every experiment with what differs from its preset, in one list.

use std::path::Path;

use anyhow::{Context as _, Result};
use gradtop_host::DeviceChoice;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, toml_error};
use gradtop_store::suggest;

/// The presets a study can have; the experiments have presets of the same names.
pub(crate) const PRESETS: [&str; 3] = ["quick", "default", "full"];

/// An experiment as every study plans it.
struct Planned {
    experiment: &'static str,
    /// Seconds that each preset takes on one core, `quick` and `default` as measured: what is longest is begun first, and remaining
    /// times are guessed with them. A wrong number costs a little time, never a result.
    seconds: [f64; 3],
    /// What differs from the preset of the same name, for each preset.
    overrides: [&'static [(&'static str, &'static str)]; 3],
}

/// All experiments of the report, in its order.
const EXPERIMENTS: [Planned; 10] = [
    Planned {
        experiment: "function-fit",
        seconds: [2.0, 12.0, 900.0],
        overrides: [&[("functions", "sinc,sign")], &[], &[]],
    },
    Planned {
        experiment: "image-classification",
        seconds: [7.0, 700.0, 14_400.0],
        overrides: [&[], &[], &[]],
    },
    Planned { experiment: "optimization-path", seconds: [1.0, 22.0, 240.0], overrides: [&[], &[], &[]] },
    Planned { experiment: "gradient-norm", seconds: [1.0, 17.0, 1_800.0], overrides: [&[], &[], &[]] },
    Planned { experiment: "minimal-ratio", seconds: [0.5, 8.0, 900.0], overrides: [&[], &[], &[]] },
    Planned { experiment: "error-surface", seconds: [1.0, 22.0, 900.0], overrides: [&[], &[], &[]] },
    Planned { experiment: "random-labels", seconds: [10.0, 400.0, 7_200.0], overrides: [&[], &[], &[]] },
    Planned { experiment: "model-size", seconds: [5.0, 320.0, 7_200.0], overrides: [&[], &[], &[]] },
    Planned { experiment: "interpolation", seconds: [3.0, 56.0, 1_800.0], overrides: [&[], &[], &[]] },
    Planned { experiment: "sensitivity", seconds: [10.0, 220.0, 3_600.0], overrides: [&[], &[], &[]] },
];

/// The experiment whose question asks for a second task.
const TASKS: &str = "image-classification";

/// The data set of the second task, which not every machine has.
pub(crate) const SECOND_TASK: &str = "fashion-mnist";

/// What is guessed of an experiment that is not in the list.
const UNKNOWN_SECONDS: f64 = 60.0;

/// A study before it has a folder: the same plan again is the same study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// What the study and its runs are called after: the preset, or the name in the plan's file.
    pub(crate) name: String,
    /// Seed of every run.
    #[serde(default = "first_seed")]
    pub(crate) seed: u32,
    /// `auto`, `cpu` or `cuda:N`.
    #[serde(default = "any_device")]
    pub(crate) device: String,
    /// Whether the report goes through the questions of the original one; a plan from a file need not.
    #[serde(default)]
    pub(crate) questions: bool,
    /// What is run.
    #[serde(rename = "run")]
    pub(crate) entries: Vec<Entry>,
}

/// A run of a study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The experiment's id.
    pub(crate) experiment: String,
    /// What the run is called beside others of the same experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// The preset it starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) preset: Option<String>,
    /// Threads of the run. Results may hang on it, so it never hangs on the machine.
    #[serde(default = "one_thread")]
    pub(crate) threads: u32,
    /// Parameters that differ from the preset.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub(crate) params: toml::Table,
}

fn first_seed() -> u32 {
    1
}

fn any_device() -> String {
    "auto".to_owned()
}

fn one_thread() -> u32 {
    1
}

impl Entry {
    /// Its name within the study.
    pub(crate) fn key(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.experiment)
    }

    /// The parameters as `--set` would give them.
    pub(crate) fn sets(&self) -> Vec<(String, String)> {
        self.params.iter().map(|(key, value)| (key.clone(), words(value))).collect()
    }

    /// Seconds that it may take on one core.
    pub(crate) fn expected_s(&self) -> f64 {
        let preset = self.preset.as_deref().unwrap_or("default");
        let at = PRESETS.iter().position(|p| *p == preset);
        let planned = EXPERIMENTS.iter().find(|p| p.experiment == self.experiment);
        planned.zip(at).map_or(UNKNOWN_SECONDS, |(planned, at)| planned.seconds[at])
    }
}

/// A value as it is typed; tables and lists have been refused when the plan was read.
fn words(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What the command line changes about a plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    /// Only these experiments; all if empty.
    pub(crate) only: Vec<String>,
    /// `EXPERIMENT.KEY=VALUE`.
    pub(crate) sets: Vec<Setting>,
    /// Another seed.
    pub(crate) seed: Option<u32>,
    /// Another device.
    pub(crate) device: Option<String>,
}

/// A parameter of one of the study's experiments.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setting {
    experiment: String,
    key: String,
    value: String,
}

impl std::str::FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not EXPERIMENT.KEY=VALUE");
        let (place, value) = text.split_once('=').ok_or_else(wrong)?;
        let (experiment, key) = place.split_once('.').ok_or_else(wrong)?;
        let (experiment, key) = (experiment.trim(), key.trim());
        if experiment.is_empty() || key.is_empty() {
            return Err(wrong());
        }
        Ok(Self { experiment: experiment.to_owned(), key: key.to_owned(), value: value.trim().to_owned() })
    }
}

impl Plan {
    /// All experiments of the report with one of the [`PRESETS`]. `second_task`: the data of [`SECOND_TASK`] is at hand; the
    /// quick preset does without.
    pub(crate) fn of_preset(preset: &str, second_task: bool) -> Option<Self> {
        let at = PRESETS.iter().position(|p| *p == preset)?;
        let entries = EXPERIMENTS
            .iter()
            .map(|planned| {
                let text = |value: &str| toml::Value::String(value.to_owned());
                let params = planned.overrides[at].iter().map(|(k, v)| ((*k).to_owned(), text(v)));
                let mut params: toml::Table = params.collect();
                if planned.experiment == TASKS {
                    let both = second_task && preset != "quick";
                    let data = if both { format!("mnist,{SECOND_TASK}") } else { "mnist".to_owned() };
                    params.insert("datasets".to_owned(), text(&data));
                }
                Entry {
                    experiment: planned.experiment.to_owned(),
                    key: None,
                    preset: Some(preset.to_owned()),
                    threads: one_thread(),
                    params,
                }
            })
            .collect();
        Some(Self {
            name: preset.to_owned(),
            seed: first_seed(),
            device: any_device(),
            questions: true,
            entries,
        })
    }

    /// Reads a plan that somebody wrote. Its keys, names and values are checked.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).map_err(|why| Failure::usage(format!("{}: {why}", path.display())).into())
    }

    /// A plan from TOML text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let plan: Self = toml::from_str(text).map_err(|e| toml_error(text, &e))?;
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), String> {
        let name = |what: &str, name: &str| {
            gradtop_store::validate_name(name).map_err(|e| format!("{what} {name:?}: {e}"))
        };
        name("name", &self.name)?;
        self.device.parse::<DeviceChoice>()?;
        if self.entries.is_empty() {
            return Err("there is no [[run]] in it".to_owned());
        }
        for (i, entry) in self.entries.iter().enumerate() {
            name("key", entry.key())?;
            if self.entries[..i].iter().any(|other| other.key() == entry.key()) {
                return Err(format!("two runs are called {:?}: give one of them a key", entry.key()));
            }
            if entry.threads == 0 {
                return Err(format!("{}: threads must be at least 1", entry.key()));
            }
            for (key, value) in &entry.params {
                if value.is_table() || value.is_array() || value.is_datetime() {
                    return Err(format!("{}: {key} must be a number, text, true or false", entry.key()));
                }
            }
        }
        Ok(())
    }

    /// The plan with what the command line says.
    pub(crate) fn changed(mut self, changes: &Changes) -> Result<Self, Failure> {
        let keys: Vec<String> = self.entries.iter().map(|e| e.key().to_owned()).collect();
        let unknown = |typed: &str| {
            Failure::usage(format!("the study has no experiment {typed:?}")).help(suggest(
                typed,
                keys.iter().map(String::as_str),
                "experiments",
            ))
        };
        if let Some(odd) = changes.only.iter().find(|typed| !keys.contains(typed)) {
            return Err(unknown(odd));
        }
        if !changes.only.is_empty() {
            self.entries.retain(|entry| changes.only.iter().any(|typed| typed == entry.key()));
        }
        for set in &changes.sets {
            if !keys.contains(&set.experiment) {
                return Err(unknown(&set.experiment));
            }
            let Some(entry) = self.entries.iter_mut().find(|entry| entry.key() == set.experiment) else {
                return Err(Failure::usage(format!(
                    "{0}.{1} is set, but --only leaves out {0}",
                    set.experiment, set.key
                )));
            };
            entry.params.insert(set.key.clone(), toml::Value::String(set.value.clone()));
        }
        self.seed = changes.seed.unwrap_or(self.seed);
        if let Some(device) = &changes.device {
            self.device.clone_from(device);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn every_preset_names_all_experiments_of_the_three_families() {
        let report = [
            "function-fit",
            "image-classification",
            "optimization-path",
            "gradient-norm",
            "minimal-ratio",
            "error-surface",
            "random-labels",
            "model-size",
            "interpolation",
            "sensitivity",
        ];
        for preset in PRESETS {
            let plan = Plan::of_preset(preset, false).unwrap();
            let planned: Vec<&str> = plan.entries.iter().map(Entry::key).collect();
            assert_eq!(planned, report);
            plan.check().unwrap();
            assert!(plan.entries.iter().all(|e| e.preset.as_deref() == Some(preset) && e.threads == 1));
            assert!(plan.entries.iter().all(|e| e.expected_s() > 0.0));
        }
        assert_eq!(Plan::of_preset("quik", true), None);
    }

    #[test]
    fn the_second_task_is_taken_where_its_data_is() {
        let datasets = |preset: &str, there: bool| {
            let sets = Plan::of_preset(preset, there).unwrap().entries[1].sets();
            sets.into_iter().find(|(key, _)| key == "datasets").unwrap().1
        };
        assert_eq!(datasets("default", true), "mnist,fashion-mnist");
        assert_eq!(datasets("full", false), "mnist");
        assert_eq!(datasets("quick", true), "mnist");
    }

    #[test]
    fn a_plan_survives_being_written_and_one_setting_makes_it_another() {
        let plan = Plan::of_preset("quick", false).unwrap();
        let again = Plan::parse(&toml::to_string(&plan).unwrap()).unwrap();
        assert_eq!(again, plan);
        let change = |changes: Changes| plan.clone().changed(&changes).unwrap();
        assert_eq!(change(Changes::default()), plan);
        assert_ne!(change(Changes { seed: Some(2), ..Changes::default() }), plan);
        let sets = vec!["function-fit.steps=10".parse().unwrap()];
        let set = change(Changes { sets, ..Changes::default() });
        assert_eq!(set.entries[0].sets().last().unwrap(), &("steps".to_owned(), "10".to_owned()));
        assert_ne!(set, plan);
        let only = change(Changes { only: vec!["sensitivity".into()], ..Changes::default() });
        assert_eq!(only.entries.len(), 1);
    }

    #[test]
    fn what_is_typed_wrong_is_named() {
        let plan = Plan::of_preset("quick", false).unwrap();
        let wrong = |changes: Changes| plan.clone().changed(&changes).unwrap_err().to_string();
        let only = Changes { only: vec!["sensitivty".into()], ..Changes::default() };
        assert_eq!(wrong(only), "the study has no experiment \"sensitivty\"");
        let sets = vec!["fit.steps=10".parse().unwrap()];
        assert!(wrong(Changes { sets, ..Changes::default() }).contains("\"fit\""));
        for text in ["steps=10", "a.=1", ".b=1", "a.b"] {
            assert!(text.parse::<Setting>().is_err(), "{text}");
        }
        assert_eq!("a.b=c=d".parse::<Setting>().unwrap().value, "c=d");
    }

    #[test]
    fn a_plan_of_ones_own_is_read_and_checked() {
        let text = "name = 'mine'\n[[run]]\nexperiment = 'a'\nparams = { n = 3, f = 0.5, s = 'x', b = true }\n\
                    [[run]]\nexperiment = 'a'\nkey = 'a-two'\npreset = 'quick'\nthreads = 2\n";
        let plan = Plan::parse(text).unwrap();
        assert_eq!((plan.seed, plan.device.as_str(), plan.questions), (1, "auto", false));
        let sets: Vec<String> = plan.entries[0].sets().iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(sets, ["n=3", "f=0.5", "s=x", "b=true"]);
        assert_eq!((plan.entries[1].key(), plan.entries[1].threads), ("a-two", 2));
        for (wrong, why) in [
            ("name = 'mine'\nrun = []", "no [[run]]"),
            ("name = '1'\n[[run]]\nexperiment = 'a'", "begin with a letter"),
            ("name = 'm'\n[[run]]\nexperiment = 'a'\n[[run]]\nexperiment = 'a'", "two runs are called"),
            ("name = 'm'\n[[run]]\nexperiment = 'a'\nparams = { n = [1] }", "n must be a number"),
            ("name = 'm'\n[[run]]\nexperiment = 'a'\npresett = 'x'", "presett"),
            ("name = 'm'\n[[run]]\nexperiment = 'a'\nthreads = 0", "threads"),
            ("name = 'm'\ndevice = 'gpu'\n[[run]]\nexperiment = 'a'", "\"gpu\" is no device"),
            ("name = 'm'\nseed = -1\n[[run]]\nexperiment = 'a'", "line 2: invalid value: integer `-1`"),
        ] {
            let error = Plan::parse(wrong).unwrap_err();
            assert!(error.contains(why) && error.lines().count() == 1, "{wrong}: {error}");
        }
    }
}
