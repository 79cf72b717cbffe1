use super::*;
use crate::Axis;
use crate::axis_ticks::axis_ticks;
use proptest::prelude::*;

fn labels(scale: Scale, low: f64, high: f64, most: usize) -> String {
    let ticks = ticks(&Span { scale, low, high }, most, Powers::Plain);
    ticks.into_iter().map(|t| t.label).collect::<Vec<_>>().join(" ")
}

#[test]
fn linear_ticks_are_round() {
    assert_eq!(labels(Scale::Linear, 0.0, 20_000.0, 5), "0 5k 10k 15k 20k");
    assert_eq!(labels(Scale::Linear, 0.0, 1.0, 5), "0 0.2 0.4 0.6 0.8 1.0");
    assert_eq!(labels(Scale::Linear, -1.7e308, 1.7e308, 4), "-1e308 0 1e308");
    assert_eq!(labels(Scale::Linear, -0.3, 1.04, 4), "0 0.5 1.0");
    assert_eq!(labels(Scale::Linear, 0.0, 100.0, 4), "0 50 100");
    assert_eq!(labels(Scale::Linear, 0.0, 3.2e-5, 4), "0 1e-5 2e-5 3e-5");
    assert_eq!(labels(Scale::Linear, 0.0, 2_500_000.0, 5), "0 0.5M 1.0M 1.5M 2.0M 2.5M");
    assert_eq!(labels(Scale::Linear, 1_000_000.0, 1_000_003.0, 3), "1000000 1000001 1000002 1000003");
    assert_eq!(labels(Scale::Linear, 1.0 - 1.2e-7, 1.0, 3), "1-1.0e-7 1-0.5e-7 1");
}

#[test]
fn log_ticks_are_powers() {
    assert_eq!(labels(Scale::Log, 1e-6, 1.0, 8), "1e-6 1e-5 1e-4 1e-3 1e-2 1e-1 1e0");
    assert_eq!(labels(Scale::Log, 1e-6, 1.0, 4), "1e-6 1e-4 1e-2 1e0");
    assert_eq!(labels(Scale::Log, 0.012, 0.8, 6), "0.02 0.05 0.1 0.2 0.5");
    assert_eq!(labels(Scale::Log, 0.51, 0.93, 6), "0.6 0.8");
    assert_eq!(labels(Scale::Log, 400.0, 2.1e5, 12), "500 1k 2k 5k 10k 20k 50k 100k 200k");
    assert_eq!(labels(Scale::Log, 8.0, 6000.0, 12), "10 20 50 100 200 500 1000 2000 5000");
    assert_eq!(labels(Scale::Log2, 1.0, 300.0, 10), "1 2 4 8 16 32 64 128 256");
    assert_eq!(labels(Scale::Log2, 1.0, 1e9, 6), "2^0 2^5 2^10 2^15 2^20 2^25");
}

#[test]
fn bytes_are_told_in_their_units() {
    let text = |low: f64, high: f64| {
        let span = Span { scale: Scale::Linear, low, high };
        let mut all = ticks(&span, 4, Powers::Plain);
        in_bytes(&mut all);
        all.into_iter().map(|t| t.label).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(text(0.0, 6e8), "0, 200 MB, 400 MB, 600 MB");
    assert_eq!(text(1e9, 2.5e9), "1.0 GB, 1.5 GB, 2.0 GB, 2.5 GB");
    assert_eq!(text(0.0, 900.0), "0, 500 B");
}

#[test]
fn symlog_ticks_are_symmetric() {
    assert_eq!(labels(Scale::Symlog { threshold: 0.1 }, -20.0, 20.0, 7), "-10 -1 -0.1 0 0.1 1 10");
    assert_eq!(labels(Scale::Symlog { threshold: 1e-6 }, -0.02, 1.0, 7), "-1e-3 0 1e-3 1e0");
    assert_eq!(labels(Scale::Symlog { threshold: 10.0 }, 0.0, 50.0, 7), "0 10 20 50");
}

#[test]
fn time_ticks_are_clock_like() {
    let text = |high| time_ticks(0.0, high, 5).into_iter().map(|t| t.label).collect::<Vec<_>>().join(" ");
    assert_eq!(text(40.0), "0 10s 20s 30s 40s");
    assert_eq!(text(600.0), "0 2m 4m 6m 8m 10m");
    assert_eq!(text(9000.0), "0 30m 1h 1h30 2h 2h30");
    assert_eq!(text(0.8), "0 0.2s 0.4s 0.6s 0.8s");
    assert_eq!(text(0.09), "0 20ms 40ms 60ms 80ms");
    assert_eq!(text(9e-5), "0 20µs 40µs 60µs 80µs");
    assert_eq!(
        [0.0, 2.5, 0.0125, 9e-5].map(|at| Tick::of_seconds(at).label),
        ["0", "2.5s", "12.5ms", "90µs"]
    );
    assert_eq!(text(86_400.0 * 400.0), "0 100d 200d 300d 400d");
}

#[test]
fn a_time_since_the_start_is_as_precise_as_its_axis() {
    let text = |at, high| time_since(at, (0.0, high));
    assert_eq!([200.0, 3.2, 0.116].map(|at| text(at, 500.0)), ["3m20s", "3.2s", "116ms"]);
    assert_eq!(text(3912.0, 7200.0), "1h05m12s");
    assert_eq!(text(3912.0, 36_000.0), "1h05m");
    assert_eq!([0.01162, 0.0].map(|at| text(at, 0.09)), ["11.6ms", "0s"]);
    assert_eq!(time_since(3600.12, (3600.1, 3600.9)), "1h00m00.120s");
    assert_eq!(time_since(119.9999, (119.0, 121.0)), "2m00.000s");
    assert_eq!(time_since(200.0, (200.0, 200.0)), "3m20s");
}

#[test]
fn clock_ticks_are_times_of_day_where_the_reader_is() {
    let text = |low: f64, high: f64| {
        let all = clock_ticks(low, high, 4, &TimeZone::fixed(jiff::tz::offset(1)));
        all.into_iter().map(|t| t.label).collect::<Vec<_>>().join(" ")
    };
    // 2026-11-23 12:58:20 UTC, an hour east of Greenwich.
    let at = 1_795_438_700.0;
    assert_eq!(text(at, at + 40.0), "13:58:20 13:58:30 13:58:40 13:58:50 13:59:00");
    assert_eq!(text(at, at + 3600.0), "14:00 14:15 14:30 14:45");
    assert_eq!(text(at, at + 200_000.0), "11-24 11-25");
    assert_eq!(text(at + 0.31, at + 0.42), "13:58:20.35 13:58:20.40");
    assert_eq!(text(at - 0.11, at + 0.11), "13:58:19.9 13:58:20.0 13:58:20.1");
    assert_eq!(text(at, at + 9e7), "2027-07-01 2028-11-12");
}

#[test]
fn clock_ticks_are_round_on_both_sides_of_a_change_to_winter_time() {
    let zone = TimeZone::get("America/St_Johns").expect("a zone of the time zone database");
    // 2026-11-01 04:30 UTC is two o'clock in summer time, the moment that it becomes one o'clock.
    let change = 1_793_507_400.0;
    let ticks = clock_ticks(change - 7_200.0, change + 7_200.0, 4, &zone);
    let told = |t: &Tick| {
        let time =
            Timestamp::from_second(t.value as i64).expect("a time that can be shown").to_zoned(zone.clone());
        (t.label.clone(), time.strftime("%H:%M").to_string())
    };
    assert!(ticks.len() >= 3, "{ticks:?}");
    for (label, own) in ticks.iter().map(told) {
        assert_eq!(label, own);
    }
}

#[test]
fn the_hour_that_a_change_to_winter_time_repeats_has_ticks() {
    let zone = TimeZone::get("Europe/Berlin").expect("a zone of the time zone database");
    // 2026-10-25 01:00 UTC is three o'clock in summer time, the moment that it becomes two o'clock.
    let change = 1_792_890_000.0;
    let text = |low: f64, high: f64| {
        let all = clock_ticks(change + low * 60.0, change + high * 60.0, 4, &zone);
        all.iter().map(|t| t.label.as_str()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(text(-25.0, 25.0), "02:45 02:00 02:15");
    assert_eq!(text(-50.0, -5.0), "02:15 02:30 02:45");
    assert_eq!(text(5.0, 50.0), "02:15 02:30 02:45");
    assert_eq!(text(-150.0, 150.0), "02:00 04:00");
}

#[test]
fn the_bytes_of_an_axis_are_told_in_one_unit() {
    let axis = Axis { scale: Scale::Log, unit: Some("B".to_owned()), ..Axis::default() };
    let span = Span { scale: Scale::Log, low: 4e5, high: 2.1e7 };
    let told: Vec<String> =
        axis_ticks(&axis, &span, 12, Powers::Plain).into_iter().map(|tick| tick.label).collect();
    assert_eq!(told, ["0.5 MB", "1 MB", "2 MB", "5 MB", "10 MB", "20 MB"]);
}

proptest! {
    #[test]
    fn an_axis_has_one_notation(
        start in -9.0f64..9.0, decades in 0.1f64..9.0, most in 2usize..12, symlog in any::<bool>(),
    ) {
        let (low, high) = (10f64.powf(start), 10f64.powf(start + decades));
        let threshold = 10f64.powf(start.floor());
        let (scale, low) =
            if symlog { (Scale::Symlog { threshold }, -high) } else { (Scale::Log, low) };
        let found = ticks(&Span { scale, low, high }, most, Powers::Plain);
        let powers = found.iter().filter(|tick| tick.label.contains('e')).count();
        let others = found.iter().filter(|tick| tick.value != 0.0).count() - powers;
        prop_assert!(powers == 0 || others == 0, "{found:?}");
    }

    #[test]
    fn ticks_ascend_lie_inside_and_have_distinct_labels(
        start in -1e6f64..1e6, length in 1e-3f64..1e7, most in 2usize..12, log in any::<bool>(),
    ) {
        let (scale, low) = if log { (Scale::Log, start.abs() + 1e-6) } else { (Scale::Linear, start) };
        let span = Span { scale, low, high: low + length };
        let found = ticks(&span, most, Powers::Plain);
        // A hair of slack for the rounding of k·step.
        let slack = length * 1e-6;
        for t in &found {
            prop_assert!(t.value >= span.low - slack && t.value <= span.high + slack, "{t:?} outside {span:?}");
        }
        for pair in found.windows(2) {
            prop_assert!(pair[0].value < pair[1].value);
            prop_assert_ne!(&pair[0].label, &pair[1].label);
        }
        prop_assert!(found.len() <= 2 * most + 2, "{} ticks for {most}", found.len());
        if !log { prop_assert!(!found.is_empty()); }
    }
}
