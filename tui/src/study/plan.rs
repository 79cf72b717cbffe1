//! The plan of a study: the list of its experiments with their parameters.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// A plan. The same plan always means the same study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The name of the study, and part of its runs' names.
    pub(crate) name: String,
    pub(crate) seed: u32,
    /// `auto`, `cpu` or `cuda:N`.
    pub(crate) device: String,
    #[serde(rename = "run")]
    pub(crate) entries: Vec<Entry>,
}

/// A run of a study.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) experiment: String,
    /// Distinguishes it from other runs of the same experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) preset: Option<String>,
    /// Fixed by the plan, because results may depend on it.
    pub(crate) threads: u32,
    /// Parameters that differ from the preset.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub(crate) params: toml::Table,
    /// The expected seconds on one core, if the plan has measured ones.
    #[serde(skip)]
    pub(crate) expected_s: Option<f64>,
}

/// Two entries are equal even if their expected durations differ.
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (&self.experiment, &self.key, &self.preset, self.threads, &self.params)
            == (&other.experiment, &other.key, &other.preset, other.threads, &other.params)
    }
}

impl Entry {
    /// Returns the expected seconds on one core; a guess where the plan has none.
    pub(crate) fn assumed_s(&self) -> f64 {
        self.expected_s.unwrap_or(60.0)
    }

    /// The name of the entry within the study.
    pub(crate) fn key(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.experiment)
    }

    /// The key, and the experiment if that is called otherwise: `slow (plane-curves)`.
    pub(crate) fn title(&self) -> String {
        match &self.key {
            Some(key) if *key != self.experiment => format!("{key} ({})", self.experiment),
            _ => self.experiment.clone(),
        }
    }

    /// The parameters as for `--set`.
    pub(crate) fn sets(&self) -> Vec<(String, String)> {
        self.params.iter().map(|(key, value)| (key.clone(), words(value))).collect()
    }
}

/// The text of a value; tables and arrays were rejected when the plan was read.
fn words(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Changes of a plan by the command line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    /// Only these experiments; if empty, all.
    pub(crate) only: Vec<String>,
    /// `EXPERIMENT.KEY=VALUE`.
    pub(crate) sets: Vec<Setting>,
    pub(crate) seed: Option<u32>,
    pub(crate) device: Option<String>,
}

/// A parameter of one of the experiments.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setting {
    experiment: String,
    key: String,
    value: String,
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}={}", self.experiment, self.key, self.value)
    }
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
    pub(crate) fn changed(mut self, changes: &Changes) -> Result<Self, Failure> {
        let keys: Vec<String> = self.entries.iter().map(|e| e.key().to_owned()).collect();
        let unknown = |typed: &str| {
            let message = format!("the study has no run {typed:?}");
            Failure::unknown(message, typed, keys.iter().map(String::as_str), "runs")
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
                let (id, key) = (&set.experiment, &set.key);
                return Err(Failure::usage(format!("{id}.{key} is set, but --only leaves out {id}")));
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
    use crate::study::plan_file::PlanFile;

    fn plan() -> Plan {
        let text = "name = 'mine'\n[[run]]\nexperiment = 'first'\nparams = { n = 3 }\n[[run]]\nexperiment = 'second'\n";
        PlanFile::parse(text).unwrap().plan(None, |_| true).unwrap()
    }

    #[test]
    fn a_plan_survives_being_written_and_one_setting_makes_it_another() {
        let again: Plan = toml::from_str(&toml::to_string(&plan()).unwrap()).unwrap();
        assert_eq!(again, plan(), "though nobody wrote down how long it takes");
        let change = |changes: Changes| plan().changed(&changes).unwrap();
        assert_eq!(change(Changes::default()), plan());
        assert_ne!(change(Changes { seed: Some(2), ..Changes::default() }), plan());
        let sets = vec!["first.steps=10".parse().unwrap()];
        let set = change(Changes { sets, ..Changes::default() });
        assert_eq!(set.entries[0].sets().last().unwrap(), &("steps".to_owned(), "10".to_owned()));
        assert_ne!(set, plan());
        let only = change(Changes { only: vec!["second".into()], ..Changes::default() });
        assert_eq!(only.entries.len(), 1);
    }

    #[test]
    fn a_plan_of_an_older_version_is_the_same_plan() {
        let text = "name = 'mine'\nseed = 1\ndevice = 'auto'\nquestions = true\n[[run]]\nexperiment = 'first'\nthreads = 1\n\
                    [run.params]\nn = 3\n[[run]]\nexperiment = 'second'\nthreads = 1\n";
        assert_eq!(toml::from_str::<Plan>(text).unwrap(), plan());
    }

    #[test]
    fn what_is_typed_wrong_is_named() {
        let wrong = |changes: Changes| plan().changed(&changes).unwrap_err().to_string();
        let only = Changes { only: vec!["secnod".into()], ..Changes::default() };
        assert_eq!(wrong(only), "the study has no run \"secnod\"");
        let sets = vec!["fit.steps=10".parse().unwrap()];
        assert!(wrong(Changes { sets, ..Changes::default() }).contains("\"fit\""));
        for text in ["steps=10", "a.=1", ".b=1", "a.b"] {
            assert!(text.parse::<Setting>().is_err(), "{text}");
        }
        assert_eq!("a.b=c=d".parse::<Setting>().unwrap().value, "c=d");
    }
}
