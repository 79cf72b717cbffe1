//! Maps a tool's name of a series to a metric and a split.

use gradtop_store::SeriesKey;

use crate::sink::Tag;

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

/// Returns the series for a name. A word of `SPLITS`, in any case, becomes the split if it is
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
