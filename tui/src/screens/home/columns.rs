//! Chooses the columns that fit, with the same widths in all groups so that they are aligned.

use std::sync::Arc;

use super::Home;
use super::cells;
use super::list::Group;
use crate::print::clean;
use crate::screens::shared::Shared;
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::text::width_of;
use gradtop_view::list::column;
use gradtop_view::run::{headline, progress, remark, state};
use gradtop_view::runs::RunRow;
use jiff::Timestamp;

/// The most parameters shown.
pub(super) const PARAMS: usize = 3;
/// Columns of at least this priority are kept as long as others can be narrowed.
const DEAR: usize = 5;
/// Columns that are the same for all runs are dropped before all others.
const SAME: usize = 100;
/// The widest name while other columns need space.
const NAME: usize = 28;
/// The width of a value.
const VALUE: usize = 11;
/// The widest series name while other columns need space.
const WHO: usize = 18;
/// The width of a value with its series name on a phone: its heading `last train loss` fits above.
const BRIEF: usize = 15;
/// The widest other column.
const WIDEST: usize = 40;
/// Text is cut to no less than this.
const LEAST: usize = 8;
/// Columns between two columns.
const GAP: usize = 2;

/// The content of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What<'a> {
    State,
    Name,
    /// The parameter with this index in the group.
    Param(usize),
    Bar,
    Percent,
    /// The headline value of a run.
    Metric,
    /// The series of the headline value.
    Who,
    Spark,
    /// Any other column of a list of runs, by name.
    Other(&'a str),
    /// The split of the values in that column.
    Split(&'a str),
}

impl What<'_> {
    /// The order in which columns are dropped when space is short: the highest goes first, among equals the rightmost; 0 is
    /// never dropped. What tells runs apart matters more than how far they are. `apart`: the values of a column belong to
    /// different series, which only another column shows.
    fn dispensable(self, apart: bool) -> usize {
        match self {
            Self::State | Self::Name => 0,
            Self::Who if apart => 1,
            Self::Metric => 1,
            Self::Percent => 2,
            Self::Param(0) | Self::Bar => 3,
            Self::Other("step") => 4,
            Self::Other("host" | "eta") => 5,
            Self::Param(1) => 6,
            Self::Other("rate") => 7,
            Self::Spark => 8,
            Self::Other("age") => 9,
            Self::Other("epoch") => 10,
            Self::Param(_) => 11,
            Self::Who => 12,
            Self::Other(_) | Self::Split(_) => 13,
        }
    }

    /// Returns whether it is the same for all of several runs and stays so, as none is at work.
    fn repeats(self, groups: &[&Group], now: Timestamp) -> bool {
        if !matches!(self, Self::Bar | Self::Percent | Self::Other(_)) {
            return false;
        }
        let mut runs = groups.iter().flat_map(|group| group.rows.iter().map(move |run| (group, run)));
        let Some((group, first)) = runs.next() else { return false };
        let text = self.text(group, first, now);
        let mut others = runs.peekable();
        others.peek().is_some()
            && !first.live()
            && others.all(|(group, run)| !run.live() && self.text(group, run, now) == text)
    }

    /// The order in which columns are narrowed: the highest last.
    fn firmness(self) -> usize {
        match self {
            Self::Spark => 0,
            Self::Bar => 1,
            Self::Who => 2,
            Self::Metric => 3,
            Self::State | Self::Percent | Self::Param(_) | Self::Other(_) | Self::Split(_) => 4,
            Self::Name => FIRMEST,
        }
    }

    /// The sort key of the column.
    pub(super) fn sorts(self, group: &Group) -> Option<String> {
        Some(match self {
            Self::State => "state".to_owned(),
            Self::Name => "name".to_owned(),
            Self::Param(i) => group.params.get(i)?.clone(),
            Self::Bar | Self::Percent => "progress".to_owned(),
            Self::Metric | Self::Who | Self::Spark => "metric".to_owned(),
            Self::Other(name) | Self::Split(name) => name.to_owned(),
        })
    }

    /// The text of a run.
    pub(super) fn text(self, group: &Group, run: &RunRow, now: Timestamp) -> String {
        match self {
            Self::Split(name) => column::split(&run.view, name),
            _ => self.sorts(group).map(|name| column::cell(&run.view, &name, now)).unwrap_or_default(),
        }
    }

    /// Returns whether no run of a group has anything in it.
    pub(super) fn is_empty(self, group: &Group, now: Timestamp) -> bool {
        match self {
            Self::Who => whos(group).all(|who| who.is_empty()),
            _ => group.rows.iter().all(|run| self.text(group, run, now).is_empty()),
        }
    }

    /// The heading in a group.
    pub(super) fn title(self, group: &Group) -> String {
        match self {
            Self::Param(i) => group.params.get(i).map(|name| column::title(name)).unwrap_or_default(),
            Self::Metric => {
                group.common.as_ref().map_or_else(|| "last value".to_owned(), headline::Common::title)
            }
            Self::Who | Self::Split(_) => "of".to_owned(),
            Self::Percent => "done".to_owned(),
            Self::Spark => "trend".to_owned(),
            _ => self.sorts(group).map(|name| clean(&name)).unwrap_or_default(),
        }
    }
}

/// The heading of a value where there is little room.
pub(super) fn without_last(title: &str) -> &str {
    title.strip_prefix("last ").unwrap_or(title)
}

/// The highest firmness.
const FIRMEST: usize = 5;

/// A requested column.
#[derive(Clone)]
struct Wanted<'a> {
    what: What<'a>,
    width: usize,
    /// The minimal width.
    least: usize,
    align: Align,
    /// Its place in the order of dropping; 0 is never dropped.
    cost: usize,
}

impl<'a> Wanted<'a> {
    /// `least`: the minimal width, if less than `width`.
    fn new(what: What<'a>, width: usize, least: usize) -> Self {
        let align = match what {
            What::Percent => Align::Right,
            What::Metric => Align::Point,
            What::Other(name) => column::align(name, std::iter::empty()),
            _ => Align::Left,
        };
        Self { what, width, least: least.min(width), align, cost: 0 }
    }

    fn fixed(what: What<'a>, width: usize) -> Self {
        Self::new(what, width, width)
    }

    /// How much it can be narrowed.
    fn gives(&self) -> usize {
        self.width - self.least
    }
}

/// A column and its position from the left edge of the list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<'a> {
    pub(super) what: What<'a>,
    pub(super) left: usize,
    pub(super) width: usize,
    pub(super) align: Align,
}

impl Column<'_> {
    /// Returns whether it is too narrow for the name of a state.
    pub(super) fn is_sign(&self) -> bool {
        self.width <= 2
    }
}

/// The columns that fit.
#[derive(Debug)]
pub(super) struct Columns<'a>(pub(super) Vec<Column<'a>>);

/// The width of the widest text.
fn widest(least: usize, most: usize, texts: impl Iterator<Item = String>) -> usize {
    texts.map(|t| width_of(&t)).max().unwrap_or(0).clamp(least.min(most), most)
}

/// The width of a text that is as long as the others, one in ten (and one of three) being longer.
fn usual(texts: impl Iterator<Item = String>) -> usize {
    let mut widths: Vec<usize> = texts.map(|text| width_of(&text)).collect();
    widths.sort_unstable();
    let longer = if widths.len() > 2 { widths.len().div_ceil(10) } else { 0 };
    widths.len().checked_sub(longer + 1).map_or(0, |at| widths[at])
}

/// The total width of columns with their gaps.
fn used(columns: &[Wanted<'_>]) -> usize {
    columns.iter().map(|c| c.width + GAP).sum::<usize>().saturating_sub(GAP)
}

/// Narrows columns: trends first, names last.
fn shrink(columns: &mut [Wanted<'_>], mut missing: usize) {
    for firmness in 0..=FIRMEST {
        for column in columns.iter_mut().filter(|c| c.what.firmness() == firmness) {
            let share = column.gives().min(missing);
            (column.width, missing) = (column.width - share, missing - share);
        }
    }
}

/// The name of a run at its displayed width: an alert adds a sign.
fn shown_name(run: &Arc<RunRow>) -> String {
    let sign = if remark::alert(&run.view).is_some() { "! " } else { "" };
    format!("{sign}{}", clean(run.name()))
}

/// The series of the values of a group's runs.
fn whos(group: &Group) -> impl Iterator<Item = String> + use<'_> {
    group.rows.iter().map(|run| headline::cells(&run.view, group.common.as_ref()).1)
}

impl<'a> Columns<'a> {
    /// Chooses the columns for a list of this width.
    pub(super) fn new(home: &'a Home, shared: &Shared, width: u16) -> Self {
        // What is out of sight takes no room.
        let groups = &*home.groups_in_view(shared);
        let rows = || groups.iter().flat_map(|group| &group.rows);
        let ascii = shared.theme.ascii();
        // On a narrow terminal, the sign of a state is enough.
        let state = if width < cells::NARROW {
            widest(1, 2, rows().map(|r| state::sign(r.view.state, r.view.certain, ascii)))
        } else {
            widest(10, 12, rows().map(|r| state::label_in(&r.view, ascii)))
        };
        let state = Wanted::fixed(What::State, state);
        let least = if width < cells::NARROW { 8 } else { 12 };
        let whole = widest(8, usize::MAX, rows().map(shown_name));
        let usual = usual(rows().map(shown_name)).clamp(least.min(whole), NAME);
        let name = Wanted::new(What::Name, usual, least);
        let room = usize::from(width).saturating_sub(usize::from(cells::MARKS) + 1);
        let mut columns = if home.columns.is_empty() {
            default_columns(home, shared, groups, width, room, [state, name])
        } else {
            view_columns(home, shared, groups, room, [state, name])
        };
        // Remaining space goes to long names, then to the trend.
        let mut spare = room.saturating_sub(used(&columns));
        let whos = || widest(0, WIDEST, groups.iter().copied().flat_map(whos));
        for column in &mut columns {
            let more = match column.what {
                What::Name => spare.min(whole.saturating_sub(column.width)),
                What::Who => spare.min(whos().saturating_sub(column.width)),
                What::Spark => spare.min(24),
                _ => 0,
            };
            (column.width, spare) = (column.width + more, spare - more);
        }
        let mut left = usize::from(cells::MARKS);
        let placed = columns.into_iter().map(|Wanted { what, width, align, .. }| {
            let column = Column { what, left, width, align };
            // The percentage belongs to the bar before it.
            left += width + GAP;
            column
        });
        Self(placed.collect())
    }

    /// Returns whether values include the name of their series.
    pub(super) fn brief(&self) -> bool {
        self.0.iter().any(|column| column.what == What::Metric && column.align == Align::Left)
    }

    /// The sort key of the heading at column `x`.
    pub(super) fn at(&self, x: u16, group: Option<&Group>) -> Option<String> {
        let x = usize::from(x);
        let column = self.0.iter().find(|c| c.left <= x && x < c.left + c.width + GAP)?;
        column.what.sorts(group?)
    }
}

/// The default columns.
fn default_columns<'a>(
    home: &'a Home,
    shared: &Shared,
    groups: &[&'a Group],
    width: u16,
    room: usize,
    first: [Wanted<'a>; 2],
) -> Vec<Wanted<'a>> {
    let rows = || groups.iter().flat_map(|group| &group.rows);
    let mut columns = Vec::from(first);
    if home.hosts() {
        let host = What::Other("host");
        let hosts = groups.iter().flat_map(|g| g.rows.iter().map(|r| host.text(g, r, shared.now)));
        columns.push(Wanted::new(host, widest(4, 16, hosts), LEAST));
    }
    for i in 0..PARAMS {
        let what = What::Param(i);
        let with = groups.iter().filter(|g| i < g.params.len());
        let texts =
            with.flat_map(|g| g.rows.iter().map(move |r| what.text(g, r, shared.now)).chain([what.title(g)]));
        let wide = widest(0, 14, texts);
        columns.extend((wide > 0).then(|| Wanted::fixed(what, wide)));
    }
    let narrow = width < cells::NARROW;
    let apart = !narrow
        && groups.iter().any(|g| {
            let mut values = g.rows.iter().map(|r| headline::cells(&r.view, g.common.as_ref()));
            let mut whos = values.by_ref().filter(|(value, _)| !value.is_empty()).map(|(_, who)| who);
            whos.next().is_some_and(|first| whos.any(|who| who != first))
        });
    let who = widest(0, WHO, groups.iter().copied().flat_map(whos));
    columns.extend([Wanted::new(What::Bar, 10, 5), Wanted::fixed(What::Percent, 5)]);
    let fixed = |name: &'static str, width| Wanted::fixed(What::Other(name), width);
    columns.push(fixed("step", 7));
    columns.extend(rows().any(|r| progress::epoch(&r.view).is_some()).then(|| fixed("epoch", 7)));
    // Columns of running runs take no space if there are none.
    columns.extend(rows().any(|r| r.live()).then(|| fixed("rate", 9)));
    columns.extend(rows().any(|r| r.live() && r.view.status.total > 0).then(|| fixed("eta", 6)));
    let titles = || {
        let named = groups.iter().filter(|g| !What::Metric.is_empty(g, shared.now));
        named.map(|g| What::Metric.title(g))
    };
    let most = 24 - cells::BEFORE_POINT;
    let title = widest(0, most, titles());
    let least = VALUE.max(title);
    if narrow {
        let views = |g: &&'a Group| g.rows.iter().map(|r| &r.view).collect::<Vec<_>>();
        let brief = |g: &&'a Group| headline::brief(&views(g), g.common.as_ref(), room, shared.theme.ascii());
        let width = widest(least, room, groups.iter().flat_map(brief));
        // No series is cut while there is another way.
        let whole = |g: &&'a Group| headline::brief_width(&views(g), g.common.as_ref(), shared.theme.ascii());
        let whole = groups.iter().map(whole).max().unwrap_or(0);
        let beside: usize = columns.iter().take(2).map(|column| column.least + GAP).sum();
        let least = whole.min(room.saturating_sub(beside)).max(BRIEF);
        columns.push(Wanted { align: Align::Left, ..Wanted::new(What::Metric, width, least) });
    } else {
        // Values are aligned with their heading, if there is room.
        let briefest = VALUE.max(widest(0, most, titles().map(|title| without_last(&title).to_owned())));
        columns.push(Wanted::new(What::Metric, least.max(title + cells::BEFORE_POINT), briefest));
        let series = groups.iter().copied().flat_map(whos).map(|who| headline::series_of(&who).to_owned());
        columns.extend((who > 0).then(|| Wanted::new(What::Who, who, widest(0, WHO, series))));
    }
    columns.extend([Wanted::new(What::Spark, 12, 8), fixed("age", 5), fixed("device", 6)]);
    for column in &mut columns {
        column.cost = column.what.dispensable(apart);
        if column.what.repeats(groups, shared.now) {
            column.cost += SAME;
        }
    }
    // A series name is worth more than the time left, and so are distinguishable names.
    let dear = if apart { DEAR - 1 } else { DEAR };
    let mut chosen = columns.clone();
    fit(&mut chosen, room, dear);
    if apart && !chosen.iter().any(|column| column.what == What::Who) {
        // A value whose series is unknown is meaningless.
        columns.retain(|column| !matches!(column.what, What::Metric | What::Who));
        fit(&mut columns, room, dear);
        return columns;
    }
    chosen
}

/// The columns of the current view; the last ones are dropped first.
fn view_columns<'a>(
    home: &'a Home,
    shared: &Shared,
    groups: &[&'a Group],
    room: usize,
    first: [Wanted<'a>; 2],
) -> Vec<Wanted<'a>> {
    let mut first = first.map(Some);
    let mut columns = Vec::new();
    for (place, name) in (1..).zip(&home.columns) {
        let known = match name.as_str() {
            "state" => first[0].take(),
            "name" => first[1].take(),
            "progress" => Some(Wanted::new(What::Bar, 10, 5)),
            _ => None,
        };
        let bar = known.as_ref().is_some_and(|column| column.what == What::Bar);
        let other = || {
            let (what, align) = (What::Other(name), column::align(name, home.list.rows().map(|r| &r.view)));
            let shown = |text: String| {
                if align == Align::Point { cells::align_point(&text, cells::BEFORE_POINT) } else { text }
            };
            let texts =
                groups.iter().flat_map(|g| g.rows.iter().map(move |r| shown(what.text(g, r, shared.now))));
            // The heading may carry the mark of the sort order.
            let wide = widest(0, WIDEST, texts.chain([format!("{} v", clean(name))]));
            Wanted { align, ..Wanted::new(what, wide, if align == Align::Left { LEAST } else { wide }) }
        };
        columns.push(Wanted { cost: 2 * place, ..known.unwrap_or_else(other) });
        columns.extend(bar.then(|| Wanted { cost: 2 * place - 1, ..Wanted::fixed(What::Percent, 5) }));
        let several =
            groups.iter().any(|g| column::has_several_splits(name, g.rows.iter().map(|run| &run.view)));
        columns.extend(several.then(|| {
            let splits = home.list.rows().map(|run| column::split(&run.view, name));
            Wanted { cost: 2 * place - 1, ..Wanted::fixed(What::Split(name), widest(2, WHO, splits)) }
        }));
    }
    fit(&mut columns, room, usize::MAX);
    columns
}

/// Keeps the columns that fit, those of the lowest cost first, and narrows them. One that costs more than `dear` is kept only
/// if nothing but a series and a trend have to be narrowed for it.
fn fit(columns: &mut Vec<Wanted<'_>>, room: usize, dear: usize) {
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|i| columns[*i].cost);
    let mut kept = vec![false; columns.len()];
    for (n, i) in order.into_iter().enumerate() {
        kept[i] = true;
        let wide = columns[i].cost > dear;
        let gives = |c: &Wanted<'_>| !wide || matches!(c.what, What::Who | What::Spark);
        let width = |c: &Wanted<'_>| if gives(c) { c.least } else { c.width };
        let need: usize = (0..).zip(&*columns).filter(|(c, _)| kept[*c]).map(|(_, c)| width(c) + GAP).sum();
        kept[i] = n == 0 || columns[i].cost == 0 || need <= room + GAP;
    }
    let mut kept = kept.into_iter();
    columns.retain(|_| kept.next().unwrap_or(false));
    let missing = used(columns).saturating_sub(room);
    shrink(columns, missing);
}

#[cfg(test)]
mod tests {
    use gradtop_store::{ParamValue, SeriesKey, State};

    use crate::app::testing::{Bench, Spec, run};

    #[test]
    fn what_tells_runs_apart_has_a_column_before_what_repeats() {
        let of = |name: &str, lr, model: &str, value| {
            let key = SeriesKey { model: Some(model.into()), ..SeriesKey::metric("loss") };
            run("fit", name, 1).param("lr", ParamValue::Float(lr)).logged(key, &[(0, 1.0), (1, value)])
        };
        let runs = || {
            vec![of("plane-curve-1", 0.125, "deep", 3.142e-6), of("plane-curve-2", 0.25, "shallow", 2.718e-5)]
        };
        let screen = |runs: Vec<Spec>, (width, height)| {
            let mut bench = Bench::of(runs);
            bench.resize(width, height);
            bench.screen()
        };
        let live =
            || runs().into_iter().zip([5_000, 900]).map(|(run, step)| run.at(State::Running, step)).collect();
        for (runs, size) in [(runs(), (80, 24)), (live(), (80, 24)), (runs(), (40, 15))] {
            let screen = screen(runs, size);
            for word in [" lr ", "0.125", "0.25", "3.142e-6", "deep", "2.718e-5", "shallow"] {
                assert!(screen.contains(word), "{word} in {size:?}: {screen}");
            }
        }
        // On a phone, the progress of a run at work comes before a parameter.
        let phone = screen(live(), (40, 15));
        assert!(
            phone.contains("25 %") && phone.contains("2.718e-5 shallow") && !phone.contains(" lr "),
            "{phone}"
        );
    }
}
