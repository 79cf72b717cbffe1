//! Schedules runs on a limited number of cores, and estimates the remaining time.

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Phase {
    /// To be started or resumed, with so many seconds of work left.
    Waiting(f64),
    /// In progress, with so many seconds left.
    Working(f64),
    /// Nothing more will happen.
    Settled,
}

/// A run of the study.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Job {
    pub(crate) threads: u32,
    pub(crate) phase: Phase,
}

/// The job to start now: the longest that fits. A job that needs more cores than there are runs alone.
pub(crate) fn next(jobs: &[Job], cores: u32) -> Option<usize> {
    let busy: u32 = jobs.iter().filter(|j| matches!(j.phase, Phase::Working(_))).map(|j| j.threads).sum();
    let free = cores.saturating_sub(busy);
    let left = |job: &Job| if let Phase::Waiting(left) = job.phase { Some(left) } else { None };
    jobs.iter()
        .enumerate()
        .filter(|(_, job)| job.threads <= free || busy == 0)
        .filter_map(|(i, job)| left(job).map(|left| (i, left)))
        // The first of equals, so that the order is the plan's.
        .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
        .map(|(i, _)| i)
}

/// The seconds until all jobs have ended, if each takes as long as expected.
pub(crate) fn remaining_s(jobs: &[Job], cores: u32) -> f64 {
    let mut jobs = jobs.to_vec();
    let mut now = 0.0;
    loop {
        while let Some(i) = next(&jobs, cores) {
            if let Phase::Waiting(left) = jobs[i].phase {
                jobs[i].phase = Phase::Working(left.max(0.0));
            }
        }
        let soonest =
            jobs.iter().filter_map(|j| if let Phase::Working(s) = j.phase { Some(s) } else { None });
        let Some(passed) = soonest.min_by(f64::total_cmp) else { return now };
        now += passed;
        for job in &mut jobs {
            if let Phase::Working(left) = job.phase {
                job.phase = if left <= passed { Phase::Settled } else { Phase::Working(left - passed) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(threads: u32, phase: Phase) -> Job {
        Job { threads, phase }
    }

    #[test]
    fn the_longest_goes_first_and_cores_are_never_exceeded() {
        let jobs = [
            job(1, Phase::Waiting(5.0)),
            job(1, Phase::Waiting(9.0)),
            job(2, Phase::Waiting(20.0)),
            job(1, Phase::Working(1.0)),
            job(1, Phase::Settled),
        ];
        assert_eq!(next(&jobs, 2), Some(1));
        assert_eq!(next(&jobs, 3), Some(2));
        assert_eq!(next(&jobs, 1), None);
        assert_eq!(next(&jobs[3..], 8), None);
    }

    #[test]
    fn one_that_needs_more_than_there_is_goes_alone() {
        let jobs = [job(4, Phase::Waiting(1.0)), job(1, Phase::Working(1.0))];
        assert_eq!(next(&jobs, 2), None);
        assert_eq!(next(&jobs[..1], 2), Some(0));
    }

    #[test]
    fn equals_keep_their_order() {
        let jobs = [job(1, Phase::Waiting(5.0)), job(1, Phase::Waiting(5.0))];
        assert_eq!(next(&jobs, 1), Some(0));
    }

    #[test]
    fn the_remaining_time_is_that_of_the_schedule() {
        let waiting = [10.0, 6.0, 5.0, 4.0].map(|s| job(1, Phase::Waiting(s)));
        assert_eq!(remaining_s(&waiting, 1), 25.0);
        // 10 + 4 beside 6 + 5.
        assert_eq!(remaining_s(&waiting, 2), 14.0);
        assert_eq!(remaining_s(&waiting, 8), 10.0);
        assert_eq!(remaining_s(&[], 2), 0.0);
        let mixed = [job(1, Phase::Working(3.0)), job(2, Phase::Waiting(1.0)), job(1, Phase::Settled)];
        assert_eq!(remaining_s(&mixed, 2), 4.0);
    }
}
