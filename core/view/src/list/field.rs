//! What every run has: its names in filters and columns, how it is shown, sorted and compared. A new one is one entry of
//! `FIELDS`; lists and filters read nothing else.

use gradtop_chart::cells::align::Align;
use gradtop_chart::number;
use gradtop_host::text::clean;
use gradtop_store::{Declared, Goal, Headline, HeadlineLine, ParamValue, View};
use jiff::Timestamp;

use super::key::Key;
use crate::clock;
use crate::run::{headline, notes, progress, state};

pub(super) const SEED: &str = "seed";
pub(super) const METRIC: &str = "metric";
/// The column of what that value is of.
pub(super) const OF: &str = "of";
pub(super) const STATE: &str = "state";
/// Whether people have said something of a run: `is:starred`.
pub(super) const MARK: &str = "is";
pub(super) const MARKS: [&str; 3] = ["starred", "tagged", "noted"];
/// Words for several states, and whether those are final.
pub(super) const STATES: [(&str, bool); 2] = [("live", false), ("ended", true)];

/// Something that every run has, though it may be empty.
pub(super) struct Field {
    /// Its name, which is its heading, and other names for it.
    names: &'static [&'static str],
    pub(super) align: Align,
    shown: Shown,
    pub(super) asked: Asked,
}

/// What a cell shows, empty if a run has nothing, and how runs are sorted by it.
enum Shown {
    /// A text, sorted alphabetically.
    Text(fn(&View) -> Option<&str>),
    /// A number and its words, largest first.
    Large(fn(&View, Timestamp) -> Option<f64>, fn(&View, f64) -> String),
    /// A number and its words, smallest first.
    Small(fn(&View, Timestamp) -> Option<f64>, fn(&View, f64) -> String),
    /// A text with a separate sort key.
    Sorted(fn(&View) -> String, fn(&View, Timestamp) -> Key),
}

/// How a filter compares it.
pub(super) enum Asked {
    /// Not at all.
    No,
    /// As the number that is shown.
    Number,
    /// As the number that is shown, in seconds.
    Time,
    /// As a text of which a part is named.
    Part(fn(&View) -> Option<&str>),
    /// As texts of which one is named.
    Whole(fn(&View) -> Vec<&str>),
}

impl Asked {
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Number | Self::Time)
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Part(_) | Self::Whole(_))
    }
}

impl Field {
    const fn text(names: &'static [&'static str], of: fn(&View) -> Option<&str>) -> Self {
        Self { names, align: Align::Left, shown: Shown::Text(of), asked: Asked::Part(of) }
    }

    const fn number(name: &'static [&'static str; 1], shown: Shown, asked: Asked) -> Self {
        Self { names: name, align: Align::Right, shown, asked }
    }

    const fn sorted(
        names: &'static [&'static str],
        words: fn(&View) -> String,
        key: fn(&View, Timestamp) -> Key,
        asked: Asked,
    ) -> Self {
        Self { names, align: Align::Left, shown: Shown::Sorted(words, key), asked }
    }

    /// The field with one of its names.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        FIELDS.iter().find(|field| field.names.contains(&name))
    }

    /// The field of a filter with one of its names.
    pub(super) fn asked(name: &str) -> Option<&'static Self> {
        Self::named(name).filter(|field| !matches!(field.asked, Asked::No))
    }

    pub(super) fn name(&self) -> &'static str {
        self.names[0]
    }

    /// Whether this is one of its names, regardless of case.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.names.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    pub(super) fn cell(&self, run: &View, now: Timestamp) -> String {
        match self.shown {
            Shown::Text(of) => of(run).map(clean).unwrap_or_default(),
            Shown::Large(of, words) | Shown::Small(of, words) => {
                of(run, now).map(|number| words(run, number)).unwrap_or_default()
            }
            Shown::Sorted(words, _) => words(run),
        }
    }

    pub(super) fn key(&self, run: &View, now: Timestamp) -> Key {
        match self.shown {
            Shown::Text(of) => Key::text(of(run)),
            Shown::Large(of, _) => Key::large(of(run, now)),
            Shown::Small(of, _) => Key::small(of(run, now)),
            Shown::Sorted(_, key) => key(run, now),
        }
    }

    /// The number that is shown.
    pub(super) fn value(&self, run: &View, now: Timestamp) -> Option<f64> {
        match self.shown {
            Shown::Large(of, _) | Shown::Small(of, _) => of(run, now),
            Shown::Text(_) | Shown::Sorted(..) => None,
        }
    }
}

pub(super) static FIELDS: [Field; 26] = [
    Field::sorted(
        &[STATE],
        state::label,
        |run, _| Key::Number(f64::from(run.state as u8)),
        Asked::Whole(|run| {
            let several = STATES.iter().filter(|(_, last)| run.state.is_final() == *last);
            several.map(|(word, _)| *word).chain([run.state.word()]).collect()
        }),
    ),
    Field::text(&["name", "run"], |run| Some(&run.manifest.run)),
    Field::text(&["experiment", "exp"], |run| Some(&run.manifest.experiment.id)),
    Field::number(
        &["progress"],
        Shown::Large(
            |run, _| progress::of(run).map(|(done, all)| 100.0 * done.min(all) as f64 / all as f64),
            |run, _| progress::of(run).map(|(done, all)| number::percent(done, all)).unwrap_or_default(),
        ),
        Asked::Number,
    ),
    Field::number(
        &["step"],
        Shown::Large(|run, _| run.status.step.map(|step| step as f64), |_, step| number::whole(step as i64)),
        Asked::Number,
    ),
    Field::number(
        &["epoch"],
        Shown::Large(|run, _| progress::epoch(run), |_, epoch| progress::epoch_words(epoch)),
        Asked::Number,
    ),
    Field::number(
        &["rate"],
        Shown::Large(|run, _| progress::rate(run), |_, rate| number::rate(rate)),
        Asked::Number,
    ),
    Field::number(
        &["eta"],
        Shown::Small(|run, _| progress::eta(run), |_, eta| number::time_left(eta)),
        Asked::Time,
    ),
    // Which value comes first, the runs decide together: see `column::keys`.
    Field {
        align: Align::Point,
        ..Field::sorted(&[METRIC], |run| headline::told(run, None).value, |_, _| Key::None, Asked::No)
    },
    Field::sorted(&[OF], |run| headline::told(run, None).of(), |_, _| Key::None, Asked::No),
    Field::number(
        &["age"],
        Shown::Small(|run, now| Some(age(run, now)), |_, age| number::age(age)),
        Asked::Time,
    ),
    Field::number(&["took"], Shown::Small(progress::took, |_, took| number::duration(took)), Asked::Time),
    Field::sorted(
        &["created"],
        |run| clock::moment(run.manifest.created),
        |run, _| Key::large(Some(run.manifest.created.as_nanosecond() as f64)),
        Asked::No,
    ),
    Field::text(&["device"], |run| run.manifest.device.as_deref()),
    Field::text(&["host"], |run| run.manifest.host.as_deref()),
    Field {
        asked: Asked::Whole(|run| vec![run.manifest.preset.as_deref().unwrap_or_default()]),
        ..Field::text(&["preset"], |run| run.manifest.preset.as_deref())
    },
    Field::number(
        &[SEED],
        Shown::Small(
            |run, _| run.manifest.seed.map(|seed| seed as f64),
            // A number of that kind may have more digits.
            |run, _| run.manifest.seed.unwrap_or_default().to_string(),
        ),
        Asked::Number,
    ),
    Field::number(
        &["threads"],
        Shown::Small(|run, _| run.manifest.threads.map(f64::from), |_, threads| threads.to_string()),
        Asked::Number,
    ),
    Field::number(
        &["rows"],
        Shown::Large(|run, _| run.status.rows.map(|rows| rows as f64), |_, rows| number::count(rows)),
        Asked::Number,
    ),
    Field::text(&["phase"], |run| run.status.phase.as_deref()),
    Field::text(&["cause"], |run| run.status.cause.as_deref()),
    Field::number(
        &["size"],
        Shown::Large(|run, _| Some(run.size() as f64), |_, size| number::bytes(size as u64)),
        Asked::No,
    ),
    Field::sorted(
        &["star"],
        |run| if run.notes.starred { notes::STAR.to_owned() } else { String::new() },
        |run, _| Key::large(run.notes.starred.then_some(1.0)),
        Asked::No,
    ),
    Field::sorted(
        &["tags", "tag"],
        |run| clean(&run.notes.tags.join(" ")),
        |run, _| Key::text(run.notes.tags.first().map(String::as_str)),
        Asked::Whole(|run| run.notes.tags.iter().map(String::as_str).collect()),
    ),
    Field::sorted(
        &[MARK],
        |run| marks(run).join(" "),
        |run, _| Key::text(marks(run).first().copied()),
        Asked::Whole(marks),
    ),
    Field {
        asked: Asked::Part(|run| Some(&run.notes.note)),
        ..Field::text(&["note"], |run| Some(run.notes.headline()).filter(|note| !note.is_empty()))
    },
];

/// What people have said of a run, of [`MARKS`].
fn marks(run: &View) -> Vec<&str> {
    let notes = &run.notes;
    let holds = [notes.starred, !notes.tags.is_empty(), !notes.note.is_empty()];
    MARKS.into_iter().zip(holds).filter_map(|(mark, holds)| holds.then_some(mark)).collect()
}

/// Returns the seconds since the run was created.
fn age(run: &View, now: Timestamp) -> f64 {
    now.duration_since(run.manifest.created).as_secs_f64().max(0.0)
}

/// Returns the value of a metric that represents the run. If no metric is named, its first headline metric is used.
pub(super) fn headline<'a>(run: &'a View, metric: Option<&str>) -> Option<(Headline<'a>, HeadlineLine<'a>)> {
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

/// Returns the sort key of a value that represents its run, best first. `declared`: what all the runs say of its metric.
pub(super) fn headline_key(
    (headline, line): &(Headline<'_>, HeadlineLine<'_>),
    declared: &Declared<'_>,
) -> Key {
    let up = declared.goal() == Goal::Max;
    match if up { Key::large(Some(line.value)) } else { Key::small(Some(line.value)) } {
        // A training loss is not compared with a test loss, nor seconds with milliseconds.
        Key::Number(v) => {
            let (rank, split) = declared.split_rank(line.split);
            let unit = Declared::from(headline.info).unit();
            Key::Measured((rank, split.map(str::to_owned), unit.map(str::to_owned)), v)
        }
        key => key,
    }
}

/// Returns a parameter of a run by its name, else by one that differs only in case.
pub(super) fn param<'a>(run: &'a View, name: &str) -> Option<&'a ParamValue> {
    let named = run.manifest.params.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    named.max_by_key(|(key, _)| key == name).map(|(_, value)| value)
}
