//! The charts of a run or of a comparison.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use gradtop_store::figures::{Figure, Mark, MarkKind, Scale};
use gradtop_store::is_system_metric;
use ratatui::layout::Rect;

use super::look::Look;
use crate::screens::shared::Shared;
use gradtop_chart::colour::Paint;
use gradtop_view::chart_spec::ChartContent;
use gradtop_view::compare::{Align, ComparedRun, Facet, GroupBy, RunGroup, overlay};
use gradtop_view::figure::view::{Source, Subject};
use gradtop_view::figure::{declared_x, metric_figure};
use gradtop_view::live::RunData;

/// Used only for joins; as a chart it would be a straight line.
const TRAINED: &str = "system/trained_s";

/// What charts show.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown<'a> {
    /// What a run logged.
    Run(&'a RunData),
    /// What gradtop measured of it.
    System(&'a RunData),
    /// The metrics of several runs in groups, a line for each; only the one in `focus`, if there is one, is not dimmed.
    Compared {
        runs: &'a [ComparedRun],
        groups: &'a [RunGroup],
        by: &'a GroupBy,
        facets: &'a [Facet],
        focus: Option<usize>,
    },
}

/// What charts show, how, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) shown: Shown<'a>,
    pub(crate) look: &'a Look,
    pub(crate) area: Rect,
}

impl<'a> Shown<'a> {
    /// The data of the charts.
    pub(super) fn sources(self) -> Vec<Source<'a>> {
        match self {
            Self::Run(data) | Self::System(data) => Source::of(data).into(),
            Self::Compared { runs, groups, .. } => overlay::sources(runs, groups),
        }
    }

    /// Colours and markers by the names of the lines, where they do not follow from these.
    pub(super) fn looks(self) -> BTreeMap<String, (Paint, u8)> {
        match self {
            Self::Run(_) | Self::System(_) => BTreeMap::new(),
            Self::Compared { groups, focus, .. } => overlay::looks(groups, focus),
        }
    }

    /// The number of rows so far, while data is being read.
    pub(super) fn reading(self) -> Option<usize> {
        let sources = self.sources();
        let progress = || sources.iter().map(|source| &source.data.progress);
        progress().any(|p| p.reading).then(|| progress().map(|p| p.rows as usize).sum())
    }

    /// Returns whether something that was read was logged along this axis.
    pub(super) fn has_axis(self, axis: Align) -> bool {
        let sources = self.sources();
        let mut series = sources.iter().flat_map(|source| &source.data.series).peekable();
        series.peek().is_none() || series.any(|series| series.extent(axis.native()).is_some())
    }

    fn run(self) -> Option<&'a RunData> {
        match self {
            Self::Run(data) | Self::System(data) => Some(data),
            Self::Compared { .. } => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The id in settings, the same for every run of an experiment.
    pub(super) id: String,
    pub(super) content: Content,
}

/// The content of a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A panel of a declared figure: the indices of figure and panel.
    Figure(usize, usize),
    Metric(String),
    /// A metric of several runs.
    Facet(Facet),
}

/// A panel of a figure.
pub(super) type Panel<'a> = (Cow<'a, Figure>, usize);

impl Item {
    fn new(name: &str, content: Content) -> Self {
        Self { id: format!("metric:{name}"), content }
    }

    /// The text that searches match: the metric, or the figure with its metrics.
    pub(super) fn name(&self, shown: Shown<'_>) -> String {
        match &self.content {
            Content::Metric(name) => name.clone(),
            Content::Facet(facet) => facet.title(),
            Content::Figure(..) => self.panel(shown, None).map_or_else(String::new, |(figure, panel)| {
                let panel = figure.panels.get(panel);
                let metrics = panel.into_iter().flat_map(|p| &p.marks).filter_map(|m| m.metric.as_deref());
                let title = panel.and_then(|p| p.title.as_deref());
                [figure.title.as_str()].into_iter().chain(title).chain(metrics).collect::<Vec<_>>().join(" ")
            }),
        }
    }

    /// The metric, unless it is a figure.
    pub(super) fn metric(&self) -> Option<&str> {
        match &self.content {
            Content::Metric(name) => Some(name),
            Content::Facet(facet) => Some(&facet.metric),
            Content::Figure(..) => None,
        }
    }

    /// The section of a metric: its name up to the last `/`.
    pub(super) fn section(&self) -> &str {
        let name = self.metric().unwrap_or_default();
        name.rfind('/').map_or("", |at| &name[..=at])
    }

    /// The figure with its panel index; of a metric, the one that stands for it on this axis.
    pub(super) fn panel<'a>(&self, shown: Shown<'a>, x: Option<Align>) -> Option<Panel<'a>> {
        match (&self.content, shown) {
            (Content::Figure(figure, panel), _) => {
                Some((Cow::Borrowed(shown.run()?.figures.get(*figure)?), *panel))
            }
            (Content::Facet(facet), Shown::Compared { runs, .. }) => {
                Some((Cow::Owned(overlay::figure(runs, facet, x.unwrap_or_default().native())), 0))
            }
            (Content::Metric(name), _) => {
                Some((Cow::Owned(metric_figure(name, shown.run()?.info(name), "step")), 0))
            }
            _ => None,
        }
    }

    /// The subject for [`gradtop_view::figure::chart`], or `None` if the figure does not exist.
    pub(super) fn subject<'a>(&'a self, panel: Option<&'a Panel<'_>>) -> Option<Subject<'a>> {
        match &self.content {
            Content::Metric(name) => Some(Subject::Metric(name)),
            _ => panel.map(|(figure, panel)| Subject::Panel(figure, *panel)),
        }
    }

    /// What a command draws.
    pub(super) fn spec(&self, shown: Shown<'_>) -> Option<ChartContent> {
        Some(match (&self.content, shown) {
            (Content::Metric(name), _) => ChartContent::Metric(name.clone()),
            (Content::Figure(_, panel), _) => {
                ChartContent::Figure { id: self.panel(shown, None)?.0.id.clone(), panel: *panel }
            }
            (Content::Facet(facet), Shown::Compared { by, .. }) => {
                ChartContent::Compared { facet: facet.clone(), by: by.clone() }
            }
            _ => return None,
        })
    }

    /// The unit of the values of its panel, and whether y is declared as logarithmic.
    pub(super) fn unit_and_log(
        panel: Option<&Panel<'_>>,
        shown: Shown<'_>,
    ) -> (Option<String>, Option<bool>) {
        let Some(panel) = panel.and_then(|(figure, panel)| figure.panels.get(*panel)) else {
            return (None, None);
        };
        let metric = panel.marks.iter().find_map(|m| m.metric.as_deref());
        let recorded = |data: &RunData| data.keys.iter().find(|(k, _)| Some(&*k.metric) == metric)?.1.clone();
        let declared = |data: &RunData| data.info(metric?)?.unit.clone();
        let of = |data| recorded(data).or_else(|| declared(data));
        let unit = panel.y.unit.clone().or_else(|| of(shown.run()?));
        (unit, Some(!matches!(panel.y.scale, Scale::Linear)))
    }

    /// The x axis, or `None` if it is a column of a table.
    pub(super) fn axis(&self, scene: &Scene<'_>) -> Option<Align> {
        let chosen = scene.look.x;
        if self.metric().is_some() {
            return Some(chosen.unwrap_or_default());
        }
        let (figure, panel) = self.panel(scene.shown, chosen)?;
        let of_metric = |m: &&Mark| m.metric.is_some() && matches!(m.kind, MarkKind::Line | MarkKind::Band);
        let mark = figure.panels.get(panel)?.marks.iter().find(of_metric)?;
        Some(chosen.unwrap_or_else(|| declared_x(mark).into()))
    }
}

/// The charts. Of a run declared figures first, then metrics that no figure shows, then others; system metrics are separate.
pub(super) fn items(shown: Shown<'_>) -> Vec<Item> {
    let metric = |name: &str| Item::new(name, Content::Metric(name.to_owned()));
    let data = match shown {
        Shown::Compared { facets, .. } => {
            let item = |facet: &Facet| Item::new(&facet.title(), Content::Facet(facet.clone()));
            return facets.iter().map(item).collect();
        }
        Shown::System(data) => {
            let names = data.metric_names().into_iter();
            return names.filter(|n| is_system_metric(n) && *n != TRAINED).map(metric).collect();
        }
        Shown::Run(data) => data,
    };
    let mut out = Vec::new();
    let mut in_figures = BTreeSet::new();
    for (i, figure) in data.figures.iter().enumerate() {
        for (j, panel) in figure.panels.iter().enumerate() {
            out.push(Item { id: format!("figure:{}:{j}", figure.id), content: Content::Figure(i, j) });
            in_figures.extend(panel.marks.iter().filter_map(|m| m.metric.as_deref()));
        }
    }
    let names = data.metric_names().into_iter().filter(|n| !is_system_metric(n));
    let (seen, others): (Vec<&str>, Vec<&str>) = names.partition(|n| in_figures.contains(n));
    out.extend(others.into_iter().chain(seen).map(metric));
    // Metrics are grouped by section, in the order of first appearance.
    let mut sections: BTreeMap<String, usize> = BTreeMap::new();
    for item in &out {
        let next = sections.len();
        sections.entry(item.section().to_owned()).or_insert(next);
    }
    out.sort_by_key(|item| (item.metric().is_some(), sections[item.section()]));
    out
}
