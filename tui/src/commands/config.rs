//! `gradtop config`: shows the settings in effect and where each comes from.

use anyhow::Result;
use serde_json::json;

use super::Context;
use crate::config::{self, KEYS, Key, Origin};
use crate::print::table::{Table, Words};
use crate::print::{self, clean};
use crate::runtime;
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::cells::theme::ThemeName;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let path = config::path();
    let file = path.as_ref().map(|path| path.display().to_string());
    let is_there = path.is_some_and(|path| path.exists());
    let rows = KEYS.map(|(key, name, _)| {
        let (value, from) = holds(context, key);
        (name, value, from)
    });
    if args.json {
        let settings: Vec<_> = rows
            .iter()
            .map(|(name, value, from)| json!({"key": name, "value": value, "from": from, "variable": config::variable_of(name)}))
            .collect();
        print::json(&json!({"file": file, "exists": is_there, "settings": settings}))?;
        return Ok(0);
    }
    let state = if is_there { "" } else { " (does not exist)" };
    let file = file.unwrap_or_else(|| "no home folder, so no config.toml".to_owned());
    print::line(&format!("{}{state}", clean(&file)));
    let mut table = Table::of_words(["setting", "value", "from"]);
    for (name, value, from) in rows {
        let ink = if from == DEFAULT { Ink::Dim } else { Ink::Text };
        table.row([name.into(), Words::new(value, ink), Words::new(from, ink)]);
    }
    table.print(0);
    Ok(0)
}

const DEFAULT: &str = "default";

/// The effective value of a setting, and its origin.
fn holds(context: &Context, key: Key) -> (String, String) {
    let runs = || context.runs().map_or_else(|e| e.to_string(), |runs| runs.display().to_string());
    match key {
        Key::Runs if context.runs.is_some() => return (runs(), "--runs".to_owned()),
        Key::Glyphs if context.ascii => return ("ascii".to_owned(), "--ascii".to_owned()),
        _ => {}
    }
    if let Some((text, origin)) = context.config.get(key) {
        let from = match origin {
            Origin::Variable(name) => name.clone(),
            Origin::Line(line) => format!("config.toml, line {line}"),
        };
        return (if key == Key::Runs { runs() } else { text.to_owned() }, from);
    }
    let value = match key {
        Key::Runs => runs(),
        Key::Device => "auto".to_owned(),
        Key::Threads => gradtop_host::default_threads().to_string(),
        Key::CheckpointEvery => gradtop_host::DEFAULT_CHECKPOINT_EVERY.as_secs().to_string(),
        Key::CodeDiff => "true".to_owned(),
        Key::Glyphs => print::terminal::name(print::terminal().glyphs).to_owned(),
        Key::Theme => {
            let theme = runtime::remembered_theme();
            let from = if theme == ThemeName::default() { DEFAULT } else { "chosen in the monitor" };
            return (theme.key().to_owned(), from.to_owned());
        }
        Key::Fps => super::monitor::FPS.to_string(),
        Key::MaxKbps => super::monitor::KBPS.to_string(),
        Key::ReadOnly => "false".to_owned(),
        Key::On => "local".to_owned(),
        Key::AlertRules | Key::AlertHook => "none".to_owned(),
    };
    (value, DEFAULT.to_owned())
}
