//! Writes a run as an event file.

use std::io::Write;
use std::path::Path;

use gradtop_store::{Manifest, ParamValue, RunDir, SeriesData, State, StoreError};

use super::record::masked;
use crate::error::{At as _, Result};
use crate::naming::name_of_series;

/// The version record at the start of an event file.
const VERSION: &[u8] = b"brain.Event:2";

/// A protobuf message, written field by field.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 128 {
            self.0.push(value as u8 | 128);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn int(mut self, field: u64, value: i64) -> Self {
        self.varint(field << 3);
        self.varint(value as u64);
        self
    }

    fn double(mut self, field: u64, value: f64) -> Self {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn float(mut self, field: u64, value: f32) -> Self {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }
}

fn record(out: &mut impl Write, event: &Message) -> std::io::Result<()> {
    let len = (event.0.len() as u64).to_le_bytes();
    out.write_all(&len)?;
    out.write_all(&masked(&len).to_le_bytes())?;
    out.write_all(&event.0)?;
    out.write_all(&masked(&event.0).to_le_bytes())
}

/// Creates an event with one value.
fn event(time: f64, step: i64, value: &Message) -> Message {
    let summary = Message::default().message(1, value);
    Message::default().double(1, time).int(2, step).message(5, &summary)
}

/// Creates the metadata that assign a value to a TensorBoard plugin.
fn metadata(plugin: &str, content: &[u8]) -> Message {
    let data = Message::default().bytes(1, plugin.as_bytes()).bytes(2, content);
    // The data class for scalars; hyperparameters have none.
    let class = i64::from(plugin == "scalars");
    Message::default().message(1, &data).int(4, class)
}

/// Writes a run as an event file: its parameters, then one series after the other. Values are written as 32-bit floats,
/// which every reader supports: TensorBoard's fast loader does not display doubles. A value that this rounds is also
/// stored as a double, as the first of two alternatives: protobuf readers use the last one, and this crate's reader the
/// exact one. Returns the number of values, and files of the run that could not be read completely.
///
/// # Errors
/// The run cannot be read, or the file cannot be written.
pub fn export_tensorboard(
    run: &RunDir,
    manifest: &Manifest,
    state: State,
    out: &mut impl Write,
) -> Result<(u64, Vec<StoreError>)> {
    let place = run.path();
    let begun = manifest.created.as_microsecond() as f64 / 1e6;
    let version = Message::default().double(1, begun).bytes(3, VERSION);
    record(out, &version).at("write the events of", place)?;
    if !manifest.params.is_empty() {
        for (tag, content) in [
            ("_hparams_/session_start_info", session_start(manifest, begun)),
            ("_hparams_/session_end_info", session_end(state)),
        ] {
            let value =
                Message::default().bytes(1, tag.as_bytes()).message(9, &metadata("hparams", &content.0));
            record(out, &event(begun, 0, &value)).at("write the events of", place)?;
        }
    }
    let (mut values, mut damage) = (0, Vec::new());
    for (key, _) in gradtop_store::series_keys(run)? {
        let (series, damaged) = gradtop_store::read_series_around_damage(run, |k| *k == key)?;
        for series in series {
            values += series.value.len() as u64;
            write_series(&name_of_series(&series.key), &series, out, place)?;
        }
        for error in damaged {
            if damage.iter().all(|known: &StoreError| known.to_string() != error.to_string()) {
                damage.push(error);
            }
        }
    }
    Ok((values, damage))
}

fn write_series(tag: &str, series: &SeriesData, out: &mut impl Write, place: &Path) -> Result<()> {
    let single = series.value.iter().all(|v| v.is_nan() || f64::from(*v as f32).to_bits() == v.to_bits());
    for n in 0..series.value.len() {
        let value = Message::default().bytes(1, tag.as_bytes());
        let value = if single {
            value
        } else {
            let tensor = Message::default().int(1, 2).bytes(2, &[]).double(6, series.value[n]);
            value.message(8, &tensor)
        };
        let value = value.float(2, series.value[n] as f32);
        let time = series.time_us[n] as f64 / 1e6;
        record(out, &event(time, series.step[n], &value)).at("write the events of", place)?;
    }
    Ok(())
}

fn session_start(manifest: &Manifest, begun: f64) -> Message {
    let mut start = Message::default();
    for (key, value) in &manifest.params {
        let value = match value {
            ParamValue::Bool(b) => Message::default().int(4, i64::from(*b)),
            ParamValue::Int(n) => Message::default().double(2, *n as f64),
            ParamValue::Float(n) => Message::default().double(2, *n),
            ParamValue::Text(text) => Message::default().bytes(3, text.as_bytes()),
        };
        let pair = Message::default().bytes(1, key.as_bytes()).message(2, &value);
        start = start.message(1, &pair);
    }
    let start = start.bytes(4, manifest.run.as_bytes()).double(5, begun);
    Message::default().int(1, 0).message(3, &start)
}

fn session_end(state: State) -> Message {
    let status = match state {
        State::Finished => 1,
        State::Failed | State::Crashed => 2,
        State::Stopped => 0,
        _ => 3,
    };
    Message::default().int(1, 0).message(4, &Message::default().int(1, status))
}
