//! IDX files, optionally compressed with gzip: <http://yann.lecun.com/exdb/mnist/>, "the IDX file format".

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use crate::error::DataError;
use crate::places::find;
use crate::registry::{Dataset, PartFile};

/// Images of one size as rows of grey values, 0 is the background.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Number of images.
    pub count: usize,
    /// Rows of an image.
    pub rows: usize,
    /// Columns of an image.
    pub columns: usize,
    /// `count * rows * columns` values.
    pub pixels: Vec<u8>,
}

/// A label for each image.
pub type Labels = Vec<u8>;

/// Images and their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The images.
    pub images: Images,
    /// The labels, each below 10.
    pub labels: Labels,
}

/// Finds, verifies and parses the training set (`train`) or the test set.
pub fn read(dataset: &'static Dataset, train: bool) -> Result<Pair, DataError> {
    let [train_images, train_labels, test_images, test_labels] = &dataset.files;
    let (images, labels) = if train { (train_images, train_labels) } else { (test_images, test_labels) };
    let image_file = find(dataset, images)?.path;
    let label_file = find(dataset, labels)?.path;
    let images = check(dataset, images, &image_file)?;
    let labels = check(dataset, labels, &label_file)?;
    let damaged = |path: &Path, message: String| DataError::Damaged {
        dataset: dataset.name,
        path: path.to_owned(),
        message,
    };
    let (shape, at) = header(&images).map_err(|message| damaged(&image_file, message))?;
    let [count, rows, columns] = shape[..] else {
        return Err(damaged(&image_file, format!("{} axes instead of 3", shape.len())));
    };
    let mut pixels = images;
    pixels.drain(..at);
    let (shape, at) = header(&labels).map_err(|message| damaged(&label_file, message))?;
    if shape != [count] {
        return Err(damaged(&label_file, format!("it has labels {shape:?} for {count} images")));
    }
    let labels = labels[at..].to_vec();
    if let Some(label) = labels.iter().find(|&&label| usize::from(label) >= dataset.classes.len()) {
        return Err(damaged(&label_file, format!("it has the label {label}")));
    }
    Ok(Pair { images: Images { count, rows, columns, pixels }, labels })
}

/// Reads and decompresses a file, and verifies its length and SHA-256.
pub fn check(dataset: &'static Dataset, file: &PartFile, path: &Path) -> Result<Vec<u8>, DataError> {
    let io = |source| DataError::Io { path: path.to_owned(), source };
    let opened = File::open(path).map_err(io)?;
    match uncompress(file, opened).map_err(io)? {
        Ok(bytes) => Ok(bytes),
        Err(message) => Err(DataError::Damaged { dataset: dataset.name, path: path.to_owned(), message }),
    }
}

/// Decompresses (if necessary) and verifies a file's bytes; the inner error describes wrong content, the outer one a failed read.
pub(crate) fn uncompress(file: &PartFile, mut source: impl Read) -> std::io::Result<Result<Vec<u8>, String>> {
    let mut start = Vec::new();
    source.by_ref().take(2).read_to_end(&mut start)?;
    let compressed = start == [0x1f, 0x8b];
    let source = std::io::Cursor::new(start).chain(source);
    let mut bytes = Vec::with_capacity(usize::try_from(file.bytes).unwrap_or(0));
    // One byte more than expected is enough to detect that there are too many.
    let limit = file.bytes + 1;
    if compressed {
        if let Err(error) = MultiGzDecoder::new(source).take(limit).read_to_end(&mut bytes) {
            let kind = error.kind();
            return match kind {
                std::io::ErrorKind::UnexpectedEof if bytes.len() as u64 >= file.bytes => {
                    Ok(Err("gzip: its end is damaged, or something follows it".to_owned()))
                }
                std::io::ErrorKind::UnexpectedEof => Ok(Err("it ends too early".to_owned())),
                std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData => {
                    Ok(Err(format!("gzip: {error}")))
                }
                _ => Err(error),
            };
        }
    } else {
        source.take(limit).read_to_end(&mut bytes)?;
    }
    let length = bytes.len() as u64;
    if length != file.bytes {
        let than = if length > file.bytes { "more than " } else { "" };
        let length = length.min(file.bytes);
        return Ok(Err(format!("it has {than}{length} bytes instead of {}", file.bytes)));
    }
    let sum = Sha256::digest(&bytes).iter().fold(String::new(), |sum, byte| sum + &format!("{byte:02x}"));
    if sum != file.sha256 {
        return Ok(Err(format!("its content has SHA-256 {sum}, expected {}", file.sha256)));
    }
    Ok(Ok(bytes))
}

/// Parses the header of an IDX file of bytes: its shape, and the offset of the values.
fn header(bytes: &[u8]) -> Result<(Vec<usize>, usize), String> {
    let [0, 0, 8, axes] = bytes.get(..4).unwrap_or_default()[..] else {
        return Err("it does not begin like an IDX file of bytes".to_owned());
    };
    let at = 4 + 4 * usize::from(axes);
    let sizes = bytes.get(4..at).ok_or("its header ends too early")?;
    let shape: Vec<usize> = sizes
        .chunks_exact(4)
        .map(|size| size.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)))
        .collect();
    let expected = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    if expected != Some(bytes.len() - at) {
        return Err(format!("its header says {shape:?}, it has {} values", bytes.len() - at));
    }
    Ok((shape, at))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn headers() {
        let good = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];
        assert_eq!(header(&good).unwrap(), (vec![2, 3], 12));
        assert!(header(&good[..17]).unwrap_err().contains("says [2, 3], it has 5 values"));
        assert!(header(&good[..9]).unwrap_err().contains("header ends too early"));
        for bad in [&good[..3], &[1, 0, 8, 2], &[0, 0, 13, 1], b"<htm"] {
            assert!(header(bad).unwrap_err().contains("does not begin like an IDX file"));
        }
        // A header that multiplies to more than memory has.
        let huge = [0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255];
        assert!(header(&huge).is_err());
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let content = b"hello".as_slice();
        let file = PartFile {
            name: "x.gz",
            bytes: 5,
            sha256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        };
        let gzip = |content: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        };
        let result = |bytes: &[u8]| uncompress(&file, bytes).unwrap();
        assert_eq!(result(content).unwrap(), content);
        let whole = gzip(content);
        assert_eq!(result(&whole).unwrap(), content);
        for length in 2..whole.len() {
            let why = result(&whole[..length]).unwrap_err();
            assert!(why.contains("too early") || why.contains("gzip"), "{length}: {why}");
        }
        assert!(result(&[]).unwrap_err().contains("0 bytes instead of 5"));
        assert!(result(&gzip(b"hell")).unwrap_err().contains("4 bytes instead of 5"));
        assert!(result(&gzip(b"hello, world")).unwrap_err().contains("more than 5 bytes"));
        assert!(result(&gzip(b"jello")).unwrap_err().contains("SHA-256"));
        for at in 10..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x40;
            // The bits that fill up deflate's last byte mean nothing.
            assert!(result(&changed).map_or(true, |seen| seen == content), "byte {at} changed unseen");
        }
    }
}
