//! A chart as shown on a screen, described so that it can be drawn again from the folders of its runs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use gradtop_chart::Figure as Drawn;
use gradtop_host::text::clean;
use gradtop_store::figures;
use gradtop_store::{RunDir, StoreError};
use serde::{Deserialize, Serialize};

use crate::compare::{self, Facet, GroupBy, overlay};
use crate::figure::chart::evaluate_as;
use crate::figure::view::ChartView;
use crate::figure::{metric_figure, run_figures};
use crate::live::SeriesFilter;
use crate::runs::RunRow;

/// A chart of runs and its view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChartSpec {
    /// The folders of the runs.
    pub runs: Vec<PathBuf>,
    /// What it shows.
    #[serde(rename = "what")]
    pub content: ChartContent,
    /// How it is viewed.
    pub view: ChartView,
}

/// What a chart shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChartContent {
    /// A panel of a declared figure of the first run.
    Figure {
        /// The figure's id.
        id: String,
        /// The panel's index.
        panel: usize,
    },
    /// A metric of the first run.
    Metric(String),
    /// A metric of all runs.
    Compared {
        /// The metric, with its model and split.
        facet: Facet,
        /// How runs are grouped.
        by: GroupBy,
    },
}

impl ChartSpec {
    /// Returns a file name for it without extension, such as `fit-1-loss`.
    pub fn name(&self) -> String {
        let what = match &self.content {
            ChartContent::Figure { id, panel: 0 } => id.clone(),
            ChartContent::Figure { id, panel } => format!("{id}-{}", panel + 1),
            ChartContent::Metric(name) => name.clone(),
            ChartContent::Compared { facet, .. } => facet.title(),
        };
        let of = match self.runs.as_slice() {
            [one] => RunDir::new(one).name(),
            many => format!("{}-runs", many.len()),
        };
        let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        format!("{of}-{what}").chars().map(plain).collect()
    }

    /// Draws it for a page, and returns what could not be read. `None` if what it shows no longer exists.
    ///
    /// # Errors
    /// A run cannot be read.
    pub fn draw(&self) -> Result<Option<(Drawn, Vec<String>)>, StoreError> {
        let views: Vec<_> =
            self.runs.iter().map(|run| gradtop_store::view(&RunDir::new(run))).collect::<Result<_, _>>()?;
        let Some(first) = views.first() else { return Ok(None) };
        let figure = match &self.content {
            ChartContent::Figure { id, panel } => {
                let declared =
                    figures::read(&first.dir).unwrap_or_default().into_iter().find(|figure| figure.id == *id);
                declared.and_then(|mut figure| {
                    figure.panels = vec![figure.panels.get(*panel)?.clone()];
                    Some(figure)
                })
            }
            ChartContent::Metric(name) => {
                let info = first.manifest.metric(name);
                Some(metric_figure(name, info, "step"))
            }
            ChartContent::Compared { facet, by } => {
                let rows: Vec<_> = views.into_iter().map(|view| Arc::new(RunRow::of(view))).collect();
                return Ok(Some(self.compared(&rows, facet, by)));
            }
        };
        let Some(figure) = figure else { return Ok(None) };
        let (drawn, damaged) = run_figures::draw(first, &[figure], &self.view)?;
        let drawn = drawn.into_iter().next().map(|(_, mut figure)| {
            run_figures::add_source(&mut figure, first);
            (figure, damaged.iter().map(|error| clean(&error.to_string())).collect())
        });
        Ok(drawn)
    }

    fn compared(&self, rows: &[Arc<RunRow>], facet: &Facet, by: &GroupBy) -> (Drawn, Vec<String>) {
        let wanted = SeriesFilter::Metrics(BTreeSet::from([facet.metric.clone()]));
        let runs = compare::read(rows, &wanted, self.view.smoothing);
        let groups = compare::groups(&runs, by);
        let look = ChartView { looks: overlay::looks(&groups, None), ..self.view.clone() };
        let sources = overlay::sources(&runs, &groups);
        let mut figure =
            evaluate_as(&overlay::figure(&runs, facet, self.view.x.unwrap_or_default()), &sources, &look);
        overlay::add_run_names(&mut figure, &runs);
        (figure, runs.iter().flat_map(|run| run.data.unread().map(clean)).collect())
    }
}
