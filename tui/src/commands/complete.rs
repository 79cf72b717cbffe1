//! Completes command lines: commands and options, and the names of runs, experiments, parameters, presets, metrics, figures and
//! columns. The scripts of `gradtop completions` call `gradtop __complete LINE` at each Tab.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Arg, Command, CommandFactory as _};
use gradtop_host::{Action, Discovery, ExperimentDesc};
use gradtop_store::{State, View, figures, list_runs};

use super::cli::Cli;
use super::select::is_filter;
use crate::config::Config;
use crate::print::{self, clean};
use gradtop_view::figure::run_figures;
use gradtop_view::list::filter::Filter;
use gradtop_view::list::{column, filter};
use gradtop_view::run::{headline, param};
use jiff::Timestamp;

/// Prints one candidate per line, followed by a tab and its help if it has one.
pub(crate) fn run(line: &str, config: Option<&Config>) -> i32 {
    for Candidate { word, help } in candidates(line, config) {
        let help = help.lines().next().map(|help| format!("\t{}", clean(help))).unwrap_or_default();
        print::content(&format!("{}{help}\n", clean(&word)));
    }
    0
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    word: String,
    help: String,
}

impl Candidate {
    fn new(word: impl Into<String>, help: Option<impl ToString>) -> Self {
        Self { word: word.into(), help: help.map(|help| help.to_string()).unwrap_or_default() }
    }
}

impl From<String> for Candidate {
    fn from(word: String) -> Self {
        Self { word, help: String::new() }
    }
}

/// The command line up to the cursor, as parsed so far.
struct Typed<'a> {
    command: &'a Command,
    /// Positional arguments.
    words: Vec<String>,
    /// Options with their values.
    options: Vec<(String, String)>,
    /// An option that still needs its value.
    pending: Option<&'a Arg>,
}

fn candidates(line: &str, config: Option<&Config>) -> Vec<Candidate> {
    let mut words = split(line);
    let last = words.pop().unwrap_or_default();
    let mut root = Cli::command();
    root.build();
    let typed = read(&root, words.get(1..).unwrap_or_default());
    let known = Known::new(&typed, config);
    let mut found = match (typed.pending, last.split_once('=')) {
        (Some(arg), _) => values(&typed, &known, arg, &last),
        (None, Some((option, value))) if option.starts_with("--") => {
            let Some(arg) = option_named(typed.command, option) else { return Vec::new() };
            let mut found = values(&typed, &known, arg, value);
            for candidate in &mut found {
                candidate.word = format!("{option}={}", candidate.word);
            }
            found
        }
        _ if last.starts_with('-') => {
            let mut found = options(typed.command);
            let tags = positional(&typed).filter(|arg| arg.is_allow_hyphen_values_set());
            found.extend(tags.into_iter().flat_map(|arg| values(&typed, &known, arg, &last)));
            found
        }
        _ => {
            let mut found = if typed.words.is_empty() { subcommands(typed.command) } else { Vec::new() };
            found.extend(positional(&typed).into_iter().flat_map(|arg| values(&typed, &known, arg, &last)));
            found
        }
    };
    found.retain(|candidate| candidate.word.starts_with(&last));
    found
}

/// Splits a line into words as a shell would; the last word is the one being typed, perhaps empty.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => word.extend(chars.next()),
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            (c, _) => word.push(c),
        }
    }
    words.push(word);
    words
}

fn read<'a>(root: &'a Command, words: &[String]) -> Typed<'a> {
    let mut typed = Typed { command: root, words: Vec::new(), options: Vec::new(), pending: None };
    for word in words {
        if let Some(arg) = typed.pending.take() {
            typed.options.push((arg.get_id().to_string(), word.clone()));
        } else if let Some((option, value)) = word.split_once('=').filter(|_| word.starts_with("--")) {
            if let Some(arg) = option_named(typed.command, option) {
                typed.options.push((arg.get_id().to_string(), value.to_owned()));
            }
        } else if word.starts_with('-') && word.len() > 1 {
            let takes = |arg: &&Arg| arg.get_action().takes_values();
            typed.pending = option_named(typed.command, word).filter(takes);
        } else if let Some(sub) = typed.command.find_subcommand(word).filter(|_| typed.words.is_empty()) {
            typed.command = sub;
        } else {
            typed.words.push(word.clone());
        }
    }
    typed
}

fn option_named<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| match word.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => {
            word.strip_prefix('-').and_then(|s| s.chars().next()).is_some_and(|s| arg.get_short() == Some(s))
        }
    })
}

fn options(command: &Command) -> Vec<Candidate> {
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let option = |arg: &Arg| Some(Candidate::new(format!("--{}", arg.get_long()?), arg.get_help()));
    shown.filter_map(option).collect()
}

fn subcommands(command: &Command) -> Vec<Candidate> {
    let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    shown.map(|sub| Candidate::new(sub.get_name(), sub.get_about())).collect()
}

/// The positional argument at the cursor.
fn positional<'a>(typed: &Typed<'a>) -> Option<&'a Arg> {
    let all: Vec<&Arg> = typed.command.get_positionals().collect();
    let last = all.last().filter(|arg| arg.get_num_args().is_some_and(|n| n.max_values() > 1));
    all.get(typed.words.len()).or(last).copied()
}

/// The runs and plugins of this machine, read on demand.
struct Known {
    runs: Option<PathBuf>,
    launchers: Vec<String>,
}

impl Known {
    fn new(typed: &Typed<'_>, config: Option<&Config>) -> Self {
        let named = typed.options.iter().find(|(id, _)| id == "runs").map(|(_, dir)| PathBuf::from(dir));
        let named = named.or_else(|| config?.runs());
        let launchers = config.map_or_else(|| Config::default().launchers(), Config::launchers);
        let launchers = launchers.into_iter().map(|launcher| launcher.name).collect();
        Self { runs: gradtop_store::runs_dir(named.as_deref()).ok(), launchers }
    }

    /// Only looks: completing a command must not recover crashed runs.
    fn views(&self) -> Vec<View> {
        let runs = self.runs.as_deref().map(list_runs).unwrap_or_default();
        runs.iter().filter_map(|run| gradtop_store::view(run).ok()).collect()
    }

    /// The runs that these words name or select, or all without any.
    fn chosen(&self, words: &[String]) -> Vec<View> {
        if !words.is_empty() && !words.iter().any(|word| is_filter(word)) {
            return words.iter().filter_map(|name| self.run(name)).collect();
        }
        let Ok(filter) = Filter::parse(&words.join(" ")) else { return Vec::new() };
        self.views().into_iter().filter(|view| filter.takes(view, Timestamp::now())).collect()
    }

    fn run(&self, name: &str) -> Option<View> {
        gradtop_store::view(&gradtop_store::find_run(self.runs.as_deref()?, name).ok()?).ok()
    }
}

/// The values that an argument may have.
fn values(typed: &Typed<'_>, known: &Known, arg: &Arg, current: &str) -> Vec<Candidate> {
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        return possible.iter().map(|value| Candidate::new(value.get_name(), value.get_help())).collect();
    }
    match (typed.command.get_name(), arg.get_id().as_str()) {
        ("run" | "sweep", "experiment")
        | ("experiments", "name")
        | ("study", "only")
        | ("selftest", "experiments") => experiments(),
        ("run" | "sweep", "preset") => experiment(typed).map(|e| presets(&e)).unwrap_or_default(),
        ("run" | "sweep", "sets") | ("sweep", "vary") => {
            experiment(typed).map(|e| settings(&e, current)).unwrap_or_default()
        }
        ("query", "sql") => {
            let saved = crate::sql::saved::all().unwrap_or_default().into_iter();
            saved.map(|(name, query)| Candidate { word: format!("@{name}"), help: query.about }).collect()
        }
        ("plot", "words") => match typed.words.first() {
            None => filters(&known.views(), false, current),
            Some(first) => figures_of(known, first).into_iter().chain(runs(&known.views())).collect(),
        },
        ("list" | "best", "filter") | ("query", "runs_of") => filters(&known.views(), true, current),
        (_, "checked" | "after") => runs(&known.views()),
        (command, id @ ("names" | "run")) if !current.starts_with(['+', '-']) || command != "tag" => {
            let views = allowing(known.views(), command);
            if id == "run" { runs(&views) } else { filters(&views, false, current) }
        }
        (command, id) => {
            words(typed, known, (command, id), current).into_iter().map(Candidate::from).collect()
        }
    }
}

/// The values of an argument that are words without help.
fn words(typed: &Typed<'_>, known: &Known, of: (&str, &str), current: &str) -> Vec<String> {
    match of {
        ("best", "metric") => headline_metrics(&known.views()),
        ("best", "by") => differing_params(&known.views()),
        ("exec" | "sweep", "metrics") => declarations(known, current),
        ("sweep", "stop_early") => {
            let metrics = experiment(typed).map(|e| e.metrics).unwrap_or_default();
            metrics.into_iter().map(|metric| metric.name).collect()
        }
        ("fetch" | "check", "name") => {
            gradtop_data::DATASETS.iter().map(|dataset| dataset.name.to_owned()).collect()
        }
        (_, "on") => known.launchers.clone(),
        ("tag", "names") => {
            tags(&known.views()).iter().map(|tag| format!("{}{tag}", &current[..1])).collect()
        }
        (_, "device") => ["auto", "cpu", "cuda:0"].map(str::to_owned).to_vec(),
        ("compare", "metric") => metrics(known, &typed.words),
        ("compare", "by") => differing_params(&known.chosen(&typed.words)),
        ("compare", "sort") => {
            [differing_params(&known.chosen(&typed.words)), metrics(known, &typed.words)].concat()
        }
        // Its other words may be metrics.
        ("plot", "by") => differing_params(&known.chosen(typed.words.get(..1).unwrap_or_default())),
        ("list", "view" | "save") => {
            crate::list_view::all().map(|all| all.into_keys().collect()).unwrap_or_default()
        }
        ("list", "sort") => column::all(known.views().iter()),
        ("list", "columns") => {
            // Completes the last item of a comma-separated list.
            let before = current.rsplit_once(',').map(|(before, _)| format!("{before},")).unwrap_or_default();
            column::all(known.views().iter()).into_iter().map(|name| format!("{before}{name}")).collect()
        }
        _ => Vec::new(),
    }
}

/// The runs that a command of this name may act on.
fn allowing(mut views: Vec<View>, command: &str) -> Vec<View> {
    let actions = [Action::Stop, Action::Pause, Action::Resume, Action::Checkpoint];
    if let Some(action) = actions.into_iter().find(|action| action.verb() == command) {
        views.retain(|view| gradtop_host::allowed(view, action).is_ok());
    }
    views
}

/// The metrics that represent these runs.
fn headline_metrics(views: &[View]) -> Vec<String> {
    let named: BTreeSet<&str> = views.iter().flat_map(headline::all).map(|h| h.metric).collect();
    named.into_iter().map(str::to_owned).collect()
}

/// The parameters in which these runs differ.
fn differing_params(views: &[View]) -> Vec<String> {
    let params = param::differing(&views.iter().collect::<Vec<_>>());
    params.into_iter().map(str::to_owned).collect()
}

/// Declarations of metrics: the names that other runs have, and after a name what can be declared of it.
fn declarations(known: &Known, current: &str) -> Vec<String> {
    if let Some((before, _)) = current.rsplit_once(':') {
        let forms = ["min", "max", "headline", "headline=", "log", "guard", "unit="];
        return forms.map(|form| format!("{before}:{form}")).to_vec();
    }
    let views = known.views();
    let all = views.iter().flat_map(|view| &view.manifest.metrics).map(|metric| metric.name.as_str());
    let all: BTreeSet<&str> = all.filter(|name| !gradtop_store::is_system_metric(name)).collect();
    all.into_iter().flat_map(|name| [format!("{name}:min"), format!("{name}:max")]).collect()
}

fn runs(views: &[View]) -> Vec<Candidate> {
    let about = |view: &View| format!("{}, {}", view.manifest.experiment.id, view.state.word());
    views.iter().map(|view| Candidate::new(&view.manifest.run, Some(about(view)))).collect()
}

fn tags(views: &[View]) -> BTreeSet<&str> {
    views.iter().flat_map(|view| &view.notes.tags).map(String::as_str).collect()
}

/// Candidates for a filter: names of runs, fields, and the values of the field that is being typed.
fn filters(views: &[View], experiments: bool, current: &str) -> Vec<Candidate> {
    let mut found = runs(views);
    if experiments {
        let ids: BTreeSet<&str> = views.iter().map(|view| view.manifest.experiment.id.as_str()).collect();
        found.extend(ids.into_iter().map(|id| Candidate::from(id.to_owned())));
    }
    found.extend(State::ALL.iter().map(|state| Candidate::from(format!("state:{}", state.word()))));
    found.extend(tags(views).into_iter().map(|tag| Candidate::from(format!("tag:{tag}"))));
    if let Some((field, _)) = current.split_once(':') {
        let values: BTreeSet<String> =
            views.iter().map(|view| column::cell(view, field, Timestamp::now())).collect();
        let plain = values.iter().filter(|value| !value.is_empty() && !value.contains(char::is_whitespace));
        let known: BTreeSet<String> = found.iter().map(|candidate| candidate.word.clone()).collect();
        let words = plain.map(|value| format!("{field}:{value}")).filter(|word| !known.contains(word));
        found.extend(words.map(Candidate::from));
    }
    let fields = filter::fields_of(views.iter()).into_iter();
    found.extend(fields.map(|field| Candidate::from(format!("{field}:"))));
    found
}

fn experiments() -> Vec<Candidate> {
    let found = gradtop_host::discover();
    let all = found.experiments();
    all.map(|(_, e)| Candidate { word: e.id.clone(), help: e.summary.clone() }).collect()
}

/// The experiment named on the command line.
fn experiment(typed: &Typed<'_>) -> Option<ExperimentDesc> {
    let of = |found: Discovery| Some(found.experiment(typed.words.first()?)?.1.clone());
    match typed.options.iter().find(|(id, _)| id == "plugin") {
        Some((_, file)) => {
            let all = gradtop_host::describe(file.as_ref()).ok()?.experiments;
            all.into_iter().find(|e| typed.words.first().is_none_or(|id| *id == e.id))
        }
        None => of(gradtop_host::discover()),
    }
}

/// The experiment named on a command line that may be wrong.
pub(crate) fn named_experiment(args: &[String]) -> Option<ExperimentDesc> {
    let mut root = Cli::command();
    root.build();
    experiment(&read(&root, args.get(1..)?))
}

fn presets(e: &ExperimentDesc) -> Vec<Candidate> {
    e.presets.iter().map(|p| Candidate { word: p.name.clone(), help: p.help.clone() }).collect()
}

/// Completes `key=` and, for parameters with choices, `key=value`.
fn settings(e: &ExperimentDesc, current: &str) -> Vec<Candidate> {
    let Some((key, _)) = current.split_once('=') else {
        let key =
            |p: &gradtop_host::ParamDesc| Candidate { word: format!("{}=", p.key), help: p.help.clone() };
        return e.params.iter().map(key).collect();
    };
    let Some(param) = e.params.iter().find(|p| p.key == key) else { return Vec::new() };
    let choices = match param.kind {
        gradtop_host::ParamKind::Choice => param.choices.clone(),
        gradtop_host::ParamKind::Bool => vec!["true".to_owned(), "false".to_owned()],
        _ => vec![param.default.clone()],
    };
    choices.into_iter().map(|value| Candidate::from(format!("{key}={value}"))).collect()
}

/// The metrics of these runs, or of all runs if none is named.
fn metrics(known: &Known, names: &[String]) -> Vec<String> {
    let views = known.chosen(names);
    let logged = views.iter().filter_map(|view| run_figures::metrics(&view.dir).ok()).flatten();
    logged.collect::<BTreeSet<_>>().into_iter().collect()
}

fn figures_of(known: &Known, run: &str) -> Vec<Candidate> {
    let Some(view) = known.run(run) else { return Vec::new() };
    let declared = figures::read(&view.dir).unwrap_or_default().into_iter();
    let figures = declared.map(|figure| Candidate { word: figure.id, help: figure.title });
    let metrics = metrics(known, std::slice::from_ref(&view.manifest.run)).into_iter();
    figures.chain(metrics.map(Candidate::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_separated_as_by_a_shell() {
        assert_eq!(split("gradtop run "), ["gradtop", "run", ""]);
        assert_eq!(
            split("gradtop list 'state:failed lr>1' a\\ b"),
            ["gradtop", "list", "state:failed lr>1", "a b"]
        );
        assert_eq!(split("gradtop list 'open "), ["gradtop", "list", "open "]);
    }

    #[test]
    fn commands_options_and_fixed_values_are_known() {
        let words = |line: &str| candidates(line, None).into_iter().map(|c| c.word).collect::<Vec<_>>();
        assert_eq!(words("gradtop comp"), ["compare", "completions"]);
        assert_eq!(words("gradtop plugin rem"), ["remove"]);
        assert_eq!(words("gradtop run x --checkpoint"), ["--checkpoint-every"]);
        assert_eq!(words("gradtop plot a b --x s"), ["step", "share"]);
        assert_eq!(words("gradtop plot a b --x=s"), ["--x=step", "--x=share"]);
        assert_eq!(words("gradtop run x --device c"), ["cpu", "cuda:0"]);
        assert_eq!(words("gradtop run x --on s"), ["slurm"]);
        assert_eq!(words("gradtop data fetch mn"), ["mnist"]);
        assert_eq!(words("gradtop exec --metric loss:m"), ["loss:min", "loss:max"]);
        assert!(words("gradtop --nothing=").is_empty());
        assert!(words("gradtop query @").iter().all(|word| word.starts_with('@')));
    }
}
