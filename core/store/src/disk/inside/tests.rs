//! The same without `openat2`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::symlink;

use super::*;

#[test]
fn without_openat2_the_same_is_opened_and_the_same_refused() {
    let temp = tempfile::tempdir().unwrap();
    let run = RunDir::new(temp.path().join("run"));
    std::fs::create_dir(run.path()).unwrap();
    create_dir_all(&run, &run.metrics()).unwrap();
    std::fs::write(temp.path().join("outside"), "x").unwrap();
    replace(&run, &run.metrics().join("part"), b"x", true).unwrap();
    symlink("../outside", run.path().join("link")).unwrap();
    symlink("metrics", run.path().join("inner")).unwrap();
    symlink("..", run.path().join("up")).unwrap();
    let root = open_root(&run).unwrap();
    let read = OFlags::RDONLY | CAREFUL;
    let cases = [
        ("metrics/part", read, None),
        ("metrics", read | OFlags::DIRECTORY, None),
        ("", FOLDER, None),
        ("nothing", read, Some(Errno::NOENT)),
        ("metrics/part/x", read, Some(Errno::NOTDIR)),
        ("link", read, Some(Errno::LOOP)),
        ("link", OFlags::WRONLY | OFlags::CREATE | CAREFUL, Some(Errno::LOOP)),
        ("inner/part", read, Some(Errno::LOOP)),
        ("inner", FOLDER, Some(Errno::LOOP)),
        ("up/outside", read, Some(Errno::LOOP)),
    ];
    for (path, flags, error) in cases {
        let mode = if flags.contains(OFlags::CREATE) { FILE_MODE } else { Mode::empty() };
        let path = if path.is_empty() { "." } else { path };
        let stepwise = open_stepwise(&root, Path::new(path), flags, mode);
        assert_eq!(stepwise.as_ref().err(), error.as_ref(), "{path}");
        assert_eq!(open_below(&root, Path::new(path), flags, mode).is_ok(), error.is_none(), "{path}");
    }
}
