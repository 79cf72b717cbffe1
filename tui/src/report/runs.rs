//! The report of any runs: what was asked, what differed, what came out, and how it is repeated.

use std::sync::Arc;

use gradtop_chart::{number, svg};
use gradtop_store::{Goal, Kind, View};
use gradtop_view::compare::table::{Sheet, What, sheet};
use gradtop_view::compare::{self, Align, Facet, GroupBy, Subject, differing, facets, overlay};
use gradtop_view::figure::chart::evaluate_as;
use gradtop_view::live::SeriesFilter;
use gradtop_view::runs::RunRow;
use gradtop_view::state;

use super::claims;
use super::document::{Block, Claim, Document, Drawn, Span, code, heading, text};
use super::of_one::OfOne;
use super::{repeat, where_from};
use crate::print::clean;

/// Runs that are shown with their figures and tables; of more, the figures that compare them and what each concluded.
const WHOLE: usize = 8;
/// Runs that each have a line of their own in a figure; of more, those with equal settings are averaged.
const LINES: usize = 12;
/// Figures that compare runs.
const CURVES: usize = 6;
/// Columns of results beside each other.
const COLUMNS: usize = 8;

/// What is asked for.
pub(crate) struct Asked<'a> {
    /// The title, where one is given.
    pub(crate) title: Option<String>,
    /// The command that composes the report, as it was typed.
    pub(crate) command: String,
    /// The runs.
    pub(crate) views: &'a [View],
    /// The way from the report's folder to the folder of all runs, where there is one that will last.
    pub(crate) way: Option<String>,
}

/// Names and values.
pub(super) type Facts = Vec<(String, String)>;

/// Composes the report. With it, what could not be read.
pub(crate) fn compose(asked: &Asked<'_>) -> (Document, Vec<String>) {
    let mut odd = Vec::new();
    let whole = asked.views.len() <= WHOLE;
    let one = |(n, view)| OfOne::read(n, view, whole, asked.way.as_deref(), &mut odd);
    let runs: Vec<OfOne<'_>> = (1..).zip(asked.views).map(one).collect();
    let several = Several::of(asked.views);
    let mut blocks = notes(asked.views);
    blocks.push(heading(2, "runs", if runs.len() == 1 { "The run" } else { "The runs" }));
    blocks.push(table_of(&runs));
    blocks.extend(settings(asked.views));
    blocks.extend(several.iter().flat_map(Several::blocks));
    if !whole {
        blocks.push(heading(2, "each", "Each run"));
    }
    blocks.extend(runs.iter().flat_map(|run| if whole { run.blocks() } else { vec![run.folded()] }));
    blocks.extend(environment(asked));
    blocks.extend(where_from());
    let mut found: Vec<(Option<Span>, Vec<Claim>)> =
        several.iter().map(|several| (None, several.claims())).collect();
    found.extend(runs.iter().map(|run| {
        let of = whole.then(|| Span::Place { words: run.name(), id: run.id.clone() });
        (Some(of.unwrap_or_else(|| text(run.name()))).filter(|_| runs.len() > 1), run.claims())
    }));
    let lead = vec![text(format!(
        "{}, {}.",
        if runs.len() == 1 { "One run".to_owned() } else { format!("{} runs", runs.len()) },
        gradtop_view::clock::dated(jiff::Timestamp::now())
    ))];
    let document = Document { title: title(asked), lead, summary: claims::summary(found), blocks };
    (document, odd)
}

fn title(asked: &Asked<'_>) -> String {
    let experiments = experiments(asked.views);
    match (&asked.title, asked.views, experiments.as_slice()) {
        (Some(title), ..) => clean(title),
        (None, [one], _) => format!("{}: {}", clean(&one.manifest.experiment.id), clean(&one.manifest.run)),
        (None, views, [one]) => format!("{}: {} runs", clean(one), views.len()),
        (None, views, many) => format!("{} runs of {} experiments", views.len(), many.len()),
    }
}

fn experiments(views: &[View]) -> Vec<&str> {
    let mut ids: Vec<&str> = Vec::new();
    for view in views {
        if !ids.contains(&view.manifest.experiment.id.as_str()) {
            ids.push(&view.manifest.experiment.id);
        }
    }
    ids
}

/// What people say of the runs, and what their experiments do.
fn notes(views: &[View]) -> Vec<Block> {
    let mut blocks = vec![heading(2, "asked", "What was asked")];
    for id in experiments(views) {
        let mut of = views.iter().map(|view| &view.manifest).filter(|run| run.experiment.id == id);
        let summary = of.next().map(|run| run.experiment.summary.trim()).filter(|s| !s.is_empty());
        // A command's is the command itself: of several it is told only where it is that of all.
        let summary =
            summary.filter(|s| of.all(|run| run.command.is_none() || run.experiment.summary.trim() == *s));
        let summary = summary.map(|summary| vec![code(clean(id)), text(format!(": {}", clean(summary)))]);
        blocks.extend(summary.map(Block::Text));
    }
    for view in views.iter().filter(|view| !view.notes.note.trim().is_empty()) {
        let words = view.notes.note.trim().lines().map(|line| clean(&line.replace('\t', "    ")));
        let words = words.collect::<Vec<_>>().join("\n");
        blocks.push(Block::Quote { who: format!("Note on {}", clean(&view.manifest.run)), words });
    }
    if blocks.len() > 1 { blocks } else { Vec::new() }
}

fn table_of(runs: &[OfOne<'_>]) -> Block {
    let common = state::common(&runs.iter().map(|run| run.view).collect::<Vec<_>>());
    let title = common.as_ref().map_or_else(|| "last value".to_owned(), state::Common::title);
    let of_several = runs.iter().any(|run| run.view.dir.experiment() != runs[0].view.dir.experiment());
    let head = [
        ("run", false),
        ("experiment", false),
        ("state", false),
        (title.as_str(), true),
        ("of", false),
        ("took", true),
        ("tags", false),
    ];
    let row = |run: &OfOne<'_>| {
        let view = run.view;
        let (value, of) = state::headline_cells(view, common.as_ref());
        let took = state::took(view, jiff::Timestamp::now()).map(number::duration);
        let star = view.notes.starred.then_some(state::STAR).into_iter();
        let tags: Vec<&str> = star.chain(view.notes.tags.iter().map(String::as_str)).collect();
        vec![
            vec![run.link()],
            vec![text(if of_several { clean(&view.manifest.experiment.id) } else { String::new() })],
            vec![text(run.state())],
            vec![text(value)],
            vec![text(of)],
            vec![text(took.unwrap_or_default())],
            vec![text(clean(&tags.join(" ")))],
        ]
    };
    table(&head, &runs.iter().map(row).collect::<Vec<_>>())
}

/// A table; columns without a word are left out.
fn table(head: &[(&str, bool)], rows: &[Vec<Vec<Span>>]) -> Block {
    let empty = |span: &Span| matches!(span, Span::Text(words) if words.is_empty());
    let used = |at: usize| rows.iter().any(|row| row.get(at).is_some_and(|c| !c.iter().all(empty)));
    let kept: Vec<usize> = (0..head.len()).filter(|at| used(*at)).collect();
    Block::Table {
        head: kept.iter().map(|at| (head[*at].0.to_owned(), head[*at].1)).collect(),
        rows: rows.iter().map(|row| kept.iter().map(|at| row[*at].clone()).collect()).collect(),
        source: Vec::new(),
    }
}

/// What all runs were started with, and what differed between them.
fn settings(views: &[View]) -> Vec<Block> {
    let mut blocks = vec![heading(2, "settings", "Settings")];
    // Parameters of one experiment mean nothing to another.
    let ids = experiments(views);
    for (n, id) in (1..).zip(&ids) {
        let of: Vec<View> = views.iter().filter(|v| v.manifest.experiment.id == *id).cloned().collect();
        if ids.len() > 1 {
            blocks.push(heading(4, format!("settings-{n}"), clean(id)));
        }
        let words = if ids.len() == 1 {
            "What differed between the runs".to_owned()
        } else {
            format!("What differed between the runs of {}", clean(id))
        };
        blocks.extend(common_and_not(&of, settings_of, &format!("differed-{n}"), &words));
    }
    blocks
}

fn environment(asked: &Asked<'_>) -> Vec<Block> {
    let mut blocks = vec![heading(2, "environment", "Environment")];
    let differed = "What differed between their environments";
    blocks.extend(common_and_not(asked.views, environment_of, "environments-differed", differed));
    blocks.push(heading(2, "again", "To repeat it"));
    let commands: Vec<String> = asked.views.iter().filter_map(repeat::command).collect();
    blocks.extend(match commands.len() {
        0 => None,
        1..=WHOLE => Some(Block::Command(commands.join("\n"))),
        n => {
            let summary = format!("The {n} commands that start these runs");
            Some(Block::More { summary, blocks: vec![Block::Command(commands.join("\n"))] })
        }
    });
    blocks.push(Block::Text(vec![text("This report was composed by")]));
    blocks.push(Block::Command(asked.command.clone()));
    blocks
}

/// The facts that all runs share as a list, the others as a table.
fn common_and_not(views: &[View], of: impl Fn(&View) -> Facts, id: &str, words: &str) -> Vec<Block> {
    let all: Vec<Facts> = views.iter().map(of).collect();
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in all.iter().flatten() {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let value = |facts: &'_ Facts, name: &str| {
        facts.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let (same, differ): (Vec<&str>, Vec<&str>) =
        names.into_iter().partition(|name| all.windows(2).all(|w| value(&w[0], name) == value(&w[1], name)));
    let fact = |name: &&str| ((*name).to_owned(), vec![text(value(&all[0], name))]);
    let mut blocks = Vec::new();
    if !same.is_empty() {
        blocks.push(Block::Facts(same.iter().map(fact).collect()));
    }
    if !differ.is_empty() {
        blocks.push(heading(3, id, words));
        let number = |name: &str| all.iter().all(|facts| value(facts, name).parse::<f64>().is_ok());
        let head: Vec<(&str, bool)> =
            std::iter::once(("run", false)).chain(differ.iter().map(|name| (*name, number(name)))).collect();
        let row = |(view, facts): (&View, &Facts)| {
            let values = differ.iter().map(|name| vec![text(value(facts, name))]);
            std::iter::once(vec![code(clean(&view.manifest.run))]).chain(values).collect()
        };
        blocks.push(table(&head, &views.iter().zip(&all).map(row).collect::<Vec<_>>()));
    }
    blocks
}

fn facts(list: Vec<(&str, Option<String>)>) -> Facts {
    let said = |(name, value): (&str, Option<String>)| {
        value.filter(|v| !v.is_empty()).map(|v| (name.to_owned(), clean(&v)))
    };
    list.into_iter().filter_map(said).collect()
}

fn settings_of(view: &View) -> Facts {
    let m = &view.manifest;
    let plugin = m.kind == Kind::Plugin;
    let mut all = facts(vec![
        ("experiment", Some(format!("{} {}", m.experiment.id, m.experiment.version).trim_end().to_owned())),
        ("command", m.command.as_ref().map(gradtop_store::CommandInfo::in_words)),
        ("works in", m.command.as_ref().map(|command| command.dir.clone())),
        ("source", m.import.as_ref().map(|import| format!("{}: {}", import.format, import.source))),
        ("preset", m.preset.clone()),
        ("seed", state::seed(m).filter(|_| plugin).map(|seed| seed.to_string())),
        ("device", Some(m.device.clone())),
        ("threads", (m.threads > 0).then(|| m.threads.to_string())),
    ]);
    let param = |value: String| if value.is_empty() { "\"\"".to_owned() } else { clean(&value) };
    all.extend(m.params.iter().map(|(key, value)| (clean(key), param(value.to_string()))));
    all
}

fn environment_of(view: &View) -> Facts {
    let m = &view.manifest;
    let plugin = m.plugin.as_ref();
    let mut all = facts(vec![
        ("host", Some(m.host.clone())),
        ("device chosen", m.device_reason.clone()),
        ("gradtop", Some(m.versions.gradtop.clone())),
        ("libtorch", m.versions.libtorch.clone()),
        ("Python", m.versions.python.clone()),
        ("PyTorch", m.versions.torch.clone()),
        ("commit", state::commit(m)),
        ("plugin", plugin.map(|plugin| format!("{}, SHA-256 {}", plugin.file, plugin.sha256))),
        ("built with", plugin.and_then(|plugin| plugin.built_with.clone())),
    ]);
    let env = m.command.iter().flat_map(|command| &command.env);
    all.extend(env.map(|(name, value)| (clean(name), clean(value))));
    all
}

/// Runs side by side, of more than one.
struct Several {
    subjects: Vec<Subject>,
    sheet: Sheet,
    names: Vec<String>,
}

impl Several {
    fn of(views: &[View]) -> Option<Self> {
        if views.len() < 2 {
            return None;
        }
        let rows: Vec<Arc<RunRow>> = views.iter().map(|view| Arc::new(RunRow::of(view.clone()))).collect();
        let subjects = compare::read(&rows, &SeriesFilter::All, 0.0);
        let teams = compare::teams(&subjects, &GroupBy::Nothing);
        let sheet = sheet(&subjects, &teams);
        let names = teams.into_iter().map(|team| team.name).collect();
        Some(Self { subjects, sheet, names })
    }

    fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        if self.sheet.columns.is_empty() {
            return blocks;
        }
        blocks.push(heading(2, "results", "Results"));
        let mut parts = (0..self.sheet.columns.len()).step_by(COLUMNS).map(|at| self.results(at));
        blocks.extend(parts.next());
        let rest: Vec<Block> = parts.collect();
        if !rest.is_empty() {
            blocks.push(Block::More { summary: "All results".to_owned(), blocks: rest });
        }
        let curves = self.curves();
        if !curves.is_empty() {
            blocks.push(heading(2, "curves", "Curves"));
            blocks.extend(curves);
        }
        blocks
    }

    /// Some columns of the results; the best of each is marked.
    fn results(&self, from: usize) -> Block {
        let at = from..self.sheet.columns.len().min(from + COLUMNS);
        let titles: Vec<String> = self.sheet.columns[at.clone()]
            .iter()
            .map(|column| format!("{}, {}", clean(&column.facet.title()), column.words()))
            .collect();
        let head: Vec<(&str, bool)> = std::iter::once(("run", false))
            .chain(titles.iter().map(|title| (title.as_str(), true)))
            .collect();
        let row = |row: &compare::table::Row| {
            let value = |i: usize| {
                let best = if row.best[i] { " ◂" } else { "" };
                vec![text(row.values[i].map(|v| format!("{}{best}", number::value(v))).unwrap_or_default())]
            };
            std::iter::once(vec![code(self.names[row.team].clone())]).chain(at.clone().map(value)).collect()
        };
        table(&head, &self.sheet.rows.iter().map(row).collect::<Vec<_>>())
    }

    /// A metric of all runs in one chart each.
    fn curves(&self) -> Vec<Block> {
        let by = if self.subjects.len() > LINES { GroupBy::AllButSeed } else { GroupBy::Nothing };
        let teams = compare::teams(&self.subjects, &by);
        let sources = overlay::sources(&self.subjects, &teams);
        let view = overlay::view(Align::Step, &teams, None);
        let drawn =
            facets(&self.subjects).into_iter().filter(|f| !f.metric.starts_with("system/")).take(CURVES);
        let draw = |(n, facet): (usize, Facet)| {
            let drawn = evaluate_as(&overlay::figure(&self.subjects, &facet), &sources, &view);
            if drawn.charts.iter().all(gradtop_chart::Chart::is_blank) {
                return None;
            }
            let untitled = gradtop_chart::Figure { title: String::new(), ..drawn.clone() };
            let name = format!("curves-{n}");
            Some(Block::Figure(Box::new(Drawn {
                inline: svg::embedded(&untitled, &name),
                file: svg::figure(&drawn),
                title: drawn.title,
                caption: if by == GroupBy::Nothing {
                    String::new()
                } else {
                    "Runs with equal settings are averaged.".to_owned()
                },
                source: vec![text("Data: metric "), code(clean(&facet.metric)), text(" of all runs.")],
                name,
            })))
        };
        (1..).zip(drawn).filter_map(draw).collect()
    }

    /// Which run came out best, of each headline metric that has a goal.
    fn claims(&self) -> Vec<Claim> {
        let keys: Vec<String> = differing(&self.subjects).iter().map(|key| clean(key)).collect();
        let best = self.sheet.columns.iter().enumerate().filter(|(_, c)| c.what == What::Best);
        best.filter_map(|(at, column)| {
            let mut values: Vec<(f64, &str)> = self
                .sheet
                .rows
                .iter()
                .filter_map(|row| Some((row.values[at]?, self.names[row.team].as_str())))
                .filter(|(value, _)| value.is_finite())
                .collect();
            values.sort_by(|a, b| {
                if column.better == Goal::Max { b.0.total_cmp(&a.0) } else { a.0.total_cmp(&b.0) }
            });
            let [(first, name), (second, next), ..] = values.as_slice() else { return None };
            let word = if column.better == Goal::Max { "highest" } else { "lowest" };
            let differ = match keys.as_slice() {
                [] => "the runs differ in nothing that was recorded".to_owned(),
                keys => format!("the runs differ in {}", keys.join(", ")),
            };
            Some(Claim {
                about: clean(&column.facet.title()),
                words: format!(
                    "{word} is {} of {name}, next is {} of {next}",
                    number::value(*first),
                    number::value(*second)
                ),
                evidence: format!("the best value of each of {} runs", values.len()),
                caution: format!("{differ}; not tested against chance"),
                strength: "seen in these runs".to_owned(),
            })
        })
        .take(3)
        .collect()
    }
}
