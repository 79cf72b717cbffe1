//! What a run is, where and with what: the facts that `show`, the monitor and reports list.

use gradtop_chart::number;
use gradtop_host::text::clean;
use gradtop_store::{CommandInfo, Kind, Manifest, View};
use jiff::Timestamp;

use Topic::{Course, Environment, Settings};

/// What a fact is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// What was asked for. Another run with the same settings repeats this one.
    Settings,
    /// When the run took place, and what it recorded.
    Course,
    /// The machine, and the versions of programs.
    Environment,
}

/// A fact about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is about.
    pub topic: Topic,
    /// Its name.
    pub name: &'static str,
    /// Its value; not empty.
    pub value: String,
}

/// Returns the facts that are known about a run; `moment` formats times. Parameters are not among them.
pub fn of_run(view: &View, moment: impl Fn(Timestamp) -> String) -> Vec<Fact> {
    let View { manifest: m, status: s, .. } = view;
    // After its end, their ids may belong to other processes.
    let pid = |pid: Option<u32>| pid.filter(|_| !view.state.is_final()).map(|pid| pid.to_string());
    let writer = match m.kind {
        Kind::Plugin => "trainer",
        Kind::Command => "sink",
        Kind::Import => "reader",
    };
    // A command may have a parameter of this name, too.
    let seed = if m.param("seed").is_some() { "run's seed" } else { "seed" };
    let command = m.command.as_ref();
    let plugin = m.plugin.as_ref();
    let abi = m.versions.abi.as_ref().map(|abi| format!("ABI {abi}"));
    let facts = [
        (Settings, "experiment", Some(format!("{} {}", m.experiment.id, m.experiment.version))),
        (Settings, "command", command.map(CommandInfo::in_words)),
        (Settings, "works in", command.map(|c| c.dir.clone())),
        (Settings, "source", m.import.as_ref().map(|i| format!("{}: {}", i.format, i.source))),
        (Settings, "preset", m.preset.clone()),
        (Settings, seed, m.seed.map(|seed| seed.to_string())),
        (Settings, "device", device(m)),
        (Settings, "threads", m.threads.map(|threads| threads.to_string())),
        (Course, "checkpoints", saving(m)),
        (Course, "created", Some(moment(m.created))),
        (Course, "started", s.started.map(&moment)),
        (Course, "ended", s.ended.map(&moment)),
        (Course, "logs", command.map(logs)),
        (Environment, "host", m.host.clone()),
        (Environment, "gradtop", m.versions.gradtop.clone()),
        (Environment, "libtorch", m.versions.libtorch.clone()),
        (Environment, "Python", m.versions.python.clone()),
        (Environment, "PyTorch", m.versions.torch.clone()),
        (Environment, "commit", commit(m)),
        (
            Environment,
            "plugin",
            plugin.map(|p| {
                abi.into_iter().chain([format!("SHA-256 {}", p.sha256)]).collect::<Vec<_>>().join(", ")
            }),
        ),
        (Environment, "built with", plugin.and_then(|p| p.built_with.clone())),
        (Course, writer, pid(s.trainer_pid)),
        (Course, "keeper", pid(s.keeper_pid)),
        (Course, "rows", s.rows.filter(|rows| *rows > 0).map(|rows| number::count(rows as f64))),
        (Course, "log wait", s.log_wait_ms.filter(|ms| *ms >= 1.0).map(|ms| number::duration(ms / 1e3))),
    ];
    let known = |(topic, name, value): (Topic, &'static str, Option<String>)| {
        let value = clean(value?.trim_end());
        (!value.is_empty()).then_some(Fact { topic, name, value })
    };
    facts.into_iter().filter_map(known).collect()
}

/// Describes when checkpoints are saved.
fn saving(manifest: &Manifest) -> Option<String> {
    match (manifest.experiment.resumable, manifest.checkpoint_every_s) {
        (false, _) if manifest.plugin.is_none() => None,
        (false, _) => Some("none: the experiment cannot be resumed".to_owned()),
        (true, 0) => Some("only when asked for".to_owned()),
        (true, s) => Some(format!("every {}", number::duration(s as f64))),
    }
}

/// Describes the logs of a command that are read.
fn logs(command: &CommandInfo) -> String {
    let logs = command.logs.iter().map(|log| format!("{}: {}", log.format, log.path));
    logs.collect::<Vec<_>>().join(", ")
}

/// Describes a run's device, and why it was chosen.
fn device(manifest: &Manifest) -> Option<String> {
    let reason = manifest.device_reason.as_deref().filter(|reason| !reason.is_empty());
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    Some(format!("{}{reason}", manifest.device.as_deref()?))
}

/// Describes the commit at which a run was started, with its branch and whether there were changes.
fn commit(manifest: &Manifest) -> Option<String> {
    let mut text = manifest.git_commit.clone()?;
    if let Some(command) = &manifest.command {
        text.extend(command.git_branch.iter().map(|branch| format!(" on {branch}")));
        text.push_str(if command.git_dirty == Some(true) { ", with changes: code.diff" } else { "" });
    }
    Some(text)
}
