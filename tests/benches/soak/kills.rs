//! SIGKILL at many moments.

use gradtop_tests::kills::{Hit, Victim};

use crate::Row;

pub(crate) fn kills(times: usize, seed: u64) -> Vec<Row> {
    let hits = gradtop_tests::kills::kills(times as u64, seed);
    let row = |victim, who: &str| {
        let mine: Vec<&Hit> = hits.iter().filter(|hit| hit.kill.victim == victim).collect();
        let met = |what: fn(&&&Hit) -> bool| mine.iter().filter(what).count();
        Row {
            fault: format!("SIGKILL of {who}"),
            how: "signal, at the start, while it logs, seals, merges and saves".to_owned(),
            times: mine.len(),
            lost: mine.iter().map(|hit| hit.lost).collect(),
            outcome: format!(
                "`crashed` with its cause, no duplicates, recovered; {} with a journal left, {} with merged parts, {} with a checkpoint",
                met(|h| h.segments > 0),
                met(|h| h.merged > 0),
                met(|h| h.checkpoints > 0),
            ),
        }
    };
    vec![
        row(Victim::Trainer, "the trainer"),
        row(Victim::Keeper, "the keeper"),
        row(Victim::Both, "keeper and trainer"),
    ]
}
