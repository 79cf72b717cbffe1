//! Reads a `.wandb` file record by record.

use std::collections::HashMap;
use std::path::Path;

use gradtop_store::ParamValue;

use super::blocks::{Blocks, Next};
use super::record::{Item, Record, config, items, step};
use crate::error::Result;
use crate::reader::{Progress, Reader};
use crate::sink::{At, End, Sink, micros};
use crate::table::json::logged;
use crate::tail::Tail;

/// Number of bytes read per call.
const BUDGET: u64 = 1 << 20;
/// Maximum length of a name.
const NAME: usize = 4_096;

/// How to handle a name of the history.
#[derive(Debug, Clone, Copy)]
enum Column {
    Step,
    Time,
    Epoch,
    Series(u32),
    /// Ignored: added by wandb, or not a number.
    Passed,
}

pub(crate) struct Wandb {
    blocks: Blocks,
    record: Vec<u8>,
    columns: HashMap<Vec<u8>, Column>,
    params: Vec<(String, ParamValue)>,
    /// Number of the next row, for rows without a step.
    next: i64,
    name: Vec<u8>,
    values: Vec<(u32, f64)>,
}

impl Wandb {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            blocks: Blocks::new(Tail::open(path)?),
            record: Vec::new(),
            columns: HashMap::new(),
            params: Vec::new(),
            next: 0,
            name: Vec::new(),
            values: Vec::new(),
        })
    }

    /// Handles the record in `record`. `None` if it is invalid.
    fn hand_over(&mut self, record: &[u8], sink: &mut dyn Sink) -> Result<Option<()>> {
        let Some(record) = Record::parse(record) else { return Ok(None) };
        match record {
            Record::History(history) => return self.row(history, sink),
            Record::Run(run) => {
                for message in items(run, 4) {
                    let Some(()) = message.and_then(|message| config(message, &mut self.params)) else {
                        return Ok(None);
                    };
                }
                sink.params(self.params.clone())?;
            }
            Record::Config(message) => {
                let Some(()) = config(message, &mut self.params) else { return Ok(None) };
                sink.params(self.params.clone())?;
            }
            Record::Exit(0) => sink.ended(End::Finished)?,
            Record::Exit(code) => sink.ended(End::Failed(format!("exit code {code}")))?,
            Record::Other => {}
        }
        Ok(Some(()))
    }

    fn row(&mut self, history: &[u8], sink: &mut dyn Sink) -> Result<Option<()>> {
        let mut at = At { step: step(history).unwrap_or(self.next), ..At::default() };
        let mut item = Item { name: std::mem::take(&mut self.name), json: &[] };
        self.values.clear();
        for message in items(history, 1) {
            let Some(()) = message.and_then(|message| item.read(message)) else { return Ok(None) };
            let Some(value) = logged(item.json) else { continue };
            let column = if let Some(column) = self.columns.get(&item.name) {
                *column
            } else {
                let column = column(&item.name, sink)?;
                self.columns.insert(item.name.clone(), column);
                column
            };
            match column {
                Column::Step if value.fract() == 0.0 => at.step = value as i64,
                Column::Time => at.time_us = micros(value).or(at.time_us),
                Column::Epoch => at.epoch = Some(value),
                Column::Series(series) => self.values.push((series, value)),
                _ => {}
            }
        }
        self.name = item.name;
        self.next = at.step.saturating_add(1);
        if !self.values.is_empty() {
            sink.row(at, &self.values)?;
        }
        Ok(Some(()))
    }
}

fn column(name: &[u8], sink: &mut dyn Sink) -> Result<Column> {
    Ok(match name {
        b"_step" => Column::Step,
        b"_timestamp" => Column::Time,
        b"epoch" => Column::Epoch,
        b"_runtime" => Column::Passed,
        name if name.starts_with(b"_wandb") || name.len() > NAME => Column::Passed,
        name => Column::Series(sink.series((&*String::from_utf8_lossy(name)).into())?),
    })
}

impl Reader for Wandb {
    fn read(&mut self, sink: &mut dyn Sink) -> Result<Progress> {
        let until = self.blocks.tail.position() + BUDGET;
        let mut record = std::mem::take(&mut self.record);
        let mut read = || {
            while self.blocks.tail.position() < until {
                let position = self.blocks.tail.position();
                match self.blocks.next(&mut record)? {
                    Next::NotYet => {
                        self.blocks.tail.rest();
                        return Ok(Progress::UpToDate);
                    }
                    Next::Large => {}
                    Next::Record => {
                        if self.hand_over(&record, sink)?.is_none() {
                            return Err(self.blocks.tail.damaged(position, "it is not a record of wandb"));
                        }
                    }
                }
            }
            Ok(Progress::More)
        };
        let done = read();
        self.record = record;
        done
    }
}
