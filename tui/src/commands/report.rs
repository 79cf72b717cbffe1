//! `gradtop report`: writes a report about runs, as one HTML file and as Markdown.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{Context, select};
use crate::failure::Failure;
use crate::files::{is_stdout, replace};
use crate::print::{self, clean};
use crate::report::document::plain;
use crate::report::runs::{Asked, compose};
use crate::report::{FIGURES, html, markdown, write_figures};

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The HTML file holds its figures and needs nothing else: send it, print it, read it on a phone. FILE.html or \
                  FILE.md writes one of the two, a folder both, - prints the HTML.\n\n\
                  gradtop report last\n\
                  gradtop report 'tag:best lr>1e-3' -o best.html"
)]
pub(crate) struct Args {
    /// Runs by name, or a filter as in the monitor: 'state:finished lr>1e-3'
    // Not named `runs`, which is the id of the global option `--runs`.
    #[arg(value_name = "RUN|FILTER", default_value = "last")]
    names: Vec<String>,
    /// Where it is written [default: the folder RUN-report, of several runs report]
    #[arg(short, long, value_name = "FOLDER|FILE|-")]
    output: Option<PathBuf>,
    /// Its title
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let views = select::meant(context, &args.names)?;
    let output = args.output.clone().unwrap_or_else(|| match views.as_slice() {
        [one] => PathBuf::from(format!("{}-report", plain(&one.manifest.run))),
        _ => PathBuf::from("report"),
    });
    let printed = is_stdout(&output);
    let ending = output.extension().and_then(OsStr::to_str).map(str::to_lowercase);
    let is_new = !output.is_dir() && !output.to_string_lossy().ends_with('/');
    let folder = match ending.as_deref() {
        _ if printed => PathBuf::from("."),
        Some("html" | "htm" | "md") if is_new => {
            output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
        }
        // `v1.2` is a folder, not a file with an extension.
        Some(other) if is_new && args.output.is_some() && other.starts_with(char::is_alphabetic) => {
            let as_what = print::short(&output);
            let wrong = format!("a report is written as .html or .md, or into a folder, not as {as_what}");
            return Err(Failure::usage(wrong).help("a folder's name may end in a slash").into());
        }
        _ => output.clone(),
    };
    let is_folder = folder == output;
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", print::short(&folder)))?;
    let mut command = vec!["gradtop".to_owned(), "report".to_owned()];
    command.extend(args.names.iter().map(|name| match views.as_slice() {
        // `last` will be another run tomorrow, so the name is recorded.
        [one] => one.manifest.run.clone(),
        _ => name.clone(),
    }));
    command.dedup();
    if let Some(title) = &args.title {
        command.extend(["--title".to_owned(), title.clone()]);
    }
    let asked = Asked {
        title: args.title.clone(),
        command: clean(&gradtop_store::shell_words(&command)),
        views: &views,
        way: way(&folder, &context.runs()?),
    };
    let (document, odd) = compose(&asked);
    for odd in &odd {
        print::warn(format!("{odd}; it is missing from the report"));
    }
    if printed {
        print::content(&html::page(&document));
        return Ok(0);
    }
    let named = |name: &str| if is_folder { output.join(name) } else { output.clone() };
    if ending.as_deref() != Some("md") || is_folder {
        write(&named("report.html"), &html::page(&document))?;
    }
    if ending.as_deref() == Some("md") || is_folder {
        let stem = output.file_stem().unwrap_or_default().to_string_lossy();
        let figures = if is_folder { FIGURES.to_owned() } else { format!("{stem}-{FIGURES}") };
        write_figures(&document, &folder.join(&figures))?;
        write(&named("report.md"), &markdown::page(&document, &figures))?;
    }
    Ok(0)
}

fn write(file: &Path, text: &str) -> Result<()> {
    replace(file, text.as_bytes())?;
    print::line(&format!("wrote {}", print::short(file)));
    Ok(())
}

/// The relative path from a folder inside the runs folder to the runs folder. Such links survive moving everything together.
fn way(folder: &Path, runs: &Path) -> Option<String> {
    let (folder, runs) = (folder.canonicalize().ok()?, runs.canonicalize().ok()?);
    let below = folder.strip_prefix(runs).ok()?;
    Some("../".repeat(below.components().count()))
}
