//! What `/proc` and `/sys` tell of processes.

use std::fs;

/// The processes that there are.
pub(crate) fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The fields of `/proc/<of>/stat` from the third on: the second, a name in brackets, may hold anything.
pub(crate) fn stat<T>(of: &str, take: impl FnOnce(&[&str]) -> Option<T>) -> Option<T> {
    let text = fs::read(format!("/proc/{of}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    take(&text.rsplit_once(')')?.1.split_whitespace().collect::<Vec<_>>())
}

/// The value of a variable of the environment that a process was given at its start.
pub(crate) fn variable(pid: u32, name: &str) -> Option<Vec<u8>> {
    let given = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut words = given.split(|b| *b == 0);
    words.find_map(|word| Some(word.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?.to_vec()))
}

/// A file of the control group that this process is in.
pub(crate) fn of_group(file: &str) -> Option<String> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?.trim_start_matches('/');
    fs::read_to_string(format!("/sys/fs/cgroup/{path}/{file}")).ok()
}
