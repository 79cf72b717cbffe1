//! The sink's socket, in a folder that only this user can access.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Returns the folder for all sockets of this user. Not the session's runtime folder, which is removed at logout.
fn folder() -> PathBuf {
    PathBuf::from(format!("/tmp/gradtop-{}", rustix::process::geteuid().as_raw()))
}

/// Ensures that a folder exists and that nobody else can access it.
fn make_private(folder: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    let meta = fs::symlink_metadata(folder)?;
    let own = meta.uid() == rustix::process::geteuid().as_raw();
    if meta.is_dir() && own && meta.mode() & 0o777 == 0o700 {
        return Ok(());
    }
    let why = format!("{} is not a folder that only you can enter: remove it", folder.display());
    Err(io::Error::other(why))
}

/// The address of a sink. Dropping it removes the socket.
pub(crate) struct Address(PathBuf);

impl Address {
    pub(crate) fn listen() -> io::Result<(Self, UnixListener)> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = folder();
        make_private(&folder)?;
        loop {
            let n = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{}-{n}.sock", std::process::id()));
            match UnixListener::bind(&path) {
                Ok(listener) => return Ok((Self(path), listener)),
                // Left by a killed keeper that had the same process id.
                Err(e) if e.kind() == io::ErrorKind::AddrInUse => fs::remove_file(&path)?,
                Err(e) => return Err(e),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

/// Returns whether the process at the other end belongs to this user.
pub(crate) fn is_own(stream: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(stream).is_ok_and(|peer| peer.uid == rustix::process::geteuid())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_folder_that_others_can_enter_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("own");
        make_private(&own).unwrap();
        make_private(&own).unwrap();
        fs::set_permissions(&own, fs::Permissions::from_mode(0o750)).unwrap();
        assert!(make_private(&own).is_err());
        fs::set_permissions(&own, fs::Permissions::from_mode(0o700)).unwrap();
        let link = dir.path().join("link");
        symlink(&own, &link).unwrap();
        assert!(make_private(&link).is_err(), "a link may come to lead elsewhere");
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(make_private(&dir.path().join("file")).is_err());
    }

    #[test]
    fn an_address_is_gone_with_its_sink_and_the_peer_is_known() {
        let (address, listener) = Address::listen().unwrap();
        let path = address.path().to_owned();
        assert!(path.as_os_str().len() < 108);
        let _client = UnixStream::connect(&path).unwrap();
        assert!(is_own(&listener.accept().unwrap().0));
        drop(address);
        assert!(!path.exists());
    }
}
