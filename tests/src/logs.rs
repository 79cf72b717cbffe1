//! Writes logs in the formats of other tools, of any size, for benches of importing.

use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::Path;

/// The time of the first step, in seconds since 1970.
const BEGUN: f64 = 1.7e9;

/// The values of a step, by name.
pub type Values<'a> = &'a [(String, f64)];

/// A log that is written by a training.
pub trait Log {
    /// Adds a step.
    fn step(&mut self, step: u64, values: Values<'_>) -> Result<()>;
    /// Flushes the added steps.
    fn flush(&mut self) -> Result<()>;
    /// Ends the log as the tool does.
    fn finish(&mut self) -> Result<()>;
}

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

    /// A field with the value zero is omitted.
    fn int(mut self, field: u64, value: u64) -> Self {
        if value > 0 {
            self.varint(field << 3);
            self.varint(value);
        }
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

    fn bytes(mut self, field: u64, bytes: impl AsRef<[u8]>) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.as_ref().len() as u64);
        self.0.extend_from_slice(bytes.as_ref());
        self
    }

    fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }
}

/// An event file as written by `add_scalar` of PyTorch's `SummaryWriter` and tensorboardX.
#[derive(Debug)]
pub struct Events(BufWriter<File>);

impl Events {
    /// Creates the file.
    pub fn create(path: &Path) -> Result<Self> {
        let mut new = Self(BufWriter::with_capacity(1 << 20, File::create(path)?));
        new.record(&Message::default().double(1, BEGUN).bytes(3, "brain.Event:2"))?;
        Ok(new)
    }

    fn record(&mut self, event: &Message) -> Result<()> {
        let len = (event.0.len() as u64).to_le_bytes();
        let sum = |data: &[u8]| crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes();
        for part in [&len[..], &sum(&len), &event.0, &sum(&event.0)] {
            self.0.write_all(part)?;
        }
        Ok(())
    }
}

/// An event with one value.
fn scalar(time: f64, step: u64, tag: &str, value: f64) -> Message {
    let value = Message::default().bytes(1, tag).float(2, value as f32);
    let summary = Message::default().message(1, &value);
    Message::default().double(1, time).int(2, step).message(5, &summary)
}

impl Log for Events {
    fn step(&mut self, step: u64, values: Values<'_>) -> Result<()> {
        for (tag, value) in values {
            self.record(&scalar(BEGUN + step as f64, step, tag, *value))?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }

    fn finish(&mut self) -> Result<()> {
        self.flush()
    }
}

/// A `.wandb` file as written offline by wandb 0.31: for each step the summary, twice, and the history.
#[derive(Debug)]
pub struct Wandb {
    blocks: Blocks<BufWriter<File>>,
    records: u64,
}

impl Wandb {
    /// Creates the file.
    pub fn create(path: &Path) -> Result<Self> {
        let out = BufWriter::with_capacity(1 << 20, File::create(path)?);
        Ok(Self { blocks: Blocks::begin(out)?, records: 0 })
    }

    fn record(&mut self, field: u64, content: &Message) -> Result<()> {
        self.records += 1;
        self.blocks.record(&Message::default().int(1, self.records).message(field, content).0)
    }
}

/// A value in JSON with its nested name.
fn item(names: &[&str], json: &str) -> Message {
    names.iter().fold(Message::default(), |item, name| item.bytes(2, name)).bytes(16, json)
}

/// The values of a step.
fn history(items: &[Message], step: u64) -> Message {
    let all = items.iter().fold(Message::default(), |all, item| all.message(1, item));
    all.message(2, &Message::default().int(1, step))
}

impl Log for Wandb {
    fn step(&mut self, step: u64, values: Values<'_>) -> Result<()> {
        let seconds = (step / 100).to_string();
        let runtime = [item(&["_wandb", "runtime"], &seconds), item(&["_runtime"], &seconds)];
        let runtime = runtime.iter().fold(Message::default(), |all, item| all.message(1, item));
        self.record(3, &runtime)?;
        let mut items: Vec<Message> =
            values.iter().map(|(name, value)| item(&[name], &value.to_string())).collect();
        let time = format!("{:e}", BEGUN + step as f64 / 100.0).replace("e9", "e+09");
        items.push(item(&["_timestamp"], &time));
        items.push(item(&["_runtime"], &(step as f64 / 100.0).to_string()));
        items.push(item(&["_step"], &step.to_string()));
        let summary = items.iter().fold(Message::default(), |all, item| all.message(1, item));
        self.record(3, &summary)?;
        self.record(2, &history(&items, step))
    }

    fn flush(&mut self) -> Result<()> {
        self.blocks.out.flush()
    }

    fn finish(&mut self) -> Result<()> {
        self.record(18, &Message::default())?;
        self.flush()
    }
}

/// The sizes of a block, and of the header of each record fragment.
const BLOCK: usize = 32 << 10;
const HEAD: usize = 7;

/// LevelDB's log format.
#[derive(Debug)]
struct Blocks<W> {
    out: W,
    position: usize,
}

impl<W: Write> Blocks<W> {
    fn begin(mut out: W) -> Result<Self> {
        out.write_all(b":W&B\xe1\xbe\0")?;
        Ok(Self { out, position: 7 })
    }

    fn record(&mut self, mut data: &[u8]) -> Result<()> {
        let mut first = true;
        loop {
            let mut left = BLOCK - self.position % BLOCK;
            if left < HEAD {
                self.out.write_all(&[0; HEAD][..left])?;
                self.position += left;
                left = BLOCK;
            }
            let (piece, rest) = data.split_at(data.len().min(left - HEAD));
            let kind = match (first, rest.is_empty()) {
                (true, true) => 1,
                (true, false) => 2,
                (false, false) => 3,
                (false, true) => 4,
            };
            let mut sum = crc32fast::Hasher::new();
            sum.update(&[kind]);
            sum.update(piece);
            self.out.write_all(&sum.finalize().to_le_bytes())?;
            self.out.write_all(&(piece.len() as u16).to_le_bytes())?;
            self.out.write_all(&[kind])?;
            self.out.write_all(piece)?;
            self.position += HEAD + piece.len();
            if rest.is_empty() {
                return Ok(());
            }
            (data, first) = (rest, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths;

    /// A log written by the real tool.
    fn golden(name: &str) -> Vec<u8> {
        std::fs::read(paths::checkout().join("core/import/tests/golden").join(name)).unwrap()
    }

    #[test]
    fn events_are_those_of_the_real_writer() {
        let golden = golden("tensorboardx/events.out.tfevents.1700000001.golden");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events");
        let mut events = Events::create(&path).unwrap();
        for step in [0, 1, 2, 3, 2, 3, 4] {
            events.step(step, &[("train/loss".to_owned(), 1.0 / (step + 3) as f64)]).unwrap();
        }
        events.finish().unwrap();
        // The first record contains the time of writing.
        let (written, first) = (std::fs::read(path).unwrap(), 40);
        assert_eq!(written[first..], golden[first..written.len()]);
    }

    /// The fields of a message that contains only varints and bytes.
    fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let varint = |message: &mut &[u8]| {
            let len = message.iter().position(|byte| *byte < 128).unwrap() + 1;
            let (number, rest) = message.split_at(len);
            *message = rest;
            number.iter().rev().fold(0, |value, byte| value << 7 | u64::from(*byte & 127))
        };
        let mut fields = Vec::new();
        while !message.is_empty() {
            let key = varint(&mut message);
            let number = varint(&mut message);
            let (bytes, rest) = message.split_at(if key & 7 == 2 { number as usize } else { 0 });
            let bytes = if key & 7 == 2 { bytes.to_vec() } else { number.to_le_bytes().to_vec() };
            fields.push((key >> 3, bytes));
            message = rest;
        }
        fields
    }

    #[test]
    fn blocks_and_records_are_those_of_wandb() {
        let golden = golden("wandb/run-golden01.wandb");
        // The records of the file, reassembled from its blocks.
        let (mut records, mut at) = (Vec::<Vec<u8>>::new(), 7);
        while at + 7 <= golden.len() {
            let left = (32 << 10) - at % (32 << 10);
            if left < 7 {
                at += left;
                continue;
            }
            let len = usize::from(u16::from_le_bytes([golden[at + 4], golden[at + 5]]));
            if golden[at + 6] <= 2 {
                records.push(Vec::new());
            }
            records.last_mut().unwrap().extend_from_slice(&golden[at + 7..at + 7 + len]);
            at += 7 + len;
        }
        let mut blocks = Blocks::begin(Vec::new()).unwrap();
        for record in &records {
            blocks.record(record).unwrap();
        }
        assert_eq!(blocks.out, golden);
        let mut steps = 0;
        for record in &records {
            let parts = fields(record);
            let Some((_, content)) = parts.iter().find(|(field, _)| *field == 2) else { continue };
            let text = |(_, bytes): &(u64, Vec<u8>)| String::from_utf8(bytes.clone()).unwrap();
            // wandb writes the items in a different order each time.
            let again: Vec<Message> = fields(content)
                .iter()
                .filter(|(field, _)| *field == 1)
                .map(|(_, written)| {
                    let parts: Vec<String> = fields(written).iter().map(text).collect();
                    let (json, names) = parts.split_last().unwrap();
                    let number: f64 = json.parse().unwrap_or(f64::NAN);
                    // Numbers in the range of the bench are formatted identically.
                    assert!(!(1e-4..1e6).contains(&number) || number.to_string() == *json, "{json}");
                    item(&names.iter().map(String::as_str).collect::<Vec<_>>(), json)
                })
                .collect();
            let number = u64::from_le_bytes(parts[0].1[..].try_into().unwrap());
            let message = Message::default().int(1, number).message(2, &history(&again, steps));
            assert_eq!(message.0, *record);
            steps += 1;
        }
        assert_eq!(steps, 120);
    }
}
