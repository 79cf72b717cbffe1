//! Formats points in time. All displayed times go through this module.

use std::sync::OnceLock;

use gradtop_chart::ticks::{on_time_axis, second, time_format};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The viewer's time zone.
static LOCAL: OnceLock<Local> = OnceLock::new();

fn local() -> &'static Local {
    LOCAL.get_or_init(|| match TimeZone::try_system() {
        Ok(zone) => Local { zone, missing: None },
        Err(e) => {
            let named = std::env::var_os("TZ").filter(|name| !name.is_empty());
            let why = named.map_or_else(
                || e.to_string(),
                |name| format!("TZ={} is not a time zone known here", name.display()),
            );
            Local { zone: TimeZone::UTC, missing: Some(why) }
        }
    })
}

/// Formats times in UTC, wherever the viewer is. For tests; must be called before the first time is formatted.
pub fn in_utc() {
    LOCAL.get_or_init(|| Local { zone: TimeZone::UTC, missing: None });
}

struct Local {
    zone: TimeZone,
    /// Why the time zone is unknown.
    missing: Option<String>,
}

/// Returns the time zone used for display.
pub fn zone() -> &'static TimeZone {
    &local().zone
}

/// Returns why the viewer's time zone is unknown, in which case times are displayed in UTC.
pub fn missing() -> Option<&'static str> {
    local().missing.as_deref()
}

/// Returns `UTC` if displayed times must be marked as such.
pub fn unit() -> Option<&'static str> {
    missing().map(|_| "UTC")
}

/// Formats a time: only the time of day if it is today, else with the date.
pub fn moment(time: Timestamp) -> String {
    moment_at(time, Timestamp::now())
}

/// Like [`moment`], relative to `now`.
pub fn moment_at(time: Timestamp, now: Timestamp) -> String {
    let today = now.to_zoned(zone().clone()).date();
    let then = time.to_zoned(zone().clone());
    let text = then.strftime(if then.date() == today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" });
    unit().map_or_else(|| text.to_string(), |utc| format!("{text} {utc}"))
}

/// Formats a time with its date and zone, for text that is read later and elsewhere: `2026-11-30 12:42:21 +05:30`.
pub fn dated(time: Timestamp) -> String {
    dated_in(time, zone())
}

fn dated_in(time: Timestamp, zone: &TimeZone) -> String {
    let then = time.to_zoned(zone.clone());
    // An offset is understood everywhere, which abbreviations such as IST are not.
    let utc = then.offset().is_zero();
    then.strftime(if utc { "%Y-%m-%d %H:%M:%S UTC" } else { "%Y-%m-%d %H:%M:%S %:z" }).to_string()
}

/// Formats the time of day.
pub fn time_of_day(time: Timestamp) -> String {
    moment_at(time, time)
}

/// Formats one of the times in a range, in seconds since 1970: as precisely as an axis of this range needs, with the date unless
/// all are of the same day.
pub fn time_among(seconds: f64, range: (f64, f64)) -> String {
    let local = |seconds, digits| second(seconds, digits).unwrap_or_default().to_zoned(zone().clone());
    let (first, last) = (local(range.0, 0), local(range.1, 0));
    let date = if first.date() == last.date() {
        ""
    } else if first.year() == last.year() {
        "%m-%d "
    } else {
        "%Y-%m-%d "
    };
    let (at, digits) = on_time_axis(seconds, range);
    let text = local(at, digits).strftime(&format!("{date}{}", time_format(digits))).to_string();
    unit().map_or_else(|| text.clone(), |utc| format!("{text} {utc}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_days_a_time_has_its_date() {
        in_utc();
        let day = |n: i64| n as f64 * 86_400.0;
        let text = |last| time_among(day(1), (day(0), day(last)));
        assert_eq!(time_among(day(1), (day(1), day(1))), "00:00:00");
        assert_eq!([3, 400].map(text), ["01-02 00:00:00", "1970-01-02 00:00:00"]);
    }

    #[test]
    fn a_time_on_a_short_axis_has_its_decimals() {
        in_utc();
        let low = 86_401.7;
        for length in [0.02, 0.7, 3.0, 30.0, 1000.0] {
            let at = |place: f64| time_among(low + length * place, (low, low + length));
            for place in [0.0, 0.5, 0.515, 1.0] {
                let text = at(place);
                let [minutes, seconds] =
                    [&text[3..5], &text[6..]].map(|part| part.parse::<f64>().expect(&text));
                let read = 86_400.0 + minutes * 60.0 + seconds;
                assert!((read - (low + length * place)).abs() <= length / 800.0 + 1e-6, "{text}");
            }
            // A column of a terminal of 80.
            assert_ne!(at(0.5), at(0.515), "{length}");
        }
        assert_eq!(time_among(low + 0.1681, (low, low + 0.7)), "00:00:01.868");
    }

    #[test]
    fn a_time_that_is_read_elsewhere_has_its_zone() {
        let time = Timestamp::UNIX_EPOCH;
        let of = |seconds| {
            dated_in(time, &TimeZone::fixed(jiff::tz::Offset::from_seconds(seconds).expect("a time")))
        };
        assert_eq!(
            [0, 19_800, -12_600].map(of),
            ["1970-01-01 00:00:00 UTC", "1970-01-01 05:30:00 +05:30", "1969-12-31 20:30:00 -03:30"]
        );
    }
}
