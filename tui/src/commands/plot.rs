//! `gradtop plot`: figures in the terminal, as SVG, as PNG.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use gradtop_store::View;
use gradtop_store::figures::{self, Figure as Declared, MarkX, Scale};

use super::Context;
use crate::failure::Failure;
use crate::print::{self, clean};
use gradtop_chart::{cells, svg};
use gradtop_store::suggest;
use gradtop_view::figure::chart::evaluate_as;
use gradtop_view::figure::of_metric;
use gradtop_view::figure::of_run::{metrics, of_run, sign};
use gradtop_view::figure::view::ChartView;
use gradtop_view::live::{self, XAxis};

/// Arguments of `plot`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run
    #[arg(default_value = "last")]
    run: String,
    /// Figures by id, or metrics by name [default: all declared figures]
    what: Vec<String>,
    /// Write an SVG drawing (with several figures, FILE-ID.svg each)
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write a PNG picture (with several figures, FILE-ID.png each)
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// The x axis of metrics
    #[arg(long, value_parser = axis())]
    x: Option<XAxis>,
    /// Smooth metrics by a moving average of this weight, such as 0.9; the raw values stay visible behind it
    #[arg(long, value_name = "0..1", default_value_t = 0.0, hide_default_value = true, value_parser = weight)]
    smooth: f64,
    /// Only this part of the x axis, such as 1000..5000
    #[arg(long, value_name = "FROM..TO", value_parser = part, allow_hyphen_values = true)]
    range: Option<(f64, f64)>,
    /// Scale of the y axis
    #[arg(long, value_enum)]
    scale: Option<Vertical>,
    /// Width in characters [default: the terminal's, else 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(20..=1000))]
    width: Option<u16>,
    /// Height of each figure in lines [default: the terminal's, else 30]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(8..=1000))]
    height: Option<u16>,
    /// List what can be drawn
    #[arg(long, conflicts_with_all = ["svg", "png"])]
    list: bool,
    /// Print the list as one JSON array
    #[arg(long, requires = "list")]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Vertical {
    Linear,
    Log,
    Log2,
    Symlog,
}

fn axis() -> impl TypedValueParser<Value = XAxis> {
    PossibleValuesParser::new(XAxis::NAMED.map(XAxis::word))
        .map(|word| XAxis::named(&word).unwrap_or_default())
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

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let view = context.view(&args.run)?;
    let run = &view.dir;
    if args.list {
        list(&view, args.json)?;
        return Ok(0);
    }
    let mut figures = chosen(&view, &args.what)?;
    for figure in &mut figures {
        adjust(figure, args);
    }
    let (data, damaged) = live::read_smoothed(run, &figures, args.smooth)?;
    let look = ChartView { smoothing: args.smooth, zoom_x: args.range, ..ChartView::default() };
    super::warn_of(&damaged);
    let charts: Vec<(String, gradtop_chart::Figure)> = figures
        .iter()
        .map(|f| {
            let mut chart = evaluate_as(f, &data, &look);
            // `last` does not say which run it is.
            chart.title = format!("{}: {}", clean(&view.manifest.run), chart.title);
            if args.svg.is_some() || args.png.is_some() {
                sign(&mut chart, &view);
            }
            (f.id.clone(), chart)
        })
        .collect();
    let panels = || charts.iter().flat_map(|(_, figure)| &figure.charts);
    if panels().all(gradtop_chart::Chart::is_blank) {
        let mut why: Vec<&str> = panels().flat_map(|chart| &chart.notes).map(String::as_str).collect();
        why.dedup();
        return Err(Failure::new(format!("nothing to draw: {}", why.join("; "))).into());
    }
    if args.svg.is_none() && args.png.is_none() {
        to_terminal(&charts, args);
        return Ok(0);
    }
    let ids: Vec<&str> = charts.iter().map(|(id, _)| id.as_str()).collect();
    let names = suffixes(&ids);
    for ((_, chart), name) in charts.iter().zip(&names) {
        write_drawing(&svg::figure(chart), name, args.svg.as_deref(), args.png.as_deref())?;
    }
    Ok(0)
}

/// The figures meant: declared ones by id, else metrics; what [`of_run`] says if none is named.
fn chosen(view: &View, names: &[String]) -> Result<Vec<Declared>> {
    if names.is_empty() {
        let figures = of_run(view)?;
        if figures.is_empty() {
            let nothing = format!("{} has recorded nothing to draw yet", view.manifest.run);
            return Err(Failure::new(nothing).into());
        }
        return Ok(figures);
    }
    let declared = figures::read(&view.dir)?;
    let metrics = metrics(&view.dir)?;
    let meant = |name: &String| {
        if let Some(figure) = declared.iter().find(|f| f.id == *name) {
            return Ok(figure.clone());
        }
        if metrics.contains(name) {
            return Ok(of_metric(name, view.manifest.metrics.iter().find(|m| m.name == *name), "step"));
        }
        let known = declared.iter().map(|f| f.id.as_str()).chain(metrics.iter().map(String::as_str));
        let message = format!("{} has no figure or metric {name:?}", view.manifest.run);
        Err(Failure::usage(message).help(clean(&suggest(name, known, "figures and metrics"))).into())
    };
    names.iter().map(meant).collect()
}

/// Takes over what the command line says about the axes.
fn adjust(figure: &mut Declared, args: &Args) {
    for panel in &mut figure.panels {
        if let Some(scale) = args.scale {
            panel.y.scale = match scale {
                Vertical::Linear => Scale::Linear,
                Vertical::Log => Scale::Log,
                Vertical::Log2 => Scale::Log2,
                Vertical::Symlog => Scale::Symlog,
            };
        }
        let Some(x) = args.x else { continue };
        let mut of_metrics = false;
        for mark in panel.marks.iter_mut().filter(|m| m.metric.is_some()) {
            mark.x = Some(MarkX::Source(x.word().to_owned()));
            of_metrics = true;
        }
        if of_metrics {
            (panel.x.label, panel.x.unit) = (None, None);
        }
    }
}

fn to_terminal(charts: &[(String, gradtop_chart::Figure)], args: &Args) {
    let size = print::terminal().size;
    let width = args.width.map(usize::from).or(size.map(|(w, _)| w)).unwrap_or(100);
    // One line less than the terminal has, for the prompt.
    let height =
        args.height.map(usize::from).or(size.map(|(_, h)| h.saturating_sub(1).min(40))).unwrap_or(30);
    for (i, (_, chart)) in charts.iter().enumerate() {
        if i > 0 {
            print::line("");
        }
        print::cells(&cells::figure(chart, width.max(20), height.max(8), print::theme()));
    }
}

fn list(view: &View, json: bool) -> Result<()> {
    let declared = figures::read(&view.dir)?;
    let figures = declared.iter().map(|f| ("figure", f.id.clone(), f.title.clone()));
    let help = |name: &str| view.manifest.metrics.iter().find(|m| m.name == name).map(|i| i.help.clone());
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

/// What is put after the name of a file for each of several figures: `-loss`; nothing for a single one. Ids that look the same
/// as parts of a file's name are numbered.
pub(super) fn suffixes(ids: &[&str]) -> Vec<String> {
    if ids.len() == 1 {
        return vec![String::new()];
    }
    let mut taken = std::collections::BTreeSet::new();
    let free = |id: &&str| {
        let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        let safe: String = id.chars().map(plain).collect();
        let numbered = (2..).map(|n| format!("-{safe}-{n}"));
        std::iter::once(format!("-{safe}")).chain(numbered).find(|name| taken.insert(name.clone()))
    };
    ids.iter().map(free).map(Option::unwrap_or_default).collect()
}

/// Writes a drawing to the files asked for.
pub(super) fn write_drawing(
    drawing: &str,
    suffix: &str,
    svg: Option<&Path>,
    png: Option<&Path>,
) -> Result<()> {
    if let Some(file) = svg {
        write(&suffixed(file, suffix), drawing.as_bytes())?;
    }
    if let Some(file) = png {
        write(&suffixed(file, suffix), &gradtop_chart::png::render(drawing)?)?;
        let missing = gradtop_chart::png::missing(drawing);
        if !missing.is_empty() {
            print::note(&format!(
                "the fonts of pictures have no {}: --svg FILE keeps these letters",
                clean(&missing)
            ));
        }
    }
    Ok(())
}

fn suffixed(file: &Path, suffix: &str) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = file.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    file.with_file_name(format!("{stem}{suffix}{extension}"))
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))?;
    print::line(&format!("wrote {}", print::short(file)));
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

    #[test]
    fn each_of_several_figures_has_a_file_of_its_own() {
        assert_eq!(suffixes(&["loss"]), [""]);
        assert_eq!(suffixes(&["loss", "fit"]), ["-loss", "-fit"]);
        assert_eq!(
            suffixes(&["train/loss", "train loss", "größe"]),
            ["-train-loss", "-train-loss-2", "-größe"]
        );
        assert_eq!(suffixed(Path::new("a/all.svg"), "-fit"), Path::new("a/all-fit.svg"));
        assert_eq!(suffixed(Path::new("all.svg"), ""), Path::new("all.svg"));
        assert_eq!(suffixed(Path::new("all"), "-fit"), Path::new("all-fit"));
    }
}
