//! Columns of a list of runs: their names, content and sort order. `list` and the monitor share them; a new column is
//! one entry of `COLUMNS`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::number;
use gradtop_host::text::clean;
use gradtop_store::{CommandInfo, Goal, Headline, HeadlineLine, ParamValue, View, split_rank};
use jiff::Timestamp;

use super::filter;
use super::filter::PARAM;
use super::key::Key;
use crate::clock;
use crate::run::{headline, notes, param, progress, state};

const SEED: &str = "seed";
const METRIC: &str = "metric";

/// A column that every run has.
struct Column {
    name: &'static str,
    align: Align,
    holds: Holds,
}

/// The content of a column, empty if a run has none, and how runs are sorted by it.
enum Holds {
    /// A text, sorted alphabetically.
    Text(fn(&View) -> Option<&str>),
    /// A number and its format, largest first.
    Large(fn(&View, Timestamp) -> Option<f64>, fn(f64) -> String),
    /// A number and its format, smallest first.
    Small(fn(&View, Timestamp) -> Option<f64>, fn(f64) -> String),
    /// A text with a separate sort key.
    Sorted(fn(&View) -> String, fn(&View, Timestamp) -> Key),
}

impl Holds {
    fn cell(&self, run: &View, now: Timestamp) -> String {
        match self {
            Self::Text(of) => of(run).map(clean).unwrap_or_default(),
            Self::Large(of, words) | Self::Small(of, words) => of(run, now).map(words).unwrap_or_default(),
            Self::Sorted(words, _) => words(run),
        }
    }

    fn key(&self, run: &View, now: Timestamp) -> Key {
        match self {
            Self::Text(of) => Key::text(of(run)),
            Self::Large(of, _) => Key::large(of(run, now)),
            Self::Small(of, _) => Key::small(of(run, now)),
            Self::Sorted(_, key) => key(run, now),
        }
    }
}

const fn text(name: &'static str, of: fn(&View) -> Option<&str>) -> Column {
    Column { name, align: Align::Left, holds: Holds::Text(of) }
}

const fn counted(name: &'static str, holds: Holds) -> Column {
    Column { name, align: Align::Right, holds }
}

const fn sorted(
    name: &'static str,
    align: Align,
    words: fn(&View) -> String,
    key: fn(&View, Timestamp) -> Key,
) -> Column {
    Column { name, align, holds: Holds::Sorted(words, key) }
}

const COLUMNS: [Column; 24] = [
    sorted("state", Align::Left, state::label, |run, _| Key::Number(f64::from(run.state as u8))),
    text("name", |run| Some(&run.manifest.run)),
    text("experiment", |run| Some(&run.manifest.experiment.id)),
    sorted(
        "progress",
        Align::Right,
        |run| or_empty(progress::of(run).map(|(done, total)| number::percent(done, total))),
        |run, _| Key::large(progress::of(run).map(|(done, total)| done as f64 / total as f64)),
    ),
    counted(
        "step",
        Holds::Large(|run, _| run.status.step.map(|step| step as f64), |step| number::whole(step as i64)),
    ),
    counted("epoch", Holds::Large(|run, _| progress::epoch(run), progress::epoch_words)),
    counted("rate", Holds::Large(|run, _| progress::rate(run), number::rate)),
    counted("eta", Holds::Small(|run, _| progress::eta(run), number::time_left)),
    sorted(METRIC, Align::Point, |run| headline::told(run, None).value, |run, _| headline_key(run, None)),
    sorted("of", Align::Left, |run| headline::told(run, None).of(), |run, _| headline_key(run, None)),
    counted("age", Holds::Small(|run, now| Some(age(run, now)), |age| number::age(age.max(0.0)))),
    counted("took", Holds::Small(progress::took, number::duration)),
    sorted(
        "created",
        Align::Left,
        |run| clock::moment(run.manifest.created),
        |run, now| Key::small(Some(age(run, now))),
    ),
    text("device", |run| Some(&run.manifest.device)),
    text("host", |run| Some(&run.manifest.host)),
    text("preset", |run| run.manifest.preset.as_deref()),
    sorted(
        SEED,
        Align::Right,
        |run| or_empty(run.manifest.known_seed().map(|seed| seed.to_string())),
        |run, _| Key::small(run.manifest.known_seed().map(|seed| seed as f64)),
    ),
    counted(
        "threads",
        Holds::Small(|run, _| run.manifest.known_threads().map(f64::from), |threads| threads.to_string()),
    ),
    counted("rows", Holds::Large(|run, _| Some(run.status.rows as f64), number::count)),
    text("cause", |run| run.status.cause.as_deref()),
    counted("size", Holds::Large(|run, _| Some(run.size() as f64), |size| number::bytes(size as u64))),
    sorted(
        "star",
        Align::Left,
        |run| or_empty(run.notes.starred.then(|| notes::STAR.to_owned())),
        |run, _| Key::large(run.notes.starred.then_some(1.0)),
    ),
    sorted(
        "tags",
        Align::Left,
        |run| clean(&run.notes.tags.join(" ")),
        |run, _| Key::text(run.notes.tags.first().map(String::as_str)),
    ),
    text("note", |run| Some(run.notes.headline()).filter(|note| !note.is_empty())),
];

/// Returns the columns in which runs of one experiment differ: parameters, with the prefix [`PARAM`], and the seed, where
/// parameters alone do not tell the runs apart. The parameter that tells most of them apart comes
/// first, and one that only some of them have last.
pub fn differing(views: &[&View]) -> Vec<String> {
    let mut params = param::differing(views);
    let values =
        |key: &str| views.iter().map(|view| param(view, key).map(ToString::to_string)).collect::<Vec<_>>();
    params.sort_by_cached_key(|key| {
        let values = values(key);
        let is_single = param::told_apart(values.iter().flatten()) == 0.0;
        (is_single, Reverse((param::told_apart(&values) * 1e6) as u64))
    });
    let seed = (!params.contains(&SEED) && seed_tells_apart(views, &params)).then(|| SEED.to_owned());
    params.iter().map(|name| format!("{PARAM}{name}")).chain(seed).collect()
}

/// Returns whether the runs are from different machines, so that the host should be shown.
pub fn several_hosts<'a>(views: impl IntoIterator<Item = &'a View>) -> bool {
    let mut hosts = views.into_iter().map(|view| view.manifest.host.as_str());
    hosts.next().is_some_and(|first| hosts.any(|host| host != first))
}

/// Of a hundred thousand drawn seeds, of 32 bits, one or two are smaller.
const SMALL_SEED: u64 = 1 << 16;

/// Returns whether runs with the same parameters have different seeds, and used them.
fn seed_tells_apart(views: &[&View], differing: &[&str]) -> bool {
    if views.windows(2).all(|pair| pair[0].manifest.known_seed() == pair[1].manifest.known_seed()) {
        return false;
    }
    let mut settings: BTreeMap<Vec<Option<String>>, u64> = BTreeMap::new();
    let mut seeds: BTreeSet<u64> = BTreeSet::new();
    let (mut apart, mut used) = (false, false);
    for (view, seed) in views.iter().filter_map(|view| Some((view, view.manifest.known_seed()?))) {
        let values = differing.iter().map(|name| param(view, name).map(ToString::to_string)).collect();
        apart |= *settings.entry(values).or_insert(seed) != seed;
        // A seed was drawn for a command, too. It was chosen if it is too small for one that was drawn, another run has
        // it, or the command line contains it.
        let chosen = |command: &CommandInfo| {
            seed < SMALL_SEED || command.argv.iter().any(|word| word.contains(&seed.to_string()))
        };
        used |= !seeds.insert(seed) || view.manifest.command.as_ref().is_none_or(chosen);
    }
    apart && used
}

/// Returns the heading of a column.
pub fn title(name: &str) -> String {
    clean(name.strip_prefix(PARAM).unwrap_or(name))
}

fn column(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.name == name)
}

/// Resolves the name of a column that is not empty for some run: one that every run has, else a parameter, else a metric.
pub fn named<'a>(name: &str, runs: impl Iterator<Item = &'a View> + Clone) -> Option<String> {
    let own = || COLUMNS.iter().map(|column| column.name.to_owned());
    own().chain(filter::fields_of(runs)).find(|known| known.eq_ignore_ascii_case(name))
}

/// Returns the names of all possible columns of these runs, those that not every run has first.
pub fn all<'a>(runs: impl Iterator<Item = &'a View> + Clone) -> Vec<String> {
    filter::fields_of(runs).into_iter().chain(COLUMNS.iter().map(|column| column.name.to_owned())).collect()
}

/// Returns the alignment of a column.
pub fn align<'a>(name: &str, mut runs: impl Iterator<Item = &'a View>) -> Align {
    let is_text = |run| matches!(param(run, name), Some(ParamValue::Text(_) | ParamValue::Bool(_)));
    match column(name) {
        Some(column) => column.align,
        None if runs.any(is_text) => Align::Left,
        None => Align::Point,
    }
}

/// Returns the text of a run's cell; empty if it has none. With the prefix [`PARAM`], the name means a parameter.
pub fn cell(run: &View, name: &str, now: Timestamp) -> String {
    if let Some(name) = name.strip_prefix(PARAM) {
        return or_empty(param(run, name).map(param::brief));
    }
    match (column(name), param(run, name)) {
        (Some(column), _) => column.holds.cell(run, now),
        (None, Some(value)) => param::brief(value),
        (None, None) => or_empty(headline(run, Some(name)).map(|(_, line)| number::value(line.value))),
    }
}

/// Returns the colour of a cell.
pub fn ink(run: &View, name: &str) -> Ink {
    match name {
        "state" => state::ink(run.state),
        "name" => Ink::Bold,
        "of" | "age" => Ink::Dim,
        _ => Ink::Text,
    }
}

/// Returns the sort key of a run in a column. With the prefix [`PARAM`], the name means a parameter.
pub(crate) fn key(run: &View, name: &str, now: Timestamp) -> Key {
    if let Some(name) = name.strip_prefix(PARAM) {
        return param(run, name).map_or(Key::None, Key::of);
    }
    match (column(name), param(run, name)) {
        (Some(column), _) => column.holds.key(run, now),
        (None, Some(value)) => Key::of(value),
        (None, None) => headline_key(run, Some(name)),
    }
}

/// Returns the value of a metric that represents the run. If no metric is named, its first headline metric is used.
fn headline<'a>(run: &'a View, metric: Option<&str>) -> Option<(Headline<'a>, HeadlineLine<'a>)> {
    let mut all = headline::all(run).into_iter();
    let headline = match metric {
        Some(metric) => {
            all.filter(|h| h.metric.eq_ignore_ascii_case(metric)).max_by_key(|h| h.metric == metric)
        }
        None => all.next(),
    }?;
    let line = headline.line()?;
    Some((headline, line))
}

/// Returns whether a column has values of several splits, which are not comparable and are sorted each by itself.
pub fn has_several_splits<'a>(name: &str, runs: impl Iterator<Item = &'a View>) -> bool {
    let splits = runs.filter_map(|run| headline_of(run, name)).map(|(_, line)| line.split.map(str::to_owned));
    splits.collect::<BTreeSet<_>>().len() > 1
}

/// Returns the split that a run's value in a column is of.
pub fn split(run: &View, name: &str) -> String {
    or_empty(headline_of(run, name).and_then(|(_, line)| line.split.map(clean)))
}

fn headline_of<'a>(run: &'a View, name: &str) -> Option<(Headline<'a>, HeadlineLine<'a>)> {
    match (name == METRIC, column(name), param(run, name)) {
        (true, ..) => headline(run, None),
        (_, None, None) => headline(run, Some(name)),
        _ => None,
    }
}

/// Returns the sort key of a value that represents the run, best first. If no metric is named, its first headline metric is used.
fn headline_key(run: &View, metric: Option<&str>) -> Key {
    let Some((headline, line)) = headline(run, metric) else { return Key::None };
    let up = headline.info.is_some_and(|i| i.goal == Goal::Max);
    match if up { Key::large(Some(line.value)) } else { Key::small(Some(line.value)) } {
        // A training loss is not compared with a test loss.
        Key::Number(v) => {
            let (rank, split) = split_rank(headline.info, line.split);
            Key::OfSplit((rank, split.map(str::to_owned)), v)
        }
        key => key,
    }
}

fn or_empty(text: Option<String>) -> String {
    text.unwrap_or_default()
}

/// Returns the seconds since the run was created.
fn age(run: &View, now: Timestamp) -> f64 {
    now.duration_since(run.manifest.created).as_secs_f64()
}

pub(crate) fn param<'a>(run: &'a View, name: &str) -> Option<&'a ParamValue> {
    let named = run.manifest.params.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    named.max_by_key(|(key, _)| key == name).map(|(_, value)| value)
}
