//! What a run is, where and with what: the facts that `show` and the monitor list.

use gradtop_chart::number;
use gradtop_host::text::clean;
use gradtop_store::{CommandInfo, Manifest, View};
use jiff::Timestamp;

/// Returns the facts about a run, as they were recorded, with their names; `moment` formats times.
pub fn of_run(view: &View, moment: impl Fn(Timestamp) -> String) -> Vec<(&'static str, Option<String>)> {
    let View { manifest: m, status: s, .. } = view;
    // After its end, their ids may belong to other processes.
    let pid = |pid: Option<u32>| pid.filter(|_| !view.state.is_final()).map(|pid| pid.to_string());
    let command = m.command.as_ref();
    let logs = |command: &CommandInfo| {
        let logs = command.logs.iter().map(|log| format!("{}: {}", log.format, log.path));
        logs.collect::<Vec<_>>().join(", ")
    };
    let saved = match (m.experiment.resumable, m.checkpoint_every_s) {
        (false, _) if m.plugin.is_none() => None,
        (false, _) => Some("none: the experiment cannot be resumed".to_owned()),
        (true, 0) => Some("only when asked for".to_owned()),
        (true, s) => Some(format!("every {}", number::duration(s as f64))),
    };
    let plugin = m.plugin_hash().map(|hash| format!("{} {}  {hash}", m.experiment.id, m.experiment.version));
    vec![
        ("preset", m.preset.clone()),
        ("seed", m.known_seed().map(|seed| seed.to_string())),
        ("device", Some(device(m))),
        ("threads", m.known_threads().map(|threads| threads.to_string())),
        ("checkpoints", saved),
        ("created", Some(moment(m.created))),
        ("started", s.started.map(&moment)),
        ("ended", s.ended.map(&moment)),
        ("host", Some(m.host.clone())),
        ("source", m.import.as_ref().map(|i| format!("{}: {}", i.format, i.source))),
        ("command", command.map(CommandInfo::in_words)),
        ("works in", command.map(|c| c.dir.clone())),
        ("logs", command.map(logs)),
        ("plugin", plugin),
        ("built with", m.plugin.as_ref().and_then(|p| p.built_with.clone())),
        ("libtorch", m.versions.libtorch.clone()),
        ("Python", m.versions.python.clone()),
        ("PyTorch", m.versions.torch.clone()),
        ("gradtop", Some(m.versions.gradtop.clone())),
        ("commit", commit(m)),
        ("trainer", pid(s.trainer_pid)),
        ("keeper", pid(s.keeper_pid)),
        ("rows", (s.rows > 0).then(|| number::count(s.rows as f64))),
        ("log wait", (s.log_wait_ms >= 1.0).then(|| number::duration(s.log_wait_ms / 1e3))),
    ]
}

/// Describes a run's device, and why it was chosen.
pub fn device(manifest: &Manifest) -> String {
    let reason = manifest.device_reason.as_deref().filter(|reason| !reason.is_empty());
    let reason = reason.map(|reason| format!(" ({})", clean(reason))).unwrap_or_default();
    clean(&manifest.device) + &reason
}

/// Describes the commit at which a run was started, with its branch and whether there were changes.
pub fn commit(manifest: &Manifest) -> Option<String> {
    let mut text = manifest.git_commit.clone()?;
    if let Some(command) = &manifest.command {
        text.extend(command.git_branch.iter().map(|branch| format!(" on {branch}")));
        text.push_str(if command.git_dirty == Some(true) { ", with changes: code.diff" } else { "" });
    }
    Some(clean(&text))
}
