//! Parses events and the values of their summaries.

use std::borrow::Cow;

use crate::proto::{Fields, Value};

/// The relevant parts of an event.
#[derive(Debug, Default)]
pub(crate) struct Event<'a> {
    /// Seconds since 1970.
    pub(crate) wall_time: f64,
    pub(crate) step: i64,
    pub(crate) summary: Option<&'a [u8]>,
}

impl<'a> Event<'a> {
    /// Parses an event; `None` if it is invalid.
    pub(crate) fn parse(message: &'a [u8]) -> Option<Self> {
        let mut event = Self::default();
        for field in Fields::of(message) {
            match field? {
                (1, value) => event.wall_time = value.double()?,
                (2, value) => event.step = value.int()?,
                (5, value) => event.summary = Some(value.bytes()?),
                _ => {}
            }
        }
        Some(event)
    }
}

/// A value of a summary.
#[derive(Debug, Default)]
pub(crate) struct Entry<'a> {
    pub(crate) tag: &'a [u8],
    pub(crate) simple: Option<f32>,
    pub(crate) histogram: Option<&'a [u8]>,
    pub(crate) tensor: Option<&'a [u8]>,
    /// Name and content of the plugin for the value; only with the first value of a tag.
    pub(crate) plugin: Option<(Cow<'a, str>, &'a [u8])>,
}

impl<'a> Entry<'a> {
    pub(crate) fn parse(message: &'a [u8]) -> Option<Self> {
        let mut entry = Self::default();
        for field in Fields::of(message) {
            match field? {
                (1, value) => entry.tag = value.bytes()?,
                (2, value) => entry.simple = Some(value.float()?),
                (5, value) => entry.histogram = Some(value.bytes()?),
                (8, value) => entry.tensor = Some(value.bytes()?),
                (9, value) => entry.plugin = plugin(value.bytes()?)?,
                _ => {}
            }
        }
        Some(entry)
    }
}

/// Returns the values of a summary.
pub(crate) fn entries(summary: &[u8]) -> impl Iterator<Item = Option<Entry<'_>>> {
    Fields::of(summary).filter_map(|field| match field {
        Some((1, value)) => Some(value.bytes().and_then(Entry::parse)),
        Some(_) => None,
        None => Some(None),
    })
}

/// Returns the plugin named in a value's metadata; the outer `None` means that the message is invalid.
#[expect(clippy::option_option, reason = "what is wrong is another thing than what is missing")]
fn plugin(metadata: &[u8]) -> Option<Option<(Cow<'_, str>, &[u8])>> {
    let mut found = None;
    for field in Fields::of(metadata) {
        if let (1, value) = field? {
            let (mut name, mut content) = (Cow::Borrowed(""), &[][..]);
            for field in Fields::of(value.bytes()?) {
                match field? {
                    (1, value) => name = value.text()?,
                    (2, Value::Bytes(bytes)) => content = bytes,
                    _ => {}
                }
            }
            found = Some((name, content));
        }
    }
    Some(found)
}
