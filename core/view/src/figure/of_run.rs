//! Which figures a run has, and what a drawing that leaves its folder says of it.

use std::collections::BTreeSet;

use gradtop_host::text::clean;
use gradtop_store::figures::{self, Figure};
use gradtop_store::{Result, RunDir, StoreError, View, series_keys};

use super::chart::evaluate_as;
use super::of_metric;
use super::view::{ChartView, Source};
use crate::live;

/// Metrics drawn at most where no figure is declared.
const METRICS: usize = 8;

/// The figures that a run declared; without any, one for each of its first metrics, what the plugin calls headline first. What
/// gradtop itself measures is drawn only when asked for.
pub fn of_run(view: &View) -> Result<Vec<Figure>> {
    let declared = figures::read(&view.dir)?;
    if !declared.is_empty() {
        return Ok(declared);
    }
    let info = |name: &str| view.manifest.metrics.iter().find(|m| m.name == name);
    let metrics = metrics(&view.dir)?;
    let mut drawn: Vec<&String> = metrics.iter().filter(|m| !m.starts_with("system/")).collect();
    drawn.sort_by_key(|m| !info(m).is_some_and(|i| i.headline));
    Ok(drawn.into_iter().take(METRICS).map(|m| of_metric(m, info(m), "step")).collect())
}

/// The metrics that a run has logged.
pub fn metrics(run: &RunDir) -> Result<BTreeSet<String>> {
    Ok(series_keys(run)?.into_iter().map(|(key, _)| key.metric).collect())
}

/// Figures, each with its id.
pub type Named = Vec<(String, gradtop_chart::Figure)>;

/// Figures of a run for a page, looked at in some way; with them, what could not be read.
///
/// # Errors
/// The run cannot be read at all.
pub fn draw(view: &View, figures: &[Figure], look: &ChartView) -> Result<(Named, Vec<StoreError>)> {
    let (data, damaged) = live::read_smoothed(&view.dir, figures, look.smoothing)?;
    let charts = figures.iter().map(|figure| {
        let mut chart = evaluate_as(figure, &Source::of(&data), look);
        // `last` does not say which run it is.
        chart.title = format!("{}: {}", clean(&view.manifest.run), chart.title);
        (figure.id.clone(), chart)
    });
    Ok((charts.collect(), damaged))
}

/// Says below a drawing, which leaves the folder of its run, where it comes from.
pub fn sign(figure: &mut gradtop_chart::Figure, view: &View) {
    let m = &view.manifest;
    let from = format!("{} {}", m.experiment.id, m.run);
    figure.caption = Some(if let Some(caption) = figure.caption.take().filter(|c| !c.is_empty()) {
        format!("{caption} ({})", clean(&from))
    } else {
        let params = m.params.iter().map(|(k, v)| format!("{k}={}", crate::state::param(v)));
        clean(&format!("{from}, seed {}: {}", m.seed, params.collect::<Vec<_>>().join(" ")))
    });
}
