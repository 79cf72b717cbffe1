//! Downloads files of data sets: interrupted downloads are resumed, and checksums are verified.
//!
//! Data goes to `.NAME.part` next to the final file, and its origin to `.NAME.part.from`; both survive an interrupt. Only a
//! file with the right SHA-256 gets its final name.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use gradtop_data::{DataError, Dataset, PartFile};
use ureq::Agent;

use crate::failure::Failure;
use crate::files::Cannot as _;

/// The progress of a download.
pub(crate) enum Event<'a> {
    /// A mirror is being asked; so many bytes are already here.
    Asking(&'a str, u64),
    /// The bytes received so far, and the total if the server reports it.
    Received(u64, Option<u64>),
    /// A mirror failed, with the reason.
    Failed(&'a str, &'a str),
}

/// An HTTP client that gives up on a silent server.
pub(crate) fn agent() -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(15)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .timeout_per_read(Some(Duration::from_secs(30)))
        // Compression in transit would change the bytes.
        .accept_encoding("identity")
        .user_agent(concat!("gradtop/", env!("CARGO_PKG_VERSION")))
        .build();
    config.new_agent()
}

/// Downloads a file to `dir`, from the first mirror with the right content.
pub(crate) fn fetch(
    agent: &Agent,
    dataset: &'static Dataset,
    file: &PartFile,
    dir: &Path,
    mirrors: &[String],
    told: &mut dyn FnMut(Event<'_>),
) -> Result<PathBuf> {
    fs::create_dir_all(dir).cannot("create", dir)?;
    let mut part = Part::open(dir, file.name)?;
    let mut failures = Vec::new();
    for mirror in mirrors {
        let url = format!("{}/{}", mirror.trim_end_matches('/'), file.name);
        match part.receive_from(agent, &url, dataset, file, told)? {
            Ok(()) => return part.finish(&dir.join(file.name)),
            Err(why) => {
                told(Event::Failed(&url, &why));
                failures.push(format!("{url}: {why}"));
            }
        }
    }
    let kept = if part.length()? > 0 { " (the partial download is kept)" } else { "" };
    part.abandon();
    Err(Failure::new(format!("{}: no mirror provided {}: {}", dataset.title, file.name, failures.join("; ")))
        .help(format!("try again later{kept}, or use another mirror with --mirror URL"))
        .into())
}

/// A partial download, locked against other processes.
struct Part {
    path: PathBuf,
    from: PathBuf,
    file: File,
}

/// The result of one request.
enum Answer {
    /// The file is complete.
    Whole,
    /// The connection broke; the received bytes are kept.
    Broken(String),
    /// The server refused.
    Refused(String),
}

impl Part {
    fn open(dir: &Path, name: &str) -> Result<Self> {
        let path = dir.join(format!(".{name}.part"));
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.cannot("write", &path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::new(format!("{name} is being fetched by another gradtop"))
                    .help("wait for it, or stop it")
                    .into());
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).cannot("lock", &path);
            }
        }
        Ok(Self { from: dir.join(format!(".{name}.part.from")), path, file })
    }

    fn length(&self) -> Result<u64> {
        Ok(self.file.metadata().cannot("read", &self.path)?.len())
    }

    fn empty(&mut self) -> Result<()> {
        fs::remove_file(&self.from).ok();
        self.file.set_len(0).cannot("write", &self.path)
    }

    /// The origin of the existing bytes: URL and entity tag.
    fn origin(&self) -> Option<(String, String)> {
        let text = fs::read_to_string(&self.from).ok()?;
        let (url, tag) = text.split_once('\n')?;
        Some((url.to_owned(), tag.trim_end().to_owned()))
    }

    /// Downloads until the file is complete and verified. The inner error means that this mirror failed, the outer one that the
    /// disk did.
    fn receive_from(
        &mut self,
        agent: &Agent,
        url: &str,
        dataset: &'static Dataset,
        file: &PartFile,
        told: &mut dyn FnMut(Event<'_>),
    ) -> Result<Result<(), String>> {
        if self.origin().is_none_or(|(from, _)| from != url) {
            self.empty()?;
        }
        loop {
            let before = self.length()?;
            told(Event::Asking(url, before));
            match self.ask(agent, url, before, file.bytes, told)? {
                Answer::Refused(why) => return Ok(Err(why)),
                // As long as bytes arrive, retrying makes sense.
                Answer::Broken(why) if self.length()? <= before => return Ok(Err(why)),
                Answer::Broken(_) => continue,
                Answer::Whole => {}
            }
            self.file.sync_all().cannot("write", &self.path)?;
            match gradtop_data::check(dataset, file, &self.path) {
                Ok(_) => return Ok(Ok(())),
                Err(DataError::Damaged { message, .. }) => {
                    self.empty()?;
                    // The beginning may have come from another version of the file.
                    if before == 0 {
                        return Ok(Err(message));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends one request, starting at byte `start`.
    fn ask(
        &mut self,
        agent: &Agent,
        url: &str,
        start: u64,
        most: u64,
        told: &mut dyn FnMut(Event<'_>),
    ) -> Result<Answer> {
        let mut request = agent.get(url);
        if start > 0 {
            request = request.header("Range", format!("bytes={start}-"));
            if let Some((_, tag)) = self.origin().filter(|(_, tag)| tag.starts_with('"')) {
                request = request.header("If-Range", tag);
            }
        }
        let response = match request.call() {
            Ok(response) => response,
            Err(error) => return Ok(Answer::Broken(error.to_string())),
        };
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let (range, tag) = (header("content-range"), header("etag"));
        let length = header("content-length").parse::<u64>().ok();
        let at = match response.status().as_u16() {
            200 => {
                self.empty()?;
                0
            }
            206 if range.starts_with(&format!("bytes {start}-")) => start,
            206 | 416 if start > 0 => {
                self.empty()?;
                return self.ask(agent, url, 0, most, told);
            }
            code => return Ok(Answer::Refused(format!("the server answered {code}"))),
        };
        fs::write(&self.from, format!("{url}\n{tag}\n")).cannot("write", &self.from)?;
        let total = length.map(|length| at + length);
        self.receive(response.into_body().into_reader(), at, total, most, told)
    }

    /// Writes the bytes of a response to the file, starting at `at`.
    fn receive(
        &mut self,
        mut body: impl Read,
        mut at: u64,
        total: Option<u64>,
        most: u64,
        told: &mut dyn FnMut(Event<'_>),
    ) -> Result<Answer> {
        let cannot = || format!("cannot write {}", self.path.display());
        (&self.file).seek(SeekFrom::Start(at)).with_context(cannot)?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Ok(Answer::Broken(error.to_string())),
            };
            (&self.file).write_all(&buffer[..count]).with_context(cannot)?;
            at += count as u64;
            told(Event::Received(at, total));
            // No gzip file of this content is longer, so this is something else.
            if at > most + (1 << 20) {
                self.empty()?;
                return Ok(Answer::Refused("it sent more than the size of the file".to_owned()));
            }
        }
        Ok(match total {
            Some(total) if at < total => Answer::Broken(format!("it ended after {at} of {total} bytes")),
            _ => Answer::Whole,
        })
    }

    /// Closes a partial download; an empty one is removed.
    fn abandon(self) {
        if self.length().is_ok_and(|length| length == 0) {
            fs::remove_file(&self.path).ok();
            fs::remove_file(&self.from).ok();
        }
    }

    fn finish(self, target: &Path) -> Result<PathBuf> {
        fs::rename(&self.path, target).cannot("write", target)?;
        fs::remove_file(&self.from).ok();
        Ok(target.to_owned())
    }
}
