//! Claims that experiments write to their table `conclusion`, and the summary that a report begins with.

use gradtop_store::{ColumnData, Table};

use super::document::{Claim, Finding, Span, Summary, text};
use crate::print::clean;

/// Strengths of claims, the most reliable first, as in docs/claims.md. Facts that gradtop itself reads from a run are
/// "recorded".
const STRENGTHS: [&str; 5] = [RECORDED, "shown", SEEN, "not decided", "not testable"];
/// The strength of facts in a run's files, such as a crash.
pub(crate) const RECORDED: &str = "recorded";
/// The strength of numbers from a single run.
pub(crate) const SEEN: &str = "seen in this run";
/// The most lines of a summary.
const LINES: usize = 10;

impl Claim {
    /// Creates a claim about a fact in a run's files.
    pub(crate) fn recorded(words: impl Into<String>) -> Self {
        Self { strength: RECORDED.to_owned(), ..Self::statement(words) }
    }
}

/// The rank of a strength, lower being more reliable. Unknown words of other authors rank in the middle.
pub(crate) fn rank(strength: &str) -> usize {
    STRENGTHS.iter().position(|known| *known == strength).unwrap_or(2)
}

/// Returns the distinct claims of a table. Tables without the columns of a claim contain plain statements, which are completed
/// by words of the columns before them.
pub(crate) fn of_table(table: &Table) -> Vec<Claim> {
    let words = |name: &str| match table.column(name) {
        Some(ColumnData::Utf8(words)) => Some(words),
        _ => None,
    };
    let mut claims: Vec<Claim> = Vec::new();
    for row in 0..table.rows() {
        let of = |name: &str| words(name).map(|column| clean(column[row].trim())).unwrap_or_default();
        let claim = match words("claim") {
            Some(_) => Claim {
                about: missing_words(table, row, "claim", &[of("claim"), of("evidence")].concat()),
                words: of("claim"),
                evidence: of("evidence"),
                caution: of("caution"),
                strength: of("strength"),
            },
            None => Claim {
                about: missing_words(table, row, "statement", &of("statement")),
                ..Claim::statement(of("statement"))
            },
        };
        if !claim.words.is_empty() && !claims.contains(&claim) {
            claims.push(claim);
        }
    }
    claims
}

/// Returns the words of the columns before `until` that the statement does not contain.
fn missing_words(table: &Table, row: usize, until: &str, said: &str) -> String {
    let before = table.columns.iter().take_while(|(name, _, _)| name != until);
    let mut keys: Vec<String> = Vec::new();
    for (_, _, data) in before {
        let ColumnData::Utf8(words) = data else { continue };
        let word = clean(words[row].trim());
        // `sinc, deep` makes a key `sinc` redundant.
        keys.retain(|key| !word.contains(key.as_str()));
        if !word.is_empty() && !said.contains(&word) && keys.iter().all(|key| !key.contains(&word)) {
            keys.push(word);
        }
    }
    keys.join(", ")
}

/// Builds the summary: the most reliable finding of each run first, then as many others as fit. Findings that several runs
/// share become one line.
pub(crate) fn summary(of_runs: Vec<(Option<Span>, Vec<Claim>)>) -> Summary {
    let runs = of_runs.iter().filter(|(of, _)| of.is_some()).count();
    let mut all: Vec<(usize, usize, Finding)> = Vec::new();
    // The number of runs that share each finding, and the last such run.
    let mut counts: Vec<(usize, usize)> = Vec::new();
    for (run, (of, mut claims)) in of_runs.into_iter().enumerate() {
        claims.sort_by_key(|claim| rank(&claim.strength));
        for (turn, claim) in claims.into_iter().enumerate() {
            // Crashes are listed separately for each run.
            let same = |other: &Claim| {
                let words = |claim: &Claim| (claim.about.clone(), claim.words.clone(), claim.caution.clone());
                claim.strength != RECORDED
                    && (words(other), &other.strength) == (words(&claim), &claim.strength)
            };
            let known = |at: &usize| of.is_some() && counts[*at].1 != run && same(&all[*at].2.claim);
            if let Some(at) = (0..all.len()).find(known) {
                counts[at] = (counts[at].0 + 1, run);
                let (first, _, finding) = &mut all[at];
                *first = turn.min(*first);
                finding.of = Some(text(format!("{} of {runs} runs:", counts[at].0)));
            } else {
                counts.push((1, run));
                all.push((turn, rank(&claim.strength), Finding { of: of.clone(), claim }));
            }
        }
    }
    // Findings about several runs take precedence over those about single ones.
    all.sort_by_key(|(turn, rank, finding)| (*turn > 0 || finding.of.is_some(), *turn, *rank));
    let more = all.len().saturating_sub(LINES);
    all.truncate(LINES);
    all.sort_by_key(|(_, rank, _)| *rank);
    Summary { lines: all.into_iter().map(|(_, _, finding)| finding).collect(), more }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: &[&str]) -> ColumnData {
        ColumnData::Utf8(words.iter().map(|w| (*w).to_owned()).collect())
    }

    fn table(columns: &[(&str, ColumnData)]) -> Table {
        let column = |(name, data): &(&str, ColumnData)| ((*name).to_owned(), None, data.clone());
        Table { columns: columns.iter().map(column).collect(), ..Table::default() }
    }

    #[test]
    fn a_statement_is_told_of_whom_it_speaks() {
        let table = table(&[
            ("task", text(&["sinc", "sinc", "mnist", ""])),
            ("model", text(&["deep", "flat", "deep", ""])),
            ("loss", ColumnData::F64(vec![0.5; 4])),
            ("statement", text(&["lowest", "flat is worse", "sinc and deep: said", " "])),
            ("after", text(&["x"; 4])),
        ]);
        let said: Vec<(String, String)> =
            of_table(&table).into_iter().map(|claim| (claim.about, claim.words)).collect();
        let expected =
            [("sinc, deep", "lowest"), ("sinc", "flat is worse"), ("mnist", "sinc and deep: said")];
        assert_eq!(said, expected.map(|(about, claim)| (about.to_owned(), claim.to_owned())));
    }

    #[test]
    fn a_claim_keeps_all_its_parts() {
        let table = table(&[
            ("function", text(&["sinc"])),
            ("about", text(&["sinc, deep"])),
            ("claim", text(&["it fell"])),
            ("evidence", text(&["5 trials"])),
            ("caution", text(&[""])),
            ("strength", text(&["shown"])),
            ("statement", text(&["sinc, deep: it fell (shown). Evidence: 5 trials."])),
        ]);
        let expected = Claim {
            about: "sinc, deep".to_owned(),
            evidence: "5 trials".to_owned(),
            strength: "shown".to_owned(),
            ..Claim::statement("it fell")
        };
        assert_eq!(of_table(&table), [expected]);
    }

    #[test]
    fn a_summary_is_ten_lines_the_surest_first_and_each_run_has_its_turn() {
        let claim = |n: usize, strength: &str| Claim {
            strength: strength.to_owned(),
            ..Claim::statement(format!("{strength} {n}"))
        };
        let run = |name: &str, claims| (Some(Span::Text(name.to_owned())), claims);
        let many = (0..12).map(|n| claim(n, if n % 2 == 0 { "not decided" } else { "shown" })).collect();
        let found = summary(vec![
            run("a", many),
            run("b", vec![claim(0, SEEN)]),
            run("c", vec![claim(1, "not testable")]),
        ]);
        assert_eq!((found.lines.len(), found.more), (10, 4));
        let said: Vec<&str> = found.lines.iter().map(|line| line.claim.words.as_str()).collect();
        assert_eq!(said[0], "shown 1");
        assert_eq!(said[6..], [&format!("{SEEN} 0"), "not decided 0", "not decided 2", "not testable 1"]);
        let same = summary(vec![
            run("a", vec![claim(0, "shown"), claim(0, "shown")]),
            run("b", vec![claim(1, "shown"), claim(0, "shown"), claim(0, RECORDED)]),
            run("c", vec![claim(0, RECORDED)]),
        ]);
        let lines: Vec<String> = same.lines.iter().map(|l| format!("{:?} {}", l.of, l.claim.words)).collect();
        let of = |words: &str| format!("{:?}", Some(Span::Text(words.to_owned())));
        let [a, b, c, both] = ["a", "b", "c", "2 of 3 runs:"].map(of);
        assert_eq!(
            lines,
            [
                format!("{b} recorded 0"),
                format!("{c} recorded 0"),
                format!("{both} shown 0"),
                format!("{a} shown 0"),
                format!("{b} shown 1")
            ]
        );
        let crashed = |name: &str| run(name, vec![claim(0, RECORDED), claim(1, RECORDED)]);
        let best = vec![(None, vec![claim(0, "shown")]), (None, vec![claim(1, "shown")])];
        let many = summary(
            best.into_iter().chain("abcdefghijkl".chars().map(|c| crashed(&c.to_string()))).collect(),
        );
        let last = many.lines[8..].iter().map(|line| line.claim.words.as_str());
        assert_eq!(last.collect::<Vec<_>>(), ["shown 0", "shown 1"], "twelve that crashed leave them room");
        let one = summary(vec![run("a", vec![claim(0, SEEN)])]);
        assert!(one.lines.len() == 1 && one.rest().is_empty());
    }
}
