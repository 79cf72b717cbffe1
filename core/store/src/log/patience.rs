//! Which errors of the disk a run waits out, and for how long.

use std::io;
use std::time::Duration;

use rustix::io::Errno;

use crate::error::StoreError;

/// Errors that pass once somebody frees space.
const ROOM: [Errno; 2] = [Errno::NOSPC, Errno::DQUOT];
/// Errors that will not pass: the folder is missing, belongs to somebody else, or is read-only.
const FINAL: [Errno; 11] = [
    Errno::NOENT,
    Errno::NOTDIR,
    Errno::ISDIR,
    Errno::ACCESS,
    Errno::PERM,
    Errno::FBIG,
    Errno::EXIST,
    Errno::LOOP,
    Errno::NAMETOOLONG,
    Errno::INVAL,
    Errno::BADF,
];

/// How long to tolerate errors of a disk that is not full, which a reconnected cable, a server or a remount may fix.
pub(crate) const LIMITED: Duration = Duration::from_mins(10);

impl StoreError {
    /// Returns how long a run retries after this error: forever ([`Duration::MAX`]) if the disk is full, ten minutes
    /// for other errors of a disk. `None` if the error will not pass and ends the run at once.
    pub fn patience(&self) -> Option<Duration> {
        let Self::Io { source, .. } = self else { return None };
        match Errno::from_io_error(source) {
            Some(errno) if ROOM.contains(&errno) => Some(Duration::MAX),
            Some(errno) if FINAL.contains(&errno) => None,
            Some(_) => Some(LIMITED),
            None => (source.kind() == io::ErrorKind::WriteZero).then_some(LIMITED),
        }
    }

    /// Describes what is wrong with the disk in a few words; for other errors, the whole error.
    pub fn in_words(&self) -> String {
        let Self::Io { source, .. } = self else { return self.to_string() };
        let words = match Errno::from_io_error(source) {
            Some(Errno::NOSPC) => "the disk is full",
            Some(Errno::DQUOT) => "the disk quota is used up",
            Some(Errno::IO) => "the disk reports input/output errors",
            Some(Errno::ROFS) => "the disk is read-only",
            Some(Errno::STALE) => "the file server no longer knows the run's folder",
            _ => return self.to_string(),
        };
        words.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(errno: Errno) -> StoreError {
        StoreError::Io { what: "write", path: "x".into(), source: errno.into() }
    }

    #[test]
    fn each_error_has_its_patience() {
        for errno in [Errno::NOSPC, Errno::DQUOT] {
            assert_eq!(error(errno).patience(), Some(Duration::MAX));
        }
        for errno in [Errno::IO, Errno::ROFS, Errno::STALE, Errno::NOTCONN, Errno::MFILE, Errno::NOMEM] {
            assert_eq!(error(errno).patience(), Some(LIMITED));
        }
        for errno in [Errno::NOENT, Errno::ACCESS, Errno::FBIG] {
            assert_eq!(error(errno).patience(), None);
        }
        assert_eq!(StoreError::TooManySeries.patience(), None);
        assert_eq!(error(Errno::NOSPC).in_words(), "the disk is full");
    }

    #[test]
    fn an_error_that_a_library_wraps_is_still_the_systems() {
        use crate::error::FormatContext as _;
        let wrapped = parquet::errors::ParquetError::from(io::Error::from(Errno::NOSPC));
        let error = Err::<(), _>(wrapped).format_at("write", "x".as_ref()).map_err(|e| e.patience());
        assert_eq!(error, Err(Some(Duration::MAX)));
    }
}
