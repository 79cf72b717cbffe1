//! A sink that keeps what comes, and the golden logs.
#![allow(unreachable_pub, dead_code, reason = "shared by test programs that use different parts of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gradtop_import::{
    At, End, Import, ImportError, Imported, Progress, Result, Sink, Source, Tag, Target, find,
};
use gradtop_store::ParamValue;

pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The only source of a folder.
pub fn source_of(folder: &Path) -> Source {
    let found = find(folder).unwrap();
    assert_eq!(found.len(), 1, "{}: {found:?}", folder.display());
    found.into_iter().next().unwrap()
}

/// Where runs are made.
pub fn target(runs: &Path) -> Target {
    Target { runs: runs.to_owned(), experiment: "golden".to_owned(), name: None }
}

/// Imports a source into these runs.
pub fn import(runs: &Path, source: &Source) -> Imported {
    Import::whole(&target(runs), source, || false).unwrap()
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Rows of a series.
pub type Rows = Vec<(At, f64)>;

/// A row in a form that can be compared: NaN equals itself.
pub type Bits = (i64, Option<u64>, Option<i64>, u64);

/// What of rows is compared.
pub fn bits(rows: &Rows) -> Vec<Bits> {
    rows.iter().map(|(at, v)| (at.step, at.epoch.map(f64::to_bits), at.time_us, v.to_bits())).collect()
}

/// What a reader handed over.
#[derive(Debug, Default)]
pub struct Collected {
    names: Vec<String>,
    pub rows: BTreeMap<String, Rows>,
    pub splits: BTreeMap<String, Option<&'static str>>,
    pub params: Vec<(String, ParamValue)>,
    pub texts: Vec<(i64, String, String)>,
    pub histograms: Vec<(i64, String, Vec<[f64; 3]>)>,
    pub end: Option<End>,
}

impl Collected {
    /// The rows of all series, in a form that can be compared.
    pub fn sorted(&self) -> BTreeMap<&str, Vec<Bits>> {
        self.rows.iter().map(|(name, rows)| (name.as_str(), bits(rows))).collect()
    }
}

impl Sink for Collected {
    fn params(&mut self, params: Vec<(String, ParamValue)>) -> Result<()> {
        self.params = params;
        Ok(())
    }

    fn total(&mut self, _: u64) -> Result<()> {
        Ok(())
    }

    fn series(&mut self, tag: Tag<'_>) -> Result<u32> {
        self.splits.insert(tag.name.to_owned(), tag.split);
        if let Some(at) = self.names.iter().position(|name| name == tag.name) {
            return Ok(at as u32);
        }
        self.names.push(tag.name.to_owned());
        Ok(self.names.len() as u32 - 1)
    }

    fn row(&mut self, at: At, values: &[(u32, f64)]) -> Result<()> {
        for (number, value) in values {
            let name = self.names[*number as usize].clone();
            self.rows.entry(name).or_default().push((at, *value));
        }
        Ok(())
    }

    fn text(&mut self, at: At, tag: &str, text: &str) -> Result<()> {
        self.texts.push((at.step, tag.to_owned(), text.to_owned()));
        Ok(())
    }

    fn histogram(&mut self, at: At, tag: &str, bins: &[[f64; 3]]) -> Result<()> {
        self.histograms.push((at.step, tag.to_owned(), bins.to_vec()));
        Ok(())
    }

    fn ended(&mut self, end: End) -> Result<()> {
        self.end = Some(end);
        Ok(())
    }

    fn warning(&mut self, _: String) -> Result<()> {
        Ok(())
    }

    fn again(&mut self) -> Result<()> {
        self.rows.clear();
        Ok(())
    }
}

/// Reads a source to its end, or to what is wrong with it.
pub fn read_all(source: &Source) -> (Collected, Option<ImportError>) {
    let mut collected = Collected::default();
    let mut reader = match source.open() {
        Ok(reader) => reader,
        Err(e) => return (collected, Some(e)),
    };
    loop {
        match reader.read(&mut collected) {
            Ok(Progress::More) => {}
            Ok(Progress::UpToDate) => {
                let error = reader.finish(&mut collected, false).err();
                return (collected, error);
            }
            Err(e) => return (collected, Some(e)),
        }
    }
}
