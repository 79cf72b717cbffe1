//! Text in terminal columns: width, truncation and wrapping.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ratatui_core::buffer::{Buffer, CellWidth as _};
use unicode_segmentation::UnicodeSegmentation as _;

/// Splits a text into graphemes with their widths, as a [`Buffer`] counts them.
fn graphemes(text: &str) -> impl DoubleEndedIterator<Item = (&str, usize)> {
    text.graphemes(true).map(|letter| (letter, width_of_letter(letter)))
}

fn width_of_letter(letter: &str) -> usize {
    // Fast path for Braille, boxes and blocks, which most of a screen consists of.
    if let [0xe2, 0x94 | 0x95 | 0xa0..=0xa3, _] = letter.as_bytes() {
        return 1;
    }
    if letter.contains(char::is_control) { 0 } else { letter.cell_width().into() }
}

/// Returns the width of a text in columns.
pub fn width_of(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else if text.chars().nth(1).is_none() {
        width_of_letter(text)
    } else {
        graphemes(text).map(|(_, width)| width).sum()
    }
}

/// Units that follow a number and a space.
const UNITS: [&str; 10] = ["%", "k", "M", "G", "T", "B", "kB", "MB", "GB", "TB"];
/// Number of digits from which on a number is considered a name, such as a date.
const NAME: usize = 7;

/// Returns the ranges of numbers in a text, including sign, power and unit: truncated, each would mean another number.
fn numbers(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let is = move |at: usize, what: fn(&u8) -> bool| bytes.get(at).is_some_and(what);
    let digit = move |at| is(at, u8::is_ascii_digit);
    let sign = move |at| is(at, |b| matches!(b, b'-' | b'+'));
    let power = move |at| is(at, |b| matches!(b, b'e' | b'E'));
    let joins = move |at: usize| {
        let time = is(at, |b| matches!(b, b'.' | b'd' | b'h' | b'm' | b's'));
        (time || power(at) || sign(at) && power(at - 1)) && digit(at + 1)
            || power(at) && sign(at + 1) && digit(at + 2)
    };
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let first = (at..bytes.len()).find(|at| digit(*at))?;
            let mut end = first;
            while digit(end) || joins(end) {
                end += 1;
            }
            let named = end - first >= NAME && bytes[first..end].iter().all(u8::is_ascii_digit);
            let letters = bytes[end..].iter().take_while(|b| b.is_ascii_alphabetic()).count();
            if (1..=2).contains(&letters) && !digit(end + letters) {
                end += letters;
            } else if letters == 0 {
                let behind = text[end..].trim_start_matches(' ');
                let unit = behind.split(|c: char| c != '%' && !c.is_ascii_alphabetic()).next();
                if let Some(unit) = unit.filter(|unit| UNITS.contains(unit)) {
                    end = text.len() - behind.len() + unit.len();
                }
            }
            at = end;
            if !named {
                let signed =
                    first > 0 && sign(first - 1) && !(first > 1 && bytes[first - 2].is_ascii_alphanumeric());
                return Some(first - usize::from(signed)..end);
            }
        }
    })
}

/// Returns the number that a cut at this byte would split; else an empty range.
fn whole(text: &str, at: usize) -> Range<usize> {
    numbers(text).find(|number| number.start < at && at < number.end).unwrap_or(at..at)
}

/// Returns the bytes of the graphemes that fit into `width` columns.
fn within<'a>(letters: impl Iterator<Item = (&'a str, usize)>, width: usize) -> usize {
    let mut used = 0;
    let kept = letters.take_while(|(_, w)| {
        used += w;
        used <= width
    });
    kept.map(|(letter, _)| letter.len()).sum()
}

/// Truncates a text to `width` columns, with an ellipsis unless only spaces are cut. A number that does not fit is left
/// out completely, because a part of it would be read as another number.
pub fn fit(text: &str, width: usize, ascii: bool) -> String {
    if width_of(text.trim_end()) <= width {
        let end = if text.is_ascii() { width.min(text.len()) } else { within(graphemes(text), width) };
        return text[..end].to_owned();
    }
    if width == 0 {
        return String::new();
    }
    let at = whole(text, within(graphemes(text), width - 1)).start;
    format!("{}{}", &text[..at], if ascii { "~" } else { "…" })
}

/// Truncates a text to `width` columns in the middle, to distinguish texts that start the same.
pub fn fit_ends(text: &str, width: usize, ascii: bool) -> String {
    let bare = text.trim_end();
    if width_of(bare) <= width {
        return fit(text, width, ascii);
    }
    let text = bare;
    let half = within(graphemes(text).rev(), width.saturating_sub(1) / 2);
    // A number at the end may take more than half of the room.
    let number = whole(text, text.len() - half);
    let ends = [number.start, number.end].map(|at| &text[at..]);
    let end = ends.into_iter().find(|end| width_of(end) + 2 <= width).unwrap_or_default();
    fit(text, width - width_of(end), ascii) + end
}

/// Truncates names to `width` columns in the middle or, if that makes several equal, at their common prefix.
fn fit_letters(names: &[&str], width: usize, ascii: bool) -> Vec<String> {
    let cut: Vec<String> = names.iter().map(|name| fit_ends(name, width, ascii)).collect();
    let own = |i: usize| {
        if cut[i] == names[i] {
            return cut[i].clone();
        }
        let alike: Vec<&str> = (0..names.len())
            .filter(|j| cut[*j] == cut[i] && names[*j] != names[i])
            .map(|j| names[j])
            .collect();
        if alike.is_empty() || width < 2 {
            return cut[i].clone();
        }
        let mut from = 0;
        for (at, letter) in names[i].grapheme_indices(true) {
            if !alike.iter().all(|other| other[at.min(other.len())..].starts_with(letter)) {
                break;
            }
            from = at + letter.len();
        }
        let sign = if ascii { "~" } else { "…" };
        let rest = &names[i][whole(names[i], from).start..];
        let ends = fit_ends(rest, width - 1, ascii);
        let rest = if ends.starts_with(sign) { fit(rest, width - 1, ascii) } else { ends };
        if rest == sign { cut[i].clone() } else { format!("{sign}{rest}") }
    };
    (0..names.len()).map(own).collect()
}

/// What separates the words of a name.
const SEPARATORS: [char; 6] = [' ', '-', '_', '/', ',', '='];

/// Of more names, words are not tried out one by one, and of still more only letters are left out.
const MANY: usize = 64;
const MOST: usize = 256;

/// Splits a name into words, each with the separators behind it.
fn words(name: &str) -> Vec<&str> {
    let starts_word = |at: &usize| {
        name[..*at].ends_with(SEPARATORS)
            && !name[*at..].starts_with(SEPARATORS)
            && whole(name, *at).is_empty()
    };
    let starts = name.char_indices().map(|(at, _)| at).filter(starts_word);
    let mut words = Vec::new();
    let mut from = 0;
    for at in starts.chain([name.len()]) {
        words.push(&name[from..at]);
        from = at;
    }
    words
}

/// Truncates names to `width` columns so that different names stay distinguishable as far as possible: of their words, those
/// that most names share are left out first; where few words would be left, letters are left out instead.
pub fn fit_distinct(names: &[&str], width: usize, ascii: bool) -> Vec<String> {
    let letters = fit_letters(names, width, ascii);
    let differ = names.windows(2).any(|pair| pair[0] != pair[1]);
    if !differ || names.len() > MOST || names.iter().all(|name| width_of(name) <= width) {
        return letters;
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for text in &letters {
        *counts.entry(text).or_default() += 1;
    }
    // Words read differently where letters are the same.
    let own = |((words, told), letters): ((Option<String>, bool), &String)| {
        words.filter(|_| told || counts[letters.as_str()] > 1).unwrap_or_else(|| letters.clone())
    };
    let words: Vec<String> = without_words(names, width, ascii).zip(&letters).map(own).collect();
    let kinds = |texts: &[String]| texts.iter().collect::<BTreeSet<_>>().len();
    let used = |texts: &[String]| texts.iter().map(|text| width_of(text)).sum::<usize>();
    if used(&words) * 3 < used(&letters) * 2 && kinds(&words) <= kinds(&letters) { letters } else { words }
}

/// Leaves out words of names so that they fit into `width` columns; `None` for a name that would then not be told apart.
pub(super) fn fit_words(names: &[&str], width: usize, ascii: bool) -> impl Iterator<Item = Option<String>> {
    without_words(names, width, ascii).map(|(text, told)| text.filter(|_| told))
}

/// Leaves out words of names so that they fit into `width` columns, and says of each whether it is still told apart.
fn without_words(names: &[&str], width: usize, ascii: bool) -> impl Iterator<Item = (Option<String>, bool)> {
    let sign = if ascii { "~" } else { "…" };
    let bare = |word: &str| word.trim_end_matches(SEPARATORS).to_owned();
    let all: Vec<Vec<&str>> = names.iter().map(|name| words(name)).collect();
    let sets: Vec<BTreeSet<String>> =
        all.iter().map(|words| words.iter().map(|word| bare(word)).collect()).collect();
    // What is in parentheses is a remark, such as a number of points.
    let sharing = |word: &str| {
        let count = || sets.iter().filter(|words| words.contains(&bare(word))).count();
        if word.starts_with('(') { usize::MAX } else { count() }
    };
    let written = |words: &[Option<&str>]| {
        words.iter().fold(String::new(), |text, word| match word {
            Some(word) => text + word,
            None if text.ends_with(sign) => text,
            None => bare(&text) + sign,
        })
    };
    let distinct = |i: usize, words: &[Option<&str>]| {
        let kept: BTreeSet<String> = words.iter().flatten().map(|word| bare(word)).collect();
        let is_other = |j: usize| names[j] == names[i] || !kept.is_subset(&sets[j]);
        words.iter().all(Option::is_some) || (0..names.len()).all(is_other)
    };
    // Leaves out words: with `checked`, none that alone tells the name from another as long as there are others.
    let reduced = |i: usize, checked: bool| {
        let mut words: Vec<Option<&str>> = all[i].iter().copied().map(Some).collect();
        let mut rests: Vec<usize> = (0..words.len()).collect();
        // The most shared last, of equals the first.
        rests.sort_by_key(|at| (sharing(all[i][*at]), std::cmp::Reverse(*at)));
        while width_of(&written(&words)) > width && rests.len() > 1 {
            let without = |at: usize| {
                let kept = words.iter().enumerate().map(|(n, word)| word.filter(|_| n != at));
                kept.collect::<Vec<_>>()
            };
            let at = if checked { rests.iter().rposition(|at| distinct(i, &without(*at))) } else { None };
            let Some(at) = at.or_else(|| rests.len().checked_sub(1).filter(|_| !checked)) else { break };
            words[rests.remove(at)] = None;
        }
        words
    };
    // Without the signs there is room for more.
    let fitted = |words: &[Option<&str>]| {
        let plain = || words.iter().flatten().map(|word| bare(word)).collect::<Vec<_>>().join(" ");
        let fits = |text: &String| width_of(text) <= width;
        Some(written(words)).filter(fits).or_else(|| Some(plain()).filter(fits))
    };
    let own = |i: usize| {
        let words = reduced(i, false);
        if distinct(i, &words) {
            return (fitted(&words), true);
        }
        let checked = if names.len() <= MANY { reduced(i, true) } else { words.clone() };
        let told = fitted(&checked).filter(|_| distinct(i, &checked));
        let is_told = told.is_some();
        (told.or_else(|| fitted(&words)), is_told)
    };
    (0..names.len()).map(own).collect::<Vec<_>>().into_iter()
}

/// Returns the rows of a buffer as text without styles and trailing spaces.
pub fn plain(buffer: &Buffer) -> String {
    let area = buffer.area;
    let mut text = String::new();
    for y in area.y..area.bottom() {
        let start = text.len();
        let mut x = area.x;
        while x < area.right() {
            let symbol = buffer[(x, y)].symbol();
            text.push_str(symbol);
            // The second half of a wide character is a separate cell.
            x += (width_of(symbol) as u16).max(1);
        }
        text.truncate(start + text[start..].trim_end().len());
        text.push('\n');
    }
    text
}

/// A word that is too long is divided after one of these, if possible: they end the parts of lists, paths and options.
const JOINTS: [char; 5] = [',', ';', '/', '|', '='];

/// Splits a word into pieces of at most `width` columns, between the parts of a list or path if possible.
fn pieces(word: &str, width: usize) -> Vec<&str> {
    let joint = |piece: &str| piece.rfind(JOINTS).or_else(|| piece.rfind(['-', '_']).filter(|at| *at > 0));
    divided(word, width, |piece| joint(piece).map_or(piece.len(), |at| at + 1))
}

/// Wraps text into lines of at most `width` columns, at spaces if possible, else between the parts of a list.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace().flat_map(|word| pieces(word, width)) {
        let need = width_of(word) + usize::from(!line.is_empty());
        if !line.is_empty() && width_of(&line) + need > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Wraps into at most `most` lines; the last one shows if more is left out.
pub fn wrap_in(text: &str, width: usize, most: usize, ascii: bool) -> Vec<String> {
    let mut lines = wrap(text, width);
    if lines.len() > most {
        let rest = lines.split_off(most.saturating_sub(1)).join(" ");
        lines.extend((most > 0).then(|| fit(&rest, width, ascii)));
    }
    lines
}

/// Wraps items into lines of at most `width` columns, with `gap` between two; an item that is longer is wrapped between words.
pub fn packed(items: &[String], gap: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        match lines.last_mut() {
            Some(line) if width_of(line) + gap.len() + width_of(item) <= width => {
                line.extend([gap, item.as_str()]);
            }
            _ if width_of(item) > width => lines.extend(wrap(item, width.max(8))),
            _ => lines.push(item.clone()),
        }
    }
    lines
}

/// Splits a text into pieces of at most `width` columns, at any character.
pub fn chopped(text: &str, width: usize) -> Vec<&str> {
    divided(text, width, str::len)
}

/// Splits a text into pieces of at most `width` columns, of which `kept` gives the bytes that stay together.
fn divided(mut text: &str, width: usize, kept: impl Fn(&str) -> usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    while width_of(text) > width {
        let letter = graphemes(text).next().map_or(text.len(), |(letter, _)| letter.len());
        let most = &text[..within(graphemes(text), width).max(letter)];
        let (piece, rest) = text.split_at(kept(most));
        pieces.push(piece);
        text = rest;
    }
    if pieces.is_empty() || !text.is_empty() {
        pieces.push(text);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_seen() {
        let text = "one two three four";
        assert_eq!(wrap_in(text, 9, 2, false), ["one two", "three fo…"]);
        assert_eq!(wrap_in(text, 9, 3, false), ["one two", "three", "four"]);
        assert_eq!(wrap_in(text, 9, 0, false), [""; 0]);
    }

    #[test]
    fn names_that_differ_anywhere_are_told_apart() {
        let begin = "a-long-name-of-a-run";
        let ends = [format!("{begin}-lr0.01"), format!("{begin}-lr0.02")];
        let middle = [format!("{begin}-one-{begin}"), format!("{begin}-two-{begin}")];
        let names: Vec<&str> = ends.iter().chain(&middle).map(String::as_str).chain(["short"]).collect();
        for width in 6..50 {
            for cut in [fit_letters(&names, width, false), fit_distinct(&names, width, false)] {
                let distinct: BTreeSet<_> = cut.iter().collect();
                assert_eq!(distinct.len(), names.len(), "{width}: {cut:?}");
                assert!(cut.iter().all(|name| width_of(name) <= width));
            }
        }
        assert_eq!(fit_letters(&["same", "same"], 3, true), ["s~e", "s~e"]);
        fit_letters(&["éa長", "éb", "e\u{301}長長長", ""], 2, false);
    }

    #[test]
    fn no_number_is_cut_so_that_another_can_be_read() {
        let texts = [
            "lr 0.1, batch 64",
            "a-run-lr1e-3-seed12",
            "-0.5 and +2.5e+06 beside −3",
            "15.2 k of 1.91 MB, 76 % in 6m12s",
            "12.5k/s, 3x, v1.2.3",
            "1234567890123 is a name, 123456 none",
        ];
        let part = |text: &str, cut: &str| {
            let (begin, end) = cut.split_once('~').unwrap_or((cut, ""));
            assert!(text.starts_with(begin) && text.ends_with(end), "{text:?}: {cut:?}");
            let places = [begin.len(), text.len() - end.len()];
            let through = places.map(|at| numbers(text).any(|n| n.start < at && at < n.end));
            assert_eq!(through, [false; 2], "{text:?}: {cut:?}");
        };
        for text in texts {
            for width in 0..40 {
                for cut in [fit(text, width, true), fit_ends(text, width, true)] {
                    assert!(width_of(&cut) <= width);
                    if cut != text {
                        part(text, &cut);
                    }
                }
            }
        }
        let found = |text| numbers(text).map(|n| &text[n]).collect::<Vec<_>>();
        assert_eq!(found(texts[0]), ["0.1", "64"]);
        assert_eq!(found(texts[1]), ["1e-3", "12"]);
        assert_eq!(found(texts[2]), ["-0.5", "+2.5e+06", "3"]);
        assert_eq!(found(texts[3]), ["15.2 k", "1.91 MB", "76 %", "6m12s"]);
        assert_eq!(found(texts[4]), ["12.5k", "3x", "1.2.3"]);
        assert_eq!(found(texts[5]), ["123456"]);
        // What is left is worth its room.
        let names = ["a-run-lr0.1-batch-64-of-a", "a-run-lr0.1-batch-32-of-b", "a-run-lr0.2-batch-64-of-a"];
        assert_eq!(fit_letters(&names, 9, false), ["…0.1-…f-a", "a-ru…of-b", "…0.2-…f-a"]);
        assert_eq!(fit("lr 0.125", 7, false), "lr …");
        assert_eq!(fit("0.125   ", 6, false), "0.125 ");
        assert_eq!(fit_ends("model-lr0.001", 8, false), "mo…0.001");
        assert_eq!(fit_letters(&["lr 0.1", "lr 0.2"], 4, false), ["…0.1", "…0.2"]);
    }

    #[test]
    fn of_names_that_begin_alike_the_words_are_kept_that_differ() {
        let groups = ["mixture mixed-by-halves", "mixture mixed-by-quarters"];
        assert_eq!(fit_distinct(&groups, 11, false), ["…by-halves", "…quarters"]);
        assert_eq!(fit_distinct(&groups, 23, true), ["mixture mixed-by-halves", "~mixed-by-quarters"]);
        let runs = ["fit-sgd-lr0.1-seed1", "fit-sgd-lr0.01-seed2", "fit-sgd-lr0.1-seed3"];
        assert_eq!(fit_distinct(&runs, 6, false), ["…seed1", "…seed2", "…seed3"]);
        assert_eq!(fit_distinct(&runs, 12, false), ["…lr0.1-seed1", "…seed2", "…lr0.1-seed3"]);
        assert_eq!(fit_distinct(&["a b", "c d", ""], 2, false), ["…b", "…d", ""]);
        let cut = fit_distinct(&["lr 0.1, batch 8", "lr 0.1, batch 16", "lr 0.01, batch 8"], 9, false);
        assert_eq!(cut.iter().collect::<BTreeSet<_>>().len(), 3, "{cut:?}");
        assert!(cut.iter().all(|name| width_of(name) <= 9), "{cut:?}");
        assert!(fit_distinct(&[], 5, false).is_empty());
        // What is shared at the end or in the middle is left out, too.
        let ends = ["critical: all 2000 steps", "critical: 100 or more steps", "critical: 10 or fewer steps"];
        assert_eq!(fit_distinct(&ends, 15, false), ["…all 2000 steps", "…100 or more…", "…10 or fewer…"]);
        let two = [
            "batch 64, lr 0.001",
            "batch 256, lr 0.001",
            "batch 64, lr 0.01",
            "parted at step 0",
            "parted at step 50",
        ];
        assert_eq!(
            fit_distinct(&two, 14, false),
            ["…64, lr 0.001", "…256, lr 0.001", "…64, lr 0.01", "…at step 0", "…at step 50"]
        );
        assert_eq!(
            fit_distinct(&two, 10, false),
            ["…64…0.001", "…256…0.001", "…64…0.01", "…at step 0", "…step 50"]
        );
    }

    #[test]
    fn of_names_of_settings_the_values_are_kept_that_tell_them_apart() {
        let name =
            |batch, optimizer, lr| format!("batch {batch}, optimizer {optimizer}, lr {lr}, steps 5000");
        let settings = [32, 64].map(|b| ["sgd", "adam"].map(|o| [0.001, 0.003].map(|lr| name(b, o, lr))));
        let all: Vec<&str> = settings.iter().flatten().flatten().map(String::as_str).collect();
        assert_eq!(fit_distinct(&all, 15, false)[..2], ["…32…sgd…0.001…", "…32…sgd…0.003…"]);
        for width in 13..60 {
            let cut = fit_distinct(&all, width, false);
            assert_eq!(cut.iter().collect::<BTreeSet<_>>().len(), all.len(), "{width}: {cut:?}");
            for (text, name) in cut.iter().zip(&all) {
                let told = name.split([' ', ',']).filter(|word| !["", "steps", "5000"].contains(word));
                let values = told.skip(1).step_by(2);
                assert!(width_of(text) <= width, "{text}");
                assert!(values.into_iter().all(|value| text.contains(value)), "{width}: {text} of {name}");
            }
        }
    }

    #[test]
    fn a_name_of_which_one_word_would_be_left_is_cut_in_the_middle() {
        let names = ["function-fit-58", "function-fit-59", "stp"];
        assert_eq!(fit_distinct(&names, 6, false), ["fun…58", "fun…59", "stp"]);
        assert_eq!(fit_distinct(&names, 8, false), ["…fit-58", "…fit-59", "stp"]);
        assert_eq!(fit_distinct(&names, 15, false), names);
    }

    #[test]
    fn names_that_cannot_be_told_apart_by_their_values_at_least_read_differently() {
        // Of these groups four values are needed for some, which have no room.
        let name = |points, batch, optimizer, lr| {
            format!("points {points}, batch {batch}, optimizer {optimizer}, lr {lr}")
        };
        let small = [32, 64].map(|batch| [0.001, 0.01].map(|lr| name(2_000, batch, "adam", lr)));
        let large = ["adam", "sgd"].map(|optimizer| {
            [32, 64].map(|batch| [0.001, 0.003].map(|lr| name(10_000, batch, optimizer, lr)))
        });
        let all: Vec<&str> =
            small.iter().chain(large.iter().flatten()).flatten().map(String::as_str).collect();
        let cut = fit_distinct(&all, 15, false);
        assert_eq!(cut.iter().collect::<BTreeSet<_>>().len(), all.len(), "{cut:?}");
    }

    #[test]
    fn lines_are_no_wider_than_asked() {
        assert_eq!(wrap("a /path/without/blanks", 6), ["a", "/path/", "withou", "t/", "blanks"]);
        assert_eq!(wrap("deep,middle,shallow", 14), ["deep,middle,", "shallow"]);
        assert_eq!(wrap("functions deep,middle,shallow", 12), ["functions", "deep,middle,", "shallow"]);
        assert_eq!(wrap("16,32,64,128", 7), ["16,32,", "64,128"]);
        assert_eq!(chopped("長長a", 3), ["長", "長a"]);
        assert_eq!(chopped("長", 1), ["長"]);
        assert_eq!(chopped("ab", 0), ["a", "b"]);
    }

    #[test]
    fn a_text_is_cut_at_its_end_or_in_its_middle() {
        let text = "loss batch 64, lr 0.001 · test";
        assert_eq!(fit(text, 16, false), "loss batch 64, …");
        assert_eq!(fit_ends(text, 16, false), "loss bat… · test");
        assert_eq!(fit_ends(text, 30, false), text);
        assert_eq!(fit_ends("長長長長", 5, true), "長~長");
        assert_eq!((fit_ends("abc", 1, true).as_str(), fit_ends("abc", 0, true).as_str()), ("~", ""));
        // A letter keeps its marks.
        assert_eq!(fit("a\u{301}bc", 2, false), "a\u{301}…");
        assert_eq!((width_of("👩\u{200d}🔬x"), width_of("日a")), (3, 3));
    }
}
