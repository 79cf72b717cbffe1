//! What became of the networks, in words computed from their numbers.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::significant;

use super::plan::{Group, Labels, Pixels};
use super::training::{Outcome, Training};

/// Share of labels that are right by chance.
const CHANCE: f64 = 0.1;

/// Training accuracy that labels drawn anew in each epoch must stay below to count as not learnt: twice that of chance, and of few
/// labels three standard deviations above it.
fn not_learnt(samples: i64) -> f64 {
    let deviation = (CHANCE * (1.0 - CHANCE) / samples as f64).sqrt();
    (2.0 * CHANCE).max(CHANCE + 3.0 * deviation)
}

/// The report's network.
const REPORTED: &str = "lenet";

/// Images with random labels that must be fitted to say something on whether a network can: a few always are.
const TELLING: i64 = 100;

/// Networks of one kind.
struct Subject {
    name: &'static str,
    parameters: i64,
    convolutional: bool,
    /// Epochs that training may take.
    epochs: i64,
    groups: Vec<Found>,
}

/// What became of a group.
struct Found {
    group: Group,
    outcomes: Vec<Outcome>,
}

/// Lowest and highest of some numbers, written once if equal.
fn range(values: impl Iterator<Item = f64>, number: impl Fn(f64) -> String) -> String {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let (low, high) = (number(low), number(high));
    if low == high { low } else { format!("{low} to {high}") }
}

fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// `1 epoch`, `136 to 144 epochs`.
fn epochs(values: impl Iterator<Item = f64>) -> String {
    let words = range(values, |epoch| format!("{epoch:.0}"));
    if words == "1" { "1 epoch".to_owned() } else { format!("{words} epochs") }
}

impl Found {
    fn fitted(&self) -> impl Iterator<Item = f64> {
        self.outcomes.iter().filter_map(|o| o.fitted.map(|epoch| epoch as f64))
    }

    fn mean_epochs(&self) -> Option<f64> {
        let all: Vec<f64> = self.fitted().collect();
        (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
    }

    /// `all 3 trials after 56 to 66 epochs`, or who did not.
    fn who(&self, limit: i64) -> String {
        let (fitted, all) = (self.fitted().count(), self.outcomes.len());
        let diverged = self.outcomes.iter().filter(|o| o.diverged.is_some()).count();
        let best = self.outcomes.iter().map(|o| o.train[1]).fold(0.0, f64::max);
        let also = if diverged > 0 { format!(" ({diverged} diverged)") } else { String::new() };
        if fitted == 0 {
            let by = if all == 1 { "the 1 trial".to_owned() } else { format!("any of {all} trials") };
            let within = epochs(std::iter::once(limit as f64));
            return format!(
                "not fitted by {by} within {within}, the highest training accuracy is {:.2} %{also}",
                100.0 * best
            );
        }
        let of = match (fitted, all) {
            (1, 1) => "1 trial".to_owned(),
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
    /// The group with these labels on natural images that has the most of them.
    fn largest(&self, labels: Labels) -> Option<&Found> {
        self.groups.iter().filter(|g| g.plain(labels)).max_by_key(|g| g.group.samples)
    }

    fn statements(&self) -> Vec<String> {
        let mut out: Vec<String> = self.groups.iter().map(|found| self.of_group(found)).collect();
        out.extend(self.order(
            "more images with random labels",
            |g| g.plain(Labels::Fixed(1.0)),
            |g| g.group.samples as f64,
        ));
        let swept = self.groups.iter().find(|g| g.group.is_partly()).map(|g| g.group.samples);
        let share = |g: &Found| match g.group.labels {
            Labels::Fixed(p) if g.plain(Labels::Fixed(p)) && Some(g.group.samples) == swept => p,
            _ => f64::NAN,
        };
        out.extend(self.order("a larger share of random labels", |g| !share(g).is_nan(), share));
        if self.convolutional {
            out.extend(self.answer());
        }
        out
    }

    fn of_group(&self, found: &Found) -> String {
        let Group { labels, pixels, samples, .. } = found.group;
        let what = match (labels, pixels) {
            (Labels::Redrawn, _) => {
                let accuracies = || found.outcomes.iter().map(|o| o.train[1]);
                let highest = accuracies().fold(0.0, f64::max);
                let trained = found.outcomes.iter().map(|o| o.epoch as f64);
                let verdict = if highest < not_learnt(samples) { "not learnt" } else { "partly learnt" };
                return format!(
                    "Control, {samples} labels drawn anew in each epoch: {verdict}, training accuracy {} % after {}",
                    range(accuracies(), percent),
                    epochs(trained)
                );
            }
            (_, Pixels::Shuffled) => "true labels of images shuffled alike".to_owned(),
            (_, Pixels::Random) => "true labels of images shuffled each in its own way".to_owned(),
            (_, Pixels::Gaussian) => "true labels of Gaussian noise".to_owned(),
            (Labels::Fixed(0.0), _) => "true labels".to_owned(),
            (Labels::Fixed(1.0), _) => "random labels".to_owned(),
            (Labels::Fixed(p), _) => format!("labels of which {:.0} % are random", 100.0 * p),
        };
        let by_true = self.groups.iter().find(|g| g.plain(Labels::Fixed(0.0)) && g.group.samples == samples);
        let beside = match (found.mean_epochs(), by_true.and_then(Found::mean_epochs)) {
            (Some(own), Some(truth)) if !found.plain(Labels::Fixed(0.0)) => {
                format!("; {:.1} times the epochs of true labels", own / truth)
            }
            _ => String::new(),
        };
        format!("{samples} {what}: {}; {}{beside}", found.who(self.epochs), found.test())
    }

    /// Whether the epochs to fit grow along some variable, over the groups that were fitted by every trial.
    fn order(
        &self,
        what: &str,
        which: impl Fn(&Found) -> bool,
        key: impl Fn(&Found) -> f64,
    ) -> Option<String> {
        let chosen = self.groups.iter().filter(|g| which(g) && g.fitted().count() == g.outcomes.len());
        let mut points: Vec<(f64, f64)> = chosen.filter_map(|g| Some((key(g), g.mean_epochs()?))).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let [(first, from), .., (last, to)] = points[..] else { return None };
        let grows = points.windows(2).all(|pair| pair[1].1 > pair[0].1);
        let verdict = match (grows, to > from) {
            (true, _) => "takes longer at every step",
            (false, true) => "takes longer from end to end, though not at every step",
            (false, false) => "does not take longer",
        };
        let few = self.groups.iter().any(|g| which(g) && g.outcomes.len() < 3);
        let caution = if few { ". Fewer than 3 trials: no order can be claimed" } else { "" };
        Some(format!(
            "To fit {what} {verdict}: {from:.0} epochs on average at {first}, {to:.0} at {last}{caution}"
        ))
    }

    /// The report's claim that a convolutional network cannot fit random labels.
    fn answer(&self) -> Option<String> {
        let random = self.groups.iter().filter(|g| g.plain(Labels::Fixed(1.0)) && g.group.samples >= TELLING);
        let fitted = random.filter(|g| g.fitted().count() > 0).max_by_key(|g| g.group.samples);
        let bits = |samples: f64| samples * 10_f64.log2();
        let capacity = |samples: i64| bits(samples as f64) / self.parameters as f64;
        let whose = if self.name == REPORTED { "its" } else { "a" };
        Some(match (fitted, self.largest(Labels::Fixed(1.0))) {
            (Some(found), _) => {
                let samples = found.group.samples;
                let losses: Vec<f64> = found.outcomes.iter().map(|o| o.test[0]).collect();
                let mean = losses.iter().sum::<f64>() / losses.len() as f64;
                let rise = if mean > 10_f64.ln() {
                    format!(
                        "Its evidence, a test loss that rises, is what memorising looks like: here it reached {:.1} times ln 10",
                        mean / 10_f64.ln()
                    )
                } else {
                    "The test loss did not rise above ln 10 here".to_owned()
                };
                format!(
                    "The report's claim that {whose} CNN cannot fit random labels is refuted: {samples} random labels were {}. {rise}. They take \
                     {:.2} bit a parameter to store; those of all 60,000 images would take {:.2}",
                    found.who(self.epochs),
                    capacity(samples),
                    capacity(60_000)
                )
            }
            (None, Some(found)) => format!(
                "The report's claim that {whose} CNN cannot fit random labels is not refuted by this run: {} random labels were {}. They would \
                 take {:.2} bit a parameter to store",
                found.group.samples,
                found.who(self.epochs),
                capacity(found.group.samples)
            ),
            (None, None) => return None,
        })
    }
}

/// Writes what the run found to the log and the table `conclusion`.
pub(super) fn write(ctx: &Ctx, training: &Training, epochs: i64) -> Result<()> {
    let (mut names, mut parameters, mut statements) = (Vec::new(), Vec::new(), Vec::new());
    for (index, network) in training.networks().iter().enumerate() {
        let groups = training.groups().iter().filter(|g| g.group.network == index);
        let subject = Subject {
            name: network.name(),
            parameters: network.parameter_count(),
            convolutional: network.is_convolutional(),
            epochs,
            groups: groups.map(|g| Found { group: g.group.clone(), outcomes: g.outcomes.clone() }).collect(),
        };
        for statement in subject.statements() {
            ctx.info(format!("{} ({} parameters): {statement}.", subject.name, subject.parameters))?;
            names.push(subject.name);
            parameters.push(subject.parameters);
            statements.push(statement);
        }
    }
    ctx.table(
        "conclusion",
        training.rounds(),
        &[
            Column::utf8("network", &names),
            Column::i64("parameters", parameters),
            Column::utf8("statement", &statements),
        ],
    )
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
        subject.statements().join("\n")
    }

    #[test]
    fn statements_follow_the_numbers() {
        let random = |samples, epochs: [i64; 2]| {
            let outcomes = epochs.map(|e| outcome(Some(e), 1.0, [9.2, 0.1]));
            found(Labels::Fixed(1.0), samples, outcomes.to_vec())
        };
        let thrice = |samples, epoch| {
            found(Labels::Fixed(1.0), samples, vec![outcome(Some(epoch), 1.0, [9.2, 0.1]); 3])
        };
        let text = lenet(vec![thrice(1000, 140), thrice(250, 62)]);
        assert!(text.contains("takes longer") && !text.contains("no order"), "{text}");
        let text = lenet(vec![
            found(Labels::Fixed(0.0), 1000, vec![outcome(Some(20), 1.0, [0.2, 0.95])]),
            random(1000, [144, 136]),
            random(250, [60, 64]),
            found(Labels::Redrawn, 1000, vec![outcome(None, 0.12, [2.3, 0.1])]),
        ]);
        for part in [
            "1000 true labels: fitted by 1 trial after 20 epochs; test accuracy 95.0 %, test loss 0.20 nats",
            "1000 random labels: fitted by all 2 trials after 136 to 144 epochs; test accuracy 10.0 %",
            "7.0 times the epochs of true labels",
            "drawn anew in each epoch: not learnt, training accuracy 12.0 % after 300 epochs",
            "takes longer at every step: 62 epochs on average at 250, 140 at 1000. Fewer than 3 trials: no order can be claimed",
            "is refuted: 1000 random labels were fitted by all 2 trials",
            "4.0 times ln 10",
            "0.06 bit a parameter to store; those of all 60,000 images would take 3.70",
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
            "not fitted by the 1 trial within 300 epochs, the highest training accuracy is 99.84 %",
            "partly learnt, training accuracy 40.0 %",
            "claim that its CNN cannot fit random labels is not refuted by this run: 5000 random labels were not fitted",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert!(!text.contains("times the epochs") && !text.contains("To fit more images"), "{text}");
        // 6 of 20 labels are right by chance in one of 90 networks, 60 of 200 never.
        let control =
            |samples| lenet(vec![found(Labels::Redrawn, samples, vec![outcome(None, 0.3, [2.3, 0.1])])]);
        assert!(control(20).contains("epoch: not learnt, training accuracy 30.0 %"), "{}", control(20));
        assert!(control(200).contains("epoch: partly learnt"), "{}", control(200));
        let shrinking = lenet(vec![
            found(Labels::Fixed(1.0), 100, vec![outcome(Some(50), 1.0, [2.0, 0.1])]),
            found(Labels::Fixed(1.0), 200, vec![outcome(Some(40), 1.0, [2.0, 0.1])]),
        ]);
        let few = lenet(vec![found(Labels::Fixed(1.0), 2, vec![outcome(Some(3), 1.0, [2.0, 0.1]); 3])]);
        assert!(few.contains("is not refuted by this run: 2 random labels were fitted by all 3"), "{few}");
        for part in
            ["does not take longer: 50 epochs on average at 100, 40 at 200", "did not rise above ln 10"]
        {
            assert!(shrinking.contains(part), "{shrinking}");
        }
    }
}
