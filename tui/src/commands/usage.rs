//! What is wrong with a command line, in the form of all other errors: one line, and what to do.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser as _};
use gradtop_host::ExperimentDesc;
use gradtop_store::near;

use super::cli::Cli;
use crate::failure::Failure;

/// The most subcommands that are listed if none is similar.
const FEW: usize = 8;

/// Puts an error of clap into one line, with the hint that helps most. `experiment` returns the one that a command line names.
pub(crate) fn failure(
    error: &clap::Error,
    args: &[OsString],
    experiment: &dyn Fn(&[String]) -> Option<ExperimentDesc>,
) -> Failure {
    let args: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let mut root = Cli::command();
    root.build();
    let command = args.iter().fold(&root, |command, arg| command.find_subcommand(arg).unwrap_or(command));
    let line = Line { error, args, command, experiment };
    let help = line.help().unwrap_or_else(|| {
        let what = if command.has_subcommands() { "commands" } else { "options" };
        format!("`{} --help` lists the {what}", command.get_bin_name().unwrap_or("gradtop"))
    });
    Failure::usage(line.message()).help(help)
}

fn meant(near: &[String]) -> Option<String> {
    (!near.is_empty()).then(|| format!("did you mean {}?", near.join(" or ")))
}

/// A command line that clap does not understand.
struct Line<'a> {
    error: &'a clap::Error,
    args: Vec<String>,
    /// The innermost command that it names.
    command: &'a clap::Command,
    experiment: &'a dyn Fn(&[String]) -> Option<ExperimentDesc>,
}

impl Line<'_> {
    /// What clap says is wrong about.
    fn about(&self, kind: ContextKind) -> Option<String> {
        match self.error.get(kind)? {
            ContextValue::String(text) => Some(text.clone()),
            ContextValue::Strings(texts) => Some(texts.join(" and ")),
            _ => None,
        }
    }

    fn message(&self) -> String {
        if let Some(missing) = self.missing() {
            let needing = (0..self.args.len()).find(|at| {
                let mut without = self.args.clone();
                without.remove(*at).starts_with("--") && Cli::try_parse_from(without).is_ok()
            });
            return match needing {
                Some(at) => format!("{} needs {missing}", self.args[at]),
                None => format!("missing: {missing}"),
            };
        }
        // The rest of clap's text is tips and usage.
        let text = self.error.render().to_string();
        let first = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
        match self.unknown_option().filter(|_| self.error.kind() == ErrorKind::UnknownArgument) {
            Some(wrong) => format!("unexpected argument '--{wrong}' found"),
            None => first.split_whitespace().collect::<Vec<_>>().join(" "),
        }
    }

    fn help(&self) -> Option<String> {
        match self.error.kind() {
            ErrorKind::MissingRequiredArgument => {
                let usage = self.error.get(ContextKind::Usage)?.to_string();
                Some(usage.trim_start_matches("Usage: ").lines().next()?.to_owned())
            }
            ErrorKind::InvalidValue => {
                let Some(ContextValue::Strings(values)) = self.error.get(ContextKind::ValidValue) else {
                    return None;
                };
                meant(&near(&self.about(ContextKind::InvalidValue)?, values.iter().map(String::as_str)))
            }
            ErrorKind::InvalidSubcommand => self.subcommand(),
            ErrorKind::UnknownArgument => {
                self.parameter().or_else(|| self.option()).or_else(|| self.dashed())
            }
            ErrorKind::ValueValidation => self.option(),
            _ => None,
        }
    }

    fn missing(&self) -> Option<String> {
        let missing = self.error.kind() == ErrorKind::MissingRequiredArgument;
        self.about(ContextKind::InvalidArg).filter(|_| missing)
    }

    fn subcommand(&self) -> Option<String> {
        let subcommands = self.command.get_subcommands().filter(|sub| !sub.is_hide_set());
        let names: Vec<&str> = subcommands.map(clap::Command::get_name).collect();
        let few = || (names.len() <= FEW).then(|| format!("subcommands: {}", names.join(", ")));
        meant(&near(&self.about(ContextKind::InvalidSubcommand)?, names.iter().copied())).or_else(few)
    }

    /// The options of the command, without their dashes.
    fn options(&self) -> impl Iterator<Item = &str> {
        self.command.get_arguments().filter_map(clap::Arg::get_long)
    }

    /// The first option that the command does not have, without its dashes. If values may begin with a dash, clap takes one for
    /// a value and complains about what follows.
    fn unknown_option(&self) -> Option<&str> {
        let mut given =
            self.args.iter().take_while(|arg| *arg != "--").filter_map(|arg| arg.strip_prefix("--"));
        let known = |arg: &str| self.options().any(|option| Some(option) == arg.split('=').next());
        given.find(|arg| !known(arg))
    }

    /// Suggests an option similar to one that the command does not have.
    fn option(&self) -> Option<String> {
        let near = near(self.unknown_option()?.split('=').next()?, self.options());
        meant(&near.iter().map(|option| format!("--{option}")).collect::<Vec<_>>())
    }

    /// Explains how a parameter or preset is chosen if it was given as an option: `run NAME --lr 3`, `run NAME lr=3`.
    fn parameter(&self) -> Option<String> {
        let set = match self.command.get_name() {
            "run" | "sweep" => "--set",
            "exec" => "--param",
            _ => return None,
        };
        let at = self.wrong_at()?;
        let whole = &self.args[at];
        let bare = whole.strip_prefix("--");
        let (typed, value) = match (whole.split_once('='), self.args.get(at + 1)) {
            (Some((_, value)), _) => (bare.unwrap_or(whole).split('=').next()?, value),
            (None, Some(next)) if !next.starts_with("--") => (bare?, next.as_str()),
            _ => (bare?, "VALUE"),
        };
        let experiment = Some(set).filter(|set| *set == "--set").and_then(|_| (self.experiment)(&self.args));
        let (params, presets) = experiment.as_ref().map_or((&[][..], &[][..]), |e| (&e.params, &e.presets));
        let same = |name: &str| name.replace('_', "-") == typed.replace('_', "-");
        let param = params.iter().map(|param| param.key.as_str()).find(|key| same(key));
        if param.is_none() && presets.iter().any(|preset| preset.name == typed) {
            return Some(format!("a preset is chosen by --preset {typed}"));
        }
        // What is no parameter may be a misspelt option.
        if param.is_none() && bare.is_some() && self.option().is_some() {
            return None;
        }
        Some(format!("a parameter is set by {set} {}={value}", param.unwrap_or(typed)))
    }

    /// Where the argument stands that clap did not expect.
    fn wrong_at(&self) -> Option<usize> {
        let wrong = self.about(ContextKind::InvalidArg)?;
        self.args.iter().position(|arg| arg.starts_with(&wrong))
    }

    /// Says how to pass a value that begins with a dash, if that is possible.
    fn dashed(&self) -> Option<String> {
        let at = self.wrong_at()?;
        let (before, value) = (self.args.get(at.checked_sub(1)?)?, &self.args[at]);
        if value.starts_with("--") {
            return None;
        }
        let option = before.strip_prefix("--");
        let takes = |arg: &clap::Arg| arg.get_long() == option && arg.get_action().takes_values();
        if option.is_some() && self.command.get_arguments().any(takes) {
            return Some(format!("a value that begins with - follows a =: {before}={value}"));
        }
        let mut with = self.args.clone();
        with.insert(at, "--".to_owned());
        let value = gradtop_store::shell_words(std::slice::from_ref(value));
        Cli::try_parse_from(with)
            .is_ok()
            .then(|| format!("a value that begins with - follows a --: -- {value}"))
    }
}

#[cfg(test)]
mod tests {
    use gradtop_host::{ParamDesc, PresetDesc};

    use super::*;

    /// The experiment `curve`.
    fn known(args: &[String]) -> Option<ExperimentDesc> {
        let params = ["threads_of", "table_every"]
            .map(|key| ParamDesc { key: key.to_owned(), ..ParamDesc::default() });
        let quick = PresetDesc { name: "quick".to_owned(), help: String::new(), values: Vec::new() };
        let curve =
            ExperimentDesc { params: params.into(), presets: vec![quick], ..ExperimentDesc::default() };
        args.iter().any(|arg| arg == "curve").then_some(curve)
    }

    #[test]
    fn what_was_meant_is_said() {
        let said = |line: &str| {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let Err(error) = Cli::try_parse_from(&args) else { return String::new() };
            if !error.use_stderr() {
                return error.to_string();
            }
            let failure = failure(&error, &args, &known);
            let said = format!("{failure}\nhelp: {}", failure.hint().unwrap_or_default());
            assert_eq!(said.lines().count(), 2, "{said}");
            said
        };
        for (line, hint) in [
            ("gradtop export a --cvs", "did you mean --csv?"),
            ("gradtop query --csvv sql", "unexpected argument '--csvv' found"),
            ("gradtop query --csvv", "did you mean --csv?"),
            ("gradtop list --colums a", "did you mean --columns?"),
            ("gradtop data downlod", "subcommands: list, fetch, check"),
            ("gradtop plugin instal x", "did you mean install"),
            ("gradtop lst", "did you mean list"),
            ("gradtop help lst", "did you mean list"),
            ("gradtop help", "Commands:"),
            ("gradtop help list", "Usage: gradtop list"),
            ("gradtop help queue move", "Usage: gradtop queue move"),
            ("gradtop run fit --lr 3", "--set lr=3"),
            ("gradtop run fit lr=3", "--set lr=3"),
            ("gradtop run fit --batch 8", "help: a parameter is set by --set batch=8"),
            ("gradtop run fit --trials=3", "help: a parameter is set by --set trials=3"),
            ("gradtop run fit --thread 3", "help: did you mean --threads?"),
            ("gradtop run curve --threads-of 3", "help: a parameter is set by --set threads_of=3"),
            ("gradtop sweep curve --name s --table-every 3", "--set table_every=3"),
            ("gradtop run curve --quick", "help: a preset is chosen by --preset quick"),
            ("gradtop exec --lr 3", "help: a parameter is set by --param lr=3"),
            ("gradtop run fit --seed -1", "follows a =: --seed=-1"),
            ("gradtop run fit --name -x", "follows a =: --name=-x"),
            ("gradtop run fit -x", "`gradtop run --help` lists the options"),
            ("gradtop list -state:failed", "follows a --: -- -state:failed"),
            ("gradtop plot a --json", "--json needs --list\nhelp: gradtop plot --list --json"),
            ("gradtop exec", "missing: <COMMAND>...\nhelp: gradtop exec [OPTIONS] -- COMMAND"),
            ("gradtop completions zhs", "did you mean zsh?"),
            ("gradtop zzz", "`gradtop --help` lists the commands"),
        ] {
            assert!(said(line).contains(hint), "{line}: {}", said(line));
        }
        assert!(!said("gradtop export a --cvs").contains("-- --cvs"));
        assert!(!said("gradtop zzz").contains("subcommands:"));
        let wrong = said("gradtop exec --alert stalled:5 -- true");
        assert!(wrong.contains("is not a rule") && !wrong.contains("did you mean --"), "{wrong}");
        assert!(!said("gradtop exec --total x -- true").contains("did you mean"));
        assert!(said("gradtop exec --total x -- true").contains("must be a whole number from 1"));
        for good in [
            "gradtop run fit --threads 4 --seed 1",
            "gradtop study --cores 4",
            "gradtop exec --total 4 --seed 1 -- true",
            "gradtop sweep fit --name s --vary lr=1 --seeds 2 --random 3 --at-once 4 --stop-early loss --stop-after 5",
            "gradtop plot last --width 80 --height 20",
        ] {
            assert_eq!(said(good), "");
        }
        assert!(said("gradtop run fit --threads 0").contains("must be a whole number from 1 to 4096"));
    }
}
