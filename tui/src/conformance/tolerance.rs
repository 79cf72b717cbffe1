//! How much results on a device may differ from the CPU: files `NAME.selftest.toml` next to the plugins.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::files;

const ENDING: &str = ".selftest.toml";
/// The default tolerance: rounding differs, and training amplifies it.
const DEFAULT: f64 = 0.05;

/// By experiment and metric, as a share of the largest value of a series.
#[derive(Debug, Default)]
pub(crate) struct Tolerances(BTreeMap<String, BTreeMap<String, f64>>);

impl Tolerances {
    /// Reads the tolerances next to a library.
    ///
    /// # Errors
    /// A file cannot be read, or is not a table of numbers for each experiment.
    pub(crate) fn beside(library: &Path) -> Result<Self> {
        let mut all = Self::default();
        let folder = library.parent().filter(|folder| !folder.as_os_str().is_empty());
        for path in files::entries(folder.unwrap_or(Path::new("."))) {
            if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(ENDING)) {
                let found = Self::parse(&files::read(&path)?).with_context(|| path.display().to_string())?;
                all.0.extend(found.0);
            }
        }
        Ok(all)
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let all: BTreeMap<String, BTreeMap<String, f64>> = toml::from_str(text)?;
        for (experiment, metrics) in &all {
            if let Some((metric, share)) = metrics.iter().find(|(_, share)| !(0.0..=1.0).contains(*share)) {
                bail!("{experiment}.{metric} = {share} is not a share from 0 to 1");
            }
        }
        Ok(Self(all))
    }

    /// The tolerance of a metric, else the `default` of its experiment.
    pub(super) fn of(&self, experiment: &str, metric: &str) -> f64 {
        let metrics = self.0.get(experiment);
        metrics.and_then(|m| m.get(metric).or_else(|| m.get("default"))).copied().unwrap_or(DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_metric_then_its_experiment_then_all() {
        let all = Tolerances::parse("[it]\nloss = 0.2\ndefault = 0.1\n[other]\nloss = 0.3\n").unwrap();
        assert_eq!(all.of("it", "loss"), 0.2);
        assert_eq!(all.of("it", "norm"), 0.1);
        assert_eq!(all.of("other", "norm"), DEFAULT);
        assert_eq!(all.of("none", "loss"), DEFAULT);
        let refused = Tolerances::parse("[it]\nloss = 20\n").unwrap_err().to_string();
        assert_eq!(refused, "it.loss = 20 is not a share from 0 to 1");
    }
}
