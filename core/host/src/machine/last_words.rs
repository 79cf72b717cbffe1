//! Finds the reason for a process's death in its output.

/// Returns the output line that best explains a death by signal, such as a message printed before an abort.
pub(crate) fn last_words(output: &[u8]) -> Option<String> {
    const TELLING: [&str; 12] = [
        "terminate called",
        "memory allocation of",
        "bad_alloc",
        "DefaultCPUAllocator",
        "panicked at",
        "Assertion",
        "stack smashing",
        "has overflowed its stack",
        "free(): ",
        "malloc(): ",
        "double free",
        "corrupted",
    ];
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.split(['\n', '\r']).map(str::trim).filter(|l| !l.is_empty()).collect();
    let after = |at: usize| lines.get(at + 1).copied().unwrap_or_default();
    // The second panic only reports that the first could not unwind.
    let tells = |at: &usize| {
        let line = lines[*at];
        TELLING.iter().any(|t| line.contains(t))
            && !after(*at).starts_with("panic in a function that cannot unwind")
    };
    let at = (0..lines.len()).rev().find(tells)?;
    let line = lines[at];
    let more = line.starts_with("terminate called") && after(at).starts_with("what():")
        || line.contains("panicked at") && line.ends_with(':');
    let words = if more { format!("{line} {}", after(at)) } else { line.to_owned() };
    Some(crate::text::clean_bytes(words.as_bytes(), 500))
}

/// Appends a process's last words, if any, to the reason for its death.
pub(crate) fn with_last_words(why: &str, output: &[u8]) -> String {
    last_words(output).map_or_else(|| why.to_owned(), |words| format!("{why}: {words}"))
}

/// Returns the last non-empty line; of one that overwrites itself, such as a progress bar, what it shows last.
pub(crate) fn last_line(output: &[u8]) -> &[u8] {
    output
        .split(|b| matches!(b, b'\n' | b'\r'))
        .rev()
        .map(<[u8]>::trim_ascii)
        .find(|l| !l.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_panics_is_the_one_that_tells() {
        let console = "thread 'main' (1) panicked at src/lib.rs:1:2:\non purpose\nnote: run with\n\n\
            thread 'main' (1) panicked at core/src/panicking.rs:3:4:\npanic in a function that cannot unwind\n\
            stack backtrace:\n   0: main\nthread caused non-unwinding panic. aborting.\n";
        assert_eq!(
            last_words(console.as_bytes()).as_deref(),
            Some("thread 'main' (1) panicked at src/lib.rs:1:2: on purpose")
        );
        assert_eq!(with_last_words("it died", b"nothing of note\n"), "it died");
        let limited = b"memory allocation of 52 bytes failed\nskipping backtrace printing\n";
        assert_eq!(with_last_words("it died", limited), "it died: memory allocation of 52 bytes failed");
    }
}
