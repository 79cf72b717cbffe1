//! Page statistics: what a chart shows of a large run before its rows are read.

use std::collections::BTreeMap;

use gradtop_store::{SeriesKey, outline, read_series};
use gradtop_tests::synthetic;

#[test]
fn an_outline_is_what_the_rows_are() {
    let temp = tempfile::tempdir().unwrap();
    let run = synthetic::finished(temp.path(), "done", 2_000_000).unwrap();
    let wanted = |key: &SeriesKey| key.metric == synthetic::metric(2) || key.metric == synthetic::metric(11);
    let rows: BTreeMap<SeriesKey, _> =
        read_series(&run, wanted).unwrap().into_iter().map(|s| (s.key.clone(), s)).collect();
    let outlines = outline(&run, wanted).unwrap();
    assert_eq!(outlines.len(), 2, "only those asked for");
    for o in &outlines {
        let own = &rows[&o.key];
        assert!(o.pages.len() > 1, "one page shows nothing");
        assert_eq!(o.rows, o.pages.iter().map(|p| p.rows).sum::<u64>());
        // Rows of pages shared with another series are in none: at most a page at either end of each part.
        assert!(o.rows as usize <= own.step.len() && o.rows as usize * 4 > own.step.len(), "{}", o.rows);
        for page in &o.pages {
            let inside: Vec<usize> =
                (0..own.step.len()).filter(|i| (page.step.0..=page.step.1).contains(&own.step[*i])).collect();
            assert_eq!(inside.len() as u64, page.rows, "a page is whole");
            let values = || inside.iter().map(|i| own.value[*i]);
            assert_eq!(Some(page.value.0), values().reduce(f64::min));
            assert_eq!(Some(page.value.1), values().reduce(f64::max));
            let times = || inside.iter().map(|i| own.time_us[*i]);
            assert_eq!((Some(page.time_us.0), Some(page.time_us.1)), (times().min(), times().max()));
            let epochs = || inside.iter().map(|i| own.epoch[*i]);
            let (low, high) = page.epoch.unwrap();
            // Pages of epochs begin at other rows than pages of values, so these are bounds.
            assert!(epochs().all(|e| (low..=high).contains(&e)), "{low} to {high}");
        }
    }
    assert_eq!(outline(&run, |_| false).unwrap(), []);
    // Of a run whose rows are all in the journal still there is none, and that is no error.
    let live = synthetic::LiveRun::start(temp.path(), "live", 10).unwrap();
    assert_eq!(outline(live.dir(), |_| true).unwrap(), []);
}
