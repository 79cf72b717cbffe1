//! What parameters of experiments have in common.

use gradtop_sdk::{Error, ErrorKind, Result};

/// The error of a parameter that cannot be meant.
pub fn invalid(text: impl std::fmt::Display) -> Error {
    Error::of_kind(ErrorKind::Invalid, text)
}

/// The names of a comma-separated list: at least one, none twice.
pub fn list(parameter: &str, text: &str) -> Result<Vec<String>> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() {
            return Err(invalid(format!(
                "parameter `{parameter}` is `{text}`: a name is missing in the list"
            )));
        }
        if names[..i].contains(name) {
            return Err(invalid(format!("parameter `{parameter}` is `{text}`: `{name}` is named twice")));
        }
    }
    Ok(names)
}

/// The numbers of a comma-separated list, which may be empty; none twice.
pub fn numbers(parameter: &str, text: &str) -> Result<Vec<f64>> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut all: Vec<f64> = Vec::new();
    for word in list(parameter, text)? {
        let number: f64 = word
            .parse()
            .map_err(|_| invalid(format!("parameter `{parameter}` is `{text}`: `{word}` is no number")))?;
        // However it is written: `0.5` and `0.50`.
        if all.contains(&number) {
            return Err(invalid(format!("parameter `{parameter}` is `{text}`: {number} is named twice")));
        }
        all.push(number);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::{list, numbers};

    #[test]
    fn names_are_trimmed_and_none_is_missing_or_twice() {
        assert_eq!(list("models", "deep, shallow").unwrap(), ["deep", "shallow"]);
        for wrong in ["", "deep,", "deep,,shallow", "deep, deep"] {
            let told = list("models", wrong).unwrap_err().to_string();
            assert!(told.contains("parameter `models`"), "{told}");
        }
    }

    #[test]
    fn a_list_of_numbers_may_be_empty() {
        assert_eq!(numbers("sizes", "250, 1e3").unwrap(), [250.0, 1000.0]);
        assert!(numbers("sizes", " ").unwrap().is_empty());
        for wrong in ["1,x", "1,,2", "3,3", "0.5,0.50", "1e3,1000"] {
            let told = numbers("sizes", wrong).unwrap_err().to_string();
            assert!(told.contains("parameter `sizes`"), "{told}");
        }
    }
}
