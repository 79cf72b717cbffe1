//! `gradtop setup`: finds or downloads libtorch and DuckDB.

use anyhow::Result;
use serde_json::json;

use crate::print;
use crate::setup;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Use the libtorch for NVIDIA GPUs (the default if there is one)
    #[arg(long)]
    cuda: bool,
    /// Download DuckDB's command-line program, for `gradtop query`, instead of libtorch
    #[arg(long, conflicts_with = "cuda")]
    duckdb: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the folder to standard output, for scripts, and explanations to standard error.
pub(crate) fn run(args: &Args) -> Result<i32> {
    if args.duckdb {
        let program = setup::duckdb::ensure()?;
        if args.json {
            print::json(&json!({"program": program}))?;
        } else {
            print::answer(&program.to_string_lossy());
        }
        return Ok(0);
    }
    let (torch, from) = setup::setup(args.cuda)?;
    if args.json {
        let (folder, version) = (&torch.folder, &torch.version);
        print::json(&json!({"folder": folder, "version": version, "cuda": torch.cuda, "from": from}))?;
    } else {
        let kind = if torch.cuda { "CPU and CUDA" } else { "CPU" };
        print::note(&format!("libtorch {} ({kind}), from {from}", torch.version));
        print::answer(&torch.folder.to_string_lossy());
    }
    Ok(0)
}
