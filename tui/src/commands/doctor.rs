//! `gradtop doctor`: checks this machine for anything that would cause trouble.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use gradtop_host::{device, libtorch};
use gradtop_store::{Checked, Content, StoreError};
use serde::Serialize;
use serde_json::json;

use super::Context;
use super::select::{each, is_unreadable};
use crate::files::{Cannot as _, entries, make_folder};
use crate::print::table::{Table, Words};
use crate::print::terminal::{Surrounding, in_tmux, tells_focus, tmux_has};
use crate::print::{self, clean};
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::glyphs::Glyphs;
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::colour::Colours;
use gradtop_chart::number::{self, counted};

/// Less free disk space than this is reported.
const LITTLE_SPACE: u64 = 1 << 30;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Check the files of these runs against their checksums instead
    #[arg(value_name = "RUN")]
    checked: Vec<String>,
    /// Measure how fast this machine logs: 1,000,000 points
    #[arg(long)]
    bench_logging: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The severity of a finding.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    Good,
    Note,
    Bad,
}

#[derive(Serialize)]
struct Finding {
    topic: &'static str,
    grade: Grade,
    text: String,
    help: Option<String>,
}

fn good(topic: &'static str, text: impl Into<String>) -> Finding {
    Finding { topic, grade: Grade::Good, text: text.into(), help: None }
}

fn note(topic: &'static str, text: impl Into<String>) -> Finding {
    Finding { grade: Grade::Note, ..good(topic, text) }
}

fn bad(topic: &'static str, text: impl Into<String>) -> Finding {
    Finding { grade: Grade::Bad, ..good(topic, text) }
}

impl Finding {
    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    if !args.checked.is_empty() {
        return check_runs(context, &args.checked, args.json);
    }
    if args.bench_logging {
        return bench(context, args.json);
    }
    let mut findings = vec![of_libtorch(), of_gpus()];
    findings.extend(of_terminal());
    findings.push(of_alerts());
    findings.extend(of_plugins());
    findings.push(of_runs(context)?);
    findings.push(at_logout());
    findings.push(of_time_zone());
    let bad = findings.iter().any(|f| f.grade == Grade::Bad);
    if args.json {
        print::json(&findings)?;
    } else {
        findings.iter().for_each(show);
    }
    Ok(i32::from(bad))
}

/// Verifies every file of some runs against its checksum. What is damaged is recorded, so that lists know it.
fn check_runs(context: &Context, names: &[String], json: bool) -> Result<i32> {
    // A run that cannot be read keeps no other from being checked; a name that no run has is a mistake.
    if let Some(e) = names.iter().filter_map(|name| context.find(name).err()).find(|e| !is_unreadable(e)) {
        return Err(e);
    }
    let mut all = Vec::new();
    let code = each(names, |name| {
        let run = context.find(name)?;
        let (mut bad, mut found) = (false, Vec::new());
        for Checked { file, content } in gradtop_store::check(&run)? {
            if let Content::Damaged(message) = &content {
                found.push(StoreError::Damaged { path: run.path().join(&file), message: message.clone() });
            }
            let file = file.display().to_string();
            let (word, grade, why) = match content {
                Content::Whole => ("whole", Grade::Good, None),
                Content::Unsigned => ("no checksum", Grade::Note, None),
                Content::Damaged(why) => ("damaged", Grade::Bad, Some(why)),
            };
            bad |= grade == Grade::Bad;
            if json {
                all.push(json!({"run": run.name(), "file": file, "content": word, "message": why}));
            } else {
                let why = why.map(|why| format!(": {why}")).unwrap_or_default();
                let name = if names.len() > 1 { format!("{}/", run.name()) } else { String::new() };
                show(&Finding { grade, ..good(word, format!("{name}{file}{why}")) });
            }
        }
        // The status may be what is damaged.
        if let Ok(view) = super::view(&run) {
            gradtop_store::damage_of(&view, &found)?;
        }
        Ok(i32::from(bad))
    })?;
    if json {
        print::json(&all)?;
    }
    Ok(code)
}

fn show(f: &Finding) {
    let (fine, plain, ink) = match f.grade {
        Grade::Good => ('✓', '+', Ink::Text),
        Grade::Note => ('·', '-', Ink::Dim),
        Grade::Bad => ('✗', 'x', Ink::Alert),
    };
    let glyph = if print::ascii() { plain } else { fine };
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left), ("", Align::Left)]);
    table.row(vec![Words::new(glyph, ink), format!("{:<11}", f.topic).into(), clean(&f.text).into()]);
    if let Some(help) = &f.help {
        table.row(vec!["".into(), "".into(), Words::dim(clean(help))]);
    }
    table.print_hanging(0);
}

fn of_time_zone() -> Finding {
    let zone = gradtop_view::clock::zone();
    match gradtop_view::clock::missing() {
        None => {
            let now = jiff::Timestamp::now().to_zoned(zone.clone());
            let name = zone.iana_name().map_or_else(String::new, |name| format!("{name}, "));
            good("time", format!("{name}now {}", now.strftime("%Y-%m-%d %H:%M %:z")))
        }
        Some(why) => note("time", format!("times are shown in UTC: {why}")).help(
            "set TZ to the name of a time zone, such as Europe/Berlin, or make /etc/localtime a link to one",
        ),
    }
}

fn of_libtorch() -> Finding {
    match libtorch::find(None) {
        Ok(lib) => {
            let text = libtorch::in_words(&lib);
            if libtorch::version(&lib).as_deref().is_some_and(libtorch::is_wanted) {
                return good("libtorch", text);
            }
            note("libtorch", text).help(format!(
                "plugins are built for {}, which `gradtop setup` finds or downloads",
                libtorch::VERSION
            ))
        }
        Err(places) => {
            let looked = print::shorts(&places);
            let looked = if places.is_empty() { looked } else { format!("; looked in {looked}") };
            note("libtorch", format!("not found{looked}"))
                .help("`gradtop setup` finds or downloads it; plugins with their own need nothing")
        }
    }
}

fn of_gpus() -> Finding {
    let lib = libtorch::find(None).ok();
    let gpus = match device::gpus().and_then(|gpus| device::usable(lib.as_deref()).map(|_| gpus)) {
        Ok(gpus) => gpus,
        Err(why) => return note("gpu", format!("none: runs use the CPU ({why})")),
    };
    let known = |uuid: &Option<String>| gpus.iter().find(|g| Some(&g.uuid) == uuid.as_ref());
    let named = |(n, uuid)| match known(uuid) {
        Some(gpu) => format!("cuda:{n} {} {}", gpu.name, number::bytes(gpu.memory)),
        None => format!("cuda:{n}"),
    };
    let all: Vec<String> = device::visible(&gpus).iter().enumerate().map(named).collect();
    good("gpu", all.join(", ")).help(
        "small networks may train slower there than on the CPU: `gradtop selftest` times every experiment on both",
    )
}

/// Describes the terminal, if this is one.
fn of_terminal() -> Option<Finding> {
    let t = print::terminal();
    let (width, height) = t.size?;
    let colours = match t.colours {
        Colours::None => "no colours",
        Colours::Sixteen => "16 colours",
        Colours::Indexed => "256 colours",
        Colours::True => "true colour",
    };
    let glyphs = match t.glyphs {
        Glyphs::Braille => "Braille charts",
        Glyphs::HalfBlock => "block charts",
        Glyphs::Dot => "dotted charts",
        Glyphs::Ascii => "ASCII charts",
    };
    let around = print::terminal::around();
    let inside = around.map(|around| format!(", in {}", around.name())).unwrap_or_default();
    let finding = good("terminal", format!("{width}x{height}, {colours}, {glyphs}{inside}"));
    Some(if t.glyphs.ascii() {
        finding.help("a UTF-8 locale (LANG=C.UTF-8) draws finer charts")
    } else if around == Some(Surrounding::Tmux) {
        finding.help(
            "the monitor names the pane after the run; `set -g set-titles on` shows that outside of tmux",
        )
    } else {
        finding
    })
}

/// Checks whether alerts reach somebody who is not watching the terminal.
fn of_alerts() -> Finding {
    const TOPIC: &str = "alerts";
    if !in_tmux() {
        return good(TOPIC, "the monitor rings the bell and notifies the terminal (OSC 9, OSC 777)");
    }
    match (tmux_has("-Apqv", "allow-passthrough"), tells_focus()) {
        (true, true) => good(TOPIC, "tmux passes messages to the terminal, and reports the focus"),
        (false, _) => note(TOPIC, "only the bell: tmux keeps messages for the terminal to itself")
            .help("`set -g allow-passthrough on` in ~/.tmux.conf lets them through (tmux 3.3 or newer)"),
        (true, false) => note(TOPIC, "tmux does not say which pane has the focus: the bell always rings")
            .help("`set -g focus-events on` in ~/.tmux.conf"),
    }
}

fn of_plugins() -> Vec<Finding> {
    let found = gradtop_host::discover();
    let mut findings = Vec::new();
    let named = std::env::var_os("GRADTOP_PLUGINS").unwrap_or_default();
    for folder in std::env::split_paths(&named).filter(|folder| !folder.as_os_str().is_empty()) {
        let why = match (folder.is_absolute(), folder.is_dir()) {
            (true, true) => continue,
            (true, false) => "which is not a folder",
            (false, _) => "which is ignored: it is not an absolute path",
        };
        findings.push(note("plugins", format!("GRADTOP_PLUGINS names {}, {why}", print::short(&folder))));
    }
    match found.experiments().count() {
        0 if found.refused.is_empty() => {
            let places = print::shorts(&gradtop_host::search_path());
            let none = note("plugins", format!("none in {places}"));
            findings.push(none.help("`gradtop plugin new NAME` makes one"));
        }
        // What each is refused for is said below.
        0 => {}
        experiments => {
            let (plugins, experiments) =
                (counted(found.plugins.len(), "plugin"), counted(experiments, "experiment"));
            findings.push(good("plugins", format!("{plugins} with {experiments}")));
        }
    }
    for plugin in found.plugins.iter().filter(|p| p.desc.needs_libtorch) {
        if let Err(places) = libtorch::find(Some(&plugin.path)) {
            let (plugin, places) = (print::short(&plugin.path), print::shorts(&places));
            let help = "run `gradtop setup`, or set GRADTOP_LIBTORCH to a folder with libtorch_cpu.so";
            let text = format!("{plugin} needs libtorch, which is not in {places}");
            findings.push(bad("plugins", text).help(help));
        }
    }
    for (path, refusal) in &found.refused {
        findings.push(bad("plugins", format!("{} {refusal}", print::short(path))));
    }
    for s in &found.shadowed {
        let (path, by) = (print::short(&s.path), print::short(&s.by));
        findings.push(note("plugins", format!("{} of {path} is hidden by {by}", s.experiment)));
    }
    findings
}

fn of_runs(context: &Context) -> Result<Finding> {
    let runs = context.runs()?;
    let all = gradtop_store::list_runs(&runs);
    let (count, bytes) = (all.len(), all.iter().map(|run| gradtop_store::size(run, run.path())).sum());
    // The folder may not exist yet: its nearest existing ancestor tells which disk it will be on.
    let existing = runs.ancestors().find(|p| p.is_dir()).unwrap_or(Path::new("/"));
    let disk = rustix::fs::statvfs(existing).cannot("read", existing)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let (taken, free_words) = (number::bytes(bytes), number::bytes(free));
    let text = format!("{} of {taken} in {}, {free_words} free", counted(count, "run"), runs.display());
    if free < LITTLE_SPACE {
        return Ok(bad("runs", text)
            .help("free some space (`gradtop gc` lists what can go), or choose another folder with --runs or GRADTOP_RUNS"));
    }
    if rustix::fs::access(existing, rustix::fs::Access::WRITE_OK).is_err() {
        return Ok(bad("runs", format!("{text}, not writable"))
            .help("choose another folder with --runs or GRADTOP_RUNS"));
    }
    Ok(good("runs", text))
}

/// Checks whether logging out ends runs. Only systemd-logind does that, and only if configured to.
fn at_logout() -> Finding {
    const TOPIC: &str = "logout";
    if !Path::new("/run/systemd/system").is_dir() {
        return good(TOPIC, "runs continue: no systemd, so nothing ends them");
    }
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
    if !user.is_empty() && Path::new("/var/lib/systemd/linger").join(&user).exists() {
        return good(TOPIC, format!("runs continue: {user} lingers"));
    }
    let mut settings = vec![PathBuf::from("/etc/systemd/logind.conf")];
    let folders = ["/usr/lib", "/run", "/etc"].map(|place| Path::new(place).join("systemd/logind.conf.d"));
    settings.extend(folders.iter().flat_map(|folder| entries(folder)));
    let texts: Vec<String> = settings.iter().filter_map(|f| std::fs::read_to_string(f).ok()).collect();
    if kills(&texts) {
        bad(TOPIC, "systemd-logind ends runs when you log out (KillUserProcesses=yes)")
            .help("let them continue:  loginctl enable-linger")
    } else {
        good(TOPIC, "runs continue (KillUserProcesses is not set)")
    }
}

/// Returns whether logind's settings, later ones taking precedence, kill a user's processes at logout.
fn kills(texts: &[String]) -> bool {
    let mut kills = false;
    for line in texts.iter().flat_map(|t| t.lines()) {
        if let Some((key, value)) = line.trim().split_once('=')
            && key.trim() == "KillUserProcesses"
        {
            kills = matches!(value.trim().to_ascii_lowercase().as_str(), "yes" | "true" | "1" | "on");
        }
    }
    kills
}

fn bench(context: &Context, json: bool) -> Result<i32> {
    let runs = context.runs()?;
    // Next to the runs, on their disk.
    make_folder(&runs)?;
    let folder = tempfile::Builder::new().prefix(".bench-").tempdir_in(&runs).cannot("write to", &runs)?;
    let r = gradtop_store::bench::logging(folder.path())?;
    folder.close().context("cannot remove what was written")?;
    if json {
        print::json(&json!({
            "points": r.points, "total_s": r.total.as_secs_f64(), "ns_per_point": r.ns_per_point,
            "call_p99_ns": r.call_p99.as_nanos() as u64, "bytes_per_point": r.bytes_per_point, "wait_s": r.wait.as_secs_f64(),
        }))?;
        return Ok(0);
    }
    let points = number::count(r.points as f64);
    print::line(&format!("{points} points, from the first call to sealed Parquet on this disk"));
    for (value, of) in [
        (number::duration(r.total.as_secs_f64()), "in total"),
        (format!("{} ns", number::value(r.ns_per_point)), "per point on the training thread"),
        (format!("{} ns", r.call_p99.as_nanos()), "the slowest 1 % of calls"),
        (format!("{} B", number::value(r.bytes_per_point)), "per point on disk"),
        (number::duration(r.wait.as_secs_f64()), "waited for the writer"),
    ] {
        print::line(&format!("  {value:>10}  {of}"));
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::kills;

    #[test]
    fn the_last_setting_counts_and_comments_do_not() {
        let text = |t: &str| t.to_owned();
        assert!(!kills(&[text("[Login]\n#KillUserProcesses=yes\n")]));
        assert!(kills(&[text("[Login]\nKillUserProcesses = yes\n")]));
        assert!(!kills(&[text("KillUserProcesses=yes"), text("KillUserProcesses=no")]));
    }
}
