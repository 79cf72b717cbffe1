//! Data sets of small grey images, as tensors: MNIST and Fashion-MNIST.
//!
//! Files are searched for in the folders that [`gradtop_data::places`] documents, verified by SHA-256, and parsed once per
//! process; all users share the bytes. Tensors are created from them on demand, on the device where they are needed.

use std::sync::{Arc, Mutex, PoisonError};

use gradtop_data::{DATASETS, DataError, Pair};
use tch::{Device, Kind, TchError, Tensor};

use crate::rng::{Rng, Stream};

/// Rows and columns of every image.
pub(crate) const SIDE: i64 = 28;
/// Pixels of an image.
pub const PIXELS: i64 = SIDE * SIDE;
/// Number of classes of every data set here.
pub const CLASSES: i64 = 10;

/// A data set with its training and test set.
#[derive(Debug)]
pub struct Dataset {
    /// Name of its folder, such as `mnist`.
    pub name: &'static str,
    /// Title for display, such as `MNIST`.
    pub title: &'static str,
    /// The classes, by label.
    pub classes: [&'static str; 10],
    /// 60,000 images to train on.
    pub train: Split,
    /// 10,000 images to test with.
    pub test: Split,
}

/// Images and their labels.
#[derive(Clone, Debug)]
pub struct Split {
    pixels: Arc<[u8]>,
    labels: Arc<[u8]>,
    mean: f64,
    std: f64,
}

/// Returns the 70,000 handwritten digits. Their features are normalised by mean 0.1307 and standard deviation 0.3081.
pub fn mnist() -> Result<Arc<Dataset>, DataError> {
    load("mnist")
}

/// Returns the data set of this name, which is parsed at the first call.
///
/// # Errors
/// The name is unknown, or a file is missing, short or corrupt; the message says which, where it was searched for, and
/// what to do.
pub fn load(name: &str) -> Result<Arc<Dataset>, DataError> {
    static LOADED: Mutex<[Option<Arc<Dataset>>; DATASETS.len()]> =
        Mutex::new([const { None }; DATASETS.len()]);
    let index = DATASETS
        .iter()
        .position(|known| known.name == name)
        .ok_or_else(|| DataError::Unknown { name: name.to_owned() })?;
    // Held while reading, so that a second caller waits for the first.
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(dataset) = &loaded[index] {
        return Ok(Arc::clone(dataset));
    }
    let known = &DATASETS[index];
    let split = |train| -> Result<Split, DataError> {
        let Pair { images, labels } = gradtop_data::read(known, train)?;
        Ok(Split { pixels: images.pixels.into(), labels: labels.into(), mean: known.mean, std: known.std })
    };
    let dataset = Arc::new(Dataset {
        name: known.name,
        title: known.title,
        classes: known.classes,
        train: split(true)?,
        test: split(false)?,
    });
    loaded[index] = Some(Arc::clone(&dataset));
    Ok(dataset)
}

impl Split {
    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Returns the label of each image.
    pub fn label_values(&self) -> &[u8] {
        &self.labels
    }

    /// Returns the pixels of one image, row by row, from 0 (background) to 255.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn image(&self, index: usize) -> &[u8] {
        &self.pixels[index * PIXELS as usize..(index + 1) * PIXELS as usize]
    }

    /// Returns the number of images of each class.
    pub fn histogram(&self) -> [usize; 10] {
        let mut counts = [0; 10];
        self.labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
        counts
    }

    /// Returns grey values from 0 to 255: `u8 [n, 784]`.
    pub fn images(&self, device: Device) -> Result<Tensor, TchError> {
        Tensor::f_from_slice(&self.pixels)?.f_view([-1, PIXELS])?.f_to_device(device)
    }

    /// Returns features `(pixel / 255 − mean) / std` with the mean and standard deviation of the whole training set:
    /// `f32 [n, 784]`.
    pub fn features(&self, device: Device) -> Result<Tensor, TchError> {
        let mut features = self.images(device)?.f_to_kind(Kind::Float)?;
        features.f_mul_scalar_(1.0 / (255.0 * self.std)).map(drop)?;
        features.f_sub_scalar_(self.mean / self.std)
    }

    /// Returns labels from 0 to 9: `i64 [n]`.
    pub fn labels(&self, device: Device) -> Result<Tensor, TchError> {
        Tensor::f_from_slice(&self.labels)?.f_to_kind(Kind::Int64)?.f_to_device(device)
    }

    /// Returns `count` images drawn without replacement, in random order. The same seed gives the same images, and a smaller
    /// subset is the beginning of a larger one. If `count` is at least the number of images, returns all in random order.
    #[must_use]
    pub fn subset(&self, count: usize, seed: u64) -> Self {
        let mut order = vec![0; self.len()];
        Rng::new(seed, Stream::named("data/subset"), 0).permute(&mut order);
        order.truncate(count);
        let chosen = order.iter().map(|&i| i as usize);
        Self {
            pixels: chosen.clone().flat_map(|i| self.image(i).iter().copied()).collect(),
            labels: chosen.map(|i| self.labels[i]).collect(),
            mean: self.mean,
            std: self.std,
        }
    }
}
