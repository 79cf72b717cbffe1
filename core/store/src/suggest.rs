//! Suggestions for mistyped names.

/// Returns up to three of `names`, those most similar: those that begin with `typed`, else those that contain it or are
/// within an edit, else those within two (one for short words, none for a letter, a quarter of the length of long ones). A swap of
/// neighbours counts as one edit. Case does not matter.
pub fn near<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let typed = &typed.to_lowercase();
    let limit = match typed.chars().count() {
        0 | 1 => 0,
        2 | 3 => 1,
        n => 2.max(n / 4),
    };
    let mut scored: Vec<(usize, &str)> = names
        .map(|name| {
            let lower = name.to_lowercase();
            let begins_word = |at: usize| !lower[..at].ends_with(char::is_alphanumeric);
            match lower.find(typed.as_str()) {
                Some(0) if !typed.is_empty() => (0, name),
                Some(at) if typed.len() > 3 || typed.len() > 2 && begins_word(at) => (1, name),
                _ => (strsim::osa_distance(typed, &lower), name),
            }
        })
        .filter(|(edits, _)| *edits <= limit)
        .collect();
    scored.sort_unstable();
    scored.dedup();
    let least = scored.first().map(|(edits, _)| *edits);
    scored
        .into_iter()
        .take_while(|(edits, _)| Some(*edits) == least)
        .take(3)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// Returns `; did you mean a or b?`, or nothing if no name is near.
pub fn did_you_mean(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) }
}

/// Returns `did you mean a or b?`, or all names if none is similar.
pub fn suggest<'a>(typed: &str, known: impl Iterator<Item = &'a str> + Clone, what: &str) -> String {
    let near = near(typed, known.clone());
    if !near.is_empty() {
        return format!("did you mean {}?", near.join(" or "));
    }
    let mut all: Vec<&str> = Vec::new();
    for name in known {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    match all.len() {
        0 => format!("there are no {what}"),
        1..=20 => format!("{what}: {}", all.join(", ")),
        n => format!("{what}: {}, and {} more", all[..20].join(", "), n - 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_what_was_meant() {
        let known = ["circle-fit", "digit-images", "random-walks"];
        assert_eq!(near("cricle-fit", known.into_iter()), ["circle-fit"]);
        assert_eq!(near("random", known.into_iter()), ["random-walks"]);
        assert_eq!(near("stat", ["eta", "state", "step"].into_iter()), ["state"]);
        assert!(near("xyz", known.into_iter()).is_empty());
        assert_eq!(near("lable", ["table", "label"].into_iter()), ["label", "table"]);
        assert_eq!(near("las", ["q-image-classification", "last"].into_iter()), ["last"]);
        assert_eq!(near("FF1", ["ff1", "other"].into_iter()), ["ff1"]);
        assert!(near("", ["a", "bc"].into_iter()).len() <= 1);
        assert!(near("x", ["a"].into_iter()).is_empty());
        assert_eq!(suggest("xyz", ["a", "b", "a"].into_iter(), "presets"), "presets: a, b");
    }
}
