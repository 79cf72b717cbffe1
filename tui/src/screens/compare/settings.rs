//! Persistent settings of comparisons.

use serde::{Deserialize, Serialize};

use crate::screens::charts::Look;
use crate::widgets::Way;
use gradtop_view::compare::Align;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Saved")]
pub(crate) struct Settings {
    /// The visible pane.
    pub(crate) pane: Pane,
    /// How the charts are displayed.
    pub(crate) look: Look,
}

impl Default for Settings {
    fn default() -> Self {
        // The table below the charts already lists names and values.
        Self { pane: Pane::default(), look: Look { legend: false, ..Look::default() } }
    }
}

/// The visible parts of the comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Pane {
    /// Charts with the table below.
    #[default]
    Both,
    /// Only the charts.
    Charts,
    /// Only the table.
    Table,
}

/// The settings as they are or were written: until version 0.2, axis and smoothing were on their own.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Saved {
    pane: Pane,
    look: Option<Look>,
    align: Option<Align>,
    smoothing: usize,
}

impl From<Saved> for Settings {
    fn from(Saved { pane, look, align, smoothing }: Saved) -> Self {
        let older = || {
            let mut look = Look { x: align, ..Self::default().look };
            (0..smoothing.min(20)).for_each(|_| look.smooth(Way::On));
            look
        };
        Self { pane, look: look.unwrap_or_else(older).sanitized() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_older_versions_wrote_is_read() {
        let old = "pane = \"charts\"\nalign = \"fraction\"\nsmoothing = 3\nlog = true\n";
        let read: Settings = toml::from_str(old).unwrap();
        assert_eq!((read.pane, read.look.x, read.look.smoothing), (Pane::Charts, Some(Align::Fraction), 0.8));
        let again: Settings = toml::from_str(&toml::to_string(&read).unwrap()).unwrap();
        assert_eq!(again, read);
        assert_eq!(toml::from_str::<Settings>("").unwrap(), Settings::default());
    }
}
