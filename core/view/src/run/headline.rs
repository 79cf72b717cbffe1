//! The values that represent a run, and how they are named in titles, cells and sentences.

use std::collections::{BTreeMap, BTreeSet};

use gradtop_chart::cells::align::{Align, align};
use gradtop_chart::cells::text::{fit_distinct, fit_ends, width_of};
use gradtop_chart::number;
use gradtop_host::text::clean;
use gradtop_store::{Average, Declared, Headline, HeadlineLine, View};

/// Returns the headline metrics of a run in declaration order.
pub fn all(view: &View) -> Vec<Headline<'_>> {
    gradtop_store::headlines(&view.status.headline, &view.manifest.metrics)
}

/// Returns a title such as `last test loss`: the statistic, the split if all values share it, and the metric.
pub fn title(metric: &str, split: Option<&str>) -> String {
    let split = split.map(|s| format!("{} ", clean(s))).unwrap_or_default();
    format!("last {split}{}", clean(metric))
}

/// Describes what a headline value measures: `deep · test · mean of 5`. `split` is false if a title already names the split.
pub fn line_words(line: &HeadlineLine<'_>, split: bool) -> String {
    joined(&series_words(line, split), &mean_words(line))
}

fn series_words(line: &HeadlineLine<'_>, split: bool) -> String {
    crate::figure::name_of(line.model, line.split.filter(|_| split), None)
        .map(|n| clean(&n))
        .unwrap_or_default()
}

fn mean_words(line: &HeadlineLine<'_>) -> String {
    let mean = line.average.word();
    match (line.trials, line.finite) {
        (1, _) => String::new(),
        (all, finite) if finite == all || finite == 0 => format!("{mean} of {all}"),
        (all, finite) => format!("{mean} of {finite} of {all}"),
    }
}

fn joined(series: &str, mean: &str) -> String {
    [series, mean].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// Formats each value of a headline metric with what it measures, beginning with the split that represents the run.
pub fn values(headline: &Headline<'_>) -> Vec<String> {
    let first: Vec<_> = headline.of_split().collect();
    let others = headline.lines.iter().filter(|l| first.iter().all(|f| f.split != l.split));
    let words = |line: &HeadlineLine<'_>| {
        let mean = Some(mean_words(line)).filter(|words| !words.is_empty());
        let mean = mean.map(|words| format!(" ({words})")).unwrap_or_default();
        format!("{} {}{mean}", series_words(line, true), number::value(line.value)).trim_start().to_owned()
    };
    first.iter().copied().chain(others).map(words).collect()
}

/// Formats `last loss  deep · test 3.1e-6  middle · test 1.1e-5` with at most `most` values, beginning with the split
/// that represents the run.
pub fn text(view: &View, most: usize) -> String {
    let mut left = most;
    let mut parts = Vec::new();
    for headline in all(view) {
        if left == 0 {
            parts.push("…".to_owned());
            break;
        }
        let all = values(&headline);
        let mut shown = all[..all.len().min(left)].join("  ");
        left -= all.len().min(left);
        if left == 0 && all.len() > most {
            shown.push_str("  …");
        }
        parts.push(format!("{}  {shown}", title(headline.metric, None)));
    }
    parts.join("   ")
}

/// The value that represents a run, and what it is of beyond what the title says; all empty if there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The value.
    pub value: String,
    /// The series: `deep · test`.
    pub series: String,
    /// Its split, if the title names another.
    pub split: String,
    /// The statistic, if it is one of several values: `geometric mean of 3`.
    pub mean: String,
    /// What is said of it at least: `mean`, or `geo.` for a geometric one.
    pub least: &'static str,
}

/// A series that is cut to this width is still recognized.
const LEAST_SERIES: usize = 4;

impl Told {
    /// Returns what the value is of: `deep · test · mean of 5`.
    pub fn of(&self) -> String {
        joined(&self.series, &self.mean)
    }

    /// Returns the same with fewer words each: without the number of values, in one word, and at last without the mean.
    fn forms(&self) -> [String; 6] {
        let (kind, count) = self.mean.split_once(" of ").unwrap_or_default();
        let word = kind.trim_end_matches(" mean");
        let counted = if count.is_empty() { String::new() } else { format!("{word} of {count}") };
        let means = [self.mean.as_str(), kind, &counted, word, self.least, ""];
        means.map(|mean| joined(&self.series, mean))
    }

    /// Returns the series, and whether the value is a mean: `deep · test · mean`.
    pub fn short(&self) -> String {
        joined(&self.series, self.least)
    }

    /// Returns what the value is of in at most `room` columns: that it is a mean goes last, the series is cut before.
    pub fn of_within(&self, room: usize, ascii: bool) -> String {
        if let Some(whole) = self.forms()[..5].iter().find(|form| width_of(form) <= room) {
            return whole.clone();
        }
        let mean = width_of(&joined(" ", self.least)) - 1;
        let series = |room| fit_ends(&self.series_within(room, ascii), room, ascii);
        match room.checked_sub(mean) {
            Some(left) if left >= LEAST_SERIES => joined(&series(left), self.least),
            _ => series(room),
        }
    }

    /// Returns the series, cut so that a split that the title does not name stays whole in `room` columns.
    fn series_within(&self, room: usize, ascii: bool) -> String {
        let split = width_of(&self.split);
        let Some(name) = self.series.strip_suffix(&self.split).filter(|_| (1..=room).contains(&split)) else {
            return self.series.clone();
        };
        let name = name.trim_end_matches(" · ");
        match room.checked_sub(width_of(&joined(" ", &self.split)) - 1) {
            Some(left) if left >= LEAST_SERIES => joined(&fit_ends(name, left, ascii), &self.split),
            _ => self.split.clone(),
        }
    }
}

/// Returns the value that represents the run, and what it is of beyond what `common` says.
pub fn told(view: &View, common: Option<&Common>) -> Told {
    let headlines = all(view);
    let Some((headline, line)) = headlines.first().and_then(|h| Some((h, h.line()?))) else {
        return Told::default();
    };
    let is_said = |common: &Common| common.split.is_some() && common.split.as_deref() == line.split;
    let is_other = common.is_some_and(|common| common.split.is_some() && !is_said(common));
    let (name, mean) = (series_words(&line, !common.is_some_and(is_said)), mean_words(&line));
    let series = match common {
        Some(common) if common.units_differ => {
            let unit = Declared::from(headline.info).unit().map(clean).unwrap_or_default();
            joined(&unit, &name)
        }
        Some(_) => name,
        None => format!("{} {name}", clean(headline.metric)).trim_end().to_owned(),
    };
    let beyond = |words: String, said: fn(&Common) -> &String| {
        if common.is_some_and(|common| *said(common) == words) { String::new() } else { words }
    };
    let mean = beyond(mean, |common| &common.mean);
    Told {
        value: number::value(line.value),
        series: beyond(series, |common| &common.series),
        split: line.split.filter(|_| is_other).map(clean).unwrap_or_default(),
        least: match line.average {
            _ if mean.is_empty() => "",
            Average::GeometricMean => "geo.",
            other => other.word(),
        },
        mean,
    }
}

/// Columns below which decimal points of values with different names would not be aligned.
const MIN_NAME_WIDTH: usize = 5;

/// Returns the value that represents each of several runs with a short name, in at most `room` columns. Different names
/// stay distinguishable.
pub fn brief(views: &[&View], common: Option<&Common>, room: usize, ascii: bool) -> Vec<String> {
    let told: Vec<Told> = views.iter().map(|view| told(view, common)).collect();
    let values: Vec<String> = told.iter().map(|told| told.value.clone()).collect();
    let wide = |texts: &[String]| texts.iter().map(|t| width_of(t)).max().unwrap_or(0);
    let names = wide(&told.iter().map(Told::of).collect::<Vec<_>>());
    let aligned = align(&values, Align::Point, usize::MAX, ascii);
    let much = wide(&aligned) + if names > 0 { 1 + names.min(MIN_NAME_WIDTH) } else { 0 } > room;
    let values = if much { align(&values, Align::Left, usize::MAX, ascii) } else { aligned };
    let left = room.saturating_sub(wide(&values) + 1);
    // All are shortened alike.
    let form = |at: usize| told.iter().map(|told| told.forms()[at].clone()).collect::<Vec<String>>();
    let names = (0..6).map(form).find(|form| wide(form) <= left).unwrap_or_else(|| {
        let whole: Vec<String> = told.iter().map(|told| told.series.clone()).collect();
        let cut: Vec<String> = told.iter().map(|told| told.series_within(left, ascii)).collect();
        let distinct = |names: &[String]| names.iter().collect::<BTreeSet<_>>().len();
        let names = if distinct(&cut) == distinct(&whole) { cut } else { whole };
        fit_distinct(&names.iter().map(String::as_str).collect::<Vec<_>>(), left, ascii)
    });
    values.iter().zip(names).map(|(value, name)| format!("{value} {name}").trim_end().to_owned()).collect()
}

/// Returns how many of these values are means, where there is no room to say it of each: `14 means`, `2 geometric, 3 means`.
pub fn means(views: &[&View], common: Option<&Common>) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for told in views.iter().map(|view| told(view, common)).filter(|told| !told.mean.is_empty()) {
        *counts.entry(told.least).or_default() += 1;
    }
    let words = |(mean, n): (&str, usize)| match mean {
        "mean" => number::counted(n, mean),
        _ => format!("{n} geometric"),
    };
    (!counts.is_empty()).then(|| counts.into_iter().map(words).collect::<Vec<_>>().join(", "))
}

/// Returns the columns that [`brief`] needs for each value to cut no series.
pub fn brief_widths(views: &[&View], common: Option<&Common>) -> impl Iterator<Item = usize> {
    let told: Vec<Told> = views.iter().map(|view| told(view, common)).collect();
    let value = told.iter().map(|told| width_of(&told.value)).max().unwrap_or(0);
    told.into_iter().map(move |told| match width_of(&told.series) {
        0 => value,
        name => value + 1 + name,
    })
}

/// What the representative values of several runs have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Common {
    /// The first headline metric of all runs.
    pub metric: String,
    /// The split of all values; `None` if there is none or it differs.
    pub split: Option<String>,
    /// The series of all values, if it is to be said once for all; else empty.
    series: String,
    /// The statistic of all values, if it is to be said once for all; else empty.
    mean: String,
    /// What is said of it at least.
    least: &'static str,
    /// Whether they have different units; each value has its own then.
    units_differ: bool,
}

impl Common {
    /// Returns the title of a column of values.
    pub fn title(&self) -> String {
        title(&self.metric, self.split.as_deref())
    }

    /// Returns what all values are of, as far as it is said once for all.
    pub fn told(&self) -> Told {
        let Self { series, mean, least, .. } = self.clone();
        Told { series, mean, least, ..Told::default() }
    }

    /// Says once for all what the values are of, where it is the same: split, series and statistic. If most values are of one
    /// split, the others name theirs.
    #[must_use]
    pub fn said_once(mut self, views: &[&View]) -> Self {
        let split = |view: &&View| all(view).first()?.line()?.split.map(str::to_owned);
        let splits: Vec<Option<String>> =
            views.iter().filter(|view| !all(view).is_empty()).map(split).collect();
        let most =
            |split: &&Option<String>| splits.iter().filter(|other| other == split).count() * 2 > splits.len();
        if splits.iter().all(Option::is_some) {
            self.split = splits.iter().find(most).cloned().flatten();
        }
        let told = views.iter().map(|view| told(view, Some(&self))).filter(|told| !told.value.is_empty());
        let told: Vec<Told> = told.collect();
        let first = told.first().cloned().unwrap_or_default();
        if told.iter().all(|told| told.mean == first.mean) {
            (self.mean, self.least) = (first.mean, first.least);
        }
        if told.iter().all(|told| told.series == first.series) {
            self.series = first.series;
        }
        self
    }
}

/// Returns the first headline metric if all runs share it.
pub fn common(views: &[&View]) -> Option<Common> {
    let found: Vec<_> = views.iter().filter_map(|v| all(v).into_iter().next()).collect();
    let metric = found.first()?.metric;
    let same = |f: &dyn Fn(&Headline<'_>) -> bool| found.iter().all(f);
    let split = found[0].line()?.split;
    let named = same(&|h| h.line().is_some_and(|l| l.split == split));
    let split = split.filter(|_| named).map(str::to_owned);
    same(&|h| h.metric == metric).then(|| Common {
        metric: metric.to_owned(),
        split,
        units_differ: !found.iter().map(|h| h.info).collect::<Declared<'_>>().has_one_unit(),
        ..Common::default()
    })
}
