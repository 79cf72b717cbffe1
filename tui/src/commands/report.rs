//! `gradtop report`: writes a report about runs, as one HTML file and as Markdown.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use gradtop_store::View;

use super::{Context, select};
use crate::failure::Failure;
use crate::files::{is_stdout, replace};
use crate::print::{self, clean};
use crate::report::document::plain;
use crate::report::runs::{ReportOptions, compose};
use crate::report::{FIGURES, html, markdown, write_figures};

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
    let views = select::shown(context, &args.names)?;
    let target = Target::new(args, &views)?;
    let folder = &target.folder;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", print::short(folder)))?;
    let options = ReportOptions {
        title: args.title.clone(),
        command: command(args, &views),
        views: &views,
        way: way(folder, &context.runs()?),
    };
    let (document, odd) = compose(&options);
    print::warn_of_damage(&odd);
    if target.html.is_none() && target.markdown.is_none() {
        print::content(&html::page(&document));
    }
    if let Some(file) = &target.html {
        write(file, &html::page(&document))?;
    }
    if let Some(file) = &target.markdown {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let figures = if target.html.is_some() { FIGURES.to_owned() } else { format!("{stem}-{FIGURES}") };
        write_figures(&document, &folder.join(&figures))?;
        write(file, &markdown::page(&document, &figures))?;
    }
    Ok(0)
}

/// Where the report is written: to standard output without any file, into a folder of its own with both.
struct Target {
    /// The folder of the files, which links in them are relative to.
    folder: PathBuf,
    html: Option<PathBuf>,
    markdown: Option<PathBuf>,
}

impl Target {
    fn new(args: &Args, views: &[View]) -> Result<Self> {
        let output = args.output.clone().unwrap_or_else(|| match views {
            [one] => PathBuf::from(format!("{}-report", plain(&one.manifest.run))),
            _ => PathBuf::from("report"),
        });
        if is_stdout(&output) {
            return Ok(Self { folder: PathBuf::from("."), html: None, markdown: None });
        }
        let is_new = !output.is_dir() && !output.to_string_lossy().ends_with('/');
        let extension = output.extension().and_then(OsStr::to_str).map(str::to_lowercase);
        match extension.as_deref() {
            Some(extension @ ("html" | "htm" | "md")) if is_new => {
                let parent = output.parent().filter(|p| !p.as_os_str().is_empty());
                let folder = parent.unwrap_or(Path::new(".")).to_owned();
                let (html, markdown) =
                    if extension == "md" { (None, Some(output)) } else { (Some(output), None) };
                Ok(Self { folder, html, markdown })
            }
            // `v1.2` is a folder, not a file with an extension.
            Some(other) if is_new && args.output.is_some() && other.starts_with(char::is_alphabetic) => {
                let as_what = print::short(&output);
                let wrong =
                    format!("a report is written as .html or .md, or into a folder, not as {as_what}");
                Err(Failure::usage(wrong).help("a folder's name may end in a slash").into())
            }
            _ => Ok(Self {
                html: Some(output.join("report.html")),
                markdown: Some(output.join("report.md")),
                folder: output,
            }),
        }
    }
}

/// The command line that repeats the report.
fn command(args: &Args, views: &[View]) -> String {
    let mut command = vec!["gradtop".to_owned(), "report".to_owned()];
    match views {
        // `last` will be another run tomorrow, so the name is recorded.
        [one] => command.push(one.manifest.run.clone()),
        _ => command.extend(args.names.iter().cloned()),
    }
    if let Some(title) = &args.title {
        command.extend(["--title".to_owned(), title.clone()]);
    }
    clean(&gradtop_store::shell_words(&command))
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
