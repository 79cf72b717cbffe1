//! A report file: sections of questions, each answered by text and by parts of runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Deserialize;
use toml::Spanned;

use crate::failure::{Failure, line_at, toml_error};
use gradtop_store::suggest;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReportFile {
    #[serde(skip)]
    path: PathBuf,
    #[serde(skip)]
    source: String,
    pub(crate) title: Words,
    /// The paragraph below the title.
    pub(crate) lead: Words,
    /// Additional sentences for studies with certain presets.
    #[serde(default, rename = "preset")]
    pub(crate) presets: BTreeMap<String, Words>,
    /// The author of quotations.
    #[serde(default = "somebody")]
    pub(crate) quoted: String,
    #[serde(rename = "section")]
    pub(crate) sections: Vec<Section>,
}

fn somebody() -> String {
    "Quoted".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    pub(crate) id: Spanned<String>,
    pub(crate) title: Words,
    #[serde(rename = "question")]
    pub(crate) questions: Vec<Question>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    pub(crate) title: Words,
    /// The complete question.
    pub(crate) asked: Option<Words>,
    pub(crate) answer: Vec<Part>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    Text(Words),
    Quote(Words),
    Settings(Place),
    Found(Place),
    Table(Place),
    Figures(Vec<Place>),
    /// Collapsed tables with the numbers behind conclusions.
    Numbers(Vec<Place>),
}

/// Text in which line breaks do not matter, with code between backticks.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Words(pub(crate) String);

impl TryFrom<String> for Words {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.matches('`').count() % 2 == 1 {
            return Err("a backtick is not closed");
        }
        Ok(Self(text.split_whitespace().collect::<Vec<_>>().join(" ")))
    }
}

/// `RUN` or `RUN/NAME`: the key of a run, and one of its figures or tables.
#[derive(Debug, Deserialize)]
#[serde(from = "Spanned<String>")]
pub(crate) struct Place {
    pub(crate) run: String,
    /// Empty for the run itself. The name of a figure may end in the wildcard `*`.
    pub(crate) name: String,
    at: usize,
}

impl From<Spanned<String>> for Place {
    fn from(text: Spanned<String>) -> Self {
        let at = text.span().start;
        let text = text.into_inner();
        let (run, name) = text.split_once('/').unwrap_or((&text, ""));
        Self { run: run.to_owned(), name: name.to_owned(), at }
    }
}

impl Place {
    /// Returns whether this names the figure.
    pub(crate) fn means(&self, figure: &str) -> bool {
        self.name.strip_suffix('*').map_or(self.name == figure, |start| figure.starts_with(start))
    }
}

impl Part {
    fn places(&self) -> &[Place] {
        match self {
            Self::Text(_) | Self::Quote(_) => &[],
            Self::Settings(place) | Self::Found(place) | Self::Table(place) => std::slice::from_ref(place),
            Self::Figures(places) | Self::Numbers(places) => places,
        }
    }

    fn check(&self, place: &Place) -> Result<(), String> {
        let name = &place.name;
        match self {
            Self::Settings(_) | Self::Found(_) if !name.is_empty() => {
                Err(format!("settings and found apply to a whole run: write {:?}", place.run))
            }
            Self::Table(_) | Self::Figures(_) | Self::Numbers(_) if name.is_empty() => {
                Err(format!("{:?} names no figure or table: write \"{0}/NAME\"", place.run))
            }
            Self::Figures(_) if name.trim_end_matches('*').contains('*') => {
                Err(format!("{name:?}: * is only allowed at the end"))
            }
            _ => Ok(()),
        }
    }
}

impl Question {
    /// The keys of the runs in the answer, possibly repeated.
    pub(crate) fn runs(&self) -> impl Iterator<Item = &str> {
        self.answer.iter().flat_map(Part::places).map(|place| place.run.as_str())
    }
}

impl Section {
    /// The keys of the runs in order of their first appearance.
    pub(crate) fn runs(&self) -> Vec<&str> {
        let mut runs = Vec::new();
        for run in self.questions.iter().flat_map(Question::runs) {
            if !runs.contains(&run) {
                runs.push(run);
            }
        }
        runs
    }
}

impl ReportFile {
    /// Reads and validates the report of a plan with these keys.
    pub(crate) fn read(path: &Path, keys: &[&str]) -> Result<Self> {
        let source = crate::files::read(path)?;
        let report =
            Self::parse(source, keys).map_err(|why| Failure::usage(format!("{}: {why}", path.display())))?;
        Ok(Self { path: path.to_owned(), ..report })
    }

    fn parse(source: String, keys: &[&str]) -> Result<Self, String> {
        let mut report: Self = toml::from_str(&source).map_err(|e| toml_error(&source, &e))?;
        report.source = source;
        report.check(keys).map(|()| report)
    }

    fn check(&self, keys: &[&str]) -> Result<(), String> {
        let at = |place: usize, why: &str| format!("line {}: {why}", line_at(&self.source, place));
        for (i, section) in self.sections.iter().enumerate() {
            let (id, start) = (section.id.get_ref(), section.id.span().start);
            gradtop_store::validate_name(id).map_err(|e| at(start, &format!("id {id:?}: {e}")))?;
            if self.sections[..i].iter().any(|other| other.id.get_ref() == id) {
                return Err(at(start, &format!("two sections have the id {id:?}")));
            }
            let parts = section.questions.iter().flat_map(|question| &question.answer);
            for (part, place) in parts.flat_map(|part| part.places().iter().map(move |place| (part, place))) {
                if !keys.contains(&place.run.as_str()) {
                    let known = suggest(&place.run, keys.iter().copied(), "runs");
                    return Err(at(place.at, &format!("the plan has no run {:?}; {known}", place.run)));
                }
                part.check(place).map_err(|why| at(place.at, &why))?;
            }
        }
        Ok(())
    }

    /// The paragraph below the title of a study with these presets.
    pub(crate) fn lead(&self, presets: &BTreeSet<&str>) -> String {
        let more = self.presets.iter().filter(|(preset, _)| presets.contains(preset.as_str()));
        let all: Vec<&str> = std::iter::once(&self.lead)
            .chain(more.map(|(_, words)| words))
            .map(|words| words.0.as_str())
            .collect();
        all.join(" ")
    }

    /// The location of a place in the file, for error messages.
    pub(crate) fn line(&self, place: &Place) -> String {
        format!("{}: line {}", self.path.display(), line_at(&self.source, place.at))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn parse(answer: &str) -> Result<ReportFile, String> {
        let text = format!(
            "title = 'T'\nlead = 'L'\n[[section]]\nid = 's'\ntitle = 'S'\n[[section.question]]\ntitle = 'Q'\nanswer = [\n{answer}\n]\n"
        );
        ReportFile::parse(text, &["fit", "walk"])
    }

    #[test]
    fn parts_name_runs_and_what_they_have() {
        let report = parse(
            "{ text = \"\"\"\none\n  two `a b`\"\"\" }, { figures = ['walk/path-*', 'fit/loss'] }, { settings = 'fit' }",
        )
        .unwrap();
        let section = &report.sections[0];
        assert_eq!(section.runs(), ["walk", "fit"]);
        let [Part::Text(words), Part::Figures(places), Part::Settings(_)] = &section.questions[0].answer[..]
        else {
            panic!("{report:?}")
        };
        assert_eq!(words.0, "one two `a b`");
        assert!(places[0].means("path-1") && !places[0].means("pat") && places[1].means("loss"));
        assert!(!places[1].means("loss-2"));
    }

    #[test]
    fn what_is_true_of_a_preset_is_said_of_studies_with_it() {
        let text =
            "title = 'T'\nlead = 'Of all.'\npreset.quick = 'Less.'\npreset.full = 'All.'\nsection = []\n";
        let report = ReportFile::parse(text.to_owned(), &[]).unwrap();
        let lead = |presets: &[&str]| report.lead(&presets.iter().copied().collect());
        assert_eq!(lead(&["quick"]), "Of all. Less.");
        assert_eq!(lead(&["default"]), "Of all.");
        assert_eq!(lead(&[]), "Of all.");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (answer, why) in [
            ("{ figures = ['fti/loss'] }", "line 9: the plan has no run \"fti\"; did you mean fit?"),
            ("{ table = 'fit' }", "line 9: \"fit\" names no figure or table: write \"fit/NAME\""),
            ("{ found = 'fit/x' }", "line 9: settings and found apply to a whole run"),
            ("{ figures = ['fit/*-a'] }", "* is only allowed at the end"),
            ("{ text = 'an `open one' }", "line 9: a backtick is not closed"),
            ("{ txt = 'x' }", "line 9: \"txt\" is not one of text, quote"),
            ("], [ 1", "line 9"),
        ] {
            let error = parse(answer).unwrap_err();
            assert!(error.contains(why) && error.lines().count() == 1, "{answer}: {error}");
        }
    }
}
