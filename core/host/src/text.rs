//! Makes text safe to display, such as that of plugins.

/// Escapes every control character, escape sequence and bidirectional mark (`\x1b`, `\u{202e}`), so that `text` cannot control a
/// terminal. Line breaks and tabs become ` ` and `\t`.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// Formats a number with four significant digits.
pub(crate) fn short(value: f64) -> String {
    format!("{value:.3e}").parse::<f64>().unwrap_or(value).to_string()
}

/// Like [`clean`], but keeps line breaks.
pub fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// Parses a time with its unit, such as `90s`, `1.5h` or `1d`, in seconds. Only zero needs no unit.
///
/// # Errors
/// What to write instead.
pub fn time(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len());
    let number = number.trim().parse().ok().filter(|number: &f64| number.is_finite());
    let factor = match (number, unit) {
        (Some(0.0), "") | (_, "s") => 1.0,
        (_, "m") => 60.0,
        (_, "h") => 3600.0,
        (_, "d") => 86_400.0,
        (Some(n), "") => return Err(format!("{text:?} has no unit: write {n}s, {n}m, {n}h or {n}d")),
        _ => f64::NAN,
    };
    let seconds = number.map(|n| n * factor).filter(|seconds| seconds.is_finite());
    seconds.ok_or_else(|| format!("{text:?} is not a time such as 90s or 10m"))
}

/// Splits a text into its first line and the rest: a state's cause is one line, the rest belongs in a log.
pub fn first_line(text: &str) -> (&str, &str) {
    let (first, rest) = text.trim().split_once('\n').unwrap_or((text.trim(), ""));
    (first.trim_end(), rest)
}

/// Like [`clean`], for bytes that may not be UTF-8, truncated after `limit` bytes.
pub(crate) fn clean_bytes(bytes: &[u8], limit: usize) -> String {
    if bytes.len() <= limit {
        return clean(&String::from_utf8_lossy(bytes));
    }
    let mut out = clean(&String::from_utf8_lossy(&bytes[..limit]));
    out.push('…');
    out
}

/// Returns whether a character may change how a terminal displays what follows: controls (C0, DEL, C1), bidirectional
/// marks and invisible characters. The joiners (ZWJ, ZWNJ) are harmless parts of some scripts and emoji.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn escapes_are_shown_and_words_kept() {
        assert_eq!(clean("loss α ≤ 1"), "loss α ≤ 1");
        assert_eq!(clean("\x1b[31mred\x07\r\n"), "\\u{1b}[31mred\\u{7}\\r\\n");
        assert_eq!(clean("\u{9b}2J\u{202e}x"), "\\u{9b}2J\\u{202e}x");
        assert_eq!(clean("in\u{ad}vi\u{180e}si\u{e0041}ble"), "in\\u{ad}vi\\u{180e}si\\u{e0041}ble");
        for kept in ["می\u{200c}خواهم", "👩\u{200d}🔬", "क्\u{200d}ष"] {
            assert_eq!(clean(kept), kept);
        }
    }

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(
            (time("90s"), time(" 1.5 h "), time("2d"), time("0")),
            (Ok(90.0), Ok(5400.0), Ok(172_800.0), Ok(0.0))
        );
        assert_eq!(time("5").unwrap_err(), "\"5\" has no unit: write 5s, 5m, 5h or 5d");
        for wrong in ["", "s", "soon", "5 minutes", "nans", "1e999s", "5 s 3"] {
            assert_eq!(time(wrong).unwrap_err(), format!("{wrong:?} is not a time such as 90s or 10m"));
        }
    }

    #[test]
    fn the_first_line_is_parted_from_the_rest() {
        assert_eq!(first_line("\n one \r\n two\n\nthree\n"), ("one", " two\n\nthree"));
        assert_eq!(first_line("one"), ("one", ""));
        assert_eq!(clean_lines("a\x1b[1m\r\n\tb"), "a\\u{1b}[1m\n\\tb");
    }

    #[test]
    fn bytes_are_cut_and_repaired() {
        assert_eq!(clean_bytes(b"a\xffb", 10), "a\u{fffd}b");
        assert_eq!(clean_bytes(b"abcdef", 3), "abc…");
    }
}
