//! `gradtop experiments`: lists experiments and their parameters.

use std::path::Path;

use anyhow::Result;
use gradtop_host::{Discovery, ExperimentDesc, FoundPlugin, ParamDesc, ParamKind};
use gradtop_store::suggest;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::print::table::{Table, Words};
use crate::print::{self, clean};
use gradtop_chart::cells::theme::Ink;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show the parameters, presets and metrics of this experiment
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<i32> {
    let found = gradtop_host::discover_for(args.name.as_deref());
    if let Some(name) = &args.name {
        let (plugin, experiment) = found.experiment(name).ok_or_else(|| unknown(&found, name))?;
        if args.json {
            print::json(&describe(plugin, experiment))?;
        } else {
            details(plugin, experiment);
        }
        return Ok(0);
    }
    if args.json {
        let all: Vec<Value> = found.experiments().map(|(p, e)| describe(p, e)).collect();
        print::json(&all)?;
    } else {
        overview(&found);
    }
    Ok(0)
}

fn overview(found: &Discovery) {
    let mut table = Table::of_words(["experiment", "presets", "plugin", "summary"]);
    for (plugin, e) in found.experiments() {
        let presets: Vec<String> = e.presets.iter().map(|p| clean(&p.name)).collect();
        let file = plugin.path.file_name().unwrap_or_default().to_string_lossy();
        let presets = Words::dim(presets.join(" "));
        table.row([Words::bold(clean(&e.id)), presets, Words::dim(clean(&file)), clean(&e.summary).into()]);
    }
    if found.experiments().next().is_none() {
        let why = if found.refused.is_empty() { "no plugins found in" } else { "no plugin can be used of" };
        print::line(&format!("No experiments: {why}"));
        for path in gradtop_host::search_path() {
            print::line(&format!("  {}", print::short(&path)));
        }
        print::line("Create one:  gradtop plugin new NAME     or set GRADTOP_PLUGINS to a folder");
    } else {
        table.print_wrapped(0);
    }
    warn_of_refused(found);
    for s in &found.shadowed {
        let (path, by) = (print::short(&s.path), print::short(&s.by));
        print::warn(format!("{} of {path} is not used: {by} has it too", s.experiment));
    }
}

/// Warns about each plugin that cannot be used.
fn warn_of_refused(found: &Discovery) {
    for (path, refusal) in &found.refused {
        print::warn(format!("{} {refusal}", print::short(path)));
    }
}

/// The error for an unknown experiment.
pub(crate) fn unknown(found: &Discovery, id: &str) -> Failure {
    let known: Vec<&str> = found.experiments().map(|(_, e)| e.id.as_str()).collect();
    let help = if Path::new(id).extension().is_some_and(|e| e == "so") && Path::new(id).is_file() {
        format!("to run what a library has: `gradtop run --plugin {id}`")
    } else if known.is_empty() {
        let why = if found.refused.is_empty() { "there is no plugin" } else { "no plugin can be used" };
        format!("{why} in {}", print::shorts(&gradtop_host::search_path()))
    } else {
        suggest(id, known.iter().copied(), "experiments")
    };
    // It may belong to one of the plugins that cannot be used.
    warn_of_refused(found);
    Failure::usage(format!("there is no experiment {id:?}")).help(clean(&help))
}

/// The accepted values of a parameter: `number ≥ 0, 1e-5 … 10 log`.
fn takes(p: &ParamDesc) -> String {
    if p.kind == ParamKind::Choice {
        return p.choices.iter().map(|c| clean(c)).collect::<Vec<_>>().join(" | ");
    }
    let range = p.range().map(|range| format!(" {range}")).unwrap_or_default();
    format!("{}{range}", p.kind.word())
}

fn details(plugin: &FoundPlugin, e: &ExperimentDesc) {
    let id = print::styled(&clean(&e.id), Ink::Bold);
    print::line(&format!("{id}  {} {}", clean(&e.name), clean(&e.version)));
    print::line(&format!("  {}", clean(&e.summary)));
    let resumed = if e.resumable { "can be resumed" } else { "cannot be resumed" };
    let device = if e.uses_device { "uses CPU or GPU" } else { "uses the CPU" };
    print::dim(&format!("  {resumed}, {device}, from {}", print::short(&plugin.path)));
    if !e.params.is_empty() {
        print::heading("parameters");
        let mut table = Table::of_words(["key", "default", "unit", "takes", ""]);
        for p in &e.params {
            let (key, default, help) =
                (clean(&p.key).into(), clean(&p.default).into(), clean(&p.help).into());
            let unit = Words::dim(print::cleaned(p.unit.as_deref()));
            table.row([key, default, unit, Words::dim(takes(p)), help]);
        }
        table.print_wrapped(2);
    }
    if !e.presets.is_empty() {
        print::heading("presets");
        let mut table = Table::of_words(["", "", ""]);
        for p in &e.presets {
            let values: Vec<String> =
                p.values.iter().map(|(k, v)| format!("{}={}", clean(k), clean(v))).collect();
            table.row([clean(&p.name).into(), clean(&p.help).into(), Words::dim(values.join(" "))]);
        }
        table.print_wrapped(2);
    }
    if !e.metrics.is_empty() {
        print::heading("metrics");
        let mut table = Table::of_words(["", "", "", ""]);
        for m in &e.metrics {
            let unit = Words::dim(print::cleaned(m.unit.as_deref()));
            table.row([clean(&m.name).into(), unit, Words::dim(m.goal.words()), clean(&m.help).into()]);
        }
        table.print_wrapped(2);
    }
    let example = e.params.first().map(|p| format!(" --set {}={}", clean(&p.key), clean(&p.default)));
    print::line("");
    print::command(&format!("gradtop run {}{}", clean(&e.id), example.unwrap_or_default()));
}

fn describe(plugin: &FoundPlugin, e: &ExperimentDesc) -> Value {
    let mut value = json!(e);
    value["plugin"] = json!(plugin.path.to_string_lossy());
    value
}
