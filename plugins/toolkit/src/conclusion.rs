//! What conclusions of experiments have in common: a claim is one record of what is said, what it rests on, what it does not say
//! and how far it may be relied on; and the table `conclusion` is made of them.

use gradtop_sdk::{Column, Ctx, Result, Rows};

use crate::stats::{Estimate, holm, permutation};

/// Mean and range of a number over the trials that have it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Mean; NaN of nothing.
    pub mean: f64,
    /// Lowest; NaN of nothing.
    pub lowest: f64,
    /// Highest; NaN of nothing.
    pub highest: f64,
    /// How many.
    pub count: usize,
}

impl Spread {
    /// Of these values.
    pub fn of(values: &[f64]) -> Self {
        Self {
            mean: values.iter().sum::<f64>() / values.len() as f64,
            lowest: values.iter().copied().fold(f64::NAN, f64::min),
            highest: values.iter().copied().fold(f64::NAN, f64::max),
            count: values.len(),
        }
    }

    /// The range in words behind a mean, written by `number`.
    pub fn in_words(&self, number: impl Fn(f64) -> String) -> String {
        match self.count {
            1 => "(1 trial)".to_owned(),
            n => format!("({} to {} in {n} trials)", number(self.lowest), number(self.highest)),
        }
    }
}

/// A number with this many significant digits as people write it: `2.30`, `0.135`, and `1.12e-5` only where plain decimals are
/// hard to read.
pub fn significant(value: f64, digits: usize) -> String {
    let fraction = digits.max(1) - 1;
    let text = format!("{value:.fraction$e}");
    let exponent = text.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    match exponent {
        // The exponent is of the rounded number: 9.9996 is 10.00.
        Some(exponent @ -3..=4) => {
            let decimals = usize::try_from(fraction as i32 - exponent).unwrap_or(0);
            format!("{value:.decimals$}")
        }
        Some(_) => text,
        None => value.to_string(),
    }
}

/// A number of things: `1 pair`, `3 pairs`.
pub fn counted(count: i64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// That trials diverged, if any did.
pub fn diverged_in_words(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 trial diverged and is left out".to_owned()),
        n => Some(format!("{n} trials diverged and are left out")),
    }
}

/// Trials of each side that an order needs: of three and three not even a perfect one can be told from chance at 5 %.
pub const FEWEST: usize = 5;

/// What a claim made in spite of fewer says.
pub const FEW: &str = "fewer than 5 trials: no order can be claimed";

/// p of an order of two samples by exact permutation; `None` of fewer than [`FEWEST`] trials.
pub fn order(a: &[f64], b: &[f64]) -> Option<f64> {
    (a.len().min(b.len()) >= FEWEST).then(|| permutation::two_samples(a, b))
}

/// A rank coefficient with its interval.
pub fn coefficient(found: &Estimate) -> String {
    format!("Spearman {:.2}, 95 % interval {:.2} to {:.2}", found.value, found.low, found.high)
}

/// How far a claim may be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// Told from chance after correction for all claims of the run, or an exact count, or a counterexample that stands alone.
    Shown,
    /// Numbers of this run's networks, from which nothing follows for others.
    Seen,
    /// Tested, and not told from chance.
    Open,
    /// These data cannot decide it either way.
    Untestable,
}

impl Strength {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Seen => "seen in this run",
            Self::Open => "not decided",
            Self::Untestable => "not testable",
        }
    }
}

#[derive(Clone, Debug)]
struct Test {
    p: f64,
    corrected: f64,
    /// What is claimed if the test does not hold.
    otherwise: String,
}

/// One claim with all that belongs to it: it is logged, written and shown whole.
#[derive(Clone, Debug)]
pub struct Claim {
    /// What it is about, such as `sinc, shallow`.
    pub about: String,
    /// What is claimed.
    pub statement: String,
    /// The numbers it rests on, how many, and their interval.
    pub evidence: String,
    /// What it does not say; empty: nothing.
    pub caution: String,
    /// How far it may be relied on.
    pub strength: Strength,
    test: Option<Test>,
}

impl Claim {
    /// A claim of this strength, without evidence and caution yet.
    pub fn new(about: impl Into<String>, strength: Strength, statement: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            statement: statement.into(),
            evidence: String::new(),
            caution: String::new(),
            strength,
            test: None,
        }
    }

    /// A claim that holds only if the p of its test does after Holm's correction over all tests of the run; `otherwise` is
    /// claimed if not. Without a p nothing is tested and the statement is of this run alone, with the caution [`FEW`].
    pub fn tested(
        about: impl Into<String>,
        p: Option<f64>,
        statement: impl Into<String>,
        otherwise: impl Into<String>,
    ) -> Self {
        let claim = Self::new(about, Strength::Seen, statement);
        match p {
            Some(p) => Self { test: Some(Test { p, corrected: p, otherwise: otherwise.into() }), ..claim },
            None => claim.caution(FEW),
        }
    }

    /// A claim on an order that a rank coefficient measures. Without a p a direction is said only if the coefficient's interval has
    /// one; else it cannot be tested what is `asked`.
    pub fn ordered(
        about: impl Into<String>,
        found: &Estimate,
        p: Option<f64>,
        statement: impl Into<String>,
        otherwise: impl Into<String>,
        asked: impl Into<String>,
    ) -> Self {
        if p.is_none() && !(found.low > 0.0 || found.high < 0.0) {
            return Self::new(about, Strength::Untestable, asked).caution(FEW);
        }
        Self::tested(about, p, statement, otherwise)
    }

    /// Adds to the evidence.
    #[must_use]
    pub fn evidence(mut self, words: impl AsRef<str>) -> Self {
        join(&mut self.evidence, words.as_ref());
        self
    }

    /// Adds to the evidence where `holds`.
    #[must_use]
    pub fn evidence_if(self, holds: bool, words: impl FnOnce() -> String) -> Self {
        if holds { self.evidence(words()) } else { self }
    }

    /// Adds to the caution.
    #[must_use]
    pub fn caution(mut self, words: impl AsRef<str>) -> Self {
        join(&mut self.caution, words.as_ref());
        self
    }

    /// Statement, strength, evidence and caution in sentences.
    pub fn whole(&self) -> String {
        let mut text = format!("{} ({}).", self.statement, self.strength.name());
        for (name, part) in [("Evidence", &self.evidence), ("Caution", &self.caution)] {
            if !part.is_empty() {
                text.extend([" ", name, ": ", part, "."]);
            }
        }
        text
    }
}

fn join(all: &mut String, words: &str) {
    if !all.is_empty() && !words.is_empty() {
        all.push_str("; ");
    }
    all.push_str(words);
}

/// Decides every tested claim of a run by its p after Holm's correction over `family` tests, or over those here if they are more:
/// a family is larger where only the most striking of many comparisons are claimed.
pub fn settle(claims: &mut [Claim], family: usize) {
    let p: Vec<f64> = claims.iter().filter_map(|claim| Some(claim.test.as_ref()?.p)).collect();
    let tests = family.max(p.len());
    let mut corrected = holm(&p, family).into_iter();
    for claim in claims {
        let Some(test) = &mut claim.test else { continue };
        test.corrected = corrected.next().unwrap_or(1.0);
        let holds = test.corrected <= LEVEL;
        claim.strength = if holds { Strength::Shown } else { Strength::Open };
        if !holds {
            claim.statement.clone_from(&test.otherwise);
        }
        let of = if tests == 1 {
            String::new()
        } else {
            format!(", corrected for {tests} tests {}", p_in_words(test.corrected))
        };
        join(&mut claim.evidence, &format!("p {}{of}", p_in_words(test.p)));
    }
}

/// False alarms of a run that are taken.
const LEVEL: f64 = 0.05;

fn p_in_words(p: f64) -> String {
    if p < 1e-3 { "< 0.001".to_owned() } else { format!("= {}", significant(p, 2)) }
}

/// Settles the claims of a run ([`settle`]) and writes them: to the log, and to the table `conclusion` as a row a claim. `keys` are
/// its first columns; `about`, `claim`, `evidence`, `caution`, `strength`, `p` and `p_corrected` follow, and last `statement`, the whole in
/// sentences, so that a reader of that column alone misses nothing. Each claim comes with the figure it is read from, and is given
/// back with it as it was settled, for [`caption`].
pub fn write<F>(
    ctx: &Ctx,
    step: i64,
    said: Vec<(F, Claim)>,
    family: usize,
    keys: Vec<Column<'_>>,
) -> Result<Vec<(F, Claim)>> {
    let (figures, mut claims): (Vec<F>, Vec<Claim>) = said.into_iter().unzip();
    settle(&mut claims, family);
    for claim in &claims {
        ctx.info(format!("{}: {}", claim.about, claim.whole()))?;
    }
    let mut rows = Rows::of(&claims)
        .utf8("about", |c| &c.about)
        .utf8("claim", |c| &c.statement)
        .utf8("evidence", |c| &c.evidence)
        .utf8("caution", |c| &c.caution)
        .utf8("strength", |c| c.strength.name());
    if claims.iter().any(|claim| claim.test.is_some()) {
        let number = |claim: &Claim, of: fn(&Test) -> f64| claim.test.as_ref().map_or(f64::NAN, of);
        rows = rows.f64("p", |c| number(c, |t| t.p)).f64("p_corrected", |c| number(c, |t| t.corrected));
    }
    let rows = rows.utf8("statement", |c| format!("{}: {}", c.about, c.whole()));
    ctx.table("conclusion", step, &[keys, rows.columns()].concat())?;
    Ok(figures.into_iter().zip(claims).collect())
}

/// Claims at the end of the caption of the figure they are read from, all of each.
pub fn caption<F: PartialEq<G>, G: ?Sized>(said: &[(F, Claim)], figure: &G) -> String {
    let here = said.iter().filter(|(of, _)| of == figure);
    let words: String = here.map(|(_, claim)| [" ", &claim.about, ": ", &claim.whole()].concat()).collect();
    if words.is_empty() { words } else { format!(" Found:{words}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_in_words() {
        let of = Spread::of;
        assert_eq!(of(&[2.0]).in_words(|v| v.to_string()), "(1 trial)");
        assert_eq!(of(&[1.0, 3.0]).in_words(|v| format!("{v:.1}")), "(1.0 to 3.0 in 2 trials)");
        assert!(of(&[]).mean.is_nan());
        assert_eq!(diverged_in_words(0), None);
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        let written =
            [(2.302, 3), (0.13479, 3), (0.00112, 3), (9.9996, 4), (18.687, 5), (-0.26472, 5), (0.0, 3)];
        assert_eq!(
            written.map(|(value, digits)| significant(value, digits)),
            ["2.30", "0.135", "0.00112", "10.00", "18.687", "-0.26472", "0.00"]
        );
        let odd = [1.12e-5, -4.5024e-6, 123_456.0, 99_999.0, f64::NAN, f64::INFINITY];
        assert_eq!(
            odd.map(|value| significant(value, 3)),
            ["1.12e-5", "-4.50e-6", "1.23e5", "1.00e5", "NaN", "inf"]
        );
    }

    #[test]
    fn a_claim_is_shown_whole() {
        let claim = Claim::new("sinc", Strength::Seen, "it falls")
            .evidence("5 trials")
            .evidence("all of them")
            .caution("one rate");
        assert_eq!(
            claim.whole(),
            "it falls (seen in this run). Evidence: 5 trials; all of them. Caution: one rate."
        );
        let nothing = Claim::new("a", Strength::Untestable, "nothing");
        assert_eq!(nothing.whole(), "nothing (not testable).");
        let said = [("loss", claim.clone()), ("fit", claim.clone()), ("loss", nothing)];
        let both = caption(&said, &"loss");
        assert_eq!(both, format!(" Found: sinc: {} a: nothing (not testable).", claim.whole()));
        assert_eq!(caption(&said, &"other"), "");
    }

    #[test]
    fn tests_are_corrected_for_all_of_a_run() {
        let claim = |p| Claim::tested("x", p, "different", "not separated");
        let mut claims = vec![
            claim(Some(0.004)),
            claim(Some(0.03)),
            claim(None),
            Claim::new("x", Strength::Shown, "exact"),
        ];
        settle(&mut claims, 0);
        assert!(
            claims[0]
                .whole()
                .starts_with("different (shown). Evidence: p = 0.0040, corrected for 2 tests = 0.0080"),
            "{}",
            claims[0].whole()
        );
        assert_eq!(
            (claims[1].strength, claims[2].strength, claims[3].strength),
            (Strength::Shown, Strength::Seen, Strength::Shown)
        );
        assert_eq!(
            claims[2].whole(),
            "different (seen in this run). Caution: fewer than 5 trials: no order can be claimed."
        );
        // The same p among more tests is no evidence.
        let mut claims = vec![claim(Some(0.004)), claim(Some(0.03))];
        settle(&mut claims, 20);
        assert!(claims[0].whole().starts_with("not separated (not decided)"), "{}", claims[0].whole());
    }

    #[test]
    fn three_trials_have_no_order() {
        assert_eq!(order(&[1.0, 2.0, 3.0], &[7.0, 8.0, 9.0]), None);
        assert!(order(&[1.0, 2.0, 3.0, 4.0, 5.0], &[7.0, 8.0, 9.0, 10.0, 11.0]).is_some_and(|p| p < 0.01));
    }
}
