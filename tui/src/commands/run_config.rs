//! `--config FILE.toml`: options of a run from a file. The command line takes precedence.

use std::path::Path;

use anyhow::Result;

use crate::config::{scalar, seconds};
use crate::failure::{Failure, toml_error};
use crate::print::clean;
use gradtop_store::suggest;

const KEYS: [&str; 8] =
    ["experiment", "preset", "seed", "device", "threads", "name", "checkpoint_every", "params"];

/// The contents of a configuration file.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct RunConfig {
    pub(crate) experiment: Option<String>,
    pub(crate) preset: Option<String>,
    pub(crate) seed: Option<u64>,
    pub(crate) device: Option<String>,
    pub(crate) threads: Option<u32>,
    pub(crate) name: Option<String>,
    pub(crate) checkpoint_every: Option<f64>,
    /// Parameters as text, as for `--set`.
    pub(crate) params: Vec<(String, String)>,
}

impl RunConfig {
    /// Reads a file and checks its keys and their types.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = crate::files::read(path)?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        let bad = |message: String| Failure::usage(format!("{}: {message}", path.display()));
        let table: toml::Table = text.parse().map_err(|e| bad(toml_error(text, &e)))?;
        let mut config = Self::default();
        for (key, value) in &table {
            let wrong = |wanted: &str| bad(format!("{key} must be {wanted}, not {value}"));
            let text = || value.as_str().map(str::to_owned).ok_or_else(|| wrong("text in quotes"));
            match key.as_str() {
                "experiment" => config.experiment = Some(text()?),
                "preset" => config.preset = Some(text()?),
                "device" => config.device = Some(text()?),
                "name" => config.name = Some(text()?),
                "seed" => config.seed = Some(seed(value).ok_or_else(|| wrong("a whole number from 0"))?),
                "threads" => {
                    let threads = value.as_integer().and_then(|t| u32::try_from(t).ok()).filter(|t| *t > 0);
                    config.threads = Some(threads.ok_or_else(|| wrong("a whole number from 1"))?);
                }
                "checkpoint_every" => {
                    let seconds = scalar(value).and_then(|text| seconds(&text).ok());
                    config.checkpoint_every =
                        Some(seconds.ok_or_else(|| {
                            wrong("a number of seconds, 0 to 1e9, or a time such as \"10m\"")
                        })?);
                }
                "params" => {
                    let params = value.as_table().ok_or_else(|| wrong("a table"))?;
                    for (name, value) in params {
                        let text = scalar(value).ok_or_else(|| {
                            bad(format!("params.{name} must be a number, text, true or false"))
                        })?;
                        config.params.push((name.clone(), text));
                    }
                }
                unknown => {
                    return Err(bad(format!("unknown key {unknown:?}"))
                        .help(suggest(unknown, KEYS.into_iter(), "keys"))
                        .into());
                }
            }
        }
        Ok(config)
    }
}

/// TOML integers end at 2^63; a larger seed is written as text.
fn seed(value: &toml::Value) -> Option<u64> {
    value.as_integer().and_then(|i| u64::try_from(i).ok()).or_else(|| value.as_str()?.parse().ok())
}

/// Parses `key=value`.
pub(crate) fn assignment(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not KEY=VALUE"))?;
    if key.trim().is_empty() {
        return Err(format!("{text:?} has no key before '='"));
    }
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// Checks that no key is given twice.
pub(crate) fn check_once(given: &[(String, String)]) -> Result<()> {
    let twice =
        given.iter().enumerate().find(|(at, (key, _))| given[..*at].iter().any(|(known, _)| known == key));
    match twice {
        Some((_, (key, _))) => Err(Failure::usage(format!("{} is set twice", clean(key))).into()),
        None => Ok(()),
    }
}

/// Merges the parameters of the file with those of the command line, which take precedence.
pub(crate) fn merge(file: Vec<(String, String)>, line: &[(String, String)]) -> Vec<(String, String)> {
    let kept = file.into_iter().filter(|(k, _)| !line.iter().any(|(l, _)| l == k));
    kept.chain(line.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn parse(text: &str) -> Result<RunConfig> {
        RunConfig::parse(text, Path::new("c.toml"))
    }

    #[test]
    fn every_key_is_read() {
        let text = "experiment = 'plane-curves'\npreset = 'quick'\nseed = 7\ndevice = 'cpu'\nthreads = 2\nname = 'a'\n\
                    checkpoint_every = 30\n[params]\nlr = 1e-3\nsteps = 50\nnoise = true\nfunction = 'sinc'\n";
        let config = parse(text).unwrap();
        assert_eq!(config.experiment.as_deref(), Some("plane-curves"));
        assert_eq!((config.seed, config.threads, config.checkpoint_every), (Some(7), Some(2), Some(30.0)));
        let params: Vec<String> = config.params.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(params, ["lr=0.001", "steps=50", "noise=true", "function=sinc"]);
        assert_eq!(parse("seed = '18446744073709551615'").unwrap().seed, Some(u64::MAX));
    }

    #[test]
    fn wrong_keys_and_types_are_refused() {
        let error = parse("sed = 7").unwrap_err();
        assert_eq!(error.to_string(), "c.toml: unknown key \"sed\"");
        assert!(parse("seed = -1").unwrap_err().to_string().contains("seed must be a whole number"));
        assert!(parse("threads = 0").is_err());
        for seconds in ["-1", "1e300", "nan"] {
            assert!(parse(&format!("checkpoint_every = {seconds}")).is_err(), "{seconds}");
        }
        for time in ["120", "120.0", "'120'", "'2m'"] {
            let read = parse(&format!("checkpoint_every = {time}")).unwrap();
            assert_eq!(read.checkpoint_every, Some(120.0), "{time}");
        }
        assert!(parse("params = 3").is_err());
        assert!(parse("[params]\nlr = [1]").unwrap_err().to_string().contains("params.lr"));
        let error = parse("seed = 7\na = ").unwrap_err().to_string();
        assert!(error.starts_with("c.toml: line 2: ") && error.lines().count() == 1, "{error}");
    }

    #[test]
    fn the_command_line_wins() {
        let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let merged = merge(vec![pair("lr", "1"), pair("steps", "2")], &[pair("lr", "3")]);
        assert_eq!(merged, [pair("steps", "2"), pair("lr", "3")]);
        assert_eq!(assignment("a = b=c"), Ok(pair("a", "b=c")));
        assert!(assignment("a").is_err());
        assert!(assignment("=1").is_err());
    }
}
