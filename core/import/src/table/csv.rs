//! Values separated by commas, semicolons or tabs, below a header line.

use std::path::Path;

use gradtop_store::SeriesKey;

use super::BUDGET;
use super::columns::{Cell, Rows, whole};
use crate::error::Result;
use crate::reader::{Progress, Reader};
use crate::sink::Sink;
use crate::tail::Tail;

pub(crate) struct Csv {
    tail: Tail,
    header: Option<Header>,
    rows: Rows,
}

struct Header {
    separator: u8,
    names: Vec<String>,
    long: Option<Long>,
}

/// The columns of a table with one value per row, such as `gradtop export --csv` writes, that say of which series it is.
struct Long {
    metric: usize,
    value: usize,
    /// Model, split and trial.
    others: [Option<usize>; 3],
}

impl Long {
    fn of(names: &[String]) -> Option<Self> {
        let named = |name: &str| names.iter().position(|known| known.eq_ignore_ascii_case(name));
        let others = ["model", "split", "trial"].map(named);
        Some(Self { metric: named("metric")?, value: named("value")?, others })
    }

    /// Returns the series of a row, if it names one. A trial that is no whole number is part of its model's name.
    fn key(&self, fields: &[String]) -> Option<SeriesKey> {
        let text = |at: usize| fields.get(at).filter(|text| !text.trim().is_empty()).cloned();
        let [model, split, named] = self.others.map(|at| at.and_then(text));
        let trial = named.as_deref().and_then(whole).and_then(|trial| i32::try_from(trial).ok());
        let named = named.filter(|_| trial.is_none()).map(|name| format!("trial {name}"));
        let model = match (model, named) {
            (Some(model), Some(named)) => Some(format!("{model}, {named}")),
            (model, named) => model.or(named),
        };
        Some(SeriesKey { metric: text(self.metric)?, model, split, trial })
    }

    fn is_part(&self, at: usize) -> bool {
        at == self.metric || self.others.contains(&Some(at))
    }

    /// The part of a row that names the series.
    fn name(&self, fields: &[String]) -> String {
        let part = fields.iter().enumerate().filter(|(at, _)| self.is_part(*at));
        part.map(|(_, field)| field.as_str()).collect::<Vec<_>>().join(",")
    }
}

impl Csv {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(Self { tail: Tail::open(path)?, header: None, rows: Rows::default() })
    }

    /// Handles the header line or a row. Errors contain its position.
    fn line(&mut self, len: usize, sink: &mut dyn Sink) -> Result<()> {
        let position = self.tail.position();
        let line = &self.tail.bytes()[..len];
        match &self.header {
            None => {
                let header = Header::of(line).map_err(|what| self.tail.damaged(position, what))?;
                self.header = Some(header);
            }
            Some(header) => {
                let text = String::from_utf8_lossy(line);
                let fields = fields(&text, header.separator);
                if fields.len() > header.names.len() {
                    let (found, wanted) = (fields.len(), header.names.len());
                    let what = format!("a row has {found} fields, its header names {wanted}");
                    return Err(self.tail.damaged(position, what));
                }
                let long = header.long.as_ref().and_then(|long| Some((long, long.key(&fields)?)));
                let lacks_name =
                    |long: &Long| fields.get(long.value).is_some_and(|text| !text.trim().is_empty());
                if long.is_none() && header.long.as_ref().is_some_and(lacks_name) {
                    self.rows.leave_out_nameless();
                    return Ok(());
                }
                let is_cell = |at: usize| long.as_ref().is_none_or(|(long, _)| !long.is_part(at));
                let named = header.names.iter().zip(&fields).enumerate().filter(|(at, _)| is_cell(*at));
                let cells: Vec<_> =
                    named.filter_map(|(_, (name, field))| Some((name.as_str(), Cell::of(field)?))).collect();
                let of = long.as_ref().map(|(long, key)| (long.name(&fields), key));
                self.rows.hand_over(of.as_ref().map(|(name, key)| (name.as_str(), *key)), &cells, sink)?;
            }
        }
        Ok(())
    }
}

impl Header {
    fn of(line: &[u8]) -> std::result::Result<Self, String> {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_start_matches('\u{feff}');
        let count = |b: u8| text.bytes().filter(|c| *c == b).count();
        let separator =
            [b',', b'\t', b';'].into_iter().max_by_key(|b| (count(*b), *b == b',')).unwrap_or(b',');
        let mut names: Vec<String> = Vec::new();
        for name in fields(text, separator) {
            // Of two columns with the same name, each is a separate series.
            let name = name.trim();
            let mut numbered = (2..).map(|n| format!("{name}_{n}"));
            let mut own = name.to_owned();
            while !name.is_empty() && names.contains(&own) {
                own = numbered.next().unwrap_or_default();
            }
            names.push(own);
        }
        if names.iter().all(|name| name.is_empty() || name.parse::<f64>().is_ok()) {
            return Err("the first line names no columns".to_owned());
        }
        Ok(Self { separator, long: Long::of(&names), names })
    }
}

impl Reader for Csv {
    fn left_out(&self) -> Vec<String> {
        self.rows.left_out()
    }

    fn read(&mut self, sink: &mut dyn Sink) -> Result<Progress> {
        // Some loggers rewrite the file for each new column.
        if self.tail.is_replaced()? {
            self.tail.reopen()?;
            self.header = None;
            self.rows.rewind();
            sink.again()?;
        }
        for _ in 0..BUDGET {
            let Some(end) = self.tail.line(end_of_line)? else { return Ok(Progress::UpToDate) };
            self.line(end, sink)?;
            self.tail.consume(end + 1);
        }
        Ok(Progress::More)
    }

    fn skip_line(&mut self, unfinished: bool) -> Result<bool> {
        // The header may still be incomplete.
        self.tail.skip_line(end_of_line, unfinished && self.header.is_some())
    }

    fn unread_end(&self) -> Option<String> {
        let bytes = self.tail.bytes();
        let is_open = bytes.contains(&b'\n') && end_of_line(bytes).is_none();
        let why = if is_open { ": a quote there is not closed" } else { "" };
        self.tail.unread_end().map(|lines| lines + why)
    }

    fn finish(&mut self, sink: &mut dyn Sink, ended: bool) -> Result<()> {
        let len = self.tail.bytes().len();
        // A line without a line break may end in half a number.
        let whole = (ended || self.tail.is_quiet()?)
            && self.header.as_ref().is_some_and(|header| {
                let text = String::from_utf8_lossy(self.tail.bytes());
                fields(&text, header.separator).len() == header.names.len()
            });
        if len > 0 && whole {
            self.line(len, sink)?;
            self.tail.consume(len);
        }
        Ok(())
    }
}

/// Finds the end of the first line; line breaks within quotes do not count.
fn end_of_line(bytes: &[u8]) -> Option<usize> {
    let mut quoted = false;
    bytes.iter().position(|b| {
        quoted ^= *b == b'"';
        *b == b'\n' && !quoted
    })
}

/// Splits a line into fields without quotes.
fn fields(line: &str, separator: u8) -> Vec<String> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let mut fields = vec![String::new()];
    let (mut quoted, mut chars) = (false, line.chars().peekable());
    while let Some(c) = chars.next() {
        let field = fields.last_mut();
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.map(|f| f.push('"')).unwrap_or_default();
            }
            '"' => quoted = !quoted,
            c if c == char::from(separator) && !quoted => fields.push(String::new()),
            c => field.map(|f| f.push(c)).unwrap_or_default(),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_that_is_no_number_keeps_the_name_of_its_metric() {
        let names = ["step", "metric", "model", "trial", "value"].map(str::to_owned);
        let long = Long::of(&names).expect("it has a value for each metric");
        let key = |model: &str, trial: &str| {
            let key =
                long.key(&["0", "loss", model, trial, "1"].map(str::to_owned)).expect("a metric is named");
            (key.metric, key.model.unwrap_or_default(), key.trial)
        };
        let loss = |model: &str, trial| ("loss".to_owned(), model.to_owned(), trial);
        assert_eq!([key("deep", "2"), key("", "2.0")], [loss("deep", Some(2)), loss("", Some(2))]);
        assert_eq!(key("deep", ""), loss("deep", None));
        assert_eq!(
            [key("deep", "a"), key("", "1.5")],
            [loss("deep, trial a", None), loss("trial 1.5", None)]
        );
    }
}
