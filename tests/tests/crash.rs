//! Kills at many moments, each of which may cost at most 250 ms of rows. `cargo xtask soak kills` performs more.

use std::collections::BTreeSet;

use gradtop_tests::kills::{Hit, Moment, kills};

#[test]
fn forty_kills_at_random_moments() {
    let hits = kills(40, 0);
    assert_eq!(hits.len(), 40);
    let pairs: BTreeSet<_> =
        hits.iter().map(|h| format!("{:?} {:?}", h.kill.victim, h.kill.moment)).collect();
    assert_eq!(pairs.len(), 15, "every victim at every moment");
    // The kills must hit what they were aimed at, or the test says little.
    let some = |what: &str, is: fn(&&Hit) -> bool| {
        assert!(hits.iter().any(|h| is(&h)), "no kill met {what}");
    };
    some("rows not yet written", |h| h.lost.0 > 0);
    some("a run without sealed rows", |h| h.parts == 0);
    some("a run that had sealed by age", |h| h.kill.moment == Moment::Age && h.parts > 0);
    some("a full segment", |h| h.kill.moment == Moment::Full && h.parts > 0);
    some("a merged part", |h| h.kill.moment == Moment::Merge && h.merged > 0);
    some("a journal to recover", |h| h.segments > 0);
    some("several segments to recover", |h| h.segments > 1);
    some("a checkpoint", |h| h.kill.moment == Moment::Checkpoint && h.checkpoints > 0);
}
