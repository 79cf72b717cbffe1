//! The files in the checkout are MNIST, and what is wrong with others is said.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use gradtop_data::{DATASETS, DataError, check, named, read};

fn committed() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/mnist"))
}

#[test]
fn names_and_files_are_a_consistent_table() {
    for dataset in &DATASETS {
        assert_eq!(named(dataset.name), Some(dataset));
        for file in &dataset.files {
            assert!(file.sha256.len() == 64 && file.sha256.bytes().all(|c| c.is_ascii_hexdigit()));
        }
        assert!(dataset.mirrors.iter().all(|mirror| mirror.ends_with('/')));
    }
    assert!(named("cifar").is_none());
}

#[test]
fn mnist_lies_in_the_checkout() {
    let mnist = named("mnist").unwrap();
    for file in &mnist.files {
        check(mnist, file, &committed().join(file.name)).unwrap();
    }
    let test = read(mnist, false).unwrap();
    assert_eq!((test.images.count, test.images.rows, test.images.columns), (10_000, 28, 28));
    let mut counts = [0; 10];
    test.labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
    assert_eq!(counts, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    // The first test image is the well-known 7: dark at its corner, bright in its bar.
    assert_eq!(test.labels[..4], [7, 2, 1, 0]);
    let first = &test.images.pixels[..28 * 28];
    assert!(first[0] == 0 && first[8 * 28 + 7] == 254);
}

#[test]
fn a_short_file_is_named_with_what_to_do() {
    let mnist = named("mnist").unwrap();
    let [.., file] = &mnist.files;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(file.name);
    let whole = std::fs::read(committed().join(file.name)).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = check(mnist, file, &path).unwrap_err();
    assert!(matches!(error, DataError::Damaged { .. }));
    let text = error.to_string();
    let path = path.to_str().unwrap();
    for part in [path, "ends too early", "gradtop data fetch mnist"] {
        assert!(text.contains(part), "{text}");
    }
    std::fs::write(path, [&whole[..], b"x"].concat()).unwrap();
    let error = check(mnist, file, path.as_ref()).unwrap_err().to_string();
    assert!(error.contains("or something follows it"), "{error}");
}
