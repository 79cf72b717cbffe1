//! Moments as text: every time that is shown passes here.

use std::sync::OnceLock;

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

/// Shows moments in UTC, wherever the viewer is; for tests, before the first moment is shown.
pub fn in_utc() {
    LOCAL.get_or_init(|| Local { zone: TimeZone::UTC, missing: None });
}

struct Local {
    zone: TimeZone,
    /// Why it is not known.
    missing: Option<String>,
}

/// The time zone that moments are shown in.
pub fn zone() -> &'static TimeZone {
    &local().zone
}

/// Why the viewer's time zone is not known, so that times are in UTC and say so.
pub fn missing() -> Option<&'static str> {
    local().missing.as_deref()
}

/// `UTC` where times have to say so.
pub fn unit() -> Option<&'static str> {
    missing().map(|_| "UTC")
}

/// A moment: the time of day for today, else with the date.
pub fn moment(time: Timestamp) -> String {
    moment_at(time, Timestamp::now())
}

/// The same, as of `now`.
pub fn moment_at(time: Timestamp, now: Timestamp) -> String {
    let today = now.to_zoned(zone().clone()).date();
    let then = time.to_zoned(zone().clone());
    let text = then.strftime(if then.date() == today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" });
    unit().map_or_else(|| text.to_string(), |utc| format!("{text} {utc}"))
}

/// A moment with its date, for what is read later.
pub fn dated(time: Timestamp) -> String {
    moment_at(time, Timestamp::MIN)
}

/// The time of day.
pub fn time_of_day(time: Timestamp) -> String {
    moment_at(time, time)
}
