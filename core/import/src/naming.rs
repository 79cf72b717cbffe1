//! Maps a tool's name of a series to a metric and a split, and a series to a name that is read back as it.

use gradtop_store::SeriesKey;

use crate::sink::Tag;
use crate::table::is_place;

/// Words for splits, with the names used here.
const SPLITS: [(&str, &str); 10] = [
    ("train", "train"),
    ("training", "train"),
    ("val", "val"),
    ("valid", "val"),
    ("validation", "val"),
    ("eval", "eval"),
    ("evaluation", "eval"),
    ("test", "test"),
    ("testing", "test"),
    ("dev", "dev"),
];

/// Returns a name that [`name_series`] maps to this series: `loss`, `test/loss`, or with all that it has as in the names
/// of a run's folders: `loss/model=deep/split=test/trial=0`.
pub fn name_of_series(key: &SeriesKey) -> String {
    let brief = SeriesKey { model: None, trial: None, ..key.clone() }.path();
    if name_series(brief.trim().into()) == *key && !is_place(&brief) {
        return brief;
    }
    let text = |part: &Option<String>| part.as_deref().map(encoded);
    let trial = key.trial.map(|trial| trial.to_string());
    // The name of a metric may look like one with a split: `val_loss/split=` has none.
    let none = (key.model.is_none() && trial.is_none()).then(String::new);
    let parts = [("model", text(&key.model)), ("split", text(&key.split).or(none)), ("trial", trial)];
    let parts = parts.into_iter().filter_map(|(part, value)| Some(format!("/{part}={}", value?)));
    // The parts of a metric's name stay, but are none of these.
    encoded(&key.metric).replace("%2F", "/").replace('=', "%3D") + &parts.collect::<String>()
}

/// Returns the series of a name with parts by [`name_of_series`]; `None` if it has none.
fn parts_of(name: &str) -> Option<SeriesKey> {
    let (mut rest, mut found) = (name, false);
    let [trial, split, model] = ["trial", "split", "model"].map(|part| {
        let (before, value) = rest.rsplit_once('/')?;
        let value = value.strip_prefix(part)?.strip_prefix('=')?;
        (rest, found) = (before, true);
        Some(decoded(value)).filter(|value| !value.is_empty())
    });
    let trial = trial.map_or(Some(None), |trial| trial.parse().ok().map(Some))?;
    found.then(|| SeriesKey { metric: decoded(rest), model, split, trial })
}

/// Writes what separates parts of a name, or is lost at its ends, as `%` and two digits.
fn encoded(text: &str) -> String {
    let odd = |c: char| matches!(c, '%' | '/') || c.is_control() || c.is_whitespace() && c != ' ';
    let ends = text.len() - text.trim_start().len()..text.trim_end().len();
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if odd(c) || !ends.contains(&at) {
            out.extend(c.to_string().bytes().map(|b| format!("%{b:02X}")));
        } else {
            out.push(c);
        }
    }
    out
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(|_| *first == b'%');
        bytes.push(code.unwrap_or(*first));
        rest = &after[if code.is_some() { 2 } else { 0 }..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns the series for a name. A name by [`name_of_series`] says all of it. In any other, a word of `SPLITS`, in any case, becomes the split if it is
///
/// 1. the first, or else the last, of the parts between slashes: `val/loss`, `loss/train`; or
/// 2. the first, or else the last, word separated by `_`, `-`, `.` or a space in the last part: `val_loss`,
///    `loss.test`.
///
/// The rest is the metric. A name that consists only of such a word is kept whole.
pub fn name_series(tag: Tag<'_>) -> SeriesKey {
    if let Some(whole) = tag.whole {
        return whole.clone();
    }
    if let Some(key) = parts_of(tag.name) {
        return key;
    }
    let (before, last) = tag.name.split_at(tag.name.rfind('/').map_or(0, |at| at + 1));
    let divides = |c: char| matches!(c, '_' | '-' | '.' | ' ');
    let at_slash = [tag.name.split_once('/'), tag.name.rsplit_once('/').map(swap)];
    let in_word = [last.split_once(divides), last.rsplit_once(divides).map(swap)];
    let candidates = at_slash.map(|pair| ("", pair)).into_iter().chain(in_word.map(|pair| (before, pair)));
    for (before, pair) in candidates {
        if let Some((word, rest)) = pair.map(|(word, rest)| (word, rest.trim_end_matches(',')))
            && let Some(split) = split(word)
            && !rest.is_empty()
        {
            return key(format!("{before}{rest}"), Some(split));
        }
    }
    key(tag.name.to_owned(), tag.split)
}

fn swap<T>((a, b): (T, T)) -> (T, T) {
    (b, a)
}

/// Returns the split that a word names, if any.
pub(crate) fn split(word: &str) -> Option<&'static str> {
    SPLITS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, split)| *split)
}

fn key(metric: String, split: Option<&str>) -> SeriesKey {
    SeriesKey { split: split.map(str::to_owned), ..SeriesKey::metric(metric) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_name_is_read_as_the_series_that_it_was_written_for() {
        let some = |text: &str| Some(text.to_owned());
        let key = |metric: &str, model: &str, split: &str, trial| SeriesKey {
            metric: metric.to_owned(),
            model: some(model).filter(|model| !model.is_empty()),
            split: some(split).filter(|split| !split.is_empty()),
            trial,
        };
        for (key, name) in [
            (key("loss", "", "", None), "loss"),
            (key("system/memory", "", "", None), "system/memory"),
            (key("loss", "", "test", None), "test/loss"),
            (key("loss", "", "gd", None), "loss/split=gd"),
            (key("val_loss", "", "", None), "val_loss/split="),
            (key("time", "", "", None), "time/split="),
            (key("timestamp", "", "", None), "timestamp/split="),
            (key("loss", "deep", "test", Some(0)), "loss/model=deep/split=test/trial=0"),
            (key("batch/loss", "deep", "", None), "batch/loss/model=deep"),
            (key("loss", "", "", Some(-1)), "loss/trial=-1"),
            (key("a/model=b", "", "", None), "a/model%3Db/split="),
            (key("loss", "c/d=e", "50 %", None), "loss/model=c%2Fd=e/split=50 %25"),
            (key(" é\n", "", "", None), "%20é%0A/split="),
            (key("loss", " é", "%41", Some(1)), "loss/model=%20é/split=%2541/trial=1"),
        ] {
            assert_eq!(name_of_series(&key), name);
            assert_eq!(name_series(name.into()), key, "{name}");
        }
        for other in ["loss/trial=first", "loss/rate=1", "model=deep"] {
            assert_eq!(name_series(other.into()), SeriesKey::metric(other));
        }
    }

    #[test]
    fn the_split_is_taken_out_of_a_name() {
        let cases = [
            ("loss", "loss", None),
            ("train/loss", "loss", Some("train")),
            ("loss/train", "loss", Some("train")),
            ("Loss/Validation", "Loss", Some("val")),
            ("train_loss", "loss", Some("train")),
            ("val_acc_top1", "acc_top1", Some("val")),
            ("loss_val", "loss", Some("val")),
            ("loss, test", "loss", Some("test")),
            ("train_loss_epoch", "loss_epoch", Some("train")),
            ("eval/rewards/chosen", "rewards/chosen", Some("eval")),
            ("model/layers/val_loss", "model/layers/loss", Some("val")),
            ("rollout/ep_rew_mean", "rollout/ep_rew_mean", None),
            ("trainable", "trainable", None),
            ("train", "train", None),
            ("train/", "train/", None),
            ("test_", "test_", None),
            ("/train", "/train", None),
            ("", "", None),
            ("interval", "interval", None),
        ];
        for (name, metric, split) in cases {
            let found = name_series(name.into());
            assert_eq!((found.metric.as_str(), found.split.as_deref()), (metric, split), "{name:?}");
        }
        let plain = |name| Tag { name, split: Some("train"), whole: None };
        assert_eq!(name_series(plain("loss")).split.as_deref(), Some("train"));
        assert_eq!(name_series(plain("eval_loss")).split.as_deref(), Some("eval"));
    }
}
