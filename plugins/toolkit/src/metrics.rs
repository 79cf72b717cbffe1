//! Metrics common to several experiments.

use gradtop_sdk::{Goal, Metric};

/// The loss that represents a run and must stay finite; an empty unit means none.
pub fn loss(unit: &str, help: &str) -> Metric {
    let loss = Metric::new("loss").goal(Goal::Min).headline().guard().log().help(help);
    if unit.is_empty() { loss } else { loss.unit(unit) }
}

/// The accuracy, which represents a run.
pub fn accuracy(help: &str) -> Metric {
    Metric::new("accuracy").goal(Goal::Max).headline().help(help)
}
