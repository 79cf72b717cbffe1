//! How runs are displayed, saved for each experiment.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::screens::charts::Look;

/// The most experiments with saved settings.
const EXPERIMENTS: usize = 200;

/// Persistent settings of runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// By experiment.
    experiment: BTreeMap<String, Look>,
}

impl Settings {
    /// Returns the settings of an experiment.
    pub(crate) fn of(&self, experiment: &str) -> Look {
        self.experiment.get(experiment).cloned().unwrap_or_default().sanitized()
    }

    /// Saves the settings of an experiment.
    pub(crate) fn keep(&mut self, experiment: &str, look: Look) {
        if look == Look::default() {
            self.experiment.remove(experiment);
        } else if self.experiment.contains_key(experiment) || self.experiment.len() < EXPERIMENTS {
            self.experiment.insert(experiment.to_owned(), look);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::widgets::Way;
    use gradtop_view::compare::Align;

    #[test]
    fn what_a_file_says_becomes_what_can_be() {
        let text = "[experiment.fit]\ncolumns = 99\nrows = 2\nsmoothing = 7.5\nx = \"wall\"\n";
        let settings: Settings = toml::from_str(text).unwrap();
        let look = settings.of("fit");
        assert_eq!(
            (look.columns, look.rows, look.smoothing, look.x),
            (None, Some(2), 0.9999, Some(Align::Clock))
        );
        assert!(look.legend);
        assert_eq!(settings.of("other"), Look::default());
    }

    #[test]
    fn settings_are_kept_for_each_experiment() {
        let mut settings = Settings::default();
        let mut look = Look::default();
        look.smooth(Way::On);
        look.hidden.insert("deep".to_owned());
        look.log_y.insert("metric:loss".to_owned(), true);
        settings.keep("fit", look.clone());
        let again: Settings = toml::from_str(&toml::to_string(&settings).unwrap()).unwrap();
        assert_eq!((again.of("fit"), again.of("other")), (look, Look::default()));
        settings.keep("fit", Look::default());
        assert_eq!(settings, Settings::default());
    }
}
