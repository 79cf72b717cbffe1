//! Draws conclusions from the eigenvalues.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{self, Claim, Spread, significant};
use gradtop_toolkit::stats::median;

use super::descent::{Descent, Look};
use super::{EdgeOfStability, Method};

/// The range in which a sharpness counts as at the limit: its median ratio to the limit over the second half of the steps.
const AT: std::ops::RangeInclusive<f64> = 0.95..=1.15;

/// Significant digits of that ratio.
const DIGITS: usize = 3;
/// A loss that initially rises by less is not a catapult.
const RISE: f64 = 1.1;

/// A method at one rate, with the course of each network. Catapults have a separate rate and limit for each.
struct Setting<'a> {
    method: Method,
    name: &'a str,
    rate: f64,
    courses: Vec<Course>,
}

/// A network: its limit and the measurements, of which there is at least one.
struct Course {
    limit: f64,
    looks: Vec<(i64, Look)>,
}

/// Where a sharpness stays in the second half of the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    At,
    Below,
    Above,
    Diverged,
}

impl Course {
    fn first(&self) -> Look {
        self.looks[0].1
    }

    fn last(&self) -> Look {
        self.looks[self.looks.len() - 1].1
    }

    /// Returns the measurement with the highest loss.
    fn highest(&self) -> (i64, Look) {
        self.looks.iter().copied().fold(self.looks[0], |a, b| if b.1.loss > a.1.loss { b } else { a })
    }

    /// Returns the measurement with the lowest sharpness from there on.
    fn flattest(&self) -> Look {
        let top = self.highest().0;
        let after = self.looks.iter().filter(|(step, _)| *step >= top).map(|(_, look)| *look);
        after.fold(self.last(), |a, b| if b.sharpness < a.sharpness { b } else { a })
    }

    fn risen(&self) -> bool {
        !self.diverged() && self.highest().1.loss > RISE * self.first().loss
    }

    /// Returns whether a loss that rose reached a region where the rate is stable, below its initial value.
    fn landed(&self) -> bool {
        self.risen() && self.last().loss < self.first().loss && self.flattest().sharpness < self.limit
    }

    fn diverged(&self) -> bool {
        self.looks.iter().any(|(_, look)| !look.loss.is_finite())
    }

    /// Returns the second half of the measurements by step.
    fn late(&self) -> &[(i64, Look)] {
        let last = self.looks[self.looks.len() - 1].0;
        &self.looks[self.looks.partition_point(|(step, _)| 2 * step < last)..]
    }

    fn share(&self) -> f64 {
        median(&self.shares())
    }

    fn shares(&self) -> Vec<f64> {
        self.late().iter().map(|(_, look)| look.sharpness / self.limit).collect()
    }

    fn place(&self) -> Place {
        // As it is told: 0.9499, told as 0.950, lies within a range that begins at 0.95.
        let share = significant(self.share(), DIGITS).parse().unwrap_or(f64::NAN);
        if self.diverged() {
            Place::Diverged
        } else if AT.contains(&share) {
            Place::At
        } else if share > *AT.end() {
            Place::Above
        } else {
            Place::Below
        }
    }
}

impl Setting<'_> {
    fn about(&self) -> String {
        format!("{}, {}", self.method.name(), self.name)
    }

    fn count(&self, place: Place) -> usize {
        self.courses.iter().filter(|course| course.place() == place).count()
    }

    /// Describes where the networks are: `the sharpness stays at the limit`, or for several `… in 2 of 3 networks, and
    /// below it in 1`.
    fn places(&self) -> String {
        let words = [
            (Place::At, "stays at the limit"),
            (Place::Below, "stays below the limit"),
            (Place::Above, "stays above the limit"),
            (Place::Diverged, "ends with training, which diverged"),
        ];
        let all = self.courses.len();
        let found: Vec<String> = words
            .into_iter()
            .map(|(place, words)| (self.count(place), words))
            .filter(|(count, _)| *count > 0)
            .map(|(count, words)| {
                if count == all { words.to_owned() } else { format!("{words} in {count} of {all} networks") }
            })
            .collect();
        format!("the sharpness {}", found.join(", and "))
    }

    /// Formats mean and range of a number of each network that did not diverge.
    fn spread(&self, of: impl Fn(&Course) -> f64, digits: usize) -> String {
        let values: Vec<f64> = self.courses.iter().filter(|c| !c.diverged()).map(of).collect();
        let spread = Spread::of(&values);
        let number = |value: f64| significant(value, digits);
        if values.len() == 1 {
            number(spread.mean)
        } else {
            format!("{} {}", number(spread.mean), spread.in_words(number))
        }
    }

    fn limit(&self) -> String {
        let limit = self.courses.first().map_or(f64::NAN, |course| course.limit);
        let formula = match self.method {
            Method::Momentum => "2 (1 + momentum) / rate",
            Method::Adam => "38 / rate",
            _ => "2 / rate",
        };
        format!("{formula} = {}", significant(limit, 4))
    }

    /// Describes what the numbers are based on.
    fn extent(&self) -> String {
        let networks = match self.courses.len() {
            1 => "network".to_owned(),
            n => format!("shape of network, {n} initial values"),
        };
        format!("one task, one {networks}")
    }

    /// Returns the claim where the sharpness stays. `gd` is gradient descent at the same rate, with which mini-batches
    /// are compared.
    fn steady(&self, gd: Option<&Setting<'_>>) -> Claim {
        let claim = Claim::seen(self.about(), self.places());
        if self.count(Place::Diverged) == self.courses.len() {
            return claim.evidence(format!("the limit is {}", self.limit()));
        }
        let whole: Vec<&Course> = self.courses.iter().filter(|course| !course.diverged()).collect();
        let all: Vec<f64> = whole.iter().flat_map(|course| course.shares()).collect();
        let range = Spread::of(&all);
        let late = whole[0].late();
        let (first, last) = (late[0].0, late[late.len() - 1].0);
        let rises: Vec<f64> = whole
            .iter()
            .map(|course| {
                let pairs = course.late().windows(2);
                let rose = pairs.clone().filter(|pair| pair[1].1.loss > pair[0].1.loss).count();
                rose as f64 / pairs.len().max(1) as f64
            })
            .collect();
        let mut claim = claim
            .evidence(format!(
                "steps {first} to {last}: median share of the limit, {}, is {} (at the limit: {} to {}); single measurements {} to {}",
                self.limit(),
                self.spread(Course::share, DIGITS),
                AT.start(),
                AT.end(),
                significant(range.lowest, 3),
                significant(range.highest, 3)
            ))
            .evidence(format!(
                "the loss goes from {} to {} over these steps, and {:.0} % of the measurements are above the one before",
                self.spread(|c| c.late()[0].1.loss, 3),
                self.spread(|c| c.last().loss, 3),
                100.0 * rises.iter().sum::<f64>() / rises.len() as f64
            ));
        match self.method {
            Method::Adam => {
                claim = claim.evidence(format!(
                    "the Hessian's own largest eigenvalue goes from {} to {} over all steps",
                    self.spread(|c| c.first().lambda_max, 3),
                    self.spread(|c| c.last().lambda_max, 3)
                ));
            }
            Method::Sgd => {
                if let Some(gd) = gd {
                    claim = claim.evidence(format!(
                        "gd at the same rate after as many updates: share {}, loss {}",
                        gd.spread(Course::share, 3),
                        gd.spread(|c| c.last().loss, 3)
                    ));
                }
                claim = claim.caution("2 / rate is the limit of the whole gradient, not of mini-batches");
            }
            _ => {}
        }
        if self.count(Place::Below) > 0 && self.method != Method::Sgd {
            claim = claim.caution("it may not have had the steps to come to the limit");
        }
        claim.caution(self.extent())
    }

    /// Returns the claim what a rate too large for the initial curvature did.
    fn catapult(&self) -> Claim {
        let all = self.courses.len();
        let count = |of: fn(&Course) -> bool| self.courses.iter().filter(|course| of(course)).count();
        let of = |n: usize| if all == 1 { String::new() } else { format!(" in {n} of {all} networks") };
        let (landed, diverged) = (count(Course::landed), count(Course::diverged));
        let words = if landed > 0 {
            format!(
                "the loss rises at first, then falls below its first value in a place flat enough for the rate{}",
                of(landed)
            )
        } else if diverged > 0 {
            format!("training diverges{}", of(diverged))
        } else if count(Course::risen) > 0 {
            "the loss rises at first, and finds no place that is flat enough for the rate".to_owned()
        } else {
            "the loss does not rise at first: this is no catapult".to_owned()
        };
        let factor = self.courses[0].first().sharpness / self.courses[0].limit;
        let claim = Claim::seen(self.about(), words)
            .evidence(format!("the sharpness is {} of 2 / rate at first", significant(factor, 3)));
        let claim = if diverged == all {
            claim
        } else {
            let ratio = |look: Look, course: &Course| look.sharpness / course.limit;
            claim
                .evidence(format!(
                    "{} at its lowest after the loss was highest, and {} at the end",
                    self.spread(|c| ratio(c.flattest(), c), 3),
                    self.spread(|c| ratio(c.last(), c), 3)
                ))
                .evidence(format!(
                    "the loss is {} at first, {} at most (step {}), {} at the end",
                    self.spread(|c| c.first().loss, 3),
                    self.spread(|c| c.highest().1.loss, 3),
                    self.spread(|c| c.highest().0 as f64, 1),
                    self.spread(|c| c.last().loss, 3)
                ))
        };
        claim.caution(self.extent()).caution("how far beyond 2 / λ a rate may go depends on all of these")
    }
}

/// Returns the claim whether the step size determines the sharpness, over the settings of a method that stay at the limit.
fn law(method: Method, settings: &[Setting<'_>]) -> Option<Claim> {
    let mut held: Vec<&Setting<'_>> =
        settings.iter().filter(|s| s.method == method && s.count(Place::At) == s.courses.len()).collect();
    held.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let (small, large) = (held.first()?, held.last()?);
    if small.rate >= large.rate {
        return None;
    }
    let sharpness = |setting: &Setting<'_>| {
        median(&setting.courses.iter().map(|c| c.share() * c.limit).collect::<Vec<_>>())
    };
    let claim = Claim::seen(
        format!("{}, all rates", method.name()),
        format!(
            "the rate sets the sharpness: at {} times the rate it is {} times as large",
            significant(large.rate / small.rate, 3),
            significant(sharpness(large) / sharpness(small), 3)
        ),
    );
    Some(
        claim
            .evidence(format!(
                "median of the second half {} at rate {}, {} at rate {}; the inverse of the rates' ratio is {}",
                significant(sharpness(small), 4),
                small.rate,
                significant(sharpness(large), 4),
                large.rate,
                significant(small.rate / large.rate, 3)
            ))
            .caution("of settings that stay at their limit")
            .caution(small.extent()),
    )
}

/// Writes the claims to the log and the table `conclusion`, and returns each with its method.
pub(super) fn write(
    ctx: &Ctx,
    params: &EdgeOfStability,
    descents: &[Descent],
    step: i64,
) -> Result<Vec<(Method, Claim)>> {
    let mut settings: Vec<Setting<'_>> = Vec::new();
    for descent in descents {
        let courses = (0..descent.ensemble.mlp.trials() as usize).map(|network| Course {
            limit: descent.rule.stability_limit(),
            looks: descent.points.iter().map(|point| (point.step, point.networks[network])).collect(),
        });
        match settings.last_mut().filter(|s| (s.method, s.name) == (descent.method, &descent.setting)) {
            Some(setting) => setting.courses.extend(courses),
            None => settings.push(Setting {
                method: descent.method,
                name: &descent.setting,
                rate: descent.rule.rate(),
                courses: courses.collect(),
            }),
        }
    }
    let claims = |setting: &Setting<'_>| match setting.method {
        Method::Catapult => setting.catapult(),
        Method::Sgd => setting
            .steady(settings.iter().find(|other| (other.method, other.name) == (Method::Gd, setting.name))),
        _ => setting.steady(None),
    };
    let mut said: Vec<(Method, Claim)> = settings.iter().map(|s| (s.method, claims(s))).collect();
    let steady = params.methods.iter().filter(|m| matches!(m, Method::Gd | Method::Momentum | Method::Adam));
    said.extend(steady.filter_map(|method| Some((*method, law(*method, &settings)?))));
    let keys = Rows::of(&said).utf8("method", |(method, _)| method.name()).columns();
    conclusion::write(ctx, step, said, 0, keys)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn course(limit: f64, looks: &[(f64, f64)]) -> Course {
        let look = |(i, &(loss, sharpness)): (usize, &(f64, f64))| {
            (10 * i as i64, Look { loss, lambda_max: sharpness, sharpness })
        };
        Course { limit, looks: looks.iter().enumerate().map(look).collect() }
    }

    fn setting(method: Method, courses: Vec<Course>) -> Setting<'static> {
        Setting { method, name: "rate 0.5", rate: 2.0 / courses[0].limit, courses }
    }

    #[test]
    fn places_are_of_the_second_half() {
        let at = [(1.0, 9.0), (0.9, 0.1), (0.5, 4.0), (0.6, 4.2), (0.4, 4.1)];
        let text = setting(Method::Gd, vec![course(4.0, &at)]).steady(None).whole();
        for part in [
            "the sharpness stays at the limit (seen in this run)",
            "steps 20 to 40: median share of the limit, 2 / rate = 4.000, is 1.02 (at the limit: 0.95 to 1.15); single measurements 1.00 to 1.05",
            "from 0.500 to 0.400 over these steps, and 50 % of the measurements are above",
        ] {
            assert!(text.contains(part), "`{part}` is not in: {text}");
        }
        let low = at.map(|(loss, sharpness)| (loss, 0.5 * sharpness));
        let gone = [(1.0, 9.0), (f64::INFINITY, f64::NAN)];
        let courses = || [&at[..], &low, &gone].map(|looks| course(4.0, looks)).into();
        let text = setting(Method::Momentum, courses()).steady(None).whole();
        assert!(
            text.starts_with(
                "the sharpness stays at the limit in 1 of 3 networks, and stays below the limit in 1 of 3 networks, and ends \
                 with training, which diverged in 1 of 3 networks"
            ),
            "{text}"
        );
        assert!(text.contains("may not have had the steps"), "{text}");
        let all = setting(Method::Adam, vec![course(4.0, &gone)]).steady(None).whole();
        assert!(all.starts_with("the sharpness ends with training, which diverged (seen"), "{all}");
    }

    #[test]
    fn mini_batches_stand_beside_the_whole_gradient() {
        let of = |method, share: f64| {
            setting(method, vec![course(4.0, &[(1.0, 4.0 * share), (0.1, 4.0 * share)])])
        };
        let text = of(Method::Sgd, 0.5).steady(Some(&of(Method::Gd, 1.0))).whole();
        assert!(text.contains("gd at the same rate after as many updates: share 1.00, loss 0.100"), "{text}");
    }

    #[test]
    fn a_catapult_rises_and_lands() {
        let said =
            |looks: &[(f64, f64)]| setting(Method::Catapult, vec![course(4.0, looks)]).catapult().whole();
        let text = said(&[(1.0, 8.0), (2.0, 7.0), (0.5, 3.0), (0.4, 4.1)]);
        for part in [
            "rises at first, then falls below its first value",
            "2.00 of 2 / rate at first",
            "0.750 at its lowest after the loss was highest, and 1.02 at the end",
            "1.00 at first, 2.00 at most (step 10), 0.400 at the end",
        ] {
            assert!(text.contains(part), "`{part}` is not in: {text}");
        }
        assert!(said(&[(1.0, 8.0), (2.0, 7.0), (1.5, 6.0)]).contains("finds no place"));
        assert!(said(&[(1.0, 8.0), (0.9, 7.0)]).contains("this is no catapult"));
        assert!(said(&[(1.0, 8.0), (f64::NAN, f64::NAN)]).starts_with("training diverges (seen"));
    }

    #[test]
    fn the_rate_sets_the_sharpness_only_where_it_is_at_the_limit() {
        let at = |limit: f64, share: f64| {
            setting(Method::Gd, vec![course(limit, &[(1.0, share * limit), (0.5, share * limit)])])
        };
        let text = law(Method::Gd, &[at(8.0, 1.0), at(4.0, 1.02)]).unwrap().whole();
        assert!(text.contains("at 2.00 times the rate it is 0.510 times as large"), "{text}");
        assert!(text.contains("ratio is 0.500"), "{text}");
        assert!(law(Method::Gd, &[at(8.0, 0.5), at(4.0, 1.0)]).is_none());
        assert!(law(Method::Adam, &[at(8.0, 1.0), at(4.0, 1.0)]).is_none());
    }
}
