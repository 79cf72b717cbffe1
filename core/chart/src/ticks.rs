//! Ticks at round numbers with short labels.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::number::{self, SIZES, trimmed};
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
    pub(crate) fn of(value: f64) -> Self {
        let whole = value.fract() == 0.0 && value.abs() < 1e12;
        Self { value, label: if whole { value.to_string() } else { number::value(value) } }
    }

    /// Like [`Self::of`], for a number of seconds.
    pub(crate) fn of_seconds(value: f64) -> Self {
        let (unit, name) = below_a_minute(value.abs());
        let long = value.abs() >= 60.0 || value == 0.0;
        Self {
            value,
            label: if long { clock(value) } else { format!("{}{name}", number::value(value / unit)) },
        }
    }
}

/// Converts the labels of an axis of bytes: `580M` becomes `580 MB`. All are in the unit of the last one.
pub(crate) fn in_bytes(ticks: &mut [Tick]) {
    let suffix = |label: &str| SIZES.into_iter().find(|(_, suffix)| label.ends_with(suffix));
    let unit = ticks.last().and_then(|last| suffix(&last.label));
    for tick in ticks.iter_mut().filter(|tick| tick.value != 0.0) {
        tick.label = match unit {
            Some((size, name)) if suffix(&tick.label) != unit => {
                format!("{} {name}B", brief(tick.value / size))
            }
            Some((_, name)) => format!("{} {name}B", tick.label.trim_end_matches(name)),
            None => format!("{} B", tick.label),
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

const DAY: f64 = 86_400.0;
/// A longer span of time contains the same day of a month twice.
const YEAR: f64 = 360.0 * DAY;

/// Returns whether the ticks of such a span of time have dates.
pub fn have_dates(low: f64, high: f64) -> bool {
    high - low > DAY
}

/// Returns ticks for seconds at round seconds, minutes, hours or days.
pub(crate) fn time_ticks(low: f64, high: f64, most: usize) -> Vec<Tick> {
    let rough = (high - low) / most.max(2) as f64;
    let Some(step) = round_time(rough).filter(|_| rough > 0.5) else {
        let (unit, name) = if rough > 0.5 { (DAY, "d") } else { below_a_minute(low.abs().max(high.abs())) };
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
    let step = round_time(rough).unwrap_or_else(|| round_step(rough / DAY) * DAY);
    let east = |at: f64| {
        let time = Timestamp::from_second(at as i64).unwrap_or_default();
        f64::from(zone.to_offset(time).seconds())
    };
    let format = if high - low > YEAR {
        "%Y-%m-%d"
    } else if step >= DAY {
        "%m-%d"
    } else if have_dates(low, high) {
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
    let digits = digits(step);
    let told = |at: &Tick| {
        let value = base + at.value;
        let time = second(value, digits)?.to_zoned(zone.clone());
        Some(Tick { value, label: time.strftime(&time_format(digits)).to_string() })
    };
    ticks.iter().filter_map(told).collect()
}

/// Returns the moment so many seconds after 1970, rounded to decimals.
pub fn second(seconds: f64, digits: usize) -> Option<Timestamp> {
    let base = seconds.floor();
    let part = rounded(seconds - base, digits);
    Timestamp::from_microsecond(base as i64 * 1_000_000 + (part * 1e6).round() as i64).ok()
}

/// Returns the format of a time of day with decimals of seconds.
pub fn time_format(digits: usize) -> String {
    let part = if digits > 0 { format!("%.{}f", digits.min(6)) } else { String::new() };
    format!("%H:%M:%S{part}")
}

fn rounded(value: f64, digits: usize) -> f64 {
    let unit = 10f64.powf(digits.min(6) as f64);
    (value * unit).round() / unit
}

/// How many positions of an axis of time are told apart in words: as many as a wide terminal has dots.
const POSITIONS: f64 = 400.0;

/// Returns a number of seconds rounded to the decimals that an axis needs to tell positions apart, and how many these are.
pub fn on_time_axis(seconds: f64, (low, high): (f64, f64)) -> (f64, usize) {
    let digits = if low < high { digits((high - low) / POSITIONS).min(6) } else { 0 };
    let base = seconds.floor();
    (base + rounded(seconds - base, digits), digits)
}

/// Formats a time since the start on an axis of such times, as precisely as the axis needs: `3m20s`, `1h05m12s`, `11.6ms`.
pub fn time_since(seconds: f64, range: (f64, f64)) -> String {
    let apart = (range.1 - range.0) / POSITIONS;
    // What a duration in two units tells apart.
    let own = match seconds {
        ..1.0 => 1e-3,
        ..10.0 => 0.1,
        ..3600.0 => 1.0,
        ..DAY => 60.0,
        _ => 3600.0,
    };
    if apart >= own || apart <= 0.0 || seconds <= 0.0 {
        return number::duration(seconds);
    }
    let (at, decimals) = on_time_axis(seconds, range);
    if at < 60.0 {
        let (unit, name) = below_a_minute(at);
        return format!("{:.*}{name}", digits(apart / unit), at / unit);
    }
    let minutes = (at / 60.0).floor();
    let width = if decimals > 0 { decimals + 3 } else { 2 };
    let rest = format!("{:0width$.decimals$}s", at - minutes * 60.0);
    match (minutes / 60.0).floor() {
        0.0 => format!("{minutes}m{rest}"),
        hours => format!("{hours}h{:02}m{rest}", minutes - hours * 60.0),
    }
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
pub fn round_step(rough: f64) -> f64 {
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
    for (size, suffix) in SIZES {
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
        let label = notation(values[0], values[values.len() - 1]);
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
        (true, _) => brief(power_of_ten(e)),
        (false, Powers::Plain) => format!("1e{e}"),
        (false, Powers::Raised) => format!("10{}", raised(e)),
    }
}

/// Formats a round number as briefly as possible: `0.05`, `200`, `5e-4`.
fn brief(v: f64) -> String {
    let size = v.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if (1e-3..1e5).contains(&size) {
        trimmed(&format!("{v:.6}"))
    } else {
        format!("{v:e}")
    }
}

/// Formats a round number of at least one: `500`, `20k`, `1M`.
fn thousands(v: f64) -> String {
    let unit = SIZES.into_iter().find(|(size, _)| v >= size * (1.0 - 1e-9));
    unit.map_or_else(|| brief(v), |(size, suffix)| format!("{}{suffix}", brief((v / size).round())))
}

/// Returns how the round numbers of an axis are formatted, from the smallest to the largest above zero: all with a power,
/// or none.
fn notation(small: f64, large: f64) -> fn(f64) -> String {
    match (small, large) {
        (1.0.., 1e4..1e15) => thousands,
        (1e-3.., ..1e5) => brief,
        _ => |v| format!("{v:e}"),
    }
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
                (true, _) => brief(value),
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
    let label = notation(power_of_ten(first), largest);
    let mut ticks: Vec<Tick> = exponents
        .iter()
        .flat_map(|e| steps.iter().map(move |step| (*e, *step)))
        .flat_map(|(e, step)| {
            let value = step * power_of_ten(e);
            let label = if steps.len() == 1 { ten(e, plain, powers) } else { label(value) };
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
mod tests;
