//! The user's settings: `config.toml`, with an environment variable for each key.
//!
//! The order of precedence is command line, environment, file, built-in default.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Result;
use gradtop_host::text::time;
use gradtop_host::{AlertRule, Alerts, DeviceChoice, Launcher};
use gradtop_store::{near, suggest};

use crate::failure::{Failure, line_at, toml_error};
use crate::print::{clean, terminal};
use gradtop_chart::cells::theme::ThemeName;

/// A setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Runs,
    Device,
    Threads,
    CheckpointEvery,
    CodeDiff,
    Glyphs,
    Theme,
    Fps,
    MaxKbps,
    ReadOnly,
    On,
    AlertRules,
    AlertHook,
}

/// A setting with the name of its key and a check of its value.
type Rule = (Key, &'static str, fn(&str) -> Result<(), String>);

/// All settings, in the order in which they are shown.
pub(crate) const KEYS: [Rule; 13] = [
    (Key::Runs, "runs", |t| folder(t).map(drop)),
    (Key::Device, "device", |t| t.parse::<DeviceChoice>().map(drop)),
    (Key::Threads, "threads", |t| threads(t).map(drop)),
    (Key::CheckpointEvery, "checkpoint_every", |t| seconds(t).map(drop)),
    (Key::CodeDiff, "code_diff", |t| one_of(t, &["true", "false"])),
    (Key::Glyphs, "glyphs", |t| terminal::named(t).map(drop)),
    (Key::Theme, "theme", |t| t.parse::<ThemeName>().map(drop)),
    (Key::Fps, "fps", |t| fps(t).map(drop)),
    (Key::MaxKbps, "max_kbps", |t| kbps(t).map(drop)),
    (Key::ReadOnly, "read_only", |t| one_of(t, &["true", "false"])),
    (Key::On, "on", |_| Ok(())),
    (Key::AlertRules, "alerts.rules", |t| AlertRule::list(t).map(drop)),
    (Key::AlertHook, "alerts.hook", |_| Ok(())),
];
/// The table with the keys whose names begin with `alerts.`.
const ALERTS: &str = "alerts";
/// The table of launchers, which holds a table for each, by name.
const LAUNCHERS: &str = "launcher";

/// What the names of all variables begin with.
const PREFIX: &str = "GRADTOP_";
/// Variables that belong to no setting. `GRADTOP_PROGRAM` is for the Python client.
const VARIABLES: [&str; 5] =
    ["GRADTOP_PLUGINS", "GRADTOP_LIBTORCH", "GRADTOP_DUCKDB", "GRADTOP_DATASETS", "GRADTOP_PROGRAM"];

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// An environment variable.
    Variable(String),
    /// A line of the file.
    Line(usize),
}

/// The settings, already checked.
#[derive(Debug, Default)]
pub(crate) struct Config {
    set: Vec<(Key, String, Origin)>,
    launchers: Vec<Launcher>,
}

impl Config {
    /// Reads the environment and, if it exists, the file.
    ///
    /// # Errors
    /// A key is unknown or a value is invalid; the message says where.
    pub(crate) fn load() -> Result<Self> {
        let path = path();
        let text = path.as_deref().map(crate::files::read_if_there).transpose()?.flatten();
        let file = path.as_deref().zip(text.as_deref());
        Self::of(file, |name| std::env::var(name).ok())
    }

    fn of(file: Option<(&Path, &str)>, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let config = Self::read(file, variable)?;
        if let Some((name, origin)) = config.get(Key::On) {
            let at = match origin {
                Origin::Variable(variable) => variable.clone(),
                Origin::Line(line) => {
                    format!("{}: line {line}: on", file.map_or(Path::new(""), |(path, _)| path).display())
                }
            };
            config.launcher_named(name, &format!("{at}: "))?;
        }
        Ok(config)
    }

    fn read(file: Option<(&Path, &str)>, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut config = Self::default();
        for (key, name, check) in KEYS {
            let variable_name = variable_of(name);
            if let Some(text) = variable(&variable_name).filter(|text| !text.is_empty()) {
                check(&text).map_err(|why| Failure::usage(format!("{variable_name}: {why}")))?;
                config.set.push((key, text, Origin::Variable(variable_name)));
            }
        }
        let Some((path, text)) = file else { return Ok(config) };
        let bad = |message: String| Failure::usage(format!("{}: {message}", path.display()));
        let table: toml::Table = text.parse().map_err(|e| bad(toml_error(text, &e)))?;
        let lines = lines(text);
        if let Some(all) = table.get(LAUNCHERS) {
            config.launchers = launchers(all, &lines).map_err(bad)?;
        }
        for (name, value) in flat(&table) {
            let (name, value) = (name.as_str(), &value);
            let line = line_of(&lines, name);
            let at = |message: String| bad(format!("line {line}: {message}"));
            let Some((key, _, check)) = KEYS.into_iter().find(|(_, known, _)| *known == name) else {
                return Err(at(format!("unknown key {name:?}"))
                    .help(suggest(name, KEYS.iter().map(|(_, known, _)| *known), "keys"))
                    .into());
            };
            let text = scalar(value)
                .or_else(|| list(value).filter(|_| key == Key::AlertRules))
                .ok_or_else(|| at(format!("{name} must be {}", kind(key))))?;
            check(&text).map_err(|why| at(format!("{name}: {why}")))?;
            if key == Key::Runs && !(text.starts_with('/') || text.starts_with("~/")) {
                return Err(at(format!("runs: {text:?} is neither absolute nor below ~/")).into());
            }
            if config.text(key).is_none() {
                config.set.push((key, text, Origin::Line(line)));
            }
        }
        Ok(config)
    }

    /// Returns the value of a key and its origin, if it is set anywhere.
    pub(crate) fn get(&self, key: Key) -> Option<(&str, &Origin)> {
        self.set.iter().find(|(set, ..)| *set == key).map(|(_, text, origin)| (text.as_str(), origin))
    }

    /// Returns the value of a key, if it is set anywhere.
    pub(crate) fn text(&self, key: Key) -> Option<&str> {
        self.get(key).map(|(text, _)| text)
    }

    /// The runs folder.
    pub(crate) fn runs(&self) -> Option<PathBuf> {
        self.text(Key::Runs).and_then(|text| folder(text).ok())
    }

    /// Returns a parsed value.
    pub(crate) fn value<T: std::str::FromStr>(&self, key: Key) -> Option<T> {
        self.text(key).and_then(|text| text.parse().ok())
    }

    /// The alerts of a new run: those of the settings and the rules given for this run.
    pub(crate) fn alerts(&self, given: Vec<AlertRule>) -> Alerts {
        let rules =
            self.text(Key::AlertRules).and_then(|text| AlertRule::list(text).ok()).unwrap_or_default();
        Alerts { rules, given, hook: self.text(Key::AlertHook).map(str::to_owned), early_stop: None }
    }

    /// The configured launchers, and the built-in ones.
    pub(crate) fn launchers(&self) -> Vec<Launcher> {
        let is_own = |name: &&str| self.launchers.iter().any(|own| own.name == *name);
        let built_in = Launcher::built_in_names().filter(|name| !is_own(name)).filter_map(Launcher::built_in);
        built_in.chain(self.launchers.iter().cloned()).collect()
    }

    /// Returns whether the settings configure this launcher or make it the default.
    pub(crate) fn sets_up(&self, name: &str) -> bool {
        self.text(Key::On) == Some(name) || self.launchers.iter().any(|own| own.name == name)
    }

    /// Returns the launcher of this name, else the configured default, else the local one.
    pub(crate) fn launcher(&self, name: Option<&str>) -> Result<Launcher> {
        self.launcher_named(name.or_else(|| self.text(Key::On)).unwrap_or("local"), "")
    }

    /// Returns the launcher of a name; `at` is where an error says that the name stands.
    fn launcher_named(&self, name: &str, at: &str) -> Result<Launcher> {
        let mut all = self.launchers();
        let names: Vec<String> = all.iter().map(|launcher| launcher.name.clone()).collect();
        let place = names.iter().position(|known| known == name).ok_or_else(|| {
            let message = format!("{at}there is no launcher {:?}", clean(name));
            Failure::unknown(message, name, names.iter().map(String::as_str), "launchers")
        })?;
        Ok(all.swap_remove(place))
    }

    /// Returns whether runs of commands record the difference to their git commit.
    pub(crate) fn code_diff(&self) -> bool {
        self.value(Key::CodeDiff).unwrap_or(true)
    }

    /// The default options of a new run.
    pub(crate) fn launch(&self) -> LaunchDefaults {
        LaunchDefaults {
            device: self.value(Key::Device),
            threads: self.value(Key::Threads),
            checkpoint_every: self.text(Key::CheckpointEvery).and_then(|text| seconds(text).ok()),
        }
    }
}

/// The default options of a new run; `None` means the built-in default.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LaunchDefaults {
    pub(crate) device: Option<DeviceChoice>,
    pub(crate) threads: Option<u32>,
    /// In seconds.
    pub(crate) checkpoint_every: Option<f64>,
}

/// `$XDG_CONFIG_HOME/gradtop/config.toml`, else below `~/.config`; `None` without a home folder.
pub(crate) fn path() -> Option<PathBuf> {
    Some(gradtop_host::config_dir()?.join("config.toml"))
}

/// The environment variable of a key.
pub(crate) fn variable_of(name: &str) -> String {
    format!("{PREFIX}{}", name.to_ascii_uppercase().replace('.', "_"))
}

/// Warnings about environment variables that look like gradtop's, misspelt; others may be those of a plugin.
pub(crate) fn unknown_variables(set: impl Iterator<Item = String>) -> Vec<String> {
    let own: Vec<String> =
        KEYS.iter().map(|(_, name, _)| variable_of(name)).chain(VARIABLES.map(str::to_owned)).collect();
    let short = |name: &String| name.trim_start_matches(PREFIX).to_owned();
    let all: Vec<String> = own.iter().map(short).collect();
    let warning = |name: String| {
        let near = near(&short(&name), all.iter().map(String::as_str));
        let near: Vec<String> = near.iter().map(|near| format!("{PREFIX}{near}")).collect();
        let meant = near.join(" or ");
        (!near.is_empty()).then(|| format!("the variable {name} means nothing here: did you mean {meant}?"))
    };
    let known = |name: &String| own.contains(name) || gradtop_host::variables().any(|known| known == name);
    let ours = |name: &String| name.starts_with(PREFIX) && !name.starts_with("GRADTOP_TEST_");
    set.filter(|name| ours(name) && !known(name)).filter_map(warning).collect()
}

/// Lists the keys of a TOML text with their line numbers, those in tables as `table.key`.
fn lines(text: &str) -> Vec<(String, usize)> {
    let mut lines = Vec::new();
    if let Ok(table) = toml::de::DeTable::parse(text) {
        add_lines(text, "", table.get_ref(), &mut lines);
    }
    lines
}

fn add_lines(text: &str, before: &str, table: &toml::de::DeTable<'_>, lines: &mut Vec<(String, usize)>) {
    for (key, value) in table {
        let name = format!("{before}{}", key.get_ref());
        if let toml::de::DeValue::Table(inner) = value.get_ref() {
            add_lines(text, &format!("{name}."), inner, lines);
        }
        lines.push((name, line_at(text, key.span().start)));
    }
}

/// The line of a key; 1 if it is unknown.
fn line_of(lines: &[(String, usize)], name: &str) -> usize {
    lines.iter().find(|(key, _)| key == name).map_or(1, |(_, line)| *line)
}

/// Flattens the tables of a file: keys of `[alerts]` get the prefix `alerts.`.
fn flat(table: &toml::Table) -> Vec<(String, toml::Value)> {
    let inside = |inner: &toml::Table| {
        inner.iter().map(|(key, value)| (format!("{ALERTS}.{key}"), value.clone())).collect::<Vec<_>>()
    };
    let keys = table.iter().map(|(key, value)| match value {
        toml::Value::Table(inner) if key == ALERTS => inside(inner),
        _ if key == LAUNCHERS => Vec::new(),
        _ => vec![(key.clone(), value.clone())],
    });
    keys.flatten().collect()
}

/// Parses the table of launchers.
fn launchers(all: &toml::Value, lines: &[(String, usize)]) -> Result<Vec<Launcher>, String> {
    let named = || format!("{LAUNCHERS} must be tables such as [{LAUNCHERS}.cluster]");
    let read = |(name, table): (&String, &toml::Value)| {
        let key = format!("{LAUNCHERS}.{name}");
        let table = table.as_table().cloned().ok_or_else(named)?;
        Launcher::read(name, table.clone()).map_err(|why| {
            // The first key that is wrong on its own; `kind`, if that is.
            let is_wrong = |at: &&String| {
                let some = table.iter().filter(|(other, _)| other == at || *other == "kind");
                Launcher::read(name, some.map(|(key, value)| (key.clone(), value.clone())).collect()).is_err()
            };
            let kind = table.keys().filter(|at| *at == "kind");
            let wrong = kind.chain(table.keys()).find(is_wrong).filter(|_| table.contains_key("kind"));
            let line = line_of(lines, &wrong.map_or_else(|| key.clone(), |wrong| format!("{key}.{wrong}")));
            format!("line {line}: {key}: {why}")
        })
    };
    all.as_table().ok_or_else(named)?.iter().map(read).collect()
}

/// Converts an array of strings to the comma-separated form.
fn list(value: &toml::Value) -> Option<String> {
    let texts: Option<Vec<&str>> = value.as_array()?.iter().map(toml::Value::as_str).collect();
    Some(texts?.join(", "))
}

/// Describes the values that a key accepts.
fn kind(key: Key) -> &'static str {
    match key {
        Key::AlertRules => "a list of texts in quotes",
        _ => "a number, text in quotes, true or false",
    }
}

/// Returns a TOML value as it would be typed on the command line, or `None` for a table, an array or a date.
pub(crate) fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(s) => Some(s.clone()),
        toml::Value::Integer(i) => Some(i.to_string()),
        toml::Value::Float(f) => Some(f.to_string()),
        toml::Value::Boolean(b) => Some(b.to_string()),
        _ => None,
    }
}

/// Parses a non-negative number of seconds, or a time with its unit.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().or_else(|_| {
        time(text).map_err(|_| format!("{text:?} is neither a number of seconds nor a time such as 10m"))
    })?;
    if seconds.is_finite() && (0.0..=1e9).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(format!("{text} is not between 0 and 1e9 seconds"))
    }
}

/// Returns a parser of whole numbers within `range`.
pub(crate) fn whole<N>(range: RangeInclusive<N>) -> impl Fn(&str) -> Result<N, String> + Clone
where
    N: FromStr + PartialOrd + Display + Clone,
{
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
    }
}

/// Parses a frame rate.
pub(crate) fn fps(text: &str) -> Result<f64, String> {
    between(text, 0.1, 60.0)
}

/// Parses a bandwidth in kilobytes per second.
pub(crate) fn kbps(text: &str) -> Result<f64, String> {
    between(text, 0.0, 1e6)
}

fn between(text: &str, low: f64, high: f64) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if (low..=high).contains(&number) {
        Ok(number)
    } else {
        Err(format!("{text} is not between {low} and {high}"))
    }
}

fn threads(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|n| (1..=4096).contains(n));
    number.ok_or_else(|| format!("{text:?} is not a whole number from 1 to 4096"))
}

/// Parses a path, in which `~/` is the home folder.
fn folder(text: &str) -> Result<PathBuf, String> {
    match (text.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Ok(Path::new(&home).join(rest)),
        _ => std::path::absolute(text).map_err(|e| format!("{text:?} cannot be a folder: {e}")),
    }
}

fn one_of(text: &str, known: &[&'static str]) -> Result<(), String> {
    if known.contains(&text) {
        return Ok(());
    }
    Err(format!("{text:?} is not one of {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn of(text: &str, variables: &[(&str, &str)]) -> Result<Config> {
        let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Config::of(Some((Path::new("/c.toml"), text)), variable)
    }

    #[test]
    fn the_environment_wins_over_the_file_and_both_say_where_they_are_from() {
        let text = "# mine\ndevice = \"cuda:1\"\n\nthreads = 3\nfps = 2.5\n";
        let config = of(text, &[("GRADTOP_THREADS", "5"), ("GRADTOP_THEME", "")]).unwrap();
        assert_eq!(config.get(Key::Device), Some(("cuda:1", &Origin::Line(2))));
        assert_eq!(config.get(Key::Threads), Some(("5", &Origin::Variable("GRADTOP_THREADS".to_owned()))));
        assert_eq!((config.value(Key::Fps), config.get(Key::Theme)), (Some(2.5), None));
        assert_eq!(config.launch().device, Some(DeviceChoice::Cuda(1)));
        assert_eq!(of("", &[]).unwrap().set, []);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let error = |text: &str| of(text, &[]).unwrap_err().to_string();
        assert_eq!(error("\ndevise = 'cpu'"), "/c.toml: line 2: unknown key \"devise\"");
        assert_eq!(
            error("theme = 'dark'\nthreads = 0"),
            "/c.toml: line 2: threads: \"0\" is not a whole number from 1 to 4096"
        );
        assert_eq!(
            error("theme = 'drak'"),
            "/c.toml: line 1: theme: \"drak\" is not one of dark, light, high-contrast"
        );
        assert_eq!(
            error("[alerts]\nrules = ['loss > x']"),
            "/c.toml: line 2: alerts.rules: \"loss > x\": \"x\" is not a number; \
             such a rule is METRIC > NUMBER (also <, >=, <=)"
        );
        assert!(error("[alerts]\nrule = []").starts_with("/c.toml: line 2: unknown key \"alerts.rule\""));
        assert_eq!(
            error("fps = 1\n[launcher.c]\nkind = 'slrm'"),
            "/c.toml: line 3: launcher.c: the key kind must be local or slurm, in quotes"
        );
        assert_eq!(
            error("on = 'c'\n[launcher.c]\nkind = 'slurm'\npartition = 'x'\nfoo = 1\nbar = 1"),
            "/c.toml: line 5: launcher.c: unknown key \"foo\": keys: kind, partition, gres, time, account, extra, setup, ask_every"
        );
        assert!(error("fps = 1\n[launcher.c]\ntime = '1'").starts_with("/c.toml: line 2: launcher.c: "));
        assert!(error("[launcher.c]\nkind = 'slurm'\npartion = 'x'").contains("did you mean partition?"));
        assert!(
            error("[launcher.c]\nkind = 'slurm'\ntime = 3")
                .contains("launcher.c: time: 3 should be text in quotes")
        );
        assert!(error("launcher = 3").contains("launcher must be tables"));
        assert!(error("fps = [1]").contains("fps must be a number"));
        assert!(error("fps = 1\nfps = 2").starts_with("/c.toml: line 2: "));
        let wrong = of("", &[("GRADTOP_FPS", "fast")]).unwrap_err().to_string();
        assert_eq!(wrong, "GRADTOP_FPS: \"fast\" is not a number");
    }

    #[test]
    fn launchers_are_those_of_the_file_and_those_that_need_none() {
        let config = of("on = 'c'\n[launcher.c]\nkind = 'slurm'\ntime = '1:00:00'", &[]).unwrap();
        let names: Vec<String> = config.launchers().into_iter().map(|launcher| launcher.name).collect();
        assert_eq!(names, ["local", "slurm", "c"]);
        assert_eq!(config.launcher(None).unwrap().kind(), "slurm");
        assert!(config.launcher(Some("local")).unwrap().is_local());
        let unknown = config.launcher(Some("d")).unwrap_err().to_string();
        assert_eq!(unknown, "there is no launcher \"d\"");
    }

    #[test]
    fn a_default_launcher_that_is_none_is_an_error_where_it_stands() {
        let wrong = of("fps = 1\non = 'gpu'", &[]).unwrap_err();
        assert_eq!(wrong.to_string(), "/c.toml: line 2: on: there is no launcher \"gpu\"");
        let wrong = of("", &[("GRADTOP_ON", "slrum")]).unwrap_err().to_string();
        assert_eq!(wrong, "GRADTOP_ON: there is no launcher \"slrum\"");
        assert!(of("on = 'gpu'\n[launcher.gpu]\nkind = 'slurm'", &[]).is_ok());
    }

    #[test]
    fn a_variable_that_means_nothing_is_told_with_what_was_meant() {
        let told = |name: &str| unknown_variables(std::iter::once(name.to_owned())).join("");
        for known in ["GRADTOP_RUNS", "GRADTOP_ALERTS_HOOK", "GRADTOP_SINK", "GRADTOP_TEST_BIN", "PATH"] {
            assert_eq!(told(known), "");
        }
        assert!(
            told("GRADTOP_PLUGIN").ends_with("did you mean GRADTOP_PLUGINS?"),
            "{}",
            told("GRADTOP_PLUGIN")
        );
        assert_eq!(told("GRADTOP_ZZZZZZ"), "", "it may be that of a plugin");
    }

    #[test]
    fn a_wrong_line_of_the_file_is_an_error_though_the_environment_wins() {
        assert!(of("threads = -1", &[("GRADTOP_THREADS", "2")]).is_err());
    }
}
