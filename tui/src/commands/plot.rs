//! `gradtop plot`: figures in the terminal, as SVG, as PNG.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use gradtop_store::figures::{Figure as Declared, MarkX, Scale};
use gradtop_store::{RunDir, View, series_keys};

use super::{Context, short};
use crate::failure::Failure;
use crate::print::{self, clean};
use gradtop_chart::{cells, svg};
use gradtop_store::suggest;
use gradtop_view::figure::chart::evaluate;
use gradtop_view::figure::of_metric;
use gradtop_view::live;

/// Figures drawn at most when none is named and none declared.
const METRICS: usize = 8;

/// Arguments of `plot`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run
    #[arg(default_value = "last")]
    run: String,
    /// Figures by id, or metrics by name; all declared figures if none is named
    what: Vec<String>,
    /// Write an SVG drawing (with several figures, FILE-ID.svg each)
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write a PNG picture (with several figures, FILE-ID.png each)
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// What runs along the x axis of metrics
    #[arg(long, value_enum)]
    x: Option<Horizontal>,
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
enum Horizontal {
    Step,
    Epoch,
    Time,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Vertical {
    Linear,
    Log,
    Log2,
    Symlog,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let view = context.view(&args.run)?;
    let run = &view.dir;
    let declared = declared_figures(run)?;
    if args.list {
        list(&view, &declared, args.json)?;
        return Ok(0);
    }
    let mut figures = chosen(&view, declared, &args.what)?;
    for figure in &mut figures {
        adjust(figure, args);
    }
    let (data, damaged) = live::read(run, &figures)?;
    super::warn_of(&damaged);
    let charts: Vec<(String, gradtop_chart::Figure)> = figures
        .iter()
        .map(|f| {
            let mut chart = evaluate(f, &data);
            // `last` does not say which run it is.
            chart.title = format!("{}: {}", clean(&view.manifest.run), chart.title);
            if args.svg.is_some() || args.png.is_some() {
                sign(&mut chart, &view);
            }
            (f.id.clone(), chart)
        })
        .collect();
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

/// The figures that a run has declared; none if it has declared none.
pub(crate) fn declared_figures(run: &RunDir) -> Result<Vec<Declared>> {
    Ok(gradtop_store::figures::read(run)?)
}

/// The figures meant: declared ones by id, else metrics; all declared ones if none is named.
pub(crate) fn chosen(view: &View, declared: Vec<Declared>, names: &[String]) -> Result<Vec<Declared>> {
    let metrics = metrics(&view.dir)?;
    let info = |name: &str| view.manifest.metrics.iter().find(|m| m.name == name);
    if names.is_empty() {
        if !declared.is_empty() {
            return Ok(declared);
        }
        // What the plugin calls headline first; what gradtop itself measures is drawn only when asked for.
        let mut drawn: Vec<&String> = metrics.iter().filter(|m| !m.starts_with("system/")).collect();
        drawn.sort_by_key(|m| !info(m).is_some_and(|i| i.headline));
        if drawn.is_empty() {
            return Err(
                Failure::new(format!("{} has recorded nothing to draw yet", view.manifest.run)).into()
            );
        }
        return Ok(drawn.into_iter().take(METRICS).map(|m| of_metric(m, info(m), "step")).collect());
    }
    let mut out = Vec::new();
    for name in names {
        if let Some(figure) = declared.iter().find(|f| f.id == *name) {
            out.push(figure.clone());
        } else if metrics.contains(name) {
            out.push(of_metric(name, info(name), "step"));
        } else {
            let known = declared.iter().map(|f| f.id.as_str()).chain(metrics.iter().map(String::as_str));
            let message = format!("{} has no figure or metric {name:?}", view.manifest.run);
            return Err(Failure::usage(message)
                .help(clean(&suggest(name, known, "figures and metrics")))
                .into());
        }
    }
    Ok(out)
}

fn metrics(run: &RunDir) -> Result<BTreeSet<String>> {
    Ok(series_keys(run)?.into_iter().map(|(key, _)| key.metric).collect())
}

/// Says below a drawing, which leaves the folder of its run, where it comes from.
pub(crate) fn sign(figure: &mut gradtop_chart::Figure, view: &View) {
    let m = &view.manifest;
    let from = format!("{} {}", m.experiment.id, m.run);
    figure.caption = Some(if let Some(caption) = figure.caption.take().filter(|c| !c.is_empty()) {
        format!("{caption} ({})", clean(&from))
    } else {
        let params = m.params.iter().map(|(k, v)| format!("{k}={}", gradtop_view::state::param(v)));
        clean(&format!("{from}, seed {}: {}", m.seed, params.collect::<Vec<_>>().join(" ")))
    });
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
        let word = match x {
            Horizontal::Step => "step",
            Horizontal::Epoch => "epoch",
            Horizontal::Time => "time",
        };
        let mut of_metrics = false;
        for mark in panel.marks.iter_mut().filter(|m| m.metric.is_some()) {
            mark.x = Some(MarkX::Source(word.to_owned()));
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
        print::grid(&cells::figure(chart, width.max(20), height.max(8), print::look()));
    }
}

fn list(view: &View, declared: &[Declared], json: bool) -> Result<()> {
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
    print::line(&format!("wrote {}", short(file)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
