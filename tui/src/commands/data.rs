//! `gradtop data`: lists, downloads and checks data sets.

use std::path::Path;

use anyhow::Result;
use gradtop_data::{DATASETS, DataError, Dataset, Found, PartFile};
use serde_json::json;

use crate::download::{self, Event};
use crate::failure::Failure;
use crate::print::progress::{Progress, Shown};
use crate::print::table::{Table, Words};
use crate::print::{self, clean};
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::number;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the data sets and where their files are (the default)
    List,
    /// Download a data set; an interrupted download is resumed
    Fetch {
        /// Its name
        name: String,
        /// Use only this mirror, the URL of a folder; may be given several times
        #[arg(long, value_name = "URL", value_parser = url)]
        mirror: Vec<String>,
        /// Download every file, even those already here
        #[arg(long)]
        force: bool,
    },
    /// Verify the contents of the files
    Check {
        /// One data set [default: all that are here]
        name: Option<String>,
    },
}

pub(crate) fn run(args: &Args) -> Result<i32> {
    match &args.command {
        None | Some(Command::List) => list(args.json),
        Some(Command::Fetch { name, mirror, force }) => fetch(named(name)?, mirror, *force, args.json),
        Some(Command::Check { name }) => check(name.as_deref(), args.json),
    }
}

fn url(text: &str) -> Result<String, String> {
    let known = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
    known.then(|| text.to_owned()).ok_or_else(|| "it must begin with http:// or https://".to_owned())
}

fn named(name: &str) -> Result<&'static Dataset> {
    let known = DATASETS.iter().map(|d| d.name);
    let unknown = || Failure::unknown(format!("there is no data set {name:?}"), name, known, "data sets");
    Ok(gradtop_data::named(name).ok_or_else(unknown)?)
}

/// Locates each file of a data set.
fn files(dataset: &'static Dataset) -> Vec<(&'static PartFile, Result<Found, DataError>)> {
    dataset.files.iter().map(|file| (file, gradtop_data::find(dataset, file))).collect()
}

fn list(as_json: bool) -> Result<i32> {
    if as_json {
        let all: Vec<_> = DATASETS
            .iter()
            .map(|dataset| {
                let files: Vec<_> = files(dataset)
                    .into_iter()
                    .map(|(file, found)| {
                        let found = found.ok();
                        json!({"name": file.name, "bytes": file.bytes, "sha256": file.sha256,
                               "path": found.as_ref().map(|f| &f.path), "origin": found.as_ref().map(|f| f.origin.word())})
                    })
                    .collect();
                let looked: Vec<_> = gradtop_data::places(dataset).into_iter().map(|place| place.dir).collect();
                json!({"name": dataset.name, "title": dataset.title, "licence": dataset.licence, "source": dataset.source,
                       "files": files, "looked": looked})
            })
            .collect();
        print::json(&all)?;
        return Ok(0);
    }
    let mut table = Table::of_words(["data set", "licence", "where"]);
    for dataset in &DATASETS {
        let found: Vec<Found> = files(dataset).into_iter().filter_map(|(_, found)| found.ok()).collect();
        let place = match found.first().and_then(|file| Some((file, file.path.parent()?))) {
            Some((file, dir)) if found.len() == dataset.files.len() => {
                Words::from(format!("{} ({})", print::short(dir), file.origin.word()))
            }
            Some(_) => {
                let (some, all) = (found.len(), dataset.files.len());
                let text = format!("only {some} of {all} files: gradtop data fetch {}", dataset.name);
                Words::new(text, Ink::Alert)
            }
            None => Words::dim(format!("not here: gradtop data fetch {}", dataset.name)),
        };
        table.row([dataset.name.into(), dataset.licence.into(), place]);
    }
    table.print_wrapped(0);
    Ok(0)
}

fn check(name: Option<&str>, json: bool) -> Result<i32> {
    let mut wrong = 0;
    let mut seen = 0;
    let mut told = Vec::new();
    for dataset in &DATASETS {
        let files = files(dataset);
        let asked = name == Some(dataset.name);
        if !asked && (name.is_some() || files.iter().all(|(_, found)| found.is_err())) {
            continue;
        }
        for (file, found) in files {
            seen += 1;
            let result = found.and_then(|found| {
                gradtop_data::check(dataset, file, &found.path)?;
                Ok(found.path)
            });
            wrong += usize::from(result.is_err());
            if json {
                let (path, error) = (result.as_ref().ok(), result.as_ref().err().map(ToString::to_string));
                told.push(json!({"dataset": dataset.name, "file": file.name, "path": path, "error": error}));
                continue;
            }
            match result {
                Ok(path) => stands("whole", &path),
                Err(error) => print::alert(&clean(&error.to_string())),
            }
        }
    }
    match name {
        Some(name) if seen == 0 => named(name).map(|_| 0),
        _ if json => print::json(&told).map(|()| i32::from(wrong > 0)),
        None if seen == 0 => {
            print::line("No data sets here. `gradtop data list` shows how to get them.");
            Ok(0)
        }
        _ => Ok(i32::from(wrong > 0)),
    }
}

fn fetch(dataset: &'static Dataset, mirrors: &[String], force: bool, as_json: bool) -> Result<i32> {
    let known: Vec<String> = dataset.mirrors.iter().map(|&mirror| mirror.to_owned()).collect();
    let mirrors = if mirrors.is_empty() { &known } else { mirrors };
    let dir = gradtop_data::fetch_dir(dataset)?;
    let agent = download::agent();
    let mut told = Vec::new();
    let mut any = false;
    for file in &dataset.files {
        let there = if force { None } else { existing_file(dataset, file) };
        let fetched = there.is_none();
        let path = match there {
            Some(path) => path,
            None => fetch_file(&agent, dataset, file, &dir, mirrors)?,
        };
        any |= fetched;
        if as_json {
            told.push(json!({"dataset": dataset.name, "file": file.name, "path": path, "fetched": fetched}));
        } else if fetched {
            let size = std::fs::metadata(&path).map_or(0, |m| m.len());
            print::line(&format!("fetched  {}  {}", print::short(&path), number::bytes(size)));
        } else {
            stands("here   ", &path);
        }
    }
    if as_json {
        print::json(&told)?;
    } else if any {
        print::dim(&format!("{}: {}. Licence: {}", dataset.title, dataset.source, dataset.licence));
    }
    Ok(0)
}

fn stands(how: &str, path: &Path) {
    print::line(&format!("{}  {}", print::styled(how, Ink::Dim), print::short(path)));
}

/// Returns an existing file if its content is right. A damaged file in a folder that `fetch` does not write to is left alone,
/// because the downloaded one takes precedence.
fn existing_file(dataset: &'static Dataset, file: &PartFile) -> Option<std::path::PathBuf> {
    let found = gradtop_data::find(dataset, file).ok()?;
    match gradtop_data::check(dataset, file, &found.path) {
        Ok(_) => Some(found.path),
        Err(error) => {
            print::note(&clean(&error.to_string()));
            None
        }
    }
}

fn fetch_file(
    agent: &ureq::Agent,
    dataset: &'static Dataset,
    file: &PartFile,
    dir: &Path,
    mirrors: &[String],
) -> Result<std::path::PathBuf> {
    let mut bar = Progress::start();
    let mut from = String::new();
    let result = download::fetch(agent, dataset, file, dir, mirrors, &mut |event| match event {
        Event::Asking(url, kept) => {
            clean(url).clone_into(&mut from);
            if kept > 0 && bar.is_none() {
                print::note(&format!("continuing after {} of {}", number::bytes(kept), file.name));
            }
        }
        Event::Received(done, total) => {
            if let Some(bar) = &mut bar {
                let of = total.map(|total| format!(" of {}", number::bytes(total))).unwrap_or_default();
                bar.show(Shown {
                    share: total.map(|total| (done, total)),
                    phase: file.name.to_owned(),
                    numbers: format!("{}{of}", number::bytes(done)),
                    below: format!("  from {from}"),
                });
            }
        }
        Event::Failed(url, why) => {
            let text = format!("{}: {}", clean(url), clean(why));
            match &bar {
                Some(bar) => bar.above(|| print::note(&text)),
                None => print::note(&text),
            }
        }
    });
    if let Some(bar) = bar {
        bar.end();
    }
    result
}
