//! The charts of a run.

use std::collections::{BTreeMap, BTreeSet};

use gradtop_store::figures::{Figure, MarkKind};

use super::super::settings::Look;
use gradtop_view::figure::declared_x;
use gradtop_view::figure::view::Subject;
use gradtop_view::live::{RunData, XAxis};

/// The prefix of metrics that gradtop itself measures.
pub(crate) const SYSTEM: &str = "system/";
/// Used only for joins; as a chart it would be a straight line.
const TRAINED: &str = "system/trained_s";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The id in settings, the same for every run of an experiment.
    pub(crate) id: String,
    pub(crate) source: Source,
}

/// The content of a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A panel of a declared figure: the indices of figure and panel.
    Figure(usize, usize),
    Metric(String),
}

impl Item {
    /// The text that searches match: the metric, or the figure with its metrics.
    pub(crate) fn name(&self, data: &RunData) -> String {
        match (&self.source, self.figure(data)) {
            (Source::Metric(name), _) => name.clone(),
            (_, Some((figure, panel))) => {
                let panel = figure.panels.get(panel);
                let metrics = panel.into_iter().flat_map(|p| &p.marks).filter_map(|m| m.metric.as_deref());
                let title = panel.and_then(|p| p.title.as_deref());
                [figure.title.as_str()].into_iter().chain(title).chain(metrics).collect::<Vec<_>>().join(" ")
            }
            (_, None) => String::new(),
        }
    }

    /// The section of a metric: its name up to the last `/`.
    pub(crate) fn section(&self) -> &str {
        match &self.source {
            Source::Metric(name) => name.rfind('/').map_or("", |at| &name[..=at]),
            Source::Figure(..) => "",
        }
    }

    /// The figure with its panel index.
    pub(crate) fn figure<'a>(&self, data: &'a RunData) -> Option<(&'a Figure, usize)> {
        match self.source {
            Source::Figure(figure, panel) => data.figures.get(figure).map(|f| (f, panel)),
            Source::Metric(_) => None,
        }
    }

    /// The subject for [`gradtop_view::figure::chart`], or `None` if the figure does not exist.
    pub(crate) fn subject<'a>(&'a self, data: &'a RunData) -> Option<Subject<'a>> {
        match &self.source {
            Source::Figure(..) => self.figure(data).map(|(figure, panel)| Subject::Panel(figure, panel)),
            Source::Metric(name) => Some(Subject::Metric(name)),
        }
    }

    /// The unit of its values.
    pub(crate) fn unit(&self, data: &RunData) -> Option<String> {
        match self.figure(data) {
            Some((figure, panel)) => {
                let panel = figure.panels.get(panel)?;
                let metric = panel.marks.iter().find_map(|m| m.metric.as_deref());
                panel.y.unit.clone().or_else(|| data.info(metric?)?.unit.clone())
            }
            None => match &self.source {
                Source::Metric(name) => {
                    let recorded =
                        data.keys.iter().find(|(k, _)| k.metric == *name).and_then(|(_, u)| u.clone());
                    recorded.or_else(|| data.info(name)?.unit.clone())
                }
                Source::Figure(..) => None,
            },
        }
    }

    /// Returns whether y is declared as logarithmic.
    pub(crate) fn log(&self, data: &RunData) -> Option<bool> {
        match self.figure(data) {
            Some((figure, panel)) => {
                let scale = figure.panels.get(panel)?.y.scale;
                Some(!matches!(scale, gradtop_store::figures::Scale::Linear))
            }
            None => match &self.source {
                Source::Metric(name) => Some(data.info(name).is_some_and(|i| i.log)),
                Source::Figure(..) => None,
            },
        }
    }

    /// The x axis, or `None` if it is a column of a table.
    pub(crate) fn kind(&self, data: &RunData, look: &Look) -> Option<XAxis> {
        let chosen = look.x;
        match self.figure(data) {
            Some((figure, panel)) => {
                let marks = &figure.panels.get(panel)?.marks;
                let of_metric = marks
                    .iter()
                    .find(|m| m.metric.is_some() && matches!(m.kind, MarkKind::Line | MarkKind::Band))?;
                Some(chosen.unwrap_or_else(|| declared_x(of_metric)))
            }
            None => matches!(self.source, Source::Metric(_)).then(|| chosen.unwrap_or_default()),
        }
    }
}

/// The charts of a run: declared figures first, then metrics that no figure shows, then others. System metrics are separate.
pub(crate) fn items(data: &RunData, system: bool) -> Vec<Item> {
    let metric = |name: &str| Item { id: format!("metric:{name}"), source: Source::Metric(name.to_owned()) };
    let names = data.metric_names();
    if system {
        return names.into_iter().filter(|n| n.starts_with(SYSTEM) && *n != TRAINED).map(metric).collect();
    }
    let mut out = Vec::new();
    let mut shown = BTreeSet::new();
    for (i, figure) in data.figures.iter().enumerate() {
        for (j, panel) in figure.panels.iter().enumerate() {
            let id = format!("figure:{}:{j}", figure.id);
            out.push(Item { id, source: Source::Figure(i, j) });
            shown.extend(panel.marks.iter().filter_map(|m| m.metric.as_deref()));
        }
    }
    let (in_figures, others): (Vec<&str>, Vec<&str>) =
        names.into_iter().filter(|n| !n.starts_with(SYSTEM)).partition(|n| shown.contains(n));
    out.extend(others.into_iter().chain(in_figures).map(metric));
    // Metrics are grouped by section, in the order of first appearance.
    let mut sections: BTreeMap<String, usize> = BTreeMap::new();
    for item in &out {
        let next = sections.len();
        sections.entry(item.section().to_owned()).or_insert(next);
    }
    out.sort_by_key(|item| (matches!(item.source, Source::Metric(_)), sections[item.section()]));
    out
}
