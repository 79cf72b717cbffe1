//! Writes a chart of the monitor to a file.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Result;
use gradtop_view::chart_spec::ChartSpec;

use crate::drawing::{Format, suffixed};
use crate::failure::{Failure, with_causes};
use crate::files::{Cannot as _, replace};
use crate::print::clean;
use crate::screens::effect::Message;

/// Redraws the chart from the rows of its runs and writes it to a new file. Returns a message that says where.
pub(super) fn write(spec: &ChartSpec, file: &Path) -> Message {
    match draw(spec, file) {
        Ok((file, odd)) if odd.is_empty() => Message::news(clean(&format!("wrote {}", place(&file)))),
        Ok((file, odd)) => {
            Message::failure(clean(&format!("wrote {}, without {}", place(&file), odd.join("; "))))
        }
        Err(error) => Message::failure(clean(&format!("no chart was written: {}", with_causes(&error)))),
    }
}

fn draw(spec: &ChartSpec, file: &Path) -> Result<(PathBuf, Vec<String>)> {
    let format = Format::of(file)?;
    let drawn = spec.draw()?;
    let (figure, mut odd) = drawn.ok_or_else(|| Failure::new("its figure no longer exists"))?;
    let (bytes, missing) = format.bytes(&figure)?;
    if !missing.is_empty() {
        odd.push(format!("the letters {missing}, which no installed font has"));
    }
    let names = std::iter::once(file.to_owned()).chain((2..).map(|n| suffixed(file, &format!("-{n}"))));
    let name = first_free(names)?;
    replace(&name, &bytes).inspect_err(|_| drop(std::fs::remove_file(&name)))?;
    Ok((std::path::absolute(&name).unwrap_or(name), odd))
}

/// Takes the first name that is free, by an empty file.
fn first_free(names: impl Iterator<Item = PathBuf>) -> Result<PathBuf> {
    for path in names {
        match File::create_new(&path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            file => return file.cannot("write", &path).map(|_| path),
        }
    }
    unreachable!("a name is free at last")
}

/// The location as shown: `loss.png in ~/work`; over SSH, with the host before the folder, as for scp.
fn place(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let folder = file.parent().unwrap_or(Path::new("/"));
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let below = home.and_then(|home| folder.strip_prefix(home).ok());
    let folder = below.map_or_else(|| folder.to_owned(), |below| Path::new("~").join(below));
    let far = std::env::var_os("SSH_CONNECTION").is_some_and(|set| !set.is_empty());
    let host = if far { format!("{}:", clean(&gradtop_store::host_name())) } else { String::new() };
    format!("{name} in {host}{}", folder.display())
}
