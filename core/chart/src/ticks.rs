//! Ticks at round numbers with short labels.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::scale::{Scale, Span};

/// A tick: a round value and its label.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// The value.
    pub value: f64,
    /// The label.
    pub label: String,
}

/// How powers are formatted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Powers {
    /// `1e-3`, for terminals.
    Plain,
    /// `10⁻³`, for drawings.
    Raised,
}

impl Tick {
    /// Creates a tick of a value that need not be round.
    pub(crate) fn of(value: f64, seconds: bool) -> Self {
        let whole = value.fract() == 0.0 && value.abs() < 1e12;
        let label = match (seconds, whole) {
            (true, _) if value.abs() >= 60.0 || value == 0.0 => clock(value),
            (true, _) => {
                let (unit, name) = below_a_minute(value.abs());
                format!("{}{name}", crate::number::value(value / unit))
            }
            (false, true) => format!("{value}"),
            (false, false) => crate::number::value(value),
        };
        Self { value, label }
    }

    /// Converts the label for an axis of bytes: `580M` becomes `580 MB`.
    pub(crate) fn of_bytes(&mut self) {
        let text = std::mem::take(&mut self.label);
        self.label = match text.char_indices().last() {
            _ if self.value == 0.0 => text,
            Some((at, suffix @ ('k' | 'M' | 'G' | 'T'))) => format!("{} {suffix}B", &text[..at]),
            _ => format!("{text} B"),
        };
    }
}

/// Returns about `most` ticks at most (aiming for at least two) within the span, ascending.
pub fn ticks(span: &Span, most: usize, powers: Powers) -> Vec<Tick> {
    let most = most.max(2);
    match span.scale {
        Scale::Linear => linear(span.low, span.high, most),
        Scale::Log => log(span, most, powers),
        Scale::Log2 => log2(span, most, powers),
        Scale::Symlog { threshold } => symlog(span, threshold, most, powers),
    }
}

/// Round numbers of seconds: up to a minute, an hour, a day, a month.
const STEPS: [u32; 22] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
    432_000, 864_000, 2_592_000,
];

/// Returns the first of [`STEPS`] that is not below `rough`.
fn round_time(rough: f64) -> Option<f64> {
    STEPS.into_iter().map(f64::from).find(|step| *step >= rough)
}

/// A longer span of time contains the same day of a month twice.
const YEAR: f64 = 360.0 * 86_400.0;

/// Returns ticks for seconds at round seconds, minutes, hours or days.
pub(crate) fn time_ticks(low: f64, high: f64, most: usize) -> Vec<Tick> {
    let rough = (high - low) / most.max(2) as f64;
    let Some(step) = round_time(rough).filter(|_| rough > 0.5) else {
        let (unit, name) =
            if rough > 0.5 { (86_400.0, "d") } else { below_a_minute(low.abs().max(high.abs())) };
        let mut ticks = linear(low / unit, high / unit, most.max(2));
        for t in &mut ticks {
            t.label.push_str(if t.value == 0.0 { "" } else { name });
            t.value *= unit;
        }
        return ticks;
    };
    multiples(low, high, step).into_iter().map(|v| Tick { value: v, label: clock(v) }).collect()
}

/// Returns the unit of times of up to so many seconds, and its sign.
fn below_a_minute(largest: f64) -> (f64, &'static str) {
    match largest {
        0.5.. => (1.0, "s"),
        5e-4.. => (1e-3, "ms"),
        _ => (1e-6, "µs"),
    }
}

/// Returns ticks for seconds since 1970 as times of day: `14:05`, with seconds or the date if needed. They are round in
/// the time zone, with and without daylight saving time.
pub(crate) fn clock_ticks(low: f64, high: f64, most: usize, zone: &TimeZone) -> Vec<Tick> {
    let rough = (high - low) / most.max(2) as f64;
    let step = round_time(rough).unwrap_or_else(|| round_step(rough / 86_400.0) * 86_400.0);
    let east = |at: f64| {
        let time = Timestamp::from_second(at as i64).unwrap_or_default();
        f64::from(zone.to_offset(time).seconds())
    };
    let format = if high - low > YEAR {
        "%Y-%m-%d"
    } else if step >= 86_400.0 {
        "%m-%d"
    } else if high - low > 86_400.0 {
        "%m-%d %H:%M"
    } else if step >= 60.0 {
        "%H:%M"
    } else {
        "%H:%M:%S"
    };
    let tick = |local: f64| {
        let time = TimeZone::UTC.to_datetime(Timestamp::from_second(local.round() as i64).ok()?);
        let meant = zone.to_ambiguous_timestamp(time);
        Some((time.strftime(format).to_string(), meant.compatible().ok()?, meant.later().ok()?))
    };
    // Times repeated at the end of daylight saving time occur twice: a tick of a day or several hours uses the first.
    let again = step <= 3600.0;
    let both = |(label, first, second): (String, Timestamp, Timestamp)| {
        let at = |time: Timestamp| Tick { value: time.as_second() as f64, label: label.clone() };
        [Some(at(first)), (again && second > first).then(|| at(second))].into_iter().flatten()
    };
    let (from, to) = (low + east(low).min(east(high)), high + east(low).max(east(high)));
    let all = multiples(from, to, step).into_iter().filter_map(tick).flat_map(both);
    let mut ticks: Vec<Tick> =
        all.filter(|tick| tick.value >= low - 0.5 && tick.value <= high + 0.5).collect();
    ticks.sort_by(|a, b| a.value.total_cmp(&b.value));
    // A time skipped at the start of daylight saving time means the next one.
    ticks.dedup_by_key(|tick| tick.value);
    if ticks.len() < 2 && rough < 1.0 { parts_of_a_second(low, high, most, zone) } else { ticks }
}

/// Returns times of day with as many digits as needed to distinguish them.
fn parts_of_a_second(low: f64, high: f64, most: usize, zone: &TimeZone) -> Vec<Tick> {
    let base = low.floor();
    let ticks = linear(low - base, high - base, most.max(2));
    let Some(step) = ticks.get(1).map(|second| second.value - ticks[0].value) else { return ticks };
    let told = |at: &Tick| {
        let digits = digits(step);
        let part = format!("{:.digits$}", at.value.fract());
        // Rounding errors next to a full second.
        let (more, part) = part.split_once('.').unwrap_or((part.as_str(), ""));
        let second = base + at.value.floor() + more.parse().unwrap_or(0.0);
        let time = Timestamp::from_second(second as i64).ok()?.to_zoned(zone.clone());
        Some(Tick { value: base + at.value, label: format!("{}.{part}", time.strftime("%H:%M:%S")) })
    };
    ticks.iter().filter_map(told).collect()
}

/// Formats `45s`, `2m30`, `1h05`, `3d`.
fn clock(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let s = seconds.abs().round() as u64;
    let (d, h, m, s) = (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60);
    let text = match (d, h, m, s) {
        (0, 0, 0, 0) => return "0".to_owned(),
        (0, 0, 0, s) => format!("{s}s"),
        (0, 0, m, 0) => format!("{m}m"),
        (0, 0, m, s) => format!("{m}m{s:02}"),
        (0, h, 0, _) => format!("{h}h"),
        (0, h, m, _) => format!("{h}h{m:02}"),
        (d, 0, _, _) => format!("{d}d"),
        (d, h, _, _) => format!("{d}d{h:02}h"),
    };
    format!("{sign}{text}")
}

/// Returns the smallest of 1, 2 or 5 times a power of ten that is not below `rough`.
fn round_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let digit = rough / power;
    let nice = [1.0, 2.0, 5.0].into_iter().find(|n| digit <= n * (1.0 + 1e-9)).unwrap_or(10.0);
    nice * power
}

fn multiples(low: f64, high: f64, step: f64) -> Vec<f64> {
    let slack = 1e-9;
    let first = (low / step - slack).ceil();
    let last = (high / step + slack).floor();
    // Beyond 2^53 steps from zero, neighbours are no longer distinct, so there are no such ticks.
    if !(first.is_finite() && last.is_finite()) || last - first > 1000.0 || first.abs() > 9e15 {
        return Vec::new();
    }
    (first as i64..=last as i64).map(|k| k as f64 * step).collect()
}

fn linear(low: f64, high: f64, most: usize) -> Vec<Tick> {
    if high.partial_cmp(&low) != Some(std::cmp::Ordering::Greater) {
        return Vec::new();
    }
    // Halved, because the difference of two doubles may overflow.
    let apart = |parts: f64| (high / 2.0 - low / 2.0) / parts * 2.0;
    let mut step = round_step(apart(most as f64));
    let mut values = multiples(low, high, step);
    // A short axis between two round numbers: use finer steps until there are two ticks.
    for finer in [2.0, 4.0, 8.0] {
        if values.len() < 2 {
            step = round_step(apart(most as f64 * finer));
            values = multiples(low, high, step);
        }
    }
    let largest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    if largest / step >= FAR && high < 1e300 && low > -1e300 {
        return far(values, step);
    }
    values.into_iter().map(|value| Tick { value, label: decimal(value, step, largest) }).collect()
}

/// Ticks this many steps from zero are labelled relative to a round number among them: `1e9+0.2`.
const FAR: f64 = 1e7;

fn far(values: Vec<f64>, step: f64) -> Vec<Tick> {
    let (Some(first), Some(last)) = (values.first().copied(), values.last().copied()) else {
        return Vec::new();
    };
    let unit = 10f64.powf((last - first).max(step).log10().floor() + 2.0);
    let base = (f64::midpoint(first, last) / unit).round() * unit;
    let is_plain = (1e-3..1e5).contains(&base.abs());
    let short = if is_plain { base.to_string() } else { format!("{base:e}") };
    let name = if short.len() < 8 { short } else { format!("{base:.*}", digits(unit)) };
    let most = (last - base).abs().max((first - base).abs());
    let label = |value: f64| {
        let rest = (value - base).abs();
        if rest < step / 2.0 {
            return name.clone();
        }
        format!("{name}{}{}", if value < base { '-' } else { '+' }, decimal(rest, step, most))
    };
    values.into_iter().map(|value| Tick { value, label: label(value) }).collect()
}

/// Returns the decimals that multiples of `step` need.
fn digits(step: f64) -> usize {
    (-(step.log10() + 1e-9).floor()).clamp(0.0, 17.0) as usize
}

/// Returns a linear tick's label: all labels of an axis share their decimals and suffix.
fn decimal(value: f64, step: f64, largest: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    for (size, suffix) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")] {
        let enough = if size == 1e3 { largest >= 1e4 } else { largest >= size };
        if enough && largest < 1e15 && step / size >= 0.099 {
            return format!("{:.*}{suffix}", digits(step / size), value / size);
        }
    }
    if !(1e-2..1e7).contains(&largest) {
        let power = largest.log10().floor();
        let size = 10f64.powf(power);
        return format!("{:.*}e{power}", digits(step / size), value / size);
    }
    format!("{value:.*}", digits(step))
}

fn log(span: &Span, most: usize, powers: Powers) -> Vec<Tick> {
    let (a, b) = (span.low.log10(), span.high.log10());
    if b.partial_cmp(&a) != Some(std::cmp::Ordering::Greater) {
        return Vec::new();
    }
    let inside = |v: &f64| *v >= span.low * (1.0 - 1e-9) && *v <= span.high * (1.0 + 1e-9);
    let (first, last) = exponents_in(a, b);
    let decades = (last - first + 1).max(0) as usize;
    if decades >= 2 || decades >= most {
        let every = decades.div_ceil(most).max(1) as i32;
        // Multiples of the stride, so that ticks stay in place while the range grows.
        let exponents: Vec<i32> = (first..=last).filter(|e| e.rem_euclid(every) == 0).collect();
        let plain = exponents.iter().all(|e| (-2..=3).contains(e));
        if decades >= 4 || exponents.len() * 3 > most || most < 4 {
            return exponents
                .into_iter()
                .map(|e| Tick { value: power_of_ten(e), label: ten(e, plain, powers) })
                .collect();
        }
    }
    // With few decades: 1, 2 and 5 in each, or round numbers if even those are too few.
    let (low_exponent, high_exponent) = (first - 1, last + 1);
    let values: Vec<f64> = (low_exponent..=high_exponent)
        .flat_map(|e| [1.0, 2.0, 5.0].map(|n| n * power_of_ten(e)))
        .filter(inside)
        .collect();
    if values.len() >= 2 {
        // Formatted as on a linear axis, to avoid 50000 beside 1e5.
        let counted = values[0] >= 1.0 && values.last().is_some_and(|v| (1e4..1e15).contains(v));
        let label = |value| if counted { thousands(value) } else { number(value) };
        let mut ticks: Vec<Tick> =
            values.into_iter().map(|value| Tick { value, label: label(value) }).collect();
        if ticks.len() > most + 1 {
            ticks.retain(|t| (t.value.log10() - t.value.log10().round()).abs() < 1e-9);
        }
        return ticks;
    }
    linear(span.low, span.high, most.min(4))
}

/// Returns the first and last integer exponent in a range, within the limits of doubles.
fn exponents_in(low: f64, high: f64) -> (i32, i32) {
    ((low - 1e-9).ceil().max(-1080.0) as i32, (high + 1e-9).floor().min(1030.0) as i32)
}

/// Returns the exact nearest double, which `powi` does not guarantee.
fn power_of_ten(e: i32) -> f64 {
    format!("1e{e}").parse().unwrap_or(f64::NAN)
}

fn ten(e: i32, plain: bool, powers: Powers) -> String {
    match (plain, powers) {
        (true, _) => number(power_of_ten(e)),
        (false, Powers::Plain) => format!("1e{e}"),
        (false, Powers::Raised) => format!("10{}", raised(e)),
    }
}

/// Formats a round number as briefly as possible: `0.05`, `200`, `5e-4`.
fn number(v: f64) -> String {
    let size = v.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if (1e-3..1e5).contains(&size) {
        let text = format!("{v:.6}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{v:e}")
    }
}

/// Formats a round number of at least one: `500`, `20k`, `1M`.
fn thousands(v: f64) -> String {
    let unit = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")]
        .into_iter()
        .find(|(size, _)| v >= size * (1.0 - 1e-9));
    unit.map_or_else(|| number(v), |(size, suffix)| format!("{}{suffix}", number((v / size).round())))
}

/// Formats an exponent in superscript digits.
pub fn raised(e: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    e.to_string().chars().map(|c| c.to_digit(10).map_or('⁻', |d| DIGITS[d as usize])).collect()
}

fn log2(span: &Span, most: usize, powers: Powers) -> Vec<Tick> {
    let (a, b) = (span.low.log2(), span.high.log2());
    if b.partial_cmp(&a) != Some(std::cmp::Ordering::Greater) {
        return Vec::new();
    }
    let (first, last) = exponents_in(a, b);
    if last - first < 1 {
        return linear(span.low, span.high, most.min(4));
    }
    let every = ((last - first + 1) as usize).div_ceil(most).max(1) as i32;
    let exponents: Vec<i32> = (first..=last).filter(|e| e.rem_euclid(every) == 0).collect();
    let plain = exponents.iter().all(|e| (-3..=13).contains(e));
    exponents
        .into_iter()
        .map(|e| {
            let value = f64::from(e).exp2();
            let label = match (plain, powers) {
                (true, _) => number(value),
                (false, Powers::Plain) => format!("2^{e}"),
                (false, Powers::Raised) => format!("2{}", raised(e)),
            };
            Tick { value, label }
        })
        .collect()
}

fn symlog(span: &Span, threshold: f64, most: usize, powers: Powers) -> Vec<Tick> {
    let largest = span.low.abs().max(span.high.abs());
    let first = threshold.log10().round().clamp(-330.0, 310.0) as i32;
    let last = largest.log10().floor().clamp(-330.0, 310.0) as i32;
    let decades = (last - first + 1).max(1) as usize;
    let sides = if span.low < 0.0 && span.high > 0.0 { 2 } else { 1 };
    let every = (decades * sides).div_ceil(most.saturating_sub(1).max(1)).max(1);
    // The threshold is closer to zero than powers are to each other: if not all powers fit, it gets no tick.
    let lowest = if every > 1 && last > first { first + 1 } else { first };
    let exponents: Vec<i32> = (lowest..=last).rev().step_by(every).collect();
    let plain = exponents.iter().all(|e| (-2..=3).contains(e));
    // With few decades: 1, 2 and 5 in each.
    let steps: &[f64] = if decades * sides * 3 < most { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let mut ticks: Vec<Tick> = exponents
        .iter()
        .flat_map(|e| steps.iter().map(move |step| (*e, *step)))
        .flat_map(|(e, step)| {
            let value = step * power_of_ten(e);
            let label = if step == 1.0 { ten(e, plain, powers) } else { number(value) };
            let minus = format!("-{label}");
            [Tick { value, label }, Tick { value: -value, label: minus }]
        })
        .chain([Tick { value: 0.0, label: "0".to_owned() }])
        .filter(|t| t.value >= span.low && t.value <= span.high)
        .collect();
    ticks.sort_by(|a, b| a.value.total_cmp(&b.value));
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(scale: Scale, low: f64, high: f64, most: usize) -> String {
        let ticks = ticks(&Span { scale, low, high }, most, Powers::Plain);
        ticks.into_iter().map(|t| t.label).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn linear_ticks_are_round() {
        assert_eq!(labels(Scale::Linear, 0.0, 20_000.0, 5), "0 5k 10k 15k 20k");
        assert_eq!(labels(Scale::Linear, 0.0, 1.0, 5), "0 0.2 0.4 0.6 0.8 1.0");
        assert_eq!(labels(Scale::Linear, -1.7e308, 1.7e308, 4), "-1e308 0 1e308");
        assert_eq!(labels(Scale::Linear, -0.3, 1.04, 4), "0 0.5 1.0");
        assert_eq!(labels(Scale::Linear, 0.0, 100.0, 4), "0 50 100");
        assert_eq!(labels(Scale::Linear, 0.0, 3.2e-5, 4), "0 1e-5 2e-5 3e-5");
        assert_eq!(labels(Scale::Linear, 0.0, 2_500_000.0, 5), "0 0.5M 1.0M 1.5M 2.0M 2.5M");
        assert_eq!(labels(Scale::Linear, 1_000_000.0, 1_000_003.0, 3), "1000000 1000001 1000002 1000003");
        assert_eq!(labels(Scale::Linear, 1.0 - 1.2e-7, 1.0, 3), "1-1.0e-7 1-0.5e-7 1");
    }

    #[test]
    fn log_ticks_are_powers() {
        assert_eq!(labels(Scale::Log, 1e-6, 1.0, 8), "1e-6 1e-5 1e-4 1e-3 1e-2 1e-1 1e0");
        assert_eq!(labels(Scale::Log, 1e-6, 1.0, 4), "1e-6 1e-4 1e-2 1e0");
        assert_eq!(labels(Scale::Log, 0.012, 0.8, 6), "0.02 0.05 0.1 0.2 0.5");
        assert_eq!(labels(Scale::Log, 0.51, 0.93, 6), "0.6 0.8");
        assert_eq!(labels(Scale::Log, 400.0, 2.1e5, 12), "500 1k 2k 5k 10k 20k 50k 100k 200k");
        assert_eq!(labels(Scale::Log, 8.0, 6000.0, 12), "10 20 50 100 200 500 1000 2000 5000");
        assert_eq!(labels(Scale::Log2, 1.0, 300.0, 10), "1 2 4 8 16 32 64 128 256");
        assert_eq!(labels(Scale::Log2, 1.0, 1e9, 6), "2^0 2^5 2^10 2^15 2^20 2^25");
    }

    #[test]
    fn bytes_are_told_in_their_units() {
        let text = |low: f64, high: f64| {
            let span = Span { scale: Scale::Linear, low, high };
            let mut all = ticks(&span, 4, Powers::Plain);
            all.iter_mut().for_each(Tick::of_bytes);
            all.into_iter().map(|t| t.label).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(text(0.0, 6e8), "0, 200 MB, 400 MB, 600 MB");
        assert_eq!(text(1e9, 2.5e9), "1.0 GB, 1.5 GB, 2.0 GB, 2.5 GB");
        assert_eq!(text(0.0, 900.0), "0, 500 B");
    }

    #[test]
    fn symlog_ticks_are_symmetric() {
        assert_eq!(labels(Scale::Symlog { threshold: 0.1 }, -20.0, 20.0, 7), "-10 -1 -0.1 0 0.1 1 10");
        assert_eq!(labels(Scale::Symlog { threshold: 1e-6 }, -0.02, 1.0, 7), "-1e-3 0 1e-3 1e0");
        assert_eq!(labels(Scale::Symlog { threshold: 10.0 }, 0.0, 50.0, 7), "0 10 20 50");
    }

    #[test]
    fn time_ticks_are_clock_like() {
        let text = |high| time_ticks(0.0, high, 5).into_iter().map(|t| t.label).collect::<Vec<_>>().join(" ");
        assert_eq!(text(40.0), "0 10s 20s 30s 40s");
        assert_eq!(text(600.0), "0 2m 4m 6m 8m 10m");
        assert_eq!(text(9000.0), "0 30m 1h 1h30 2h 2h30");
        assert_eq!(text(0.8), "0 0.2s 0.4s 0.6s 0.8s");
        assert_eq!(text(0.09), "0 20ms 40ms 60ms 80ms");
        assert_eq!(text(9e-5), "0 20µs 40µs 60µs 80µs");
        assert_eq!(
            [0.0, 2.5, 0.0125, 9e-5].map(|at| Tick::of(at, true).label),
            ["0", "2.5s", "12.5ms", "90µs"]
        );
        assert_eq!(text(86_400.0 * 400.0), "0 100d 200d 300d 400d");
    }

    #[test]
    fn clock_ticks_are_times_of_day_where_the_reader_is() {
        let text = |low: f64, high: f64| {
            let all = clock_ticks(low, high, 4, &TimeZone::fixed(jiff::tz::offset(1)));
            all.into_iter().map(|t| t.label).collect::<Vec<_>>().join(" ")
        };
        // 2026-11-23 12:58:20 UTC, an hour east of Greenwich.
        let at = 1_795_438_700.0;
        assert_eq!(text(at, at + 40.0), "13:58:20 13:58:30 13:58:40 13:58:50 13:59:00");
        assert_eq!(text(at, at + 3600.0), "14:00 14:15 14:30 14:45");
        assert_eq!(text(at, at + 200_000.0), "11-24 11-25");
        assert_eq!(text(at + 0.31, at + 0.42), "13:58:20.35 13:58:20.40");
        assert_eq!(text(at - 0.11, at + 0.11), "13:58:19.9 13:58:20.0 13:58:20.1");
        assert_eq!(text(at, at + 9e7), "2027-07-01 2028-11-12");
    }

    #[test]
    fn clock_ticks_are_round_on_both_sides_of_a_change_to_winter_time() {
        let zone = TimeZone::get("America/St_Johns").expect("a zone of the time zone database");
        // 2026-11-01 04:30 UTC is two o'clock in summer time, the moment that it becomes one o'clock.
        let change = 1_793_507_400.0;
        let ticks = clock_ticks(change - 7_200.0, change + 7_200.0, 4, &zone);
        let told = |t: &Tick| {
            let time = Timestamp::from_second(t.value as i64)
                .expect("a time that can be shown")
                .to_zoned(zone.clone());
            (t.label.clone(), time.strftime("%H:%M").to_string())
        };
        assert!(ticks.len() >= 3, "{ticks:?}");
        for (label, own) in ticks.iter().map(told) {
            assert_eq!(label, own);
        }
    }

    #[test]
    fn the_hour_that_a_change_to_winter_time_repeats_has_ticks() {
        let zone = TimeZone::get("Europe/Berlin").expect("a zone of the time zone database");
        // 2026-10-25 01:00 UTC is three o'clock in summer time, the moment that it becomes two o'clock.
        let change = 1_792_890_000.0;
        let text = |low: f64, high: f64| {
            let all = clock_ticks(change + low * 60.0, change + high * 60.0, 4, &zone);
            all.iter().map(|t| t.label.as_str()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(text(-25.0, 25.0), "02:45 02:00 02:15");
        assert_eq!(text(-50.0, -5.0), "02:15 02:30 02:45");
        assert_eq!(text(5.0, 50.0), "02:15 02:30 02:45");
        assert_eq!(text(-150.0, 150.0), "02:00 04:00");
    }

    proptest! {
        #[test]
        fn ticks_ascend_lie_inside_and_have_distinct_labels(
            start in -1e6f64..1e6, length in 1e-3f64..1e7, most in 2usize..12, log in any::<bool>(),
        ) {
            let (scale, low) = if log { (Scale::Log, start.abs() + 1e-6) } else { (Scale::Linear, start) };
            let span = Span { scale, low, high: low + length };
            let found = ticks(&span, most, Powers::Plain);
            // A hair of slack for the rounding of k·step.
            let slack = length * 1e-6;
            for t in &found {
                prop_assert!(t.value >= span.low - slack && t.value <= span.high + slack, "{t:?} outside {span:?}");
            }
            for pair in found.windows(2) {
                prop_assert!(pair[0].value < pair[1].value);
                prop_assert_ne!(&pair[0].label, &pair[1].label);
            }
            prop_assert!(found.len() <= 2 * most + 2, "{} ticks for {most}", found.len());
            if !log { prop_assert!(!found.is_empty()); }
        }
    }
}
