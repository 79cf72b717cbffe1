//! NaN and infinities, which JSON lacks. Python writes them as bare words, others as text.

/// Parses NaN or an infinity in any spelling: `NaN`, `inf`, `-Infinity`.
pub fn non_finite(text: &str) -> Option<f64> {
    let text = text.trim();
    let word = !text.contains(|c: char| c.is_ascii_digit());
    text.parse().ok().filter(|value: &f64| word && !value.is_finite())
}

/// Makes JSON with NaN or infinities valid: replaces them by the strings that gradtop writes for them.
pub fn strict_json(json: &str) -> String {
    const ODD: [(&str, &str); 3] = [("NaN", "\"NaN\""), ("-Infinity", "\"-inf\""), ("Infinity", "\"inf\"")];
    let mut out = String::with_capacity(json.len());
    let (mut rest, mut in_text) = (json, false);
    while let Some(c) = rest.chars().next() {
        let odd = ODD.iter().find(|(odd, _)| !in_text && rest.starts_with(odd));
        let taken = match (odd, c) {
            (Some((odd, plain)), _) => {
                out.push_str(plain);
                odd.len()
            }
            (None, '\\') if in_text => rest.char_indices().nth(2).map_or(rest.len(), |(at, _)| at),
            (None, _) => {
                in_text ^= c == '"';
                c.len_utf8()
            }
        };
        if odd.is_none() {
            out.push_str(&rest[..taken]);
        }
        rest = &rest[taken..];
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn every_spelling_is_known() {
        for (texts, wanted) in [
            (["inf", "Infinity", "+INF", " infinity "], f64::INFINITY),
            (["-inf", "-Infinity", "-INF", "-infinity"], f64::NEG_INFINITY),
        ] {
            assert!(texts.iter().all(|text| non_finite(text) == Some(wanted)), "{texts:?}");
        }
        assert!(["nan", "NaN", "NAN"].iter().all(|text| non_finite(text).unwrap().is_nan()));
        assert!(["", "1", "1e999", "none", "info", "--inf"].iter().all(|text| non_finite(text).is_none()));
    }

    #[test]
    fn only_numbers_are_replaced() {
        let written = r#"[{"NaN":NaN,"b":-Infinity,"c":"x \"NaN\" é","d":[1.5,Infinity],"e":"\\"}]"#;
        let wanted = r#"[{"NaN":"NaN","b":"-inf","c":"x \"NaN\" é","d":[1.5,"inf"],"e":"\\"}]"#;
        assert_eq!(strict_json(written), wanted);
        assert!(serde_json::from_str::<serde_json::Value>(&strict_json(written)).is_ok());
    }
}
