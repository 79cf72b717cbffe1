//! The values that represent a run, and how they are named in titles, cells and sentences.

use gradtop_chart::cells::align::{Align, align};
use gradtop_chart::cells::text::{fit_distinct, fit_ends, width_of};
use gradtop_chart::number;
use gradtop_host::text::clean;
use gradtop_store::{Headline, HeadlineLine, View};

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
    let name = crate::figure::name_of(line.model, line.split.filter(|_| split), None).map(|n| clean(&n));
    let mean = line.average.word();
    let trials = match (line.trials, line.finite) {
        (1, _) => None,
        (all, finite) if finite == all || finite == 0 => Some(format!("{mean} of {all}")),
        (all, finite) => Some(format!("{mean} of {finite} of {all}")),
    };
    [name, trials].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// Formats each value of a headline metric with what it measures, beginning with the split that represents the run.
pub fn values(headline: &Headline<'_>) -> Vec<String> {
    let first: Vec<_> = headline.of_split().collect();
    let others = headline.lines.iter().filter(|l| first.iter().all(|f| f.split != l.split));
    let words = |line: &HeadlineLine<'_>| {
        format!("{} {}", line_words(line, true), number::value(line.value)).trim_start().to_owned()
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

/// Returns the value that represents the run, and what it measures beyond what the title of `common` says.
pub fn cells(view: &View, common: Option<&Common>) -> (String, String) {
    let headlines = all(view);
    let Some((headline, line)) = headlines.first().and_then(|h| Some((h, h.line()?))) else {
        return (String::new(), String::new());
    };
    let of = match common {
        Some(common) => line_words(&line, common.split.is_none()),
        None => format!("{} {}", clean(headline.metric), line_words(&line, true)).trim_end().to_owned(),
    };
    (number::value(line.value), of)
}

/// Columns below which decimal points of values with different names would not be aligned.
const MIN_NAME_WIDTH: usize = 5;

/// Returns the value that represents each of several runs with a short name, in at most `room` columns. Different names
/// stay distinguishable.
pub fn brief(views: &[&View], common: Option<&Common>, room: usize, ascii: bool) -> Vec<String> {
    let (values, names): (Vec<_>, Vec<_>) = views.iter().map(|view| cells(view, common)).unzip();
    let wide = |texts: &[String]| texts.iter().map(|t| width_of(t)).max().unwrap_or(0);
    let named = names.iter().any(|name| !name.is_empty());
    let aligned = align(&values, Align::Point, usize::MAX, ascii);
    let much = wide(&aligned) + if named { 1 + wide(&names).min(MIN_NAME_WIDTH) } else { 0 } > room;
    let values = if much { align(&values, Align::Left, usize::MAX, ascii) } else { aligned };
    let left = room.saturating_sub(wide(&values) + 1);
    // All are shortened alike.
    let forms =
        [str::to_owned, |name: &str| without_count(name).to_owned(), |name: &str| series_of(name).to_owned()];
    let mut forms = forms.map(|form| names.iter().map(|name| form(name)).collect::<Vec<String>>());
    let at = forms.iter().position(|form| wide(form) <= left).unwrap_or(forms.len() - 1);
    let names = std::mem::take(&mut forms[at]);
    let told = fit_distinct(&names.iter().map(String::as_str).collect::<Vec<_>>(), left, ascii);
    values.iter().zip(told).map(|(value, name)| format!("{value} {name}").trim_end().to_owned()).collect()
}

/// Returns the columns that [`brief`] needs to cut no series.
pub fn brief_width(views: &[&View], common: Option<&Common>, ascii: bool) -> usize {
    brief(views, common, usize::MAX, ascii)
        .iter()
        .map(|text| width_of(series_of(text.trim_start())))
        .max()
        .unwrap_or(0)
}

/// Returns what a value is of, without the number of values that it is the mean of: `deep · test · mean`.
pub fn without_count(words: &str) -> &str {
    words.rfind(MEAN).map_or(words, |at| &words[..at + MEAN.trim_end_matches(" of ").len()])
}

/// How the statistic of a mean begins.
const MEAN: &str = "mean of ";

/// A series that is cut to this width is still recognized.
const LEAST_SERIES: usize = 8;

/// Returns what a value is of in at most `room` columns. That it is a mean goes last: the series is cut before.
pub fn fitting(words: &str, room: usize, ascii: bool) -> String {
    let (brief, series) = (without_count(words), series_of(words));
    if let Some(whole) = [words, brief].into_iter().find(|form| width_of(form) <= room) {
        return whole.to_owned();
    }
    // Of which kind goes before.
    let statistic = if brief == series { "" } else { " · mean" };
    match room.checked_sub(width_of(statistic)) {
        Some(left) if left >= LEAST_SERIES => fit_ends(series, left, ascii) + statistic,
        _ => fit_ends(series, room, ascii),
    }
}

/// Returns what a value is of, without the statistic.
pub fn series_of(words: &str) -> &str {
    words.rsplit_once(" · ").filter(|(_, of)| of.contains("mean of ")).map_or(words, |(series, _)| series)
}

/// What the representative values of several runs have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Common {
    /// The first headline metric of all runs.
    pub metric: String,
    /// The split of all values; `None` if there is none or it differs.
    pub split: Option<String>,
}

impl Common {
    /// Returns the title of a column of values.
    pub fn title(&self) -> String {
        title(&self.metric, self.split.as_deref())
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
    same(&|h| h.metric == metric).then(|| Common { metric: metric.to_owned(), split })
}
