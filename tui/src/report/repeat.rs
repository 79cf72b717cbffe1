//! The command that repeats a run.

use gradtop_host::{DEFAULT_CHECKPOINT_EVERY, Exec};
use gradtop_store::{Goal, MetricInfo, View, shell_words};

use crate::print::clean;

/// Lists every parameter, so that later changes of presets have no effect. `None` for imported runs.
pub(crate) fn command(view: &View) -> Option<String> {
    let m = &view.manifest;
    if m.import.is_some() {
        return None;
    }
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let option = |name: &str, value: String| [format!("--{name}"), value];
    let argv = if let Some(command) = &m.command {
        let mut argv = words(&["gradtop", "exec"]);
        // The default experiment name of the command.
        let usual = Exec { argv: command.argv.clone(), ..Exec::default() }.experiment_id();
        if m.experiment.id != usual {
            argv.extend(option("experiment", m.experiment.id.clone()));
        }
        // In the recorded order, with the texts that were given.
        let given = m.params.iter().filter_map(|(key, _)| command.given.get_key_value(key));
        argv.extend(given.flat_map(|(key, text)| option("param", format!("{key}={text}"))));
        // A name with a colon cannot be given as an option: the program declares it itself.
        let declared = m.metrics.iter().filter(|metric| !metric.name.contains(':'));
        argv.extend(declared.flat_map(|metric| option("metric", metric_text(metric))));
        argv.extend(command.total.into_iter().flat_map(|total| option("total", total.to_string())));
        argv.extend(m.seed.into_iter().flat_map(|seed| option("seed", seed.to_string())));
        argv.extend(command.logs.iter().flat_map(|log| [format!("--{}", log.format), log.path.clone()]));
        argv.extend(m.device.iter().flat_map(|device| option("device", device.clone())));
        argv.extend(m.experiment.resumable.then(|| "--resumable".to_owned()));
        argv.extend(command.grace_s.into_iter().flat_map(|seconds| option("grace", seconds.to_string())));
        // If git was not asked, --no-diff was given.
        let no_diff = m.git_commit.is_some() && command.git_dirty.is_none();
        argv.extend(no_diff.then(|| "--no-diff".to_owned()));
        if m.checkpoint_every_s != DEFAULT_CHECKPOINT_EVERY.as_secs() {
            argv.extend(option("checkpoint-every", m.checkpoint_every_s.to_string()));
        }
        argv.push("--".to_owned());
        argv.extend(
            if command.template.is_empty() { &command.argv } else { &command.template }.iter().cloned(),
        );
        argv
    } else {
        let mut argv = words(&["gradtop", "run", m.experiment.plugin_id()]);
        argv.extend(m.params.iter().flat_map(|(key, value)| ["--set".to_owned(), format!("{key}={value}")]));
        argv.extend(m.seed.into_iter().flat_map(|seed| option("seed", seed.to_string())));
        argv.extend(m.device.iter().flat_map(|device| option("device", device.clone())));
        argv.extend(m.threads.into_iter().flat_map(|threads| option("threads", threads.to_string())));
        argv
    };
    let dir = m.command.as_ref().map(|command| command.dir.clone()).filter(|dir| !dir.is_empty());
    let dir = dir.map(|dir| format!("cd {} && ", shell_words(&[dir])));
    Some(clean(&format!("{}{}", dir.unwrap_or_default(), shell_words(&argv))))
}

/// A metric in the syntax of `--metric`.
pub(crate) fn metric_text(metric: &MetricInfo) -> String {
    let mut text = metric.name.clone();
    text.push_str(match metric.goal {
        Goal::None => "",
        Goal::Min => ":min",
        Goal::Max => ":max",
    });
    // A metric with a goal is a headline metric anyway.
    let bare = metric.headline && metric.goal == Goal::None && metric.headline_of.is_none();
    text.push_str(if bare { ":headline" } else { "" });
    text.extend(metric.headline_of.iter().map(|split| format!(":headline={split}")));
    text.push_str(if metric.log { ":log" } else { "" });
    text.push_str(if metric.guard { ":guard" } else { "" });
    text.extend(metric.unit.iter().map(|unit| format!(":unit={unit}")));
    text
}
