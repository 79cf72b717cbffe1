//! The report about any runs: what they are, how they differ, what they found, and how to repeat them.

use std::sync::Arc;

use gradtop_chart::{number, svg};
use gradtop_store::{Goal, View, split_rank};
use gradtop_view::clock::dated;
use gradtop_view::compare::table::{ComparisonTable, Row, Statistic};
use gradtop_view::compare::{self, Align, ComparedRun, Facet, GroupBy, RunGroup, facets, overlay};
use gradtop_view::figure::chart::evaluate_as;
use gradtop_view::natural;
use gradtop_view::run::facts::{self, Topic};
use gradtop_view::run::{headline, notes, param, progress};
use gradtop_view::runs::RunRow;

use super::claims::{self, SEEN_IN_SEVERAL};
use super::document::{Block, Claim, Document, Drawn, Span, code, heading, text};
use super::single_run::{Reading, SingleRun, not_drawn};
use super::{repeat, where_from};
use crate::print::clean;

/// With more runs than this, only comparing figures and conclusions are shown.
const WHOLE: usize = 8;
/// With more runs than this, a figure averages those with equal settings.
const LINES: usize = 12;
/// The most comparing figures.
const CURVES: usize = 6;
/// The most result columns side by side.
const COLUMNS: usize = 8;
/// The most parameters listed for the best run.
const PARAMS: usize = 4;

/// The options of the report.
pub(crate) struct ReportOptions<'a> {
    /// The title, if given.
    pub(crate) title: Option<String>,
    /// The command line, as typed.
    pub(crate) command: String,
    pub(crate) views: &'a [View],
    /// The relative path from the report to the runs folder, if such a link will stay valid.
    pub(crate) way: Option<String>,
}

/// Names and values.
pub(super) type Facts = Vec<(String, String)>;

/// Composes the report. Also returns what could not be read.
pub(crate) fn compose(options: &ReportOptions<'_>) -> (Document, Vec<String>) {
    let mut odd = Vec::new();
    let whole = options.views.len() <= WHOLE;
    let readings: Vec<Reading> = options.views.iter().map(|view| Reading::of(view, whole)).collect();
    let one = |(n, reading)| SingleRun::read(n, reading, options.way.as_deref(), &mut odd);
    let runs: Vec<SingleRun<'_>> = (1..).zip(&readings).map(one).collect();
    let several = Comparison::each(&readings);
    let mut blocks = notes(options.views);
    blocks.push(heading(2, "runs", if runs.len() == 1 { "The run" } else { "The runs" }));
    blocks.push(table_of(&runs));
    blocks.extend(settings(options.views));
    blocks.extend(parts("results", "Results", &several, Comparison::results));
    blocks.extend(parts("curves", "Curves", &several, Comparison::curves));
    if !whole {
        blocks.push(heading(2, "each", "Each run"));
    }
    blocks.extend(runs.iter().flat_map(|run| if whole { run.blocks() } else { vec![run.folded()] }));
    blocks.extend(environment(options));
    blocks.extend(where_from());
    let compared: Vec<(Option<Span>, Vec<Claim>)> =
        several.iter().map(|several| (None, several.claims())).collect();
    // Of many runs the table and the results have the numbers.
    let numbers = whole || compared.iter().all(|(_, claims)| claims.is_empty());
    let of_each = runs.iter().map(|run| {
        let of = if whole { Span::Place { words: run.name(), id: run.id.clone() } } else { text(run.name()) };
        (Some(of).filter(|_| runs.len() > 1), run.claims(numbers))
    });
    let summary = claims::summary(compared.into_iter().chain(of_each).collect());
    let number = if runs.len() == 1 { "One run".to_owned() } else { format!("{} runs", runs.len()) };
    let today = dated(jiff::Timestamp::now());
    let lead = vec![text(format!("{number}, {today}."))];
    let document = Document { title: title(options), lead, summary, blocks };
    (document, odd)
}

fn title(options: &ReportOptions<'_>) -> String {
    let experiments = experiments(options.views);
    match (&options.title, options.views, experiments.as_slice()) {
        (Some(title), ..) => clean(title),
        (None, [one], _) => format!("{}: {}", clean(&one.manifest.experiment.id), clean(&one.manifest.run)),
        (None, views, [one]) => format!("{}: {} runs", clean(one), views.len()),
        (None, views, many) => format!("{} runs of {} experiments", views.len(), many.len()),
    }
}

fn experiments<'a>(views: impl IntoIterator<Item = &'a View>) -> Vec<&'a str> {
    let mut ids: Vec<&str> = Vec::new();
    for view in views {
        if !ids.contains(&view.manifest.experiment.id.as_str()) {
            ids.push(&view.manifest.experiment.id);
        }
    }
    ids
}

/// The users' notes about the runs, and what their experiments do.
fn notes(views: &[View]) -> Vec<Block> {
    let mut blocks = vec![heading(2, "asked", "What was asked")];
    for id in experiments(views) {
        let mut of = views.iter().map(|view| &view.manifest).filter(|run| run.experiment.id == id);
        let summary = of.next().map(|run| run.experiment.summary.trim()).filter(|s| !s.is_empty());
        // The summary of a command is the command line itself, shown only if it is the same for all.
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

fn table_of(runs: &[SingleRun<'_>]) -> Block {
    let common = headline::common(&runs.iter().map(|run| run.view).collect::<Vec<_>>());
    let title = common.as_ref().map_or_else(|| "last value".to_owned(), headline::Common::title);
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
    let row = |run: &SingleRun<'_>| {
        let view = run.view;
        let (value, of) = headline::cells(view, common.as_ref());
        let took = progress::took_words(view, jiff::Timestamp::now());
        let star = view.notes.starred.then_some(notes::STAR).into_iter();
        let tags: Vec<&str> = star.chain(view.notes.tags.iter().map(String::as_str)).collect();
        let id = if of_several { clean(&view.manifest.experiment.id) } else { String::new() };
        let words = [id, run.state(), value, of, took.unwrap_or_default(), clean(&tags.join(" "))];
        std::iter::once(vec![run.link()]).chain(words.map(|words| vec![text(words)])).collect()
    };
    table(&head, &runs.iter().map(row).collect::<Vec<_>>())
}

/// The blocks for each experiment, under separate headings if there are several.
fn parts(
    id: &str,
    title: &str,
    several: &[Comparison],
    of: impl Fn(&Comparison) -> Vec<Block>,
) -> Vec<Block> {
    let mut blocks = Vec::new();
    for one in several {
        let own = of(one);
        if let Some(experiment) = one.experiment.as_ref().filter(|_| !own.is_empty()) {
            blocks.push(heading(3, format!("{id}-{}", one.n), experiment.clone()));
        }
        blocks.extend(own);
    }
    if !blocks.is_empty() {
        blocks.insert(0, heading(2, id, title));
    }
    blocks
}

/// A table without its empty columns.
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

/// The common settings of all runs, and those that differ.
fn settings(views: &[View]) -> Vec<Block> {
    let mut blocks = vec![heading(2, "settings", "Settings")];
    // Parameters are compared only within an experiment.
    let ids = experiments(views);
    for (n, id) in (1..).zip(&ids) {
        let of: Vec<View> = views.iter().filter(|v| v.manifest.experiment.id == *id).cloned().collect();
        if ids.len() > 1 {
            blocks.push(heading(4, format!("settings-{n}"), clean(id)));
        }
        let which = if ids.len() == 1 { String::new() } else { format!(" of {}", clean(id)) };
        let words = format!("What differed between the runs{which}");
        blocks.extend(common_and_not(&of, settings_of, &format!("differed-{n}"), &words));
    }
    blocks
}

fn environment(options: &ReportOptions<'_>) -> Vec<Block> {
    let mut blocks = vec![heading(2, "environment", "Environment")];
    let differed = "What differed between their environments";
    blocks.extend(common_and_not(options.views, environment_of, "environments-differed", differed));
    blocks.push(heading(2, "again", "To repeat it"));
    let commands: Vec<String> = options.views.iter().filter_map(repeat::command).collect();
    blocks.extend(match commands.len() {
        0 => None,
        1..=WHOLE => Some(Block::Command(commands.join("\n"))),
        n => {
            let summary = format!("The {n} commands that start these runs");
            Some(Block::More { summary, blocks: vec![Block::Command(commands.join("\n"))] })
        }
    });
    blocks.push(Block::Text(vec![text("This report was composed by")]));
    blocks.push(Block::Command(options.command.clone()));
    blocks
}

/// Lists the facts that all runs share, and shows the others in a table.
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

/// The facts of one topic, and further names and values.
fn facts_of<'a>(view: &View, topic: Topic, more: impl Iterator<Item = (&'a str, String)>) -> Facts {
    let facts = facts::of_run(view, dated).into_iter().filter(|fact| fact.topic == topic);
    let facts = facts.map(|fact| (fact.name.to_owned(), fact.value));
    facts.chain(more.map(|(name, value)| (clean(name), value))).collect()
}

fn settings_of(view: &View) -> Facts {
    let params = view.manifest.params.iter().map(|(key, value)| (key.as_str(), param::full(value)));
    facts_of(view, Topic::Settings, params)
}

fn environment_of(view: &View) -> Facts {
    let variables = view.manifest.command.iter().flat_map(|command| &command.env);
    facts_of(view, Topic::Environment, variables.map(|(name, value)| (name.as_str(), clean(value))))
}

/// The runs of one experiment, compared.
struct Comparison {
    /// The id of the experiment, if the report has several.
    experiment: Option<String>,
    n: usize,
    runs: Vec<ComparedRun>,
    /// The results of each run, and the names of the runs.
    table: ComparisonTable,
    names: Vec<String>,
    /// What results and curves show: the runs, or averages of those with equal settings.
    groups: Vec<RunGroup>,
    averages: bool,
}

impl Comparison {
    /// Groups the runs by experiment, because equal names in two experiments may mean different things. Single runs are left
    /// out.
    fn each(readings: &[Reading]) -> Vec<Self> {
        let ids = experiments(readings.iter().map(|reading| &reading.view));
        if readings.len() < 2 {
            return Vec::new();
        }
        let of = |(n, id): (usize, &&str)| {
            let readings = readings.iter().filter(|reading| reading.view.manifest.experiment.id == **id);
            let run = |reading: &Reading| ComparedRun {
                row: Arc::new(RunRow::of(reading.view.clone())),
                data: Arc::clone(&reading.data),
            };
            let runs: Vec<ComparedRun> = readings.map(run).collect();
            let alone = compare::groups(&runs, &GroupBy::Nothing);
            let table = ComparisonTable::new(&runs, &alone, &[]);
            let names = alone.iter().map(|group| group.name.clone()).collect();
            let equal = compare::groups(&runs, &GroupBy::AllButSeed);
            let averages = runs.len() > LINES && equal.len() < runs.len();
            let groups = if averages { equal } else { alone };
            Self { experiment: (ids.len() > 1).then(|| clean(id)), n, runs, table, names, groups, averages }
        };
        (1..).zip(&ids).map(of).collect()
    }

    /// The results in numbers.
    fn results(&self) -> Vec<Block> {
        if self.runs.len() < 2 {
            return Vec::new();
        }
        let table = ComparisonTable::new(&self.runs, &self.groups, &[]);
        let mut parts = (0..table.columns.len()).step_by(COLUMNS).map(|at| self.columns(&table, at));
        let mut blocks: Vec<Block> = parts.next().into_iter().collect();
        let rest: Vec<Block> = parts.collect();
        if !rest.is_empty() {
            blocks.push(Block::More { summary: "All results".to_owned(), blocks: rest });
        }
        if self.averages && !blocks.is_empty() {
            let n = self.runs.len();
            let words = format!("The {n} runs by their settings; those with equal settings are averaged.");
            blocks.insert(0, Block::Text(vec![text(words)]));
        }
        blocks
    }

    /// Some columns of the results; the best value of each is marked.
    fn columns(&self, results: &ComparisonTable, from: usize) -> Block {
        let at = from..results.columns.len().min(from + COLUMNS);
        let columns = results.columns[at.clone()].iter();
        let titles: Vec<String> =
            columns.map(|column| format!("{}, {}", clean(&column.facet.title()), column.words())).collect();
        let titled = titles.iter().map(|title| (title.as_str(), true));
        let first = if self.averages { ("settings", false) } else { ("run", false) };
        let head: Vec<(&str, bool)> = std::iter::once(first).chain(titled).collect();
        let row = |row: &Row| {
            let value = |i: usize| {
                let best = if row.best[i] { " ◂" } else { "" };
                vec![text(row.values[i].map(|v| format!("{}{best}", number::value(v))).unwrap_or_default())]
            };
            std::iter::once(vec![code(self.groups[row.group].name.clone())])
                .chain(at.clone().map(value))
                .collect()
        };
        table(&head, &results.rows.iter().map(row).collect::<Vec<_>>())
    }

    /// A chart for each metric, with all runs.
    fn curves(&self) -> Vec<Block> {
        if self.runs.len() < 2 {
            return Vec::new();
        }
        let sources = overlay::sources(&self.runs, &self.groups);
        let view = overlay::view(Align::Step, &self.groups, None);
        let mut drawn = facets(&self.runs, &[]);
        drawn.retain(|facet| !gradtop_store::is_system_metric(&facet.metric));
        let further = drawn.split_off(drawn.len().min(CURVES));
        let draw = |(n, facet): (usize, Facet)| {
            let drawn = evaluate_as(&overlay::figure(&self.runs, &self.groups, &facet), &sources, &view);
            if drawn.charts.iter().all(gradtop_chart::Chart::is_blank) {
                return None;
            }
            let untitled = gradtop_chart::Figure { title: String::new(), caption: None, ..drawn.clone() };
            let name = match self.experiment {
                Some(_) => format!("curves-{}-{n}", self.n),
                None => format!("curves-{n}"),
            };
            Some(Block::Figure(Box::new(Drawn {
                inline: svg::embedded(&untitled, &name),
                file: svg::figure(&drawn),
                title: drawn.title,
                caption: drawn.caption.unwrap_or_default(),
                source: vec![text("Data: metric "), code(clean(&facet.metric)), text(" of all these runs.")],
                name,
            })))
        };
        let names: Vec<&str> = self.runs.iter().map(|run| run.row.name()).collect();
        let blocks: Vec<Block> = (1..).zip(drawn).filter_map(draw).collect();
        let titles: Vec<String> = further.iter().map(Facet::title).collect();
        let mut metrics: Vec<&str> = further.iter().map(|facet| facet.metric.as_str()).collect();
        metrics.dedup();
        blocks.into_iter().chain(not_drawn(&titles, &names, &metrics)).collect()
    }

    /// Which run was best, for the first metrics with a goal. With several experiments, only for the headline metric of each.
    fn claims(&self) -> Vec<Claim> {
        let best = |at: &usize| self.table.columns[*at].statistic == Statistic::Best;
        let columns: Vec<usize> = (0..self.table.columns.len()).filter(best).collect();
        if self.experiment.is_none() {
            return columns.iter().filter_map(|at| self.best(&[*at])).take(3).collect();
        }
        let facet = |at: &usize| &self.table.columns[*at].facet;
        let Some(metric) = columns.first().map(|at| &facet(at).metric) else { return Vec::new() };
        let info = compare::info(&self.runs, metric);
        let of_metric = || columns.iter().filter(|at| facet(at).metric == *metric);
        let rank = |at: &usize| split_rank(info, facet(at).split.as_deref());
        let first = of_metric().map(rank).min();
        let of_split: Vec<usize> = of_metric().filter(|at| Some(rank(at)) == first).copied().collect();
        self.best(&of_split).into_iter().collect()
    }

    /// The best run in any of these columns: one metric and split, of one or several models.
    fn best(&self, columns: &[usize]) -> Option<Claim> {
        let first = &self.table.columns[*columns.first()?];
        let order = |a: f64, b: f64| match first.better {
            Goal::Max => b.total_cmp(&a),
            _ => a.total_cmp(&b),
        };
        let of_run = |row: &'_ Row| {
            let values = columns.iter().filter_map(|at| Some((row.values[*at]?, *at)));
            values.filter(|(value, _)| value.is_finite()).min_by(|a, b| order(a.0, b.0))
        };
        let of_row = |row| of_run(row).map(|(value, at)| (value, at, row));
        let mut values: Vec<_> = self.table.rows.iter().filter_map(of_row).collect();
        let name = |row: &Row| self.names[row.group].as_str();
        values.sort_by(|a, b| order(a.0, b.0).then_with(|| natural::order(name(a.2), name(b.2))));
        let differ: Vec<String> = self.table.params.iter().map(|key| clean(key)).collect();
        let said = |(value, at, row): &(f64, usize, &Row)| {
            let model = self.table.columns[*at].facet.model.as_deref().filter(|_| columns.len() > 1);
            let with = differ.iter().zip(&row.params).filter(|(_, value)| !value.is_empty());
            let with: Vec<String> = with.take(PARAMS).map(|(key, value)| format!("{key} {value}")).collect();
            let model = model.map(|model| format!(", {}", clean(model))).unwrap_or_default();
            let with = if with.is_empty() { String::new() } else { format!(" ({})", with.join(", ")) };
            format!("{} of {}{model}{with}", number::value(*value), name(row))
        };
        let word = if first.better == Goal::Max { "highest" } else { "lowest" };
        let trials = columns.iter().any(|at| self.table.columns[*at].of.1 > 1);
        let word = format!("{word}{}", if trials { " of any trial" } else { "" });
        let equal = values.iter().filter(|other| order(other.0, values[0].0).is_eq()).count();
        // Of one run alone there is nothing to compare; its own numbers are told anyway.
        let [best, next, ..] = values.as_slice() else { return None };
        let words = match equal {
            2.. => format!("{word} is {}, and of {} more", said(best), equal - 1),
            _ => format!("{word} is {}, next is {}", said(best), said(next)),
        };
        let differ_in =
            if differ.is_empty() { "nothing that was recorded".to_owned() } else { differ.join(", ") };
        let caution = format!("the runs differ in {differ_in}; not tested against chance");
        let model = first.facet.model.clone().filter(|_| columns.len() == 1);
        let facet = Facet { model, ..first.facet.clone() }.title();
        let experiment = self.experiment.iter().map(|id| format!("{id}, "));
        Some(Claim {
            about: format!("{}{}", experiment.collect::<String>(), clean(&facet)),
            words,
            evidence: format!("the best value of each of {} runs", values.len()),
            caution,
            strength: SEEN_IN_SEVERAL.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use gradtop_store::{ParamValue, State};
    use gradtop_tests::run_fixtures::{RunFixtures, Spec, run};

    use super::*;
    use crate::report::{html, markdown};

    fn document(specs: &[Spec]) -> Document {
        let mut fixtures = RunFixtures::new();
        let views: Vec<View> =
            specs.iter().map(|spec| gradtop_store::view(&fixtures.make(spec)).expect("a run")).collect();
        let options = ReportOptions { title: None, command: String::new(), views: &views, way: None };
        compose(&options).0
    }

    #[test]
    fn of_many_runs_results_and_curves_are_of_those_with_equal_settings() {
        let of = |n: u64| {
            let lr = if n < 7 { 1e-20 } else { 0.01 };
            let loss = if n < 7 { n as f64 } else { 10.0 };
            run("fit", &format!("run{n}"), 1)
                .param("lr", ParamValue::Float(lr))
                .series("loss", None, &[(0, 20.0), (100, loss)])
                .with(|m, _| m.seed = n)
        };
        let document = document(&(0..14).map(of).collect::<Vec<_>>());
        let page = markdown::page(&document, "figures");
        let results = page.split("\n## ").find(|section| section.starts_with("Results")).expect("a section");
        assert!(
            results.contains("| `lr 1e-20` | 3 ◂ |") && results.contains("last, geometric mean of 7"),
            "{results}"
        );
        assert!(!results.contains("run3"), "the single runs are below: {results}");
        let caption = "Lines: geometric mean of 7 runs; bands: from the lowest to the highest.";
        assert!(html::page(&document).contains(caption));
    }

    #[test]
    fn the_summary_of_many_runs_says_what_they_share_and_leaves_their_numbers_to_the_tables() {
        let of = |n: i64| {
            let (state, loss) = if n < 7 { (State::Running, 0.5) } else { (State::Failed, n as f64) };
            let spec = run("fit", &format!("run{n}"), 1).losses().at(state, 1 + n);
            spec.series("loss", None, &[(0, 20.0), (100, loss)]).cause("boom")
        };
        let page = markdown::page(&document(&(0..9).map(of).collect::<Vec<_>>()), "figures");
        let lines: Vec<&str> =
            page.lines().filter(|line| line.starts_with(|c: char| c.is_numeric())).collect();
        assert!(
            lines.iter().any(|l| l.contains("7 of 9 runs (run0, run1, run2 and 4 more): running")),
            "{page}"
        );
        assert!(lines.iter().any(|l| l.contains("2 of 9 runs (run7, run8): failed: boom")), "{page}");
        assert!(
            lines.iter().any(|l| l.contains("lowest is 0.5")) && !page.contains("more findings"),
            "{page}"
        );
    }

    #[test]
    fn what_is_not_drawn_is_named_with_the_command_that_draws_it() {
        let spec = (0..10)
            .fold(run("fit", "a", 1), |spec, n| spec.series(&format!("m{n}"), None, &[(0, 1.0), (100, 0.5)]));
        let page = markdown::page(&document(&[spec]), "figures");
        assert!(page.contains("Not drawn here: m8, m9. To draw them: `gradtop plot a m8 m9`"), "{page}");
    }
}
