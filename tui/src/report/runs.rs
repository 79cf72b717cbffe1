//! The report about any runs: what they are, how they differ, what they found, and how to repeat them.

use gradtop_store::{Declared, View, table_names};
use gradtop_view::clock::dated;
use gradtop_view::run::facts::{self, Topic};
use gradtop_view::run::{headline, notes, param, progress};
use gradtop_view::table::CONCLUSION;

use super::claims;
use super::comparison::{Comparison, experiments};
use super::document::{Block, Claim, Document, Span, code, dense_table, heading, text};
use super::single_run::{Reading, SingleRun};
use super::{repeat, where_from};
use crate::print::clean;

/// With more runs than this, only comparing figures and conclusions are shown.
const WHOLE: usize = 8;

pub(crate) struct ReportOptions<'a> {
    pub(crate) title: Option<String>,
    pub(crate) command: String,
    pub(crate) views: &'a [View],
    /// The relative path from the report to the runs folder, if such a link will stay valid.
    pub(crate) way: Option<String>,
}

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
    let concluded = |view: &View| table_names(&view.dir).iter().any(|name| name == CONCLUSION);
    blocks.extend(where_from(options.views.iter().any(concluded)));
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
    let infos = runs.iter().map(|run| headline::all(run.view).first().map(|headline| headline.info));
    let infos: Vec<_> = infos.collect();
    let one_unit = infos.iter().flatten().copied().collect::<Declared<'_>>().has_one_unit();
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
    let row = |(run, info): (&SingleRun<'_>, &Option<_>)| {
        let view = run.view;
        let unit = info.filter(|_| !one_unit).and_then(|info| Declared::from(info).unit());
        let unit = unit.map(|unit| format!(" {}", clean(unit))).unwrap_or_default();
        let told = headline::told(view, common.as_ref());
        let took = progress::took_words(view, jiff::Timestamp::now());
        let star = view.notes.starred.then_some(notes::STAR).into_iter();
        let tags: Vec<&str> = star.chain(view.notes.tags.iter().map(String::as_str)).collect();
        let id = if of_several { clean(&view.manifest.experiment.id) } else { String::new() };
        let words = [
            id,
            run.state(),
            format!("{}{unit}", told.value),
            told.of(),
            took.unwrap_or_default(),
            clean(&tags.join(" ")),
        ];
        std::iter::once(vec![run.link()]).chain(words.map(|words| vec![text(words)])).collect()
    };
    dense_table(&head, &runs.iter().zip(&infos).map(row).collect::<Vec<_>>())
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
        blocks.push(dense_table(&head, &views.iter().zip(&all).map(row).collect::<Vec<_>>()));
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

#[cfg(test)]
mod tests {
    use gradtop_store::{ParamValue, SeriesKey, State};
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

    /// One loss is zero, so that the mean of its group is the arithmetic one.
    #[test]
    fn of_many_runs_results_and_curves_are_of_those_with_equal_settings() {
        let of = |n: u64| {
            let lr = if n < 7 { 1e-20 } else { 0.01 };
            let loss = if n < 7 { n as f64 } else { 10.0 };
            run("fit", &format!("run{n}"), 1)
                .param("lr", ParamValue::Float(lr))
                .series("loss", None, &[(0, 20.0), (100, loss)])
                .with(|m, _| m.seed = Some(n))
        };
        let document = document(&(0..14).map(of).collect::<Vec<_>>());
        let page = markdown::page(&document, "figures");
        let results = page.split("\n## ").find(|section| section.starts_with("Results")).expect("a section");
        assert!(results.contains("| `lr 1e-20` | 3 ◂ |") && results.contains("last, mean of 7"), "{results}");
        assert!(results.contains("| `lr 0.01` | 10, geometric mean |"), "{results}");
        assert!(results.contains("best, lowest of 7"), "{results}");
        assert!(!results.contains("run3"), "the single runs are below: {results}");
        let caption = "Lines: geometric mean, or mean where a value is 0 or less, of 7 runs; bands: from";
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
    fn the_value_that_stands_for_a_run_is_told_before_that_of_its_training() {
        let of = |n: i64| {
            let split =
                |split: &str| SeriesKey { split: Some(split.to_owned()), ..SeriesKey::metric("loss") };
            let points = |last: i64| [(0, 20.0), (100, last as f64)];
            let spec = run(&format!("fit{n}"), "a", 1).logged(split("train"), &points(n + 1));
            spec.logged(split("val"), &points(n + 11))
        };
        let page = markdown::page(&document(&(0..8).map(of).collect::<Vec<_>>()), "figures");
        let found: Vec<&str> =
            page.lines().filter(|line| line.starts_with(|c: char| c.is_numeric())).collect();
        assert!(found[1..9].iter().all(|line| line.contains("loss val")), "{found:#?}");
        assert!(page.contains("6 more findings are left out here."), "{page}");
    }

    #[test]
    fn equal_numbers_of_different_units_are_no_shared_finding() {
        let of = |name: &str, unit: Option<&str>| {
            let trial = |trial| SeriesKey { trial: Some(trial), ..SeriesKey::metric("loss") };
            let spec = run("fit", name, 1).logged(trial(0), &[(0, 0.5)]).logged(trial(1), &[(0, 0.5)]);
            let unit = unit.map(str::to_owned);
            spec.with(move |m, _| m.metrics.iter_mut().for_each(|metric| metric.unit.clone_from(&unit)))
        };
        let page = markdown::page(&document(&[of("a", Some("s")), of("b", None)]), "figures");
        let findings = [r"last loss \[s\]:** 0.5,", "last loss:** 0.5,"];
        let rows = ["| `a` | finished | 0.5 s |", "| `b` | finished | 0.5 |"];
        for words in findings.iter().chain(&rows) {
            assert!(page.contains(words), "{words}: {page}");
        }
    }

    #[test]
    fn what_is_not_drawn_is_named_with_the_command_that_draws_it() {
        let spec = (0..10)
            .fold(run("fit", "a", 1), |spec, n| spec.series(&format!("m{n}"), None, &[(0, 1.0), (100, 0.5)]));
        let page = markdown::page(&document(&[spec]), "figures");
        assert!(page.contains("Not drawn here: m8, m9. To draw them: `gradtop plot a m8 m9`"), "{page}");
    }
}
