//! `gradtop plot`: draws figures and metrics of runs in the terminal, as pictures or as CSV.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use gradtop_chart::{Chart, Figure, Points, Shape, number};
use gradtop_store::View;
use gradtop_store::figures::{self, Figure as Declared, MarkKind, Panel, Scale};

use super::{Context, compare, select};
use crate::config::whole;
use crate::drawing::{self, Format};
use crate::failure::Failure;
use crate::print::{self, clean};
use gradtop_view::compare::{Align, Facet, facets, groups, overlay, why_none};
use gradtop_view::figure::chart::evaluate_as;
use gradtop_view::figure::metric_figure;
use gradtop_view::figure::run_figures::{self, add_source, figures_of_run, metrics};
use gradtop_view::figure::view::ChartView;
use gradtop_view::list::filter;

/// The most charts drawn of several runs when no metric is named.
const CHARTS: usize = 4;

#[derive(Debug, clap::Args)]
#[command(after_help = "gradtop plot                              every figure of the newest run\n\
                        gradtop plot a loss fit                   two of its figures or metrics\n\
                        gradtop plot a 'loss*'                    all that match\n\
                        gradtop plot a b loss                     a metric of two runs in one chart\n\
                        gradtop plot tag:rates loss --by lr       of many: mean and range for each lr\n\
                        gradtop plot --view last --png loss.png   the chart that the monitor showed last")]
pub(crate) struct Args {
    /// Runs by name or by a filter, then figures or metrics by name [default: the newest run, all its figures]
    #[arg(value_name = "RUN|FILTER|METRIC")]
    words: Vec<String>,
    /// The chart that the monitor showed last, as it was seen there
    #[arg(long, value_name = "last", value_parser = ["last"], conflicts_with_all = ["words", "by", "x", "smooth", "range", "scale", "list"])]
    view: Option<String>,
    /// Group runs with the same value of this parameter; `all` for all parameters except the seed
    #[arg(long, value_name = "KEY")]
    by: Option<String>,
    /// Write an SVG drawing, - prints it (with several figures, FILE-ID.svg each)
    #[arg(long, value_name = "FILE|-")]
    svg: Option<PathBuf>,
    /// Write a PNG picture, - prints it (with several figures, FILE-ID.png each)
    #[arg(long, value_name = "FILE|-")]
    png: Option<PathBuf>,
    /// Write the points that are drawn, - prints them (with several figures, FILE-ID.csv each); `export` writes all rows
    #[arg(long, value_name = "FILE|-")]
    csv: Option<PathBuf>,
    /// The x axis of metrics: step, epoch, time since start, time of day (clock), or share of the run
    #[arg(long, value_parser = axis())]
    x: Option<Align>,
    /// Smooth metrics by a moving average of this weight, such as 0.9; the raw values stay visible behind it
    #[arg(long, value_name = "0..1", default_value_t = 0.0, hide_default_value = true, value_parser = weight)]
    smooth: f64,
    /// Only this part of the x axis, such as 1000..5000
    #[arg(long, value_name = "FROM..TO", value_parser = part, allow_hyphen_values = true)]
    range: Option<(f64, f64)>,
    /// Scale of the y axis
    #[arg(long, value_parser = scale())]
    scale: Option<Scale>,
    /// Width in characters [default: the terminal's, else 100]
    #[arg(long, value_name = "N", value_parser = whole::<u16>(20..=1000))]
    width: Option<u16>,
    /// Height of each figure in lines [default: the terminal's, else 30]
    #[arg(long, value_name = "N", value_parser = whole::<u16>(8..=1000))]
    height: Option<u16>,
    /// List what can be drawn of a run
    #[arg(long, conflicts_with_all = ["svg", "png", "csv"])]
    list: bool,
    /// Print the list as one JSON array
    #[arg(long, requires = "list", conflicts_with_all = ["svg", "png", "csv"])]
    json: bool,
}

fn axis() -> impl TypedValueParser<Value = Align> {
    PossibleValuesParser::new(Align::ALL.map(Align::key)).map(|word| Align::named(&word).unwrap_or_default())
}

fn scale() -> impl TypedValueParser<Value = Scale> {
    let named = |word: String| serde_json::from_value(word.into()).unwrap_or_default();
    PossibleValuesParser::new(["linear", "log", "log2", "symlog"]).map(named)
}

fn weight(text: &str) -> Result<f64, String> {
    let weight = text.parse().ok().filter(|weight| (0.0..1.0).contains(weight));
    weight.ok_or_else(|| "expected a number from 0 to just below 1, such as 0.9".to_owned())
}

fn part(text: &str) -> Result<(f64, f64), String> {
    let ends = text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    ends.filter(|(from, to): &(f64, f64)| from.is_finite() && to.is_finite() && from < to)
        .ok_or_else(|| "expected two numbers, the smaller one first, such as 1000..5000".to_owned())
}

impl Args {
    /// The output files; none means the terminal.
    fn files(&self) -> Vec<(Format, &Path)> {
        let files = [(Format::Svg, &self.svg), (Format::Png, &self.png), (Format::Csv, &self.csv)];
        files.into_iter().filter_map(|(format, file)| Some((format, file.as_deref()?))).collect()
    }

    fn look(&self) -> ChartView {
        ChartView {
            x: self.x.map(Align::native),
            relative: self.x == Some(Align::Fraction),
            smoothing: self.smooth,
            zoom_x: self.range,
            ..ChartView::default()
        }
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let Drawn { charts, others, damaged } = if args.view.is_some() {
        Drawn { charts: vec![last_seen()?], others: 0, damaged: None }
    } else {
        let (runs, what) = runs_and_figures(context, &args.words)?;
        match runs.as_slice() {
            [one] if args.list => {
                list(one, args.json)?;
                return Ok(0);
            }
            _ if args.list => return Err(Failure::usage("--list is about one run at a time").into()),
            [one] if args.by.is_none() => of_one(one, &what, args)?,
            _ => of_several(runs, &what, args)?,
        }
    };
    let panels = || charts.iter().flat_map(|(_, figure)| &figure.charts);
    if panels().all(Chart::is_blank) {
        let mut why: Vec<&str> = Vec::new();
        for note in panels().flat_map(|chart| &chart.notes) {
            if !why.contains(&note.as_str()) {
                why.push(note);
            }
        }
        return Err(match damaged {
            Some(run) => Failure::new(format!("nothing to draw: rows of {run} are damaged or missing"))
                .help(format!("`gradtop doctor {run}` checks every file of the run")),
            None => Failure::new(format!("nothing to draw: {}", why.join("; "))),
        }
        .into());
    }
    if let Some((from, to)) = args.range
        && !panels().any(|chart| reaches(chart, from, to))
    {
        let message = format!("no value lies in --range {from}..{to}");
        return Err(Failure::usage(message).help("without --range all of it is drawn").into());
    }
    let files = args.files();
    if files.is_empty() {
        to_terminal(&charts, args);
        if others > 0 {
            let more = number::counted(others, "more metric");
            print::dim(&format!("{more}: name those to be drawn, as in `gradtop plot RUN METRIC…`"));
        }
    } else {
        drawing::write_all(&charts, &files)?;
    }
    Ok(0)
}

/// Returns whether any data lies in this part of the x axis, or a line passes through it.
fn reaches(chart: &Chart, from: f64, to: f64) -> bool {
    chart.marks.iter().any(|mark| match mark.shape.points() {
        Some(Points { x, around, .. }) => {
            x.iter().any(|x| x + around >= from) && x.iter().any(|x| x - around <= to)
        }
        None => !matches!(mark.shape, Shape::Rule { .. }),
    })
}

/// Splits the arguments into runs and names of figures or metrics. The first word is about runs; any other is a figure or
/// metric of those runs, else also about runs.
fn runs_and_figures(context: &Context, words: &[String]) -> Result<(Vec<View>, Vec<String>)> {
    let Some((first, others)) = words.split_first() else {
        return Ok((vec![context.view("last")?], Vec::new()));
    };
    let seen = select::resolve(context, std::slice::from_ref(first));
    let views = match &seen {
        Ok(views) => views.as_slice(),
        // Others may be there to draw.
        Err(error) if select::is_unreadable(error) => &[],
        Err(_) => return Ok((seen?, Vec::new())),
    };
    let mut known = compare::logged(views);
    for view in views {
        known.extend(figures::read(&view.dir).unwrap_or_default().into_iter().map(|figure| figure.id));
    }
    let is_known = |word: &str| !filter::named(word, known.iter().map(String::as_str)).is_empty();
    let is_run = |word: &&String| !is_known(word) && (select::is_filter(word) || context.find(word).is_ok());
    let (more, what): (Vec<String>, Vec<String>) = others.iter().cloned().partition(|word| is_run(&word));
    if more.is_empty() {
        return Ok((seen?, what));
    }
    let names: Vec<String> = std::iter::once(first.clone()).chain(more).collect();
    Ok((select::shown(context, &names)?, what))
}

/// The chart that the monitor showed last.
fn last_seen() -> Result<(String, Figure)> {
    let nothing =
        |why: &str| Failure::new(why.to_owned()).help("open a run or a comparison in `gradtop` first");
    let spec =
        crate::runtime::last_chart().ok_or_else(|| nothing("the monitor has not shown a chart yet"))?;
    let drawn = spec.draw()?;
    let (figure, odd) = drawn.ok_or_else(|| nothing("what the monitor showed last no longer exists"))?;
    print::warn_of_damage(odd);
    Ok((spec.name(), figure))
}

/// Figures with the names of their files.
struct Drawn {
    charts: Vec<(String, Figure)>,
    /// The number of metrics that are not drawn because none was named.
    others: usize,
    /// The run, if files of it are damaged.
    damaged: Option<String>,
}

fn of_one(view: &View, what: &[String], args: &Args) -> Result<Drawn> {
    let (mut figures, others) = chosen(view, what)?;
    note_unused(&figures, args);
    for figure in &mut figures {
        scaled(figure, args.scale);
    }
    let (mut charts, damaged) = run_figures::draw(view, &figures, &args.look())?;
    print::warn_of_damage(&damaged);
    if !args.files().is_empty() {
        for (_, chart) in &mut charts {
            add_source(chart, view);
        }
    }
    let damaged = (!damaged.is_empty()).then(|| clean(&view.manifest.run));
    Ok(Drawn { charts, others, damaged })
}

/// Notes the options that change nothing in figures of tables, unless others of these figures use them.
fn note_unused(figures: &[Declared], args: &Args) {
    let of_tables = |figure: &Declared| {
        figure.panels.iter().flat_map(|panel| &panel.marks).all(|mark| mark.metric.is_none())
    };
    let x = args.x.map(|x| format!("--x {}", x.key()));
    let given = [x, (args.smooth > 0.0).then(|| format!("--smooth {}", args.smooth))];
    let given = given.into_iter().flatten().collect::<Vec<_>>().join(" and ");
    if !given.is_empty() && figures.iter().all(of_tables) {
        let ids: Vec<String> = figures.iter().map(|figure| clean(&figure.id)).collect();
        print::warn(format!("{given} changes only metrics, and {} is drawn from tables", ids.join(", ")));
    }
    let mut panels = figures.iter().flat_map(|figure| &figure.panels);
    if args.scale.is_some() && panels.all(is_map) {
        print::warn("--scale changes axes of values, and these figures show values as colours");
    }
}

/// Charts of several runs: one for each metric, with a line per model and split.
fn of_several(runs: Vec<View>, what: &[String], args: &Args) -> Result<Drawn> {
    let what = &compare::expanded(what, &compare::logged(&runs));
    let runs = compare::read(runs, what, args.smooth)?;
    let groups = groups(&runs, &compare::grouping(&runs, args.by.as_deref())?);
    let mut drawn: Vec<Facet> = facets(&runs, what);
    let mut others = 0;
    if what.is_empty() {
        drawn.retain(|f| !gradtop_store::is_system_metric(&f.metric));
        others = drawn.len().saturating_sub(CHARTS);
        drawn.truncate(CHARTS);
        compare::note_unshared(&runs);
    }
    if drawn.is_empty() {
        return Err(Failure::new(format!("nothing to draw: {}", why_none(&runs))).into());
    }
    let sources = overlay::sources(&runs, &groups);
    let look = ChartView { looks: overlay::looks(&groups, None), ..args.look() };
    let draw = |facet: &Facet| {
        let mut declared = overlay::figure(&runs, facet, look.x.unwrap_or_default());
        scaled(&mut declared, args.scale);
        let mut figure = evaluate_as(&declared, &sources, &look);
        if !args.files().is_empty() {
            overlay::add_run_names(&mut figure, &runs);
        }
        (facet.title(), figure)
    };
    Ok(Drawn { charts: drawn.iter().map(draw).collect(), others, damaged: None })
}

/// The figures to draw: those named, which may be declared figures or metrics, else all of [`run_figures`]; and the number
/// of metrics that are then not drawn.
fn chosen(view: &View, names: &[String]) -> Result<(Vec<Declared>, usize)> {
    if names.is_empty() {
        let (figures, others) = figures_of_run(view)?;
        if figures.is_empty() {
            let yet = if view.state.is_final() { "" } else { " yet" };
            let nothing = format!("{} has recorded nothing to draw{yet}", view.manifest.run);
            return Err(Failure::new(nothing).into());
        }
        return Ok((figures, others));
    }
    let declared = figures::read(&view.dir).unwrap_or_default();
    let metrics = metrics(&view.dir)?;
    let known: BTreeSet<String> =
        declared.iter().map(|f| f.id.clone()).chain(metrics.iter().cloned()).collect();
    let named = compare::expanded(names, &known);
    let message = format!("no run, and no figure or metric of {}, is called", clean(&view.manifest.run));
    let typed = named.iter().map(String::as_str);
    Failure::unless_known(&message, typed, known.iter().map(String::as_str), "figures and metrics")?;
    let meant = |name: &String| {
        let figure = declared.iter().find(|figure| figure.id == *name).cloned();
        figure.unwrap_or_else(|| metric_figure(name, view.manifest.metric(name), "step"))
    };
    Ok((named.iter().map(meant).collect(), 0))
}

/// Returns whether both axes of a panel are places, as on a map, and values are colours.
fn is_map(panel: &Panel) -> bool {
    panel.marks.iter().any(|m| matches!(m.kind, MarkKind::Heatmap | MarkKind::Contour | MarkKind::Image))
}

/// Applies `--scale` to axes of values.
fn scaled(figure: &mut Declared, scale: Option<Scale>) {
    for panel in figure.panels.iter_mut().filter(|panel| !is_map(panel)) {
        panel.y.scale = scale.unwrap_or(panel.y.scale);
    }
}

fn to_terminal(charts: &[(String, Figure)], args: &Args) {
    for (i, (_, chart)) in charts.iter().enumerate() {
        if i > 0 {
            print::line("");
        }
        drawing::print(chart, args.width, args.height);
    }
}

fn list(view: &View, json: bool) -> Result<()> {
    let declared = figures::read(&view.dir).unwrap_or_else(|damage| {
        print::warn_of_damage([damage]);
        Vec::new()
    });
    let figures = declared.iter().map(|f| ("figure", f.id.clone(), f.title.clone()));
    let help = |name: &str| view.manifest.metric(name).map(|info| info.help.clone());
    let recorded = metrics(&view.dir)?;
    let metrics = recorded.iter().map(|m| ("metric", m.clone(), help(m).unwrap_or_default()));
    let all: Vec<_> = figures.chain(metrics).collect();
    if json {
        let item = |(kind, name, text): &(&str, String, String)| serde_json::json!({"kind": kind, "name": name, "text": text});
        return print::json(&all.iter().map(item).collect::<Vec<_>>());
    }
    for (kind, name, text) in all {
        print::line(format!("{kind}  {}  {}", clean(&name), clean(&text)).trim_end());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_an_axis_and_a_weight_are_numbers() {
        assert_eq!(part("-1..2.5e3"), Ok((-1.0, 2500.0)));
        assert!(["5..1", "1", "1..", "a..b", "0..inf"].iter().all(|text| part(text).is_err()));
        assert_eq!(weight("0.9"), Ok(0.9));
        assert!(["1", "-0.1", "x", "nan"].iter().all(|text| weight(text).is_err()));
    }
}
