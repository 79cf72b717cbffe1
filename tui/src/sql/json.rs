//! Converts DuckDB's JSON to valid JSON.

/// Replaces numbers that JSON lacks by the strings that gradtop writes for them.
pub(crate) fn strict(json: &str) -> String {
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
    use super::strict;

    #[test]
    fn only_numbers_are_replaced() {
        let written = r#"[{"NaN":NaN,"b":-Infinity,"c":"x \"NaN\" é","d":[1.5,Infinity],"e":"\\"}]"#;
        let wanted = r#"[{"NaN":"NaN","b":"-inf","c":"x \"NaN\" é","d":[1.5,"inf"],"e":"\\"}]"#;
        assert_eq!(strict(written), wanted);
        assert!(serde_json::from_str::<serde_json::Value>(&strict(written)).is_ok());
    }
}
