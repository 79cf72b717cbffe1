//! `gradtop export`: writes a run's rows for other tools.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use gradtop_store::{Exported, Shape};

use super::Context;
use crate::files::{Cannot as _, ends_as, is_stdout, keeps_existing, not_stdout, write_whole};
use crate::print::{self, clean};
use gradtop_chart::number;

#[derive(Debug, clap::Args)]
#[expect(clippy::option_option, reason = "how clap says: not given, given without a value, with one")]
#[command(
    after_help = "Without --wide, each row is one value of one metric. With it, each row is one step, with a column for \
                        each metric."
)]
#[command(
    override_usage = "gradtop export [OPTIONS] <RUN> <--csv [FILE|-]|--parquet [FILE]|--tensorboard DIR>"
)]
#[command(group(clap::ArgGroup::new("format").required(true).args(["csv", "parquet", "tensorboard"])))]
pub(crate) struct Args {
    /// The run
    run: String,
    /// Write CSV to FILE, or to standard output [default: RUN.csv]
    #[arg(long, value_name = "FILE|-", num_args = 0..=1)]
    csv: Option<Option<PathBuf>>,
    /// Write one Parquet file [default: RUN.parquet]
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    parquet: Option<Option<PathBuf>>,
    /// Write an event file for TensorBoard into DIR/RUN
    #[arg(long, value_name = "DIR")]
    tensorboard: Option<PathBuf>,
    /// A column for each metric
    #[arg(long, conflicts_with = "tensorboard")]
    wide: bool,
    /// Overwrite an existing file
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let view = context.view(&args.run)?;
    let run = &view.dir;
    let shape = if args.wide { Shape::Wide(gradtop_import::name_of_series) } else { Shape::Long };
    let named = |given: &Option<PathBuf>, kind: &str| {
        given.clone().unwrap_or_else(|| PathBuf::from(format!("{}.{kind}", run.name())))
    };
    if let Some(given) = &args.csv {
        let file = named(given, "csv");
        if is_stdout(&file) {
            let mut out = BufWriter::new(Printed);
            let exported = gradtop_store::export_csv(run, shape, &mut out);
            return match exported.map(|exported| (exported, out.flush())) {
                // The reader has gone away.
                _ if print::stdout_gone() => Ok(0),
                exported => Ok(warn(&exported?.0)),
            };
        }
        let write = |out: &mut BufWriter<&File>| Ok(gradtop_store::export_csv(run, shape, out)?);
        return to_file(ends_as(&file, "csv")?, args.force, write);
    }
    if let Some(given) = &args.parquet {
        let file = named(given, "parquet");
        let write = |out: &mut BufWriter<&File>| Ok(gradtop_store::export_parquet(run, shape, out)?);
        return to_file(ends_as(not_stdout(&file, "Parquet")?, "parquet")?, args.force, write);
    }
    let Some(folder) = &args.tensorboard else { unreachable!("one of the three is required") };
    let folder = not_stdout(folder, "an event file")?.join(run.name());
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", print::short(&folder)))?;
    let second = view.manifest.created.as_second();
    let write = |out: &mut BufWriter<&File>| {
        let (rows, damage) = gradtop_import::export_tensorboard(run, &view.manifest, view.state, out)?;
        Ok(Exported { rows, damage, ..Exported::default() })
    };
    to_file(&folder.join(format!("events.out.tfevents.{second}.gradtop")), args.force, write)
}

/// Standard output. Each write must be complete UTF-8.
struct Printed;

impl Write for Printed {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        print::content(&String::from_utf8_lossy(text));
        if print::stdout_gone() { Err(std::io::ErrorKind::BrokenPipe.into()) } else { Ok(text.len()) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes a file and says how many rows it has.
fn to_file(
    path: &Path,
    force: bool,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<Exported>,
) -> Result<i32> {
    keeps_existing(path, force)?;
    let exported = write_whole(path, |file| {
        let mut out = BufWriter::new(file);
        write(&mut out).and_then(|exported| Ok(out.flush().map(|()| exported)?)).cannot("write", path)
    })?;
    if std::fs::metadata(path).is_ok_and(|made| made.is_file()) {
        print::line(&format!(
            "{}  {}",
            clean(&print::short(path)),
            number::counted(exported.rows as usize, "row")
        ));
    }
    Ok(warn(&exported))
}

/// Warns about unreadable files, and columns that are hard to tell apart. Returns the exit code.
fn warn(exported: &Exported) -> i32 {
    if !exported.alike.is_empty() {
        let names = clean(&exported.alike.join(", "));
        print::warn(format!(
            "columns differ in case only, by which DuckDB does not tell them apart: {names}"
        ));
    }
    print::warn_of_damage(&exported.damage);
    if exported.damage.is_empty() { 0 } else { crate::failure::ERROR }
}
