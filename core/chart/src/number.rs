//! Formats numbers, times and sizes for display.

use std::time::Duration;

/// The sizes that have a suffix, the largest first.
pub(crate) const SIZES: [(f64, &str); 4] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];

/// Placeholder for a missing value.
pub const MISSING: &str = "–";

/// Formats with at most four significant digits, `1.2e-5` rather than `0.000012`, without trailing zeros. A value just below
/// a power of ten has up to six, because an accuracy of 0.99996 is not 1.
pub fn value(v: f64) -> String {
    let digits = significant(v);
    if let Some(text) = without_power(v, digits) {
        return trimmed(&text);
    }
    let text = format!("{v:.*e}", digits as usize - 1);
    match text.split_once('e') {
        Some((mantissa, exponent)) => format!("{}e{exponent}", trimmed(mantissa)),
        None => text,
    }
}

/// Returns how many digits do not round a value up to a power of ten: four, or up to six.
fn significant(v: f64) -> i32 {
    let exponent = |digits| exponent(v, digits);
    (4..=6).find(|digits| exponent(*digits) == exponent(17)).unwrap_or(4)
}

/// Formats two values like [`value`], with more digits if they differ and would look the same.
pub fn apart(a: f64, b: f64) -> [String; 2] {
    let brief = [value(a), value(b)];
    let length = Some((a - b).abs());
    if brief[0] == brief[1] { [value_on(a, length), value_on(b, length)] } else { brief }
}

/// Returns the power of ten of a value rounded to this many digits, four or more, if it has one.
fn exponent(v: f64, digits: i32) -> Option<i32> {
    let power = v.abs().log10().floor();
    // Between these, neither rounding nor the error of the logarithm can change it.
    if (1.000_000_1..9.999).contains(&(v.abs() / 10f64.powf(power))) {
        return Some(power as i32);
    }
    format!("{v:.*e}", digits as usize - 1).split_once('e')?.1.parse().ok()
}

/// Like [`value`], with more digits if an axis of this length distinguishes more.
pub(crate) fn value_on(v: f64, length: Option<f64>) -> String {
    match distinguished(v, length) {
        Some(text) if text.contains('e') => text,
        Some(text) => trimmed(&text),
        None => value(v),
    }
}

/// Formats with the digits that change within a hundredth of an axis, if these are more than four.
fn distinguished(v: f64, length: Option<f64>) -> Option<String> {
    let length = length.filter(|length| v.is_finite() && v != 0.0 && *length > 0.0 && length.is_finite())?;
    let exponent = v.abs().log10().floor() as i32;
    let after = 2 - length.log10().floor() as i32;
    let digits = (exponent + after + 1).min(17);
    let plain = usize::try_from(digits - 1 - exponent).ok().filter(|_| (-3..=15).contains(&exponent));
    (digits > 4).then(|| match plain {
        Some(after) => format!("{v:.after$}"),
        None => format!("{v:.*e}", digits as usize - 1),
    })
}

/// Formats with this many significant digits if no exponent is needed, else returns `None`.
fn without_power(v: f64, digits: i32) -> Option<String> {
    if v.is_nan() {
        return Some("NaN".to_owned());
    }
    if v.is_infinite() {
        return Some(if v > 0.0 { "inf" } else { "-inf" }.to_owned());
    }
    if v == 0.0 {
        return Some("0".to_owned());
    }
    // Rounded to the displayed digits first: with four, 9.99996 is 10.
    let exponent = exponent(v, digits.max(4))?;
    let after = usize::try_from(digits - 1 - exponent).unwrap_or(0);
    (-3..=5).contains(&exponent).then(|| format!("{v:.after$}"))
}

/// Formats in at most `width` columns and one for a minus, with up to four significant digits, or those of [`value`] if they
/// fit; uses an exponent only where that does, or if nothing else fits.
fn within(v: f64, width: usize) -> String {
    let width = width + usize::from(v < 0.0);
    let plain = |digits| without_power(v, digits).filter(|text| text.len() <= width);
    let power = |digits: usize| Some(format!("{v:.digits$e}")).filter(|text| text.len() <= width);
    let plain = std::iter::once(significant(v)).chain((2..=4).rev()).find_map(plain);
    plain.or_else(|| (1..=3).rev().find_map(power)).unwrap_or_else(|| format!("{v:.0e}"))
}

/// Formats four significant digits in eight columns, so that neighbouring text does not move while the value changes; more
/// if an axis of this length distinguishes more.
pub(crate) fn steady_on(v: f64, length: Option<f64>) -> String {
    format!("{:>8}", distinguished(v, length).unwrap_or_else(|| within(v, 8)))
}

/// Like [`steady_on`], with two or three digits in six columns if an axis of this length distinguishes no more.
pub(crate) fn steady_brief_on(v: f64, length: Option<f64>) -> String {
    format!("{:>6}", distinguished(v, length).unwrap_or_else(|| within(v, 6)))
}

/// Removes zeros at the end of decimals.
pub(crate) fn trimmed(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}

/// Formats a count with four digits at most: `950`, `15.2 k`, `1.2 M`. Further digits are cut off: 999,999 is `999.9 k`,
/// because a million is not reached.
pub fn count(n: f64) -> String {
    let size = n.abs();
    if size >= 1e15 {
        return value(n);
    }
    for (unit, suffix) in SIZES {
        // 9,999 is still shown completely.
        if size >= if unit == 1e3 { 1e4 } else { unit } {
            let tenths = (n / (unit / 10.0)).trunc();
            return format!("{:.1} {suffix}", tenths / 10.0);
        }
    }
    if size >= 1e3 {
        return format!("{:.0}", n.trunc());
    }
    if size >= 1.0 && n.fract() != 0.0 { trimmed(&format!("{n:.1}")) } else { trimmed(&format!("{n:.2}")) }
}

/// Formats a count of things: `1 row`, `15.2 k rows`.
pub fn counted(n: usize, thing: &str) -> String {
    format!("{} {thing}{}", count(n as f64), if n == 1 { "" } else { "s" })
}

/// Formats a whole number, such as the step at which something happened, with all its digits: `9999`, `333,333`.
pub fn whole(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::from(if n < 0 { "-" } else { "" });
    for (at, digit) in digits.char_indices() {
        if at > 0 && digits.len() > 4 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Formats steps per second; below one, the time per step.
pub fn rate(per_second: f64) -> String {
    if !per_second.is_finite() || per_second <= 0.0 {
        MISSING.to_owned()
    } else if per_second >= 1.0 {
        format!("{}/s", count(per_second))
    } else {
        format!("{}/step", duration(1.0 / per_second))
    }
}

/// Formats `350ms`, `4.2s`, `41s`, `6m12s`, `1h05m`, `2d03h`; `<1ms` if it is not zero.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return MISSING.to_owned();
    }
    if seconds == 0.0 {
        return "0s".to_owned();
    }
    if seconds < 0.0005 {
        return "<1ms".to_owned();
    }
    if seconds < 0.9995 {
        return format!("{}ms", (seconds * 1e3).round());
    }
    if seconds < 9.95 {
        return format!("{seconds:.1}s");
    }
    // In the smaller of the two displayed units, including rounding.
    let [s, m, h] = [1.0, 60.0, 3600.0].map(|unit| (seconds / unit).round() as u64);
    match (s, m) {
        (0..60, _) => format!("{s}s"),
        (60..3600, _) => format!("{}m{:02}s", s / 60, s % 60),
        (_, 0..1440) => format!("{}h{:02}m", m / 60, m % 60),
        _ => format!("{}d{:02}h", h / 24, h % 24),
    }
}

/// Formats a remaining time, which is known to a second at best: `<1s`, `41s`.
pub fn time_left(seconds: f64) -> String {
    if (0.0..1.0).contains(&seconds) { "<1s".to_owned() } else { duration(seconds) }
}

/// Formats a time in one unit: `41s`, `6m`, `1h`, `2d`.
pub fn age(seconds: f64) -> String {
    let (unit, sign) = unit_of_age(seconds);
    format!("{}{sign}", seconds.max(0.0) as u64 / unit)
}

/// Returns the unit in which an age is displayed, in seconds, and its sign.
fn unit_of_age(seconds: f64) -> (u64, char) {
    match seconds.max(0.0) as u64 {
        0..60 => (1, 's'),
        60..3600 => (60, 'm'),
        3600..86_400 => (3600, 'h'),
        _ => (86_400, 'd'),
    }
}

/// Returns how long an age is displayed unchanged.
pub fn age_lasts(seconds: f64) -> Duration {
    let unit = unit_of_age(seconds).0 as f64;
    Duration::from_secs_f64(unit - seconds.max(0.0) % unit)
}

/// Formats bytes with three digits at most: `512 B`, `1.91 MB`.
pub fn bytes(n: u64) -> String {
    amount_of(n as f64, 2)
}

/// Formats bytes with four digits at most: `17 B`, `577.8 MB`, `1.234 GB`.
pub fn amount(bytes: f64) -> String {
    amount_of(bytes, 3)
}

/// Like [`amount`], in eight columns.
pub(crate) fn steady_amount(bytes: f64) -> String {
    format!("{:>8}", amount_of(bytes, 3))
}

/// Like [`amount`], with three digits in seven columns.
pub fn brief_amount(bytes: f64) -> String {
    format!("{:>7}", amount_of(bytes, 2))
}

fn amount_of(bytes: f64, digits: i32) -> String {
    if !bytes.is_finite() {
        return value(bytes);
    }
    let size = bytes.abs();
    for (unit, suffix) in SIZES {
        // The comparison includes rounding.
        if size >= unit * 0.9995 {
            let scaled = bytes / unit;
            let whole = scaled.abs().max(1.0).log10().floor() as i32;
            let after = usize::try_from(digits - whole).unwrap_or(0);
            return format!("{scaled:.after$} {suffix}B");
        }
    }
    format!("{bytes:.0} B")
}

/// Formats `76 %`; 100 only if everything is done.
pub fn percent(done: u64, total: u64) -> String {
    if total == 0 {
        return MISSING.to_owned();
    }
    let share = (done as f64 / total as f64 * 100.0).floor().min(100.0);
    format!("{share:.0} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_four_digits_unless_these_reach_a_power_of_ten_that_they_do_not() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.031_25, "0.03125"),
            (12.345_6, "12.35"),
            (1234.56, "1235"),
            (99_994.0, "99994"),
            (123_456.0, "123456"),
            (1_234_567.0, "1.235e6"),
            (0.009_466, "0.009466"),
            (1e-300, "1e-300"),
            (5e-324, "4.941e-324"),
            (0.000_012, "1.2e-5"),
            (3.1e-6, "3.1e-6"),
            (0.000_999_96, "9.9996e-4"),
            (9.999_96, "9.99996"),
            (0.999_961_5, "0.99996"),
            (99.996, "99.996"),
            (0.999_999_94, "1"),
            (1e300, "1e300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (v, text) in cases {
            assert_eq!(value(v), text, "{v}");
        }
        assert_eq!(apart(1.0, 0.999_999_71), ["1", "0.99999971"]);
        assert_eq!(apart(1.0, 1.0), ["1", "1"]);
        assert_eq!(apart(0.5, 0.25), ["0.5", "0.25"]);
    }

    #[test]
    fn steady_values_keep_their_width() {
        let cases = [
            (0.0, "       0"),
            (0.031_25, " 0.03125"),
            (12.345_6, "   12.35"),
            (123_456.0, "  123456"),
            (0.001_234, "0.001234"),
            (0.009_466, "0.009466"),
            (-0.009_466, "-0.009466"),
            (0.999_96, " 0.99996"),
            (1e-300, "1.0e-300"),
            (-3.1e-6, "-3.100e-6"),
            (-0.031_25, "-0.03125"),
            (f64::NAN, "     NaN"),
            (f64::NEG_INFINITY, "    -inf"),
        ];
        for (v, text) in cases {
            assert_eq!(steady_on(v, None), text, "{v}");
        }
        let brief = [
            (0.012_34, "0.0123"),
            (-0.012_34, "-0.0123"),
            (0.001_234, "0.0012"),
            (1.234, " 1.234"),
            (123_456.0, "123456"),
            (-123_456.0, "-123456"),
            (1234.0, "  1234"),
            (4.2e-6, "4.2e-6"),
            (-0.5, "-0.5000"),
        ];
        for (v, text) in brief {
            assert_eq!(steady_brief_on(v, None), text, "{v}");
        }
    }

    #[test]
    fn a_value_has_one_notation_at_any_width() {
        for exponent in -8..8 {
            for v in [1.0, -1.0, 1.234_5, -9.999, 6.5].map(|digits| digits * 10f64.powi(exponent)) {
                let texts = [value(v), steady_on(v, None), steady_brief_on(v, None)];
                let powers = texts.iter().filter(|text| text.contains('e')).count();
                assert!(powers == 0 || powers == 3, "{texts:?}");
            }
        }
    }

    #[test]
    fn counts_and_rates() {
        let cases = [
            (0.0, "0"),
            (7.0, "7"),
            (950.0, "950"),
            (9999.0, "9999"),
            (15_240.0, "15.2 k"),
            (199_999.0, "199.9 k"),
            (250_000.0, "250.0 k"),
            (69_999.0, "69.9 k"),
            (999_999.0, "999.9 k"),
            (-999_999.0, "-999.9 k"),
            (9_223_372_036_854_775_807.0, "9.223e18"),
            (1e6, "1.0 M"),
            (1.2e6, "1.2 M"),
        ];
        for (v, text) in cases {
            assert_eq!(count(v), text, "{v}");
        }
        assert_eq!([0, 1, 15_240].map(|n| counted(n, "row")), ["0 rows", "1 row", "15.2 k rows"]);
        let steps = [0, -7, 9999, 12_345, -333_333, 1_000_000].map(whole);
        assert_eq!(steps, ["0", "-7", "9999", "12,345", "-333,333", "1,000,000"]);
        assert_eq!(rate(5900.0), "5900/s");
        assert_eq!((rate(6337.7), rate(9999.9)), ("6337/s".to_owned(), "9999/s".to_owned()));
        assert_eq!(rate(59_000.0), "59.0 k/s");
        assert_eq!(rate(12.34), "12.3/s");
        assert_eq!(rate(0.5), "2.0s/step");
        assert_eq!(rate(0.0), "–");
    }

    #[test]
    fn times_and_sizes() {
        let cases = [
            (0.0, "0s"),
            (0.35, "350ms"),
            (4.24, "4.2s"),
            (41.3, "41s"),
            (372.0, "6m12s"),
            (1e-6, "<1ms"),
            (0.000_5, "1ms"),
            (0.999_6, "1.0s"),
            (9.96, "10s"),
            (59.6, "1m00s"),
            (3599.6, "1h00m"),
            (3900.0, "1h05m"),
            (3950.0, "1h06m"),
            (86_369.0, "23h59m"),
            (86_371.0, "1d00h"),
            (183_600.0, "2d03h"),
            (187_100.0, "2d04h"),
            (f64::INFINITY, "–"),
        ];
        for (v, text) in cases {
            assert_eq!(duration(v), text, "{v}");
        }
        assert_eq!(age(100.0), "1m");
        let left = [(0.126, "<1s"), (0.999, "<1s"), (4.24, "4.2s"), (f64::NAN, "–")];
        for (v, text) in left {
            assert_eq!(time_left(v), text, "{v}");
        }
        assert_eq!((bytes(2_000_000).as_str(), bytes(999).as_str()), ("2.00 MB", "999 B"));
        assert_eq!(bytes(17), "17 B");
        let amounts = [
            (0.0, "0 B"),
            (17.0, "17 B"),
            (577.8e6, "577.8 MB"),
            (1.2345e9, "1.234 GB"),
            (999.9e6, "1.000 GB"),
        ];
        for (v, text) in amounts {
            assert_eq!(amount(v), text, "{v}");
        }
        assert_eq!((steady_amount(2e6).as_str(), brief_amount(2e6).as_str()), ("2.000 MB", "2.00 MB"));
        assert_eq!(percent(199, 200), "99 %");
        assert_eq!(percent(200, 200), "100 %");
        assert_eq!(percent(0, 0), "–");
    }

    #[test]
    fn values_have_the_digits_that_an_axis_distinguishes() {
        for (v, length, text) in [
            (1_000_000_000.049, 0.005, "1000000000.049"),
            (2.301_234_5, 0.002, "2.30123"),
            (0.987_654_3, 2e-5, "0.9876543"),
            (1.234_567_89e-6, 1e-9, "1.23457e-6"),
            (0.987_654_3, 1.0, "0.9877"),
            (0.0, 1e-9, "0"),
            (f64::NAN, 1e-9, "NaN"),
        ] {
            assert_eq!(value_on(v, Some(length)), text);
        }
        assert_eq!(
            (steady_on(0.98765, Some(2e-5)), steady_on(0.5, Some(1.0))),
            ("0.9876500".into(), "  0.5000".into())
        );
    }
}
