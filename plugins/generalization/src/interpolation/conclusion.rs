//! What the lines say, computed from them.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{self, Claim, FEWEST, Strength};
use gradtop_toolkit::stats::{mean, permutation};

use super::plan::{Kind, Plan, Start};
use super::walk::Line;

/// A barrier no higher than this many nats is none to speak of.
const NONE: f64 = 0.02;
/// From this many nats on, in every pair, it is one.
const CLEAR: f64 = 0.05;
/// Training losses of two ends match if they differ by no more than this share of the higher.
const MATCHED: f64 = 0.2;

/// The lines of one kind from the same or from other initial values.
struct Group<'a> {
    kind: Kind,
    start: Start,
    lines: Vec<&'a Line>,
}

impl Group<'_> {
    fn barriers(&self, set: usize, alphas: &[f64]) -> Vec<f64> {
        self.lines.iter().map(|line| line.barrier(set, alphas).0).collect()
    }

    /// Mean loss of a set at the place nearest to α.
    fn loss(&self, set: usize, alphas: &[f64], alpha: f64) -> f64 {
        let apart = |i: &usize| (alphas[*i] - alpha).abs();
        let nearest = (0..alphas.len()).min_by(|a, b| apart(a).total_cmp(&apart(b))).unwrap_or_default();
        mean(&self.lines.iter().map(|line| line.sets[set].loss[nearest]).collect::<Vec<_>>())
    }

    fn about(&self, plan: &Plan) -> String {
        format!(
            "two {}, {} against {}, {}",
            match self.kind {
                Kind::Batch => "batch sizes",
                Kind::Rate => "learning rates",
            },
            plan.roles[0].name,
            plan.role_of(self.kind).name,
            self.start.in_words()
        )
    }

    /// Whether there is a barrier.
    fn claim(&self, about: String, alphas: &[f64]) -> Claim {
        let (train, test) = (self.barriers(0, alphas), self.barriers(1, alphas));
        let above_mean: Vec<f64> = self.lines.iter().map(|line| line.above_mean(0, alphas)).collect();
        let pairs = self.lines.len();
        let claim = Claim::new(about, Strength::Seen, verdict(&train))
            .evidence(format!(
                "training barrier above the chord {}, test barrier {}",
                range(&train),
                range(&test)
            ))
            .evidence(match pairs {
                1 => "1 pair".to_owned(),
                n => format!("{n} pairs"),
            });
        let claim = if self.gap(alphas) > NONE {
            claim.evidence(format!(
                "above the mean of the two ends, which are not equally low, {}",
                range(&above_mean)
            ))
        } else {
            claim
        };
        let distances: Vec<f64> = self.lines.iter().map(|line| line.distance).collect();
        let cosines: Vec<f64> = self.lines.iter().map(|line| line.cosine).collect();
        let claim = claim.evidence(format!("distance {:.1}, cosine {:.2}", mean(&distances), mean(&cosines)));
        let best = (0..alphas.len())
            .min_by(|&a, &b| self.loss(1, alphas, alphas[a]).total_cmp(&self.loss(1, alphas, alphas[b])));
        let claim = match best {
            Some(best) => claim.evidence(format!(
                "of all places the test loss is lowest, {:.3}, at α = {:.2} ({:.3} at 0, {:.3} at 1)",
                self.loss(1, alphas, alphas[best]),
                alphas[best],
                self.loss(1, alphas, 0.0),
                self.loss(1, alphas, 1.0)
            )),
            None => claim,
        };
        let claim = claim.caution("a line is one path: another may pass below it");
        if pairs < 3 { claim.caution("fewer than 3 pairs: other pairs may differ") } else { claim }
    }

    /// How far apart the training losses of the two ends are.
    fn gap(&self, alphas: &[f64]) -> f64 {
        (self.loss(0, alphas, 0.0) - self.loss(0, alphas, 1.0)).abs()
    }

    /// How the line goes on beyond its ends, and which end looks flatter along it. A loss that falls beyond an end says that
    /// the line passes no minimum there, and ends at different losses are at different heights of one valley: in either case
    /// nothing is said of how flat one is.
    fn beyond(&self, about: &str, alphas: &[f64]) -> Claim {
        let change = |end: f64, beyond: f64| self.loss(0, alphas, beyond) - self.loss(0, alphas, end);
        let (before, after) = (change(0.0, -0.5), change(1.0, 1.5));
        let way = |change: f64| if change < 0.0 { "falls" } else { "rises" };
        let seen = format!(
            "half a distance beyond the ends the training loss {} by {:.3} past 0 and {} by {:.3} past 1",
            way(before),
            before.abs(),
            way(after),
            after.abs()
        );
        let untestable = |why: String| {
            Claim::new(about, Strength::Untestable, "which end is the flatter along the line").caution(why)
        };
        let claim = if !(before.is_finite() && after.is_finite()) {
            untestable("the loss is not finite everywhere there".to_owned())
        } else if before < 0.0 || after < 0.0 {
            untestable("the line passes no minimum where it falls".to_owned())
        } else if self.gap(alphas) > MATCHED * self.loss(0, alphas, 0.0).max(self.loss(0, alphas, 1.0)) {
            untestable(format!(
                "the ends have training losses of {:.3} and {:.3}: flatness is compared only where they match within {:.0} %",
                self.loss(0, alphas, 0.0),
                self.loss(0, alphas, 1.0),
                100.0 * MATCHED
            ))
        } else if (before - after).abs() < NONE {
            Claim::new(about, Strength::Seen, "along this line neither end looks flatter")
        } else {
            let flatter = if before < after { 0.0 } else { 1.0 };
            let (here, there) = (self.loss(1, alphas, flatter), self.loss(1, alphas, 1.0 - flatter));
            let goes = if here < there { "lower" } else { "no lower" };
            let words = format!(
                "along this line the network at {flatter} looks flatter, and its test loss is {goes}"
            );
            Claim::new(about, Strength::Seen, words)
                .caution("the slope along one line depends on the scale of the weights")
        };
        claim.evidence(seen)
    }
}

/// `0.213 (0.209 to 0.218)`.
fn range(values: &[f64]) -> String {
    let (low, high) = (
        values.iter().copied().fold(f64::INFINITY, f64::min),
        values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    );
    if values.len() == 1 {
        format!("{low:.3}")
    } else {
        format!("{:.3} ({low:.3} to {high:.3})", mean(values))
    }
}

fn verdict(barriers: &[f64]) -> &'static str {
    if barriers.iter().any(|b| !b.is_finite()) {
        "the loss is not finite on the way"
    } else if barriers.iter().all(|b| *b <= NONE) {
        "no barrier to speak of"
    } else if barriers.iter().all(|b| *b >= CLEAR) {
        "a barrier"
    } else {
        "neither clearly a barrier nor none"
    }
}

/// Barriers of two starts compared over both kinds: the first of them is expected to be the higher.
struct Question {
    about: &'static str,
    starts: [Start; 2],
    /// What is asked, and what is said if the barriers differ, are not separated, or differ the other way.
    asked: &'static str,
    differ: &'static str,
    same: &'static str,
    reverse: &'static str,
    caution: &'static str,
}

const INITIAL: Question = Question {
    about: "initial values",
    starts: [Start::Other, Start::Same],
    asked: "whether the initial values decide",
    differ: "from other initial values the barriers are higher than from the same",
    same: "the barriers from the same and from other initial values are not separated",
    reverse: "from other initial values the barriers are no higher than from the same",
    caution: "so a line says nothing of batch sizes or rates unless it is said where the networks began",
};

const MATCHED_UNITS: Question = Question {
    about: "matched units",
    starts: [Start::Other, Start::Aligned],
    asked: "whether the order of the hidden units makes the barriers",
    differ: "matching the hidden units lowers the barriers between networks from other initial values",
    same: "the barriers with and without matched units are not separated",
    reverse: "matching the hidden units does not lower the barriers between networks from other initial values",
    caution: "units are matched by their weights: of several hidden layers that is a local optimum, and another order may have a lower barrier",
};

/// The pair is the unit: its lines share the network at 0.
fn overall(groups: &[Group<'_>], alphas: &[f64], question: &Question) -> Claim {
    let of = |start: Start, pair: i64| -> f64 {
        let lines = groups.iter().filter(|g| g.start == start).flat_map(|g| &g.lines);
        mean(&lines.filter(|l| l.pair == pair).map(|l| l.barrier(0, alphas).0).collect::<Vec<_>>())
    };
    let mut pairs: Vec<i64> = groups.iter().flat_map(|g| g.lines.iter().map(|line| line.pair)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let [high, low] =
        question.starts.map(|start| pairs.iter().map(|&pair| of(start, pair)).collect::<Vec<_>>());
    let differences: Vec<f64> = high.iter().zip(&low).map(|(high, low)| high - low).collect();
    if !differences.iter().all(|d| d.is_finite()) {
        return Claim::new(question.about, Strength::Untestable, question.asked)
            .caution("a loss is not finite on the way");
    }
    let p = (pairs.len() >= FEWEST).then(|| permutation::pairs(&differences));
    let words = if mean(&differences) > 0.0 { question.differ } else { question.reverse };
    Claim::tested(question.about, p, words, question.same)
        .evidence(format!(
            "training barrier {} with {}, {} with {}, by {}",
            range(&high),
            question.starts[0].in_words(),
            range(&low),
            question.starts[1].in_words(),
            if pairs.len() == 1 { "1 pair".to_owned() } else { format!("{} pairs", pairs.len()) }
        ))
        .caution(question.caution)
}

/// Writes the claims of each kind of line and those of all, and gives each with its kind, if it is of one.
pub(super) fn write(ctx: &Ctx, plan: &Plan, lines: &[Line]) -> Result<Vec<(Option<Kind>, Claim)>> {
    let mut groups = Vec::new();
    for kind in Kind::ALL {
        for start in Start::ALL {
            let of = lines.iter().filter(|line| line.kind == kind && line.start == start);
            groups.push(Group { kind, start, lines: of.collect() });
        }
    }
    let alphas = &plan.alphas;
    let mut said: Vec<(Option<&Group<'_>>, Claim)> =
        [INITIAL, MATCHED_UNITS].iter().map(|question| (None, overall(&groups, alphas, question))).collect();
    for group in &groups {
        let about = group.about(plan);
        said.push((Some(group), group.claim(about.clone(), alphas)));
        said.push((Some(group), group.beyond(&format!("{about}, flatness"), alphas)));
    }
    let number = |of: &dyn Fn(&Group<'_>) -> f64| {
        said.iter().map(|(group, _)| group.map_or(f64::NAN, of)).collect::<Vec<_>>()
    };
    let text = |of: &dyn Fn(&Group<'_>) -> &'static str| {
        said.iter().map(|(group, _)| group.map_or("all", of)).collect::<Vec<_>>()
    };
    let pairs: Vec<i64> =
        said.iter().map(|(group, _)| group.map_or(lines.len(), |g| g.lines.len()) as i64).collect();
    let keys = vec![
        Column::utf8("kind", &text(&|g| g.kind.name())),
        Column::utf8("start", &text(&|g| g.start.name())),
        Column::i64("pairs", pairs),
        Column::f64("train_barrier", number(&|g| mean(&g.barriers(0, alphas)))).unit("nats"),
        Column::f64("test_barrier", number(&|g| mean(&g.barriers(1, alphas)))).unit("nats"),
        Column::f64(
            "train_above_mean",
            number(&|g| mean(&g.lines.iter().map(|l| l.above_mean(0, alphas)).collect::<Vec<_>>())),
        )
        .unit("nats"),
        Column::f64("train_loss_at_0", number(&|g| g.loss(0, alphas, 0.0))).unit("nats"),
        Column::f64("train_loss_at_1", number(&|g| g.loss(0, alphas, 1.0))).unit("nats"),
    ];
    let claims = said.iter().map(|(_, claim)| claim.clone()).collect();
    let claims = conclusion::write(ctx, plan.steps(), claims, 0, keys)?;
    Ok(said.iter().map(|(group, _)| group.map(|group| group.kind)).zip(claims).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradtop_toolkit::mlp::Evaluation;

    fn line(kind: Kind, start: Start, pair: i64, hump: f64) -> Line {
        let loss = vec![0.9, 0.3, 0.1, 0.2 + hump, 0.3, 0.5, 4.0];
        let set = Evaluation { loss, accuracy: vec![0.9; 7] };
        Line { kind, start, pair, sets: [set.clone(), set], distance: 30.0, cosine: 0.5 }
    }

    const ALPHAS: [f64; 7] = [-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0];

    #[test]
    fn barriers_are_heights_above_the_chord() {
        let (height, at) = line(Kind::Batch, Start::Same, 0, 0.25).barrier(0, &ALPHAS);
        assert!((height - 0.25).abs() < 1e-12 && at == 0.5, "{height} at {at}");
        // Below the chord: both ends have none, and so has the line.
        assert_eq!(line(Kind::Batch, Start::Same, 0, -0.1).barrier(0, &ALPHAS).0, 0.0);
        assert!(line(Kind::Batch, Start::Same, 0, f64::NAN).barrier(1, &ALPHAS).0.is_nan());
    }

    #[test]
    fn both_barriers_are_defined() {
        // A straight line between 0.1 and 0.3 has no barrier above the chord, and half the difference above the mean.
        let straight = line(Kind::Batch, Start::Same, 0, 0.0);
        assert!(straight.barrier(0, &ALPHAS).0 < 1e-12);
        assert!((straight.above_mean(0, &ALPHAS) - 0.1).abs() < 1e-12);
        assert!((line(Kind::Batch, Start::Same, 0, 0.25).above_mean(0, &ALPHAS) - 0.25).abs() < 1e-12);
        assert!(line(Kind::Batch, Start::Same, 0, f64::NAN).above_mean(0, &ALPHAS).is_nan());
    }

    fn groups_of<'a>(same: &'a [Line], other: &'a [Line]) -> [Group<'a>; 2] {
        [(Start::Same, same), (Start::Other, other)].map(|(start, lines)| Group {
            kind: Kind::Batch,
            start,
            lines: lines.iter().collect(),
        })
    }

    #[test]
    fn the_pair_is_the_unit() {
        let of = |same: &[f64], other: &[f64]| {
            let lines = |start, humps: &[f64]| -> Vec<Line> {
                humps.iter().enumerate().map(|(i, hump)| line(Kind::Batch, start, i as i64, *hump)).collect()
            };
            let (same, other) = (lines(Start::Same, same), lines(Start::Other, other));
            let groups = groups_of(&same, &other);
            let mut all = [overall(&groups, &ALPHAS, &INITIAL)];
            conclusion::settle(&mut all, 0);
            let said = |group: &Group<'_>| group.claim("x".into(), &ALPHAS).whole();
            (said(&groups[0]), said(&groups[1]), all[0].whole())
        };
        let six = |value: f64| [value; 6];
        let (same, other, all) = of(&six(0.001), &six(0.2));
        assert!(
            same.starts_with("no barrier to speak of (seen in this run)") && same.contains("chord 0.001"),
            "{same}"
        );
        assert!(
            same.contains("6 pairs; above the mean of the two ends, which are not equally low, 0.1"),
            "{same}"
        );
        assert!(other.starts_with("a barrier (") && other.contains("lowest, 0.100, at α = 0.00"), "{other}");
        assert!(
            all.starts_with("from other initial values the barriers are higher than from the same (shown)"),
            "{all}"
        );
        let (_, other, all) = of(&[0.2, 0.21, 0.2, 0.2, 0.2, 0.2], &[0.3, 0.1, 0.2, 0.25, 0.2, 0.21]);
        assert!(other.starts_with("a barrier"), "{other}");
        assert!(all.contains("are not separated (not decided)"), "{all}");
        // Of two pairs nothing is concluded.
        let (same, _, all) = of(&[0.01, 0.03], &[0.035, 0.04]);
        assert!(same.contains("neither clearly") && same.contains("fewer than 3 pairs"), "{same}");
        assert!(all.contains("(seen in this run)") && all.contains("no order can be claimed"), "{all}");
        let (same, _, all) = of(&[f64::NAN], &[0.2]);
        assert!(same.contains("not finite on the way") && all.contains("not testable"), "{same} {all}");
    }

    #[test]
    fn matched_units_are_compared_with_the_same_networks() {
        let lines = |start, hump: f64| -> Vec<Line> {
            (0..6).map(|pair| line(Kind::Batch, start, pair, hump)).collect()
        };
        let said =
            |aligned: f64| {
                let (other, aligned) = (lines(Start::Other, 0.3), lines(Start::Aligned, aligned));
                let groups = [(Start::Other, &other), (Start::Aligned, &aligned)]
                    .map(|(start, lines)| Group { kind: Kind::Batch, start, lines: lines.iter().collect() });
                let mut all = [overall(&groups, &ALPHAS, &MATCHED_UNITS)];
                conclusion::settle(&mut all, 0);
                all[0].whole()
            };
        let text = said(0.1);
        assert!(
            text.starts_with("matching the hidden units lowers the barriers") && text.contains("(shown)"),
            "{text}"
        );
        assert!(
            text.contains("0.300 (0.300 to 0.300) with other initial values, 0.100 (0.100 to 0.100) with other initial values, units matched"),
            "{text}"
        );
        assert!(said(0.3).starts_with("the barriers with and without matched units are not separated"));
    }

    #[test]
    fn flatness_is_compared_at_one_loss() {
        let beyond = |losses: [f64; 7]| {
            let set = Evaluation { loss: losses.to_vec(), accuracy: vec![0.9; 7] };
            let line = Line {
                kind: Kind::Rate,
                start: Start::Same,
                pair: 0,
                sets: [set.clone(), set],
                distance: 1.0,
                cosine: 0.0,
            };
            Group { kind: Kind::Rate, start: Start::Same, lines: vec![&line] }.beyond("x", &ALPHAS).whole()
        };
        let text = beyond([9.0, 7.0, 0.1, 0.2, 0.11, 0.5, 4.0]);
        assert!(
            text.contains("the network at 1 looks flatter, and its test loss is no lower (seen"),
            "{text}"
        );
        let text = beyond([9.0, 7.0, 0.02, 0.2, 0.13, 0.5, 4.0]);
        assert!(
            text.contains("(not testable)") && text.contains("training losses of 0.020 and 0.130"),
            "{text}"
        );
        let text = beyond([9.0, 0.05, 0.1, 0.2, 0.1, 0.5, 4.0]);
        assert!(
            text.contains("(not testable)")
                && text.contains("falls by 0.050 past 0 and rises by 0.400 past 1"),
            "{text}"
        );
        assert!(beyond([9.0, f64::NAN, 0.1, 0.2, 0.1, 0.5, 4.0]).contains("not finite"));
        assert!(beyond([9.0, 0.2, 0.1, 0.2, 0.1, 0.2, 4.0]).contains("neither end looks flatter"));
    }
}
