//! Formats points in time. All displayed times go through this module.

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

/// Formats a time with its date, for text that is read later.
pub fn dated(time: Timestamp) -> String {
    moment_at(time, Timestamp::MIN)
}

/// Formats the time of day.
pub fn time_of_day(time: Timestamp) -> String {
    moment_at(time, time)
}
