//! How runs are displayed, saved for each experiment.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::charts::layout::MOST;
use gradtop_view::live::XAxis;

/// The weights of smoothing that keys step through.
const SMOOTHING: [f64; 10] = [0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999];
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

/// How the runs of an experiment are displayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Look {
    /// The number of columns; `None`: as many as fit.
    pub(crate) columns: Option<u8>,
    /// The number of rows; `None`: as many as fit.
    pub(crate) rows: Option<u8>,
    /// The weight of the moving average; 0 is off.
    pub(crate) smoothing: f64,
    /// The x axis; `None`: as declared by the figures.
    pub(crate) x: Option<XAxis>,
    /// Whether the x axis is logarithmic.
    pub(crate) log_x: bool,
    /// Whether outliers may be cut off.
    pub(crate) clip: bool,
    /// Whether charts with the same unit have the same range of y.
    pub(crate) same_y: bool,
    /// Whether an expanded chart has a list of its series beside it.
    pub(crate) legend: bool,
    /// Charts with a chosen scale: whether it is logarithmic.
    pub(crate) log_y: BTreeMap<String, bool>,
    /// The hidden series.
    pub(crate) hidden: BTreeSet<String>,
    /// The pinned charts.
    pub(crate) pinned: BTreeSet<String>,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            columns: None,
            rows: None,
            smoothing: 0.0,
            x: None,
            log_x: false,
            clip: false,
            same_y: false,
            legend: true,
            log_y: BTreeMap::new(),
            hidden: BTreeSet::new(),
            pinned: BTreeSet::new(),
        }
    }
}

impl Look {
    /// Corrects invalid values, since the file may contain anything.
    fn sanitized(mut self) -> Self {
        let fit = |n: &mut Option<u8>| *n = n.filter(|n| (1..=MOST).contains(n));
        fit(&mut self.columns);
        fit(&mut self.rows);
        self.smoothing = if self.smoothing.is_finite() { self.smoothing.clamp(0.0, 0.9999) } else { 0.0 };
        self
    }

    /// Smooths more or less.
    pub(crate) fn smooth(&mut self, more: bool) {
        let now = self.smoothing;
        let next = if more {
            SMOOTHING.into_iter().find(|w| *w > now + 1e-9)
        } else {
            SMOOTHING.into_iter().rev().find(|w| *w < now - 1e-9)
        };
        self.smoothing = next.unwrap_or(now);
    }

    /// One more column; after the last number, one.
    pub(crate) fn next_columns(&mut self, shown: usize) {
        self.columns = Some(next(self.columns, shown));
    }

    /// One more row; after the last number, one.
    pub(crate) fn next_rows(&mut self, shown: usize) {
        self.rows = Some(next(self.rows, shown));
    }
}

fn next(chosen: Option<u8>, shown: usize) -> u8 {
    match chosen.map_or(shown, usize::from) {
        n if n >= usize::from(MOST) => 1,
        n => n as u8 + 1,
    }
}

/// The next x axis after the chosen one, where `shown` is the current one; after the last, as declared.
pub(crate) fn next_axis(chosen: Option<XAxis>, shown: Option<XAxis>) -> Option<XAxis> {
    match chosen {
        None if shown == Some(XAxis::Step) => Some(XAxis::Epoch),
        None => Some(XAxis::Step),
        Some(XAxis::Step) => Some(XAxis::Epoch),
        Some(XAxis::Epoch) => Some(XAxis::Time),
        Some(XAxis::Time) => Some(XAxis::Clock),
        Some(XAxis::Clock) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_a_file_says_becomes_what_can_be() {
        let text = "[experiment.fit]\ncolumns = 99\nrows = 2\nsmoothing = 7.5\nx = \"wall\"\n";
        let settings: Settings = toml::from_str(text).unwrap();
        let look = settings.of("fit");
        assert_eq!(
            (look.columns, look.rows, look.smoothing, look.x),
            (None, Some(2), 0.9999, Some(XAxis::Clock))
        );
        assert!(look.legend);
        assert_eq!(settings.of("other"), Look::default());
    }

    #[test]
    fn settings_are_kept_for_each_experiment() {
        let mut settings = Settings::default();
        let mut look = Look::default();
        look.smooth(true);
        look.hidden.insert("deep".to_owned());
        look.log_y.insert("metric:loss".to_owned(), true);
        settings.keep("fit", look.clone());
        let again: Settings = toml::from_str(&toml::to_string(&settings).unwrap()).unwrap();
        assert_eq!((again.of("fit"), again.of("other")), (look, Look::default()));
        settings.keep("fit", Look::default());
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn smoothing_goes_up_and_down_and_stays_below_one() {
        let mut look = Look::default();
        look.smooth(false);
        assert_eq!(look.smoothing, 0.0);
        (0..50).for_each(|_| look.smooth(true));
        assert_eq!(look.smoothing, 0.999);
        look.smooth(false);
        assert_eq!(look.smoothing, 0.995);
    }
}
