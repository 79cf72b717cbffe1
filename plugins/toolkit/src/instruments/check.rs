//! A test that every experiment with instruments must pass.

use gradtop_sdk::Experiment;
use gradtop_sdk::testing::{Outcome, Point, Recorded, TestHost, bits};

use super::metrics;

/// Runs an experiment without and with instruments, and with them interrupted at the step `stop`. Apart from the readings, every
/// row and table must be the same bit for bit, and the resumed run must have the readings of the uninterrupted one.
///
/// # Panics
/// If not, or if something is not measured.
pub fn assert_harmless<E: Experiment>(host: &TestHost, params: &[(&str, &str)], stop: i64) {
    let on: Vec<(&str, &str)> = params
        .iter()
        .copied()
        .chain([("instruments", "3"), ("instruments_curvature", "5"), ("instruments_samples", "20")])
        .collect();
    let (off, read) = (host.run::<E>(params), host.run::<E>(&on));
    assert_eq!((&off.outcome, &read.outcome), (&Outcome::Finished, &Outcome::Finished));
    let names = metrics().map(|metric| metric.name().to_owned());
    for name in &names {
        assert!(off.values(name).is_empty(), "{name} is logged although all is off");
        assert!(read.values(name).iter().any(|value| value.is_finite()), "{name} is never read");
    }
    let rest: Vec<Point> =
        read.metrics.iter().filter(|point| !names.contains(&point.series.metric)).cloned().collect();
    assert!(bits(&rest) == bits(&off.metrics), "the instruments changed what is logged beside them");
    let tables = |run: &Recorded| {
        let rest = run.tables.iter().filter(|table| table.name != "gradient-histogram");
        rest.map(|table| format!("{table:?}")).collect::<Vec<_>>()
    };
    assert!(tables(&read) == tables(&off), "the instruments changed a table");
    let figures = |run: &Recorded| run.figures.iter().any(|text| text.contains("id = \"instruments\""));
    assert_eq!((figures(&off), figures(&read)), (false, true), "the figure `instruments`");
    host.run_interrupted::<E>(stop, &on).assert_equals(&read);
}
