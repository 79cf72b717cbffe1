//! The images of the training and the test set, natural or made meaningless.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::data::{PIXELS, Split};
use gradtop_toolkit::rng::{Rng, Stream};
use tch::{Device, Tensor};

use super::plan::Pixels;

/// Normalised features of both sets, `f32 [images, 784]` each.
#[derive(Debug)]
pub struct Inputs {
    /// Of the training images.
    pub train: Tensor,
    /// Of the test images.
    pub test: Tensor,
}

impl Inputs {
    /// Creates the images of these splits. The result for an image does not depend on their number.
    pub fn new(pixels: Pixels, train: &Split, test: &Split, seed: u64, device: Device) -> Result<Self> {
        let order = permutation(Rng::new(seed, Stream::named("random-labels/shuffled-pixels"), 0));
        let of = |split: &Split, member: u32| -> Result<Tensor> {
            let images = split.len();
            let drawn = |purpose: &str, image: usize| {
                Rng::new(seed, Stream::named(purpose).member(member), image as u32)
            };
            let features = split.features(device)?;
            Ok(match pixels {
                Pixels::Natural => features,
                Pixels::Shuffled => {
                    features.f_index_select(1, &Tensor::f_from_slice(&order)?.f_to_device(device)?)?
                }
                Pixels::Random => {
                    let orders: Vec<i64> = (0..images)
                        .flat_map(|image| permutation(drawn("random-labels/random-pixels", image)))
                        .collect();
                    let orders = Tensor::f_from_slice(&orders)?.f_view([-1, PIXELS])?.f_to_device(device)?;
                    features.f_gather(1, &orders, false)?
                }
                Pixels::Gaussian => {
                    // Features have mean 0 and standard deviation 1 over the training set.
                    let noise: Vec<f32> = (0..images)
                        .flat_map(|image| {
                            let mut rng = drawn("random-labels/gaussian", image);
                            (0..PIXELS).map(move |_| rng.normal() as f32)
                        })
                        .collect();
                    Tensor::f_from_slice(&noise)?.f_view([-1, PIXELS])?.f_to_device(device)?
                }
            })
        };
        Ok(Self { train: of(train, 0)?, test: of(test, 1)? })
    }
}

fn permutation(mut rng: Rng) -> Vec<i64> {
    let mut order = vec![0; PIXELS as usize];
    rng.permute(&mut order);
    order
}
