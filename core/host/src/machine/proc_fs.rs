//! Reads `/proc` and `/sys`.

use std::fs;

pub(crate) fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Returns the fields of `/proc/<of>/stat` from the third on. The second, a name in parentheses, may contain anything.
pub(crate) fn stat<T>(of: &str, take: impl FnOnce(&[&str]) -> Option<T>) -> Option<T> {
    let text = fs::read(format!("/proc/{of}/stat")).ok()?;
    let text = String::from_utf8_lossy(&text);
    take(&text.rsplit_once(')')?.1.split_whitespace().collect::<Vec<_>>())
}

/// Returns the value of a variable in the initial environment of a process.
pub(crate) fn variable(pid: u32, name: &str) -> Option<Vec<u8>> {
    let given = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut words = given.split(|b| *b == 0);
    words.find_map(|word| Some(word.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?.to_vec()))
}

/// Reads a file of the control group of this process.
pub(crate) fn of_group(file: &str) -> Option<String> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?.trim_start_matches('/');
    fs::read_to_string(format!("/sys/fs/cgroup/{path}/{file}")).ok()
}
