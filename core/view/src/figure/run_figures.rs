//! The figures of a run, and the source note of exported drawings.

use std::collections::BTreeSet;

use gradtop_host::text::clean;
use gradtop_store::figures::{self, Figure};
use gradtop_store::{Result, RunDir, StoreError, View, series_keys};

use super::chart::evaluate_as;
use super::metric_figure;
use super::view::{ChartView, Source};
use crate::live;

/// Maximum number of metrics drawn if no figure is declared.
const METRICS: usize = 8;

/// Returns the figures that a run declared, else one for each of its first metrics, headline metrics first, and the number
/// of its other metrics. gradtop's own metrics are drawn only on request. A damaged file declares none; who reads the rows
/// names it.
pub fn figures_of_run(view: &View) -> Result<(Vec<Figure>, usize)> {
    let declared = figures::read(&view.dir).unwrap_or_default();
    if !declared.is_empty() {
        return Ok((declared, 0));
    }
    let info = |name: &str| view.manifest.metric(name);
    let metrics = metrics(&view.dir)?;
    let mut drawn: Vec<&String> = metrics.iter().filter(|m| !gradtop_store::is_system_metric(m)).collect();
    drawn.sort_by_key(|m| !info(m).is_some_and(|i| i.headline));
    let others = drawn.len().saturating_sub(METRICS);
    Ok((drawn.into_iter().take(METRICS).map(|m| metric_figure(m, info(m), "step")).collect(), others))
}

/// Returns the metrics that a run has logged.
pub fn metrics(run: &RunDir) -> Result<BTreeSet<String>> {
    Ok(series_keys(run)?.into_iter().map(|(key, _)| key.metric).collect())
}

/// Figures with their ids.
pub type NamedFigures = Vec<(String, gradtop_chart::Figure)>;

/// Draws figures of a run for a page. Also returns what could not be read.
///
/// # Errors
/// The run cannot be read at all.
pub fn draw(view: &View, figures: &[Figure], look: &ChartView) -> Result<(NamedFigures, Vec<StoreError>)> {
    let (data, damaged) = live::read(view, figures, look.smoothing)?;
    let charts = figures.iter().map(|figure| {
        let mut chart = evaluate_as(figure, &Source::of(&data), look);
        // The name `last` does not identify the run.
        chart.title = format!("{}: {}", clean(&view.manifest.run), chart.title);
        (figure.id.clone(), chart)
    });
    Ok((charts.collect(), damaged))
}

/// Adds a note on its source below a drawing that leaves its run's folder.
pub fn add_source(figure: &mut gradtop_chart::Figure, view: &View) {
    let m = &view.manifest;
    let seed = m.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
    let params = m.params.iter().map(|(k, v)| format!("{k}={}", crate::run::param::brief(v)));
    let params = params.collect::<Vec<_>>().join(" ");
    let colon = if params.is_empty() { "" } else { ": " };
    let from = clean(&format!("{} {}{seed}{colon}{params}", m.experiment.id, m.run));
    let caption = figure.caption.take().filter(|caption| !caption.is_empty());
    figure.caption = Some(caption.map_or(from.clone(), |caption| format!("{caption} ({from})")));
}
