//! Path data.

use super::n;

/// Returns path data in tenths, each point relative to the previous one. Positions are rounded before differences are
/// taken, so that errors do not accumulate; repeated points are left out.
pub(super) fn compact(points: &[(f64, f64)]) -> String {
    let tenths = |v: f64| (v * 10.0).round() as i64;
    let digits = |v: i64| n(v as f64 / 10.0);
    let mut d = String::with_capacity(points.len() * 7);
    let mut last: Option<(i64, i64)> = None;
    for (x, y) in points {
        let at = (tenths(*x), tenths(*y));
        match last {
            None => {
                let start = format!("M{} {}l", digits(at.0), digits(at.1));
                d.push_str(&start);
            }
            Some(before) if before == at => continue,
            Some(before) => {
                let (x, y) = (digits(at.0 - before.0), digits(at.1 - before.1));
                let gap = if d.ends_with('l') || x.starts_with('-') { "" } else { " " };
                let between = if y.starts_with('-') { "" } else { " " };
                d.extend([gap, x.as_str(), between, y.as_str()]);
            }
        }
        last = Some(at);
    }
    // A single point still needs a dot.
    if d.ends_with('l') {
        d.push_str("0 0");
    }
    d
}

/// Returns path data of absolute points.
pub(super) fn plain(points: &[(f64, f64)]) -> String {
    let mut d = String::with_capacity(points.len() * 12);
    for (i, (x, y)) in points.iter().enumerate() {
        d.push(if i == 0 { 'M' } else { 'L' });
        d.push_str(&n(*x));
        d.push(' ');
        d.push_str(&n(*y));
    }
    d
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    /// The points of a compact path, as a reader adds them up.
    fn points_of(d: &str) -> Vec<(f64, f64)> {
        let (start, rest) = d.strip_prefix('M').unwrap().split_once('l').unwrap();
        let numbers = |text: &str| -> Vec<f64> {
            text.replace('-', " -").split_whitespace().map(|w| w.parse().unwrap()).collect()
        };
        let mut points = vec![(numbers(start)[0], numbers(start)[1])];
        for step in numbers(rest).chunks(2) {
            let (x, y) = *points.last().unwrap();
            points.push((x + step[0], y + step[1]));
        }
        points
    }

    proptest! {
        #[test]
        fn a_compact_path_goes_through_the_same_points(steps in prop::collection::vec((-50f64..50.0, -50f64..50.0), 1..60)) {
            let mut at = (400.0, 300.0);
            let points: Vec<(f64, f64)> = steps.iter().map(|(x, y)| { at = (at.0 + x, at.1 + y); at }).collect();
            let found = points_of(&compact(&points));
            let near = |a: &(f64, f64), b: &(f64, f64)| (a.0 - b.0).abs() < 0.0501 && (a.1 - b.1).abs() < 0.0501;
            prop_assert!(near(found.last().unwrap(), points.last().unwrap()));
            prop_assert!(points.iter().all(|p| found.iter().any(|f| near(f, p))));
        }
    }

    #[test]
    fn a_compact_path_is_short() {
        assert_eq!(compact(&[(1.0, 2.0), (1.04, 2.0), (2.0, 1.5), (2.5, 3.0)]), "M1 2l1-0.5 0.5 1.5");
        assert_eq!(compact(&[(1.0, 2.0)]), "M1 2l0 0");
    }
}
