//! Tests `gradtop data` against a local server: complete, resumed, wrong and missing files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

const LABELS: &str = "t10k-labels-idx1-ubyte.gz";
const FILES: [&str; 4] =
    ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", LABELS];

fn committed(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets/mnist").join(name)).unwrap()
}

/// How the server responds.
#[derive(Clone, Copy)]
enum Manner {
    /// Sends the file, or the requested range.
    Good,
    /// Announces the full length, sends less, and closes.
    Cuts,
    /// Ignores the range and sends everything.
    IgnoresRanges,
    /// Sends the beginning of something else.
    Other,
    /// Has no such file.
    Missing,
}

struct Server {
    url: String,
    manner: Arc<Mutex<Manner>>,
    /// The file and its `Range` header of each request.
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Server {
    fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/mnist/", listener.local_addr().unwrap());
        let server = Self { url, manner: Arc::new(Mutex::new(manner)), asked: Arc::default() };
        let (manner, asked) = (Arc::clone(&server.manner), Arc::clone(&server.asked));
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let Some(Ok(first)) = lines.next() else { continue };
                let name = first.split(' ').nth(1).unwrap().rsplit('/').next().unwrap().to_owned();
                let mut range = String::new();
                for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("range: ") {
                        value.clone_into(&mut range);
                    }
                }
                let start: usize =
                    range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap_or(0);
                let answer = answer(*manner.lock().unwrap(), &committed(&name), start);
                asked.lock().unwrap().push((name, range));
                // A client that has seen enough may close the connection.
                stream.write_all(&answer).ok();
            }
        });
        server
    }

    fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn asked(&self) -> Vec<(String, String)> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn answer(manner: Manner, file: &[u8], start: usize) -> Vec<u8> {
    let head = |status: &str, more: &str, length: usize| {
        format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nETag: \"v1\"\r\nConnection: close\r\n{more}\r\n"
        )
        .into_bytes()
    };
    let rest = &file[start.min(file.len())..];
    let range = format!("Content-Range: bytes {start}-{}/{}\r\n", file.len() - 1, file.len());
    let partial = if start > 0 { ("206 Partial Content", range.as_str()) } else { ("200 OK", "") };
    match manner {
        Manner::Good => [head(partial.0, partial.1, rest.len()), rest.to_vec()].concat(),
        Manner::Cuts => [head(partial.0, partial.1, rest.len()), rest[..rest.len() / 2].to_vec()].concat(),
        Manner::IgnoresRanges => [head("200 OK", "", file.len()), file.to_vec()].concat(),
        Manner::Other => {
            let other = vec![b'x'; file.len()];
            [head("200 OK", "", other.len()), other].concat()
        }
        Manner::Missing => head("404 Not Found", "", 0),
    }
}

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn mnist(&self) -> PathBuf {
        self.dir.path().join("data/mnist")
    }

    fn gradtop(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gradtop"));
        command.arg("data").args(args).env("GRADTOP_DATASETS", self.dir.path().join("data"));
        // Removes proxies from the environment.
        for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY"] {
            command.env_remove(name);
        }
        command.output().unwrap()
    }

    fn fetch(&self, mirrors: &[&Server]) -> (i32, String) {
        let mut args = vec!["fetch", "mnist", "--force"];
        for mirror in mirrors {
            args.extend(["--mirror", mirror.url.as_str()]);
        }
        let output = self.gradtop(&args);
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap(), text)
    }

    /// Asserts that exactly the four right files exist.
    fn is_whole(&self) {
        let mut names: Vec<String> = std::fs::read_dir(self.mnist())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let mut expected = FILES.to_vec();
        expected.sort_unstable();
        assert_eq!(names, expected);
        for name in FILES {
            assert_eq!(std::fs::read(self.mnist().join(name)).unwrap(), committed(name), "{name}");
        }
    }
}

#[test]
fn a_missing_file_is_taken_from_the_next_mirror() {
    let (place, missing, good) = (Place::new(), Server::start(Manner::Missing), Server::start(Manner::Good));
    let (code, text) = place.fetch(&[&missing, &good]);
    assert_eq!(code, 0, "{text}");
    place.is_whole();
    assert!(text.contains("the server answered 404") && text.contains("CC BY-SA"), "{text}");
    assert_eq!((missing.asked().len(), good.asked().len()), (4, 4));

    // Existing files are not downloaded again.
    let again = place.gradtop(&["fetch", "mnist", "--mirror", &good.url]);
    assert!(again.status.success() && good.asked().is_empty());
    let told = place.gradtop(&["fetch", "mnist", "--mirror", &good.url, "--json"]);
    let told: Vec<serde_json::Value> = serde_json::from_slice(&told.stdout).unwrap();
    assert!(
        told.len() == 4 && told.iter().all(|file| file["fetched"] == false && file["path"].is_string()),
        "{told:?}"
    );
    assert_eq!(place.gradtop(&["fetch", "mnist", "--mirror", "foo"]).status.code(), Some(2), "no address");
    let check = place.gradtop(&["check", "mnist"]);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    assert_eq!(String::from_utf8_lossy(&check.stdout).matches("whole").count(), 4);
}

#[test]
fn a_broken_download_is_resumed_and_an_interrupted_one_too() {
    let (place, server) = (Place::new(), Server::start(Manner::Cuts));
    // Half of the rest each time, until only one byte is left, of which half is nothing.
    let (code, text) = place.fetch(&[&server]);
    let asked = server.asked();
    assert!(asked.len() > 3 && asked[0].1.is_empty(), "{asked:?}");
    let starts: Vec<u64> = asked[1..]
        .iter()
        .filter(|(name, _)| name == FILES[0])
        .map(|(_, range)| range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap())
        .collect();
    assert!(
        starts.windows(2).all(|pair| pair[0] < pair[1]),
        "each goes on where the one before ended: {starts:?}"
    );
    assert_eq!(starts[0], committed(FILES[0]).len() as u64 / 2);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("no mirror provided") && text.contains("the partial download is kept"), "{text}");

    // Another process downloads the missing byte.
    server.behave(Manner::Good);
    let (code, text) = place.fetch(&[&server]);
    assert_eq!(code, 0, "{text}");
    place.is_whole();
    let asked = server.asked();
    assert_eq!(asked[0].1, format!("bytes={}-", committed(FILES[0]).len() - 1));
    assert_eq!(asked.len(), 4);
}

#[test]
fn a_server_without_ranges_sends_all_of_it_again() {
    let (place, server) = (Place::new(), Server::start(Manner::Cuts));
    assert_eq!(place.fetch(&[&server]).0, 1);
    server.behave(Manner::IgnoresRanges);
    let (code, text) = place.fetch(&[&server]);
    assert_eq!(code, 0, "{text}");
    place.is_whole();
}

#[test]
fn a_wrong_content_is_never_kept() {
    let (place, other, good) = (Place::new(), Server::start(Manner::Other), Server::start(Manner::Good));
    let (code, text) = place.fetch(&[&other]);
    assert_eq!(code, 1);
    assert!(text.contains("bytes instead of 47040016") || text.contains("SHA-256"), "{text}");
    assert_eq!(std::fs::read_dir(place.mnist()).unwrap().count(), 0, "nothing was left behind");
    let (code, text) = place.fetch(&[&other, &good]);
    assert_eq!(code, 0, "{text}");
    place.is_whole();

    // The beginning of another file, as after a change on the mirror: downloaded anew.
    let part = place.mnist().join(format!(".{LABELS}.part"));
    std::fs::write(&part, b"something else").unwrap();
    std::fs::write(
        place.mnist().join(format!(".{LABELS}.part.from")),
        format!("{}{LABELS}\n\"v1\"\n", good.url),
    )
    .unwrap();
    good.asked();
    let (code, text) = place.fetch(&[&good]);
    assert_eq!(code, 0, "{text}");
    place.is_whole();
    let labels: Vec<String> =
        good.asked().into_iter().filter(|(name, _)| name == LABELS).map(|(_, range)| range).collect();
    assert_eq!(labels, ["bytes=14-".to_owned(), String::new()]);
}

#[test]
fn damage_is_found_and_said() {
    let place = Place::new();
    std::fs::create_dir_all(place.mnist()).unwrap();
    let bytes = committed(LABELS);
    std::fs::write(place.mnist().join(LABELS), &bytes[..bytes.len() / 2]).unwrap();
    let output = place.gradtop(&["check", "mnist"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("ends too early") && text.contains("gradtop data fetch mnist"), "{text}");
    // The other three are those of the checkout.
    assert_eq!(text.matches("whole").count(), 3, "{text}");

    let list = place.gradtop(&["list", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(json[0]["files"][3]["origin"], "GRADTOP_DATASETS");
    assert_eq!(json[0]["files"][0]["origin"], "checkout");

    let unknown = place.gradtop(&["fetch", "mnits"]);
    let text = String::from_utf8_lossy(&unknown.stderr);
    assert!(unknown.status.code() == Some(2) && text.contains("did you mean mnist?"), "{text}");
}
