//! Draws conclusions about the networks.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{self, Claim, FEWEST, coefficient, counted, significant};
use gradtop_toolkit::stats::{mean, permutation, spearman};

use super::plan::{Group, Labels, Network, Pixels};
use super::training::{Outcome, Training};

/// Fraction of labels that are right by chance.
const CHANCE: f64 = 0.1;

/// Returns the training accuracy below which labels redrawn in each epoch count as not learnt: twice chance, and for
/// few labels three standard deviations above it.
fn not_learnt(samples: i64) -> f64 {
    (2.0 * CHANCE).max(CHANCE + 3.0 * deviation(samples as f64))
}

/// Returns the standard deviation of the share of labels drawn at random that are right by chance.
fn deviation(drawn: f64) -> f64 {
    (CHANCE * (1.0 - CHANCE) / drawn).sqrt()
}

/// The report's network.
const REPORTED: &str = "lenet";

/// Minimum number of random labels for a statement whether a network can fit them: fewer take it so few bits to store that
/// fitting them refutes nothing.
const TELLING: i64 = 1000;

/// Networks of one kind.
struct Subject {
    name: &'static str,
    parameters: i64,
    convolutional: bool,
    /// Maximum number of training epochs.
    epochs: i64,
    groups: Vec<Found>,
}

/// The results of a group.
struct Found {
    group: Group,
    outcomes: Vec<Outcome>,
}

/// Formats the range of some numbers, written once if both ends are equal.
fn range(values: impl Iterator<Item = f64>, number: impl Fn(f64) -> String) -> String {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let (low, high) = (number(low), number(high));
    if low == high { low } else { format!("{low} to {high}") }
}

fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// Formats `1 epoch` or `136 to 144 epochs`.
fn epochs(values: impl Iterator<Item = f64>) -> String {
    let words = range(values, |epoch| format!("{epoch:.0}"));
    if words == "1" { "1 epoch".to_owned() } else { format!("{words} epochs") }
}

impl Found {
    fn fitted(&self) -> impl Iterator<Item = f64> {
        self.outcomes.iter().filter_map(|o| o.fitted.map(|epoch| epoch as f64))
    }

    /// Returns the mean number of epochs to fit, if every trial fitted: without the slowest it would be another number.
    fn mean_epochs(&self) -> Option<f64> {
        let all: Vec<f64> = self.fitted().collect();
        (!all.is_empty() && all.len() == self.outcomes.len()).then(|| mean(&all))
    }

    /// Describes `all 3 trials after 56 to 66 epochs`, or which did not.
    fn who(&self, limit: i64) -> String {
        let (fitted, all) = (self.fitted().count(), self.outcomes.len());
        let diverged = self.outcomes.iter().filter(|o| o.diverged.is_some()).count();
        let best = self.outcomes.iter().map(|o| o.train[1]).fold(0.0, f64::max);
        let also = if diverged > 0 { format!(" ({diverged} diverged)") } else { String::new() };
        if fitted == 0 {
            let by = if all == 1 { "the one trial".to_owned() } else { format!("any of {all} trials") };
            let within = epochs(std::iter::once(limit as f64));
            return format!(
                "not fitted by {by} within {within}, the highest training accuracy is {:.2} %{also}",
                100.0 * best
            );
        }
        let of = match (fitted, all) {
            (1, 1) => "1 trial".to_owned(),
            (2, 2) => "both trials".to_owned(),
            (k, n) if k == n => format!("all {n} trials"),
            (k, n) => format!("{k} of {n} trials"),
        };
        format!("fitted by {of} after {}{also}", epochs(self.fitted()))
    }

    fn test(&self) -> String {
        let accuracies = self.outcomes.iter().map(|o| o.test[1]);
        let losses = self.outcomes.iter().map(|o| o.test[0]);
        let nats = |loss: f64| if loss < 1e5 { format!("{loss:.2}") } else { significant(loss, 3) };
        format!("test accuracy {} %, test loss {} nats", range(accuracies, percent), range(losses, nats))
    }

    fn plain(&self, labels: Labels) -> bool {
        self.group.pixels == Pixels::Natural && self.group.labels == labels
    }
}

impl Subject {
    /// Returns the largest group with these labels on natural images.
    fn largest(&self, labels: Labels) -> Option<&Found> {
        self.groups.iter().filter(|g| g.plain(labels)).max_by_key(|g| g.group.samples)
    }

    /// Returns every claim with the figure it is based on.
    fn claims(&self) -> Vec<(String, Claim)> {
        let curves = format!("curves-{}", self.name);
        let figure = |group: &Group| match group {
            Group { pixels, .. } if *pixels != Pixels::Natural => format!("inputs-{}", self.name),
            Group { has_curves: true, .. } => curves.clone(),
            _ if group.is_random() => "epochs-to-fit".to_owned(),
            _ => "corruption".to_owned(),
        };
        let mut out: Vec<(String, Claim)> =
            self.groups.iter().map(|found| (figure(&found.group), self.of_group(found))).collect();
        let mut orders = Vec::new();
        orders.extend(self.order(
            "more images with random labels",
            |g| g.plain(Labels::Fixed(1.0)),
            |g| g.group.samples as f64,
        ));
        let swept = self.groups.iter().find(|g| g.group.is_partly()).map(|g| g.group.samples);
        let share = |g: &Found| match g.group.labels {
            Labels::Fixed(p) if g.plain(Labels::Fixed(p)) && Some(g.group.samples) == swept => p,
            _ => f64::NAN,
        };
        orders.extend(self.order("a larger share of random labels", |g| !share(g).is_nan(), share));
        out.extend(orders.into_iter().map(|claim| ("epochs-to-fit".to_owned(), claim)));
        out.extend(self.answer().filter(|_| self.convolutional).map(|claim| (curves, claim)));
        out
    }

    fn about(&self, what: impl AsRef<str>) -> String {
        format!("{} ({} parameters), {}", self.name, self.parameters, what.as_ref())
    }

    fn of_group(&self, found: &Found) -> Claim {
        let Group { labels, pixels, samples, .. } = found.group;
        let trials = counted(found.outcomes.len() as i64, "trial");
        let what = match (labels, pixels) {
            (Labels::Redrawn, _) => {
                let accuracies = || found.outcomes.iter().map(|o| o.train[1]);
                let highest = accuracies().fold(0.0, f64::max);
                let trained = found.outcomes.iter().map(|o| o.epoch as f64);
                let verdict = if highest < not_learnt(samples) { "not learnt" } else { "partly learnt" };
                let about = self.about(format!("control, {samples} labels drawn anew in each epoch"));
                return Claim::seen(about, verdict).evidence(format!(
                    "training accuracy {} % after {}, {trials}; below {} % counts as not learnt",
                    range(accuracies(), percent),
                    epochs(trained),
                    percent(not_learnt(samples))
                ));
            }
            (_, Pixels::Shuffled) => "true labels of images shuffled alike".to_owned(),
            (_, Pixels::Random) => "true labels of images shuffled each in its own way".to_owned(),
            (_, Pixels::Gaussian) => "true labels of Gaussian noise".to_owned(),
            (Labels::Fixed(0.0), _) => "true labels".to_owned(),
            (Labels::Fixed(1.0), _) => "random labels".to_owned(),
            (Labels::Fixed(p), _) => {
                format!("labels of which exactly {:.0} % were drawn at random", 100.0 * p)
            }
        };
        let fitted = found.fitted().count();
        // What one network has fitted can be fitted; that none did within some epochs implies nothing about more epochs.
        let (about, words) = (self.about(format!("{samples} {what}")), found.who(self.epochs));
        let claim = if fitted > 0 { Claim::shown(about, words) } else { Claim::seen(about, words) };
        let claim = claim.evidence(found.test());
        let by_true = self.groups.iter().find(|g| g.plain(Labels::Fixed(0.0)) && g.group.samples == samples);
        let claim = match (found.mean_epochs(), by_true.and_then(Found::mean_epochs)) {
            (Some(own), Some(truth)) if !found.plain(Labels::Fixed(0.0)) => {
                claim.evidence(format!("{:.1} times the epochs of true labels", own / truth))
            }
            _ => claim,
        };
        let claim =
            if fitted == 0 { claim.caution("with more epochs or another rate it may be") } else { claim };
        match labels {
            Labels::Fixed(p) if p > 0.0 && pixels == Pixels::Natural => {
                let drawn = (p * samples as f64).round();
                claim.caution(format!(
                    "of {drawn} labels drawn at random 10 % are right by chance, with a standard deviation of {:.1} points",
                    100.0 * deviation(drawn)
                ))
            }
            _ => claim,
        }
    }

    /// Tests whether the epochs to fit grow with some variable, over the groups that every trial fitted.
    fn order(
        &self,
        what: &str,
        which: impl Fn(&Found) -> bool,
        key: impl Fn(&Found) -> f64,
    ) -> Option<Claim> {
        let chosen: Vec<&Found> =
            self.groups.iter().filter(|g| which(g) && g.mean_epochs().is_some()).collect();
        let mut points: Vec<(f64, f64)> =
            chosen.iter().filter_map(|g| Some((key(g), g.mean_epochs()?))).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        if points.len() < 2 {
            return None;
        }
        let each: Vec<(f64, f64)> = chosen
            .iter()
            .flat_map(|g| g.fitted().map(|epochs| (key(g), epochs)).collect::<Vec<_>>())
            .collect();
        let (x, y): (Vec<f64>, Vec<f64>) = each.into_iter().unzip();
        let trials = chosen.iter().map(|g| g.outcomes.len()).min().unwrap_or(0);
        let p = (trials >= FEWEST).then(|| permutation::correlation(&x, &y));
        let found = spearman(&x, &y);
        let longer = if found.value > 0.0 { "takes longer" } else { "takes no longer" };
        let statement = format!("fitting {what} {longer}");
        let otherwise = format!("no order of {what} and the epochs to fit can be told from chance");
        let asked = format!("whether fitting {what} takes longer");
        let each: Vec<String> = points.iter().map(|(at, epochs)| format!("{epochs:.0} at {at}")).collect();
        let claim = Claim::ordered(self.about(what), &found, p, statement, otherwise, asked)
            .evidence(format!("epochs on average {}", each.join(", ")))
            .evidence(format!("{} of each", counted(trials as i64, "trial")))
            .caution("one learning rate for all");
        Some(if found.value.is_finite() { claim.evidence(coefficient(&found)) } else { claim })
    }

    /// Tests the report's claim that a convolutional network cannot fit random labels.
    fn answer(&self) -> Option<Claim> {
        let largest = self.largest(Labels::Fixed(1.0))?;
        let telling = |g: &&Found| g.plain(Labels::Fixed(1.0)) && g.group.samples >= TELLING;
        let fitted = self.groups.iter().filter(telling).filter(|g| g.fitted().count() > 0);
        let fitted = fitted.max_by_key(|g| g.group.samples);
        let bits = |samples: i64| samples as f64 * 10_f64.log2() / self.parameters as f64;
        let whose = if self.name == REPORTED { "its" } else { "a" };
        let claim = format!("the report's claim that {whose} CNN cannot fit random labels");
        let about = self.about("the report's claim");
        let Some(found) = fitted else {
            let samples = largest.group.samples;
            if samples < TELLING {
                let words = format!("whether {claim} holds");
                return Some(
                    Claim::untestable(about, words)
                        .evidence(format!("{samples} random labels were {}", largest.who(self.epochs)))
                        .caution(format!(
                            "fewer than {TELLING} labels decide nothing: if fitted, they take few bits to store; if not, more epochs or another rate may fit them"
                        )),
                );
            }
            return Some(
                Claim::open(about, format!("{claim} is not refuted by this run"))
                    .evidence(format!("{samples} random labels were {}", largest.who(self.epochs)))
                    .evidence(format!("they would take {:.2} bits per parameter to store", bits(samples)))
                    .caution("nor is it confirmed: more epochs or another rate may fit them"),
            );
        };
        let samples = found.group.samples;
        let losses: Vec<f64> = found.outcomes.iter().map(|o| o.test[0]).collect();
        let loss = mean(&losses);
        let rise = if loss > 10_f64.ln() {
            format!(
                "its evidence, a test loss that rises, is what memorising looks like: here it reached {:.1} times ln 10",
                loss / 10_f64.ln()
            )
        } else {
            "the test loss did not rise above ln 10 here".to_owned()
        };
        Some(
            Claim::shown(about, format!("{claim} is refuted for {samples} labels"))
                .evidence(format!("{samples} random labels were {}", found.who(self.epochs)))
                .evidence(rise)
                .evidence(format!(
                    "they take {:.2} bits per parameter to store; those of all 60,000 images would take {:.2}",
                    bits(samples),
                    bits(60_000)
                ))
                .caution("one network that fits them is enough to refute it; about more labels it says nothing"),
        )
    }
}

/// Writes the claims to the log and the table `conclusion`, and returns each with its figure.
pub(super) fn write(ctx: &Ctx, training: &Training, epochs: i64) -> Result<Vec<(String, Claim)>> {
    let (mut names, mut parameters, mut claims) = (Vec::new(), Vec::new(), Vec::new());
    for (index, network) in training.networks().iter().enumerate() {
        let groups = training.groups().iter().filter(|g| g.group.network == index);
        let subject = Subject {
            name: network.name(),
            parameters: network.parameter_count(),
            convolutional: matches!(network, Network::Cnn(_)),
            epochs,
            groups: groups.map(|g| Found { group: g.group.clone(), outcomes: g.outcomes.clone() }).collect(),
        };
        for claim in subject.claims() {
            names.push(subject.name);
            parameters.push(subject.parameters);
            claims.push(claim);
        }
    }
    let keys = vec![Column::utf8("network", &names), Column::i64("parameters", parameters)];
    conclusion::write(ctx, training.rounds(), claims, 0, keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(fitted: Option<i64>, train: f64, test: [f64; 2]) -> Outcome {
        Outcome { fitted, epoch: fitted.unwrap_or(300), train: [0.1, train], test, diverged: None }
    }

    fn found(labels: Labels, samples: i64, outcomes: Vec<Outcome>) -> Found {
        let group = Group {
            network: 0,
            labels,
            pixels: Pixels::Natural,
            samples,
            has_curves: false,
            name: String::new(),
        };
        Found { group, outcomes }
    }

    fn lenet(groups: Vec<Found>) -> String {
        let subject = Subject { name: "lenet", parameters: 53_808, convolutional: true, epochs: 300, groups };
        let mut claims: Vec<Claim> = subject.claims().into_iter().map(|(_, claim)| claim).collect();
        conclusion::settle(&mut claims, 0);
        claims
            .iter()
            .map(|claim| format!("{}: {}", claim.about, claim.whole()))
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn statements_follow_the_numbers() {
        let random = |samples, epochs: [i64; 2]| {
            let outcomes = epochs.map(|e| outcome(Some(e), 1.0, [9.2, 0.1]));
            found(Labels::Fixed(1.0), samples, outcomes.to_vec())
        };
        let five = |samples, epoch| {
            found(Labels::Fixed(1.0), samples, vec![outcome(Some(epoch), 1.0, [9.2, 0.1]); 5])
        };
        let text = lenet(vec![five(1000, 140), five(500, 90), five(250, 62)]);
        assert!(text.contains("fitting more images with random labels takes longer (shown)"), "{text}");
        let text = lenet(vec![
            found(Labels::Fixed(0.0), 1000, vec![outcome(Some(20), 1.0, [0.2, 0.95])]),
            random(1000, [144, 136]),
            random(250, [60, 64]),
            found(Labels::Redrawn, 1000, vec![outcome(None, 0.12, [2.3, 0.1])]),
        ]);
        for part in [
            "1000 true labels: fitted by 1 trial after 20 epochs (shown). Evidence: test accuracy 95.0 %, test loss 0.20 nats",
            "1000 random labels: fitted by both trials after 136 to 144 epochs (shown). Evidence: test accuracy 10.0 %",
            "7.0 times the epochs of true labels",
            "drawn anew in each epoch: not learnt (seen in this run). Evidence: training accuracy 12.0 % after 300 epochs",
            "takes longer (not testable). Evidence: epochs on average 62 at 250, 140 at 1000; 2 trials of each; Spearman 0.89",
            "fewer than 5 trials: no order can be claimed",
            "is refuted for 1000 labels (shown). Evidence: 1000 random labels were fitted by both trials",
            "4.0 times ln 10",
            "0.06 bits per parameter to store; those of all 60,000 images would take 3.70",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }

    #[test]
    fn other_numbers_give_other_statements() {
        let text = lenet(vec![
            found(Labels::Fixed(1.0), 5000, vec![outcome(None, 0.9984, [19.0, 0.1])]),
            found(Labels::Redrawn, 5000, vec![outcome(None, 0.4, [2.3, 0.1])]),
        ]);
        for part in [
            "not fitted by the one trial within 300 epochs, the highest training accuracy is 99.84 %",
            "partly learnt (seen in this run). Evidence: training accuracy 40.0 %",
            "claim that its CNN cannot fit random labels is not refuted by this run (not decided). Evidence: 5000 random labels were not fitted",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert!(!text.contains("times the epochs") && !text.contains("fitting more images"), "{text}");
        // 6 of 20 labels are right by chance in one of 90 networks, 60 of 200 never.
        let control =
            |samples| lenet(vec![found(Labels::Redrawn, samples, vec![outcome(None, 0.3, [2.3, 0.1])])]);
        assert!(
            control(20).contains("epoch: not learnt (seen in this run). Evidence: training accuracy 30.0 %"),
            "{}",
            control(20)
        );
        assert!(control(200).contains("epoch: partly learnt"), "{}", control(200));
        let three = |samples, epoch: i64| {
            let outcomes = (0..3).map(|i| outcome(Some(epoch + i), 1.0, [2.0, 0.1]));
            found(Labels::Fixed(1.0), samples, outcomes.collect())
        };
        let shrinking = lenet(vec![three(100, 50), three(200, 40), three(400, 30)]);
        let few = lenet(vec![found(Labels::Fixed(1.0), 100, vec![outcome(Some(3), 1.0, [2.0, 0.1]); 3])]);
        assert!(
            few.contains("cannot fit random labels holds (not testable). Evidence: 100 random labels"),
            "{few}"
        );
        assert!(!few.contains("refuted"), "{few}");
        assert!(
            shrinking.contains(
                "takes no longer (seen in this run). Evidence: epochs on average 51 at 100, 41 at 200, 31 at 400"
            ),
            "{shrinking}"
        );
        let low = lenet(vec![found(Labels::Fixed(1.0), 1000, vec![outcome(Some(50), 1.0, [2.0, 0.1])])]);
        assert!(low.contains("did not rise above ln 10"), "{low}");
        // Chance acts on the labels that are drawn, and times are compared only if every trial has one.
        let fitted = outcome(Some(10), 1.0, [2.0, 0.5]);
        let half = lenet(vec![
            found(Labels::Fixed(0.0), 300, vec![fitted, outcome(None, 0.9, [2.0, 0.5])]),
            found(Labels::Fixed(0.5), 300, vec![fitted, fitted]),
        ]);
        assert!(half.contains("of 150 labels drawn at random 10 % are right by chance, with a standard deviation of 2.4 points"), "{half}");
        assert!(half.contains("fitted by 1 of 2 trials") && !half.contains("times the epochs"), "{half}");
    }
}
