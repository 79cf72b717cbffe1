//! A progress bar in eighths of a cell.

/// The filled and the empty characters of a bar for `done` of `total` units; empty if the total is unknown (0).
pub(crate) fn progress_bar(done: u64, total: u64, width: usize, ascii: bool) -> (String, String) {
    if total == 0 {
        return (String::new(), if ascii { "." } else { "·" }.repeat(width));
    }
    let share = (done as f64 / total as f64).clamp(0.0, 1.0);
    if ascii {
        let full = (share * width as f64).floor() as usize;
        return ("#".repeat(full), "-".repeat(width - full));
    }
    // Full only when everything is done.
    let eighths = (share * width as f64 * 8.0).floor() as usize;
    let (whole, part) = (eighths / 8, eighths % 8);
    let mut full = "█".repeat(whole);
    if part > 0 {
        full.push(['▏', '▎', '▍', '▌', '▋', '▊', '▉'][part - 1]);
    }
    (full, "░".repeat(width - whole - usize::from(part > 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_full_only_when_all_is_done() {
        let bar = |done, total, ascii| {
            let (full, empty) = progress_bar(done, total, 10, ascii);
            full + &empty
        };
        assert_eq!(bar(0, 10, false), "░░░░░░░░░░");
        assert_eq!(bar(76, 100, false), "███████▌░░");
        assert_eq!(bar(999, 1000, false), "█████████▉");
        assert_eq!(bar(10, 10, false), "██████████");
        assert_eq!(bar(11, 10, true), "##########");
        assert_eq!(bar(999, 1000, true), "#########-");
        assert_eq!(bar(5, 0, true), "..........");
    }
}
