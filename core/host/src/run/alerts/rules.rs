//! The syntax of alert rules.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use gradtop_store::{SeriesKey, did_you_mean, near};
use serde::{Deserialize, Serialize};

/// Default time without a new row for `stalled`.
const STALLED: Duration = Duration::from_mins(10);
/// Default percentage for `disk`.
const DISK: f64 = 95.0;
/// The metric of a run's memory usage.
const MEMORY: &str = "system/memory";
/// The metrics of its GPU's utilization and of its training time.
const GPU: &str = "system/gpu";
pub(crate) const TRAINED: &str = "system/trained_s";
/// Default time for `gpu-idle`.
const IDLE: Duration = Duration::from_mins(10);

/// A condition for an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Rule {
    /// A value is NaN or infinite; once per series.
    NonFinite,
    /// The run is active but has logged no row for this time.
    Stalled(Duration),
    /// The run's disk is full to this percentage.
    Disk(f64),
    /// The run uses more than this many bytes of memory.
    Memory(f64),
    /// The memory of the machine or of the run's control group is used to this percentage.
    MemoryShare(f64),
    /// The last values of this metric, or of every loss, are far above the first ones.
    Diverged(Option<String>),
    /// A metric has not improved for a number of steps.
    Plateau {
        /// The metric, or a series as `model/split/metric#trial`.
        metric: String,
        /// The number of steps.
        steps: i64,
    },
    /// Steps take longer than ever before.
    RateFell,
    /// The run's GPU has been idle for this time.
    GpuIdle(Duration),
    /// The run has ended in any way.
    End,
    /// The run failed or crashed.
    Failure,
    /// A value compares in this way.
    Metric {
        /// The metric, or a series as `model/split/metric#trial`.
        metric: String,
        /// The comparison.
        than: Than,
        /// The threshold.
        value: f64,
    },
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Than {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// Longer operators first, because one is a prefix of another.
const SIGNS: [(&str, Than); 4] =
    [("<=", Than::AtMost), (">=", Than::AtLeast), ("<", Than::Less), (">", Than::More)];

impl Than {
    fn sign(self) -> &'static str {
        SIGNS.iter().find(|(_, than)| *than == self).map_or("", |(sign, _)| sign)
    }

    /// Returns whether it holds for two numbers.
    pub fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Self::Less => a < b,
            Self::AtMost => a <= b,
            Self::More => a > b,
            Self::AtLeast => a >= b,
        }
    }
}

impl Rule {
    /// Returns whether it needs the rows of a series, or needs to know that they exist.
    pub(crate) fn reads(&self, key: &SeriesKey) -> bool {
        match self {
            Self::NonFinite | Self::Stalled(_) | Self::Diverged(None) => {
                !gradtop_store::is_system_metric(&key.metric)
            }
            // It also needs to know when other series begin.
            Self::RateFell => key.metric == TRAINED || !gradtop_store::is_system_metric(&key.metric),
            Self::Memory(_) => key.metric == MEMORY,
            Self::GpuIdle(_) => key.metric == GPU,
            Self::Metric { metric, .. } | Self::Plateau { metric, .. } | Self::Diverged(Some(metric)) => {
                *metric == key.metric || *metric == key.path()
            }
            Self::Disk(_) | Self::MemoryShare(_) | Self::End | Self::Failure => false,
        }
    }

    /// Returns whether it can never match if there is no series for it.
    pub(crate) fn needs_a_series(&self) -> bool {
        matches!(
            self,
            Self::Metric { .. } | Self::Plateau { .. } | Self::Diverged(Some(_)) | Self::GpuIdle(_)
        )
    }

    /// Returns whether its condition holds for a value; `None` if the rule is not about that series, or needs more than
    /// one value.
    pub(crate) fn holds(&self, key: &SeriesKey, value: f64) -> Option<bool> {
        match self {
            Self::NonFinite => self.reads(key).then_some(!value.is_finite()),
            Self::Memory(bytes) => self.reads(key).then_some(value > *bytes),
            Self::Metric { than, value: with, .. } => self.reads(key).then(|| than.holds(value, *with)),
            _ => None,
        }
    }

    /// Describes a value for which it holds.
    pub(crate) fn words(&self, value: f64) -> String {
        match self {
            Self::Memory(bytes) => format!("{}, more than {},", in_unit(value), in_unit(*bytes)),
            Self::Metric { than, value: with, .. } => {
                // Four digits, unless the rule would not hold for them.
                let brief = format!("{value:.3e}").parse().ok().filter(|brief| than.holds(*brief, *with));
                format!("{}, which is {} {},", readable(brief.unwrap_or(value)), than.sign(), readable(*with))
            }
            _ => value.to_string(),
        }
    }

    /// Parses a comma-separated list of rules.
    ///
    /// # Errors
    /// What is wrong with one of the rules.
    pub fn list(text: &str) -> Result<Vec<Self>, String> {
        text.split(',').map(str::trim).filter(|rule| !rule.is_empty()).map(str::parse).collect()
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NonFinite => f.write_str("non-finite"),
            Self::Stalled(time) => write!(f, "stalled {}s", time.as_secs_f64()),
            Self::Disk(percent) => write!(f, "disk {percent}%"),
            Self::Memory(bytes) => {
                let (unit, factor) = unit(*bytes);
                write!(f, "memory {}{unit}", bytes / factor)
            }
            Self::MemoryShare(percent) => write!(f, "memory {percent}%"),
            Self::Diverged(None) => f.write_str("diverged"),
            Self::Diverged(Some(metric)) => write!(f, "diverged {metric}"),
            Self::Plateau { metric, steps } => write!(f, "plateau {metric} {steps}"),
            Self::RateFell => f.write_str("rate-fell"),
            Self::GpuIdle(time) => write!(f, "gpu-idle {}s", time.as_secs_f64()),
            Self::End => f.write_str("end"),
            Self::Failure => f.write_str("failure"),
            Self::Metric { metric, than, value } => {
                write!(f, "{metric} {} {}", than.sign(), readable(*value))
            }
        }
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> Self {
        rule.to_string()
    }
}

impl TryFrom<String> for Rule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let comparison = SIGNS.iter().find_map(|(sign, than)| Some((text.split_once(sign)?, *than)));
        if let Some(((metric, value), than)) = comparison {
            let (metric, value) = (metric.trim(), value.trim());
            let wrong = |what: &str| format!("{text:?}{what}; such a rule is {COMPARISON}");
            if metric.is_empty() {
                return Err(wrong(" names no metric"));
            }
            if value.is_empty() {
                return Err(wrong(" names no number to compare with"));
            }
            let number = value.parse().ok().filter(|number: &f64| number.is_finite());
            let number = number.ok_or_else(|| wrong(&format!(": {value:?} is not a number")))?;
            return Ok(Self::Metric { metric: metric.to_owned(), than, value: number });
        }
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let wrong = |what: &str| format!("{text:?}: {rest:?} is not {what}");
        let time = || {
            let seconds = crate::text::time(rest).map_err(|why| format!("{text:?}: {why}"))?;
            let time = Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero());
            time.ok_or_else(|| wrong("longer than no time"))
        };
        match (name, rest) {
            ("non-finite", "") => Ok(Self::NonFinite),
            ("end", "") => Ok(Self::End),
            ("failure", "") => Ok(Self::Failure),
            ("stalled", "") => Ok(Self::Stalled(STALLED)),
            ("stalled", _) => time().map(Self::Stalled),
            ("gpu-idle", "") => Ok(Self::GpuIdle(IDLE)),
            ("gpu-idle", _) => time().map(Self::GpuIdle),
            ("rate-fell", "") => Ok(Self::RateFell),
            ("diverged", metric) => Ok(Self::Diverged(Some(metric.to_owned()).filter(|m| !m.is_empty()))),
            ("plateau", _) => rest
                .rsplit_once(char::is_whitespace)
                .and_then(|(metric, steps)| Some((metric.trim(), steps.parse().ok().filter(|n| *n > 0)?)))
                .map(|(metric, steps)| Self::Plateau { metric: metric.to_owned(), steps })
                .ok_or_else(|| wrong("a metric and a number of steps, such as val/loss 5000")),
            ("disk", "") => Ok(Self::Disk(DISK)),
            ("disk", _) => with_unit(rest, &[("%", 1.0)])
                .filter(|p| *p <= 100.0)
                .map(Self::Disk)
                .ok_or_else(|| wrong("a share such as 95%")),
            ("memory", _) => {
                let share = with_unit(rest, &[("%", 1.0)]).filter(|p| *p <= 100.0).map(Self::MemoryShare);
                let bytes = || with_unit(rest, &UNITS).map(Self::Memory);
                share.or_else(bytes).ok_or_else(|| wrong("an amount such as 8GB, or a share such as 90%"))
            }
            _ => {
                let near = near(name, RULES.into_iter().filter_map(|rule| rule.split(' ').next()));
                let all = || format!(": {}, or {COMPARISON}", RULES.join(", "));
                let known = if near.is_empty() { all() } else { did_you_mean(&near) };
                Err(format!("{text:?} is not a rule{known}"))
            }
        }
    }
}

/// What a rule about a value looks like.
const COMPARISON: &str = "METRIC > NUMBER (also <, >=, <=)";

/// What the rules that have a name look like.
const RULES: [&str; 10] = [
    "non-finite",
    "diverged [METRIC]",
    "plateau METRIC STEPS",
    "stalled [TIME]",
    "rate-fell",
    "gpu-idle [TIME]",
    "memory AMOUNT|PERCENT%",
    "disk [PERCENT%]",
    "end",
    "failure",
];

/// Units of memory, largest first.
const UNITS: [(&str, f64); 5] = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)];

/// Returns the largest unit that is not larger than the value.
fn unit(bytes: f64) -> (&'static str, f64) {
    UNITS.into_iter().find(|(_, factor)| bytes >= *factor).unwrap_or(("B", 1.0))
}

/// Formats a number with all its digits, `1e-9` rather than `0.000000001`.
fn readable(number: f64) -> String {
    let plain = number == 0.0 || (1e-4..1e15).contains(&number.abs());
    if plain { number.to_string() } else { format!("{number:e}") }
}

/// Formats `1.25 GB`.
fn in_unit(bytes: f64) -> String {
    let (unit, factor) = unit(bytes);
    format!("{:.2} {unit}", bytes / factor)
}

/// Parses a positive number followed by a unit.
fn with_unit(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let (number, factor) =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    let number: f64 = number.trim().parse().ok()?;
    Some(number * factor).filter(|n| n.is_finite() && *n > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_they_are_written() {
        for text in [
            "non-finite",
            "stalled 90s",
            "disk 95%",
            "memory 8GB",
            "memory 1.5kB",
            "memory 512B",
            "memory 90%",
            "diverged",
            "diverged energy",
            "plateau val/loss 5000",
            "rate-fell",
            "gpu-idle 300s",
            "end",
            "failure",
            "val/loss >= 2.5",
            "val/loss >= 1e-9",
        ] {
            assert_eq!(text.parse::<Rule>().map(|rule| rule.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("stalled 2m".parse(), Ok(Rule::Stalled(Duration::from_mins(2))));
        assert_eq!("memory 8GB".parse(), Ok(Rule::Memory(8e9)));
        assert_eq!("disk".parse(), Ok(Rule::Disk(95.0)));
        let metric = Rule::Metric { metric: "loss".to_owned(), than: Than::More, value: -1.0 };
        assert_eq!("loss>-1".parse(), Ok(metric));
        assert_eq!(Rule::list("end, non-finite").map(|rules| rules.len()), Ok(2));
    }

    #[test]
    fn a_wrong_rule_says_what_is_wrong() {
        let wrong = |text: &str| text.parse::<Rule>().err().unwrap_or_default();
        let form = "such a rule is METRIC > NUMBER (also <, >=, <=)";
        assert_eq!(wrong("loss > high"), format!("\"loss > high\": \"high\" is not a number; {form}"));
        assert!(wrong("loss < 0.5 for 3").contains(form) && wrong("loss >").contains(form));
        assert_eq!(wrong("stalled soon"), "\"stalled soon\": \"soon\" is not a time such as 90s or 10m");
        assert_eq!(wrong("stalled 5"), "\"stalled 5\": \"5\" has no unit: write 5s, 5m, 5h or 5d");
        assert!(
            wrong("gpu-idle 300").contains("has no unit") && wrong("stalled -5s").contains("longer than")
        );
        for value in ["nan", "inf", "-infinity"] {
            assert!(wrong(&format!("loss >= {value}")).contains("is not a number"), "{value}");
        }
        for amount in ["", "8", "8 G", "-8GB"] {
            assert!(wrong(&format!("memory {amount}")).contains("an amount such as 8GB"), "{amount}");
        }
        let rule = Rule::Metric { metric: "loss".to_owned(), than: Than::More, value: 1e-9 };
        assert_eq!(rule.words(1e-8), "1e-8, which is > 1e-9,");
        assert_eq!(Rule::Memory(2e6).words(2_600_000.0), "2.60 MB, more than 2.00 MB,");
        assert!(wrong("disk 900%").contains("a share such as 95%"));
        assert!(wrong("plateau loss").contains("a metric and a number of steps"));
        assert!(wrong("plateau loss -5").contains("a metric and a number of steps"));
        assert!(wrong("sometimes").contains("is not a rule: non-finite"));
        assert_eq!(wrong("non_finite"), "\"non_finite\" is not a rule; did you mean non-finite?");
    }
}
