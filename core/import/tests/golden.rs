//! Logs that the real tools wrote, read to the very bits that they logged; cut, growing, damaged.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a test of random damage prints its seed")]

mod common;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use common::{Collected, copy, golden, read_all, source_of};
use gradtop_import::{Format, ImportError, Progress, find};
use gradtop_store::ParamValue;

/// The rows that the tool says it logged, compared with those read.
fn check(name: &str, format: Format) -> Collected {
    let source = source_of(&golden(name));
    assert_eq!(source.format, format, "{name}");
    let (collected, error) = read_all(&source);
    assert!(error.is_none(), "{name}: {error:?}");
    let expected: serde_json::Value =
        serde_json::from_slice(&fs::read(golden("expected.json")).unwrap()).unwrap();
    let expected = expected[name].as_object().unwrap();
    let found: Vec<&String> = collected.rows.keys().collect();
    assert_eq!(found, expected.keys().collect::<Vec<_>>(), "{name}");
    for (tag, rows) in expected {
        let found = &collected.rows[tag];
        assert_eq!(found.len(), rows.as_array().unwrap().len(), "{name}: {tag}");
        for (row, (at, value)) in rows.as_array().unwrap().iter().zip(found) {
            assert_eq!(Some(at.step), row[0].as_i64(), "{name}: {tag}");
            if let Some(time) = row[1].as_i64() {
                assert_eq!(at.time_us, Some(time), "{name}: {tag}");
            }
            let bits = u64::from_str_radix(row[2].as_str().unwrap(), 16).unwrap();
            let same = value.to_bits() == bits || value.is_nan() && f64::from_bits(bits).is_nan();
            assert!(same, "{name}: {tag} at {}: {value}, not {}", at.step, f64::from_bits(bits));
        }
    }
    collected
}

fn param(collected: &Collected, key: &str) -> Option<ParamValue> {
    collected.params.iter().find(|(k, _)| k == key).map(|(_, value)| value.clone())
}

#[test]
fn event_files_of_tensorboardx() {
    let collected = check("tensorboardx", Format::TensorBoard);
    assert_eq!(collected.texts, [(3, "note/text_summary".to_owned(), "hello, **world**".to_owned())]);
    assert_eq!(collected.histograms.len(), 1, "{:?}", collected.histograms);
    let (step, tag, bins) = &collected.histograms[0];
    assert_eq!((*step, tag.as_str()), (4, "weights"));
    assert_eq!(bins.iter().map(|bin| bin[2]).sum::<f64>(), 4.0, "{bins:?}");
    assert_eq!(param(&collected, "lr"), Some(ParamValue::Float(1e-3)));
    assert_eq!(param(&collected, "batch"), Some(ParamValue::Int(64)));
    assert_eq!(param(&collected, "optimizer"), Some(ParamValue::Text("adam".to_owned())));
    assert_eq!(param(&collected, "nesterov"), Some(ParamValue::Bool(true)));
}

#[test]
fn event_files_with_tensors() {
    let collected = check("tensorflow2", Format::TensorBoard);
    assert_eq!(collected.texts, [(2, "note".to_owned(), "one\ntwo".to_owned())]);
    assert_eq!(param(&collected, "units"), Some(ParamValue::Int(16)));
}

#[test]
fn a_wandb_file() {
    let collected = check("wandb", Format::Wandb);
    for (key, value) in [
        ("lr", ParamValue::Float(1e-3)),
        ("layers", ParamValue::Text("[64,64]".to_owned())),
        ("model/name", ParamValue::Text("mlp".to_owned())),
        ("model/depth", ParamValue::Int(3)),
        ("flag", ParamValue::Bool(true)),
        ("later", ParamValue::Text("yes".to_owned())),
    ] {
        assert_eq!(param(&collected, key), Some(value), "{key}");
    }
    assert!(collected.params.iter().all(|(key, _)| !key.starts_with('_')), "{:?}", collected.params);
    let (at, _) = collected.rows["train/loss"][8];
    assert_eq!(at.epoch, Some(2.0));
    assert!(at.time_us.is_some_and(|time| time > 1_700_000_000_000_000), "{at:?}");
    assert_eq!(collected.end, Some(gradtop_import::End::Finished));
}

#[test]
fn tables() {
    let lightning = check("lightning", Format::Csv);
    assert_eq!(lightning.rows["train_loss_step"][2].0.epoch, Some(1.0));
    let state = check("transformers", Format::TrainerState);
    assert_eq!(state.splits["loss"], Some("train"));
    check("jsonl", Format::JsonLines);
}

/// Every file of the golden logs, with its folder's source.
fn files() -> Vec<(String, PathBuf)> {
    let names = ["tensorboardx", "tensorflow2", "wandb", "lightning", "transformers", "jsonl"];
    let within = |name: &str| {
        let mut files = Vec::new();
        let mut folders = vec![golden(name)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    };
    names.iter().flat_map(|name| within(name).into_iter().map(|file| ((*name).to_owned(), file))).collect()
}

#[test]
fn a_file_that_grows_byte_by_byte_is_read_once() {
    for (name, file) in files() {
        let whole = fs::read(&file).unwrap();
        let folder = tempfile::tempdir().unwrap();
        copy(&golden(&name), folder.path());
        let place = folder.path().join(file.strip_prefix(golden(&name)).unwrap());
        fs::write(&place, b"").unwrap();
        let format = source_of(&golden(&name)).format;
        let path = match format {
            Format::TensorBoard | Format::TrainerState => folder.path().to_owned(),
            _ => place.clone(),
        };
        let source = gradtop_import::Source { path, format, name: "run".to_owned() };
        let (wanted, _) = read_all(&source_of(&golden(&name)));
        let mut reader = source.open().unwrap();
        let mut collected = Collected::default();
        let mut growing = fs::File::options().append(true).open(&place).unwrap();
        // Long files grow in steps that are no multiple of anything in them.
        let step = if whole.len() > 4_000 { 1_013 } else { 1 };
        for piece in whole.chunks(step) {
            growing.write_all(piece).unwrap();
            while reader.read(&mut collected).unwrap() == Progress::More {}
        }
        reader.finish(&mut collected, false).unwrap();
        assert_eq!(collected.sorted(), wanted.sorted(), "{}", file.display());
    }
}

#[test]
fn a_cut_file_is_its_beginning() {
    for (name, file) in files() {
        let whole = fs::read(&file).unwrap();
        let (all, _) = read_all(&source_of(&golden(&name)));
        let folder = tempfile::tempdir().unwrap();
        copy(&golden(&name), folder.path());
        let place = folder.path().join(file.strip_prefix(golden(&name)).unwrap());
        for cut in (0..whole.len()).step_by(whole.len() / 60 + 1) {
            fs::write(&place, &whole[..cut]).unwrap();
            let (some, error) = read_all(&source_of(folder.path()));
            assert!(error.is_none(), "{} cut at {cut}: {error:?}", file.display());
            for (tag, rows) in &some.rows {
                let same = common::bits(rows) == common::bits(&all.rows[tag])[..rows.len()];
                // The last line of a table may be cut within a number.
                let last = matches!(name.as_str(), "lightning" | "jsonl");
                assert!(same || last, "{} cut at {cut}: {tag}", file.display());
            }
        }
    }
}

/// A small generator: what fails is repeated by the seed that is printed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// Whatever is done to a file, reading it ends, and says where the damage is or reads something.
#[test]
fn damaged_files_are_refused_or_read_and_never_hang() {
    let seed = std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("repeat with PROPTEST_RNG_SEED={seed}");
    let mut random = Random(seed);
    for (name, file) in files() {
        let whole = fs::read(&file).unwrap();
        let (all, _) = read_all(&source_of(&golden(&name)));
        let folder = tempfile::tempdir().unwrap();
        copy(&golden(&name), folder.path());
        let place = folder.path().join(file.strip_prefix(golden(&name)).unwrap());
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len());
                match random.below(4) {
                    0 => bytes[at] ^= 1 << random.below(8),
                    1 => bytes[at] = [0, 0xff, 0x7f, b'"', b'{', b'\n'][random.below(6)],
                    2 => drop(bytes.drain(at..(at + random.below(40) + 1).min(bytes.len()))),
                    _ => {
                        let piece: Vec<u8> = (0..random.below(20)).map(|_| random.below(256) as u8).collect();
                        bytes.splice(at..at, piece);
                    }
                }
                if bytes.is_empty() {
                    bytes.push(0);
                }
            }
            fs::write(&place, &bytes).unwrap();
            let (some, error) = read_all(&source_of(folder.path()));
            if let Some(error) = error {
                assert!(matches!(error, ImportError::Damaged { .. }), "{error}");
                assert!(error.to_string().contains("at byte"), "{error}");
            }
            // Checksums: what is read of these is what was written, or nothing.
            if matches!(name.as_str(), "tensorboardx" | "tensorflow2" | "wandb") {
                for (tag, rows) in &some.rows {
                    let known = common::bits(&all.rows[tag]);
                    assert!(common::bits(rows).iter().all(|row| known.contains(row)), "{name}: {tag}");
                }
            }
        }
    }
}

/// Lengths that a file states size nothing.
#[test]
fn hostile_lengths_are_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.out.tfevents.1.a");
    // A length of 2^63 with the right checksum, and nothing behind it.
    let len = (1_u64 << 63).to_le_bytes();
    let sum = crc32c::crc32c(&len).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes();
    fs::write(&file, [&len[..], &sum].concat()).unwrap();
    let (collected, error) = read_all(&source_of(folder.path()));
    assert!(collected.rows.is_empty() && error.is_none(), "{error:?}");
    // A hole as long as it says is passed over, not read.
    let len = (1_u64 << 40).to_le_bytes();
    let sum = crc32c::crc32c(&len).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes();
    fs::write(&file, [&len[..], &sum].concat()).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_len(1 << 41).unwrap();
    let (_, error) = read_all(&source_of(folder.path()));
    assert!(matches!(error, Some(ImportError::Damaged { .. })), "{error:?}");
    // A line that never ends.
    let line = folder.path().join("a.jsonl");
    fs::write(&line, b"{\"a\":").unwrap();
    fs::File::options().write(true).open(&line).unwrap().set_len(1 << 41).unwrap();
    let (_, error) = read_all(&find(&line).unwrap()[0]);
    assert!(error.unwrap().to_string().contains("longer than a megabyte"));
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("a.csv");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    assert!(find(&pipe).is_err() || find(&pipe).unwrap().is_empty());
    assert!(find(Path::new("/nonexistent")).is_err());
}
