//! The dimensions of a convolution, and the working memory of a thread.

use std::ops::{Deref, DerefMut};

use crate::lanes::{Group, LANES};

/// Number of neighbours in a pooling window, row by row.
pub(super) const PHASES: u8 = 4;

/// The dimensions of a convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub(super) kernel: usize,
    pub(super) padding: usize,
    pub(super) inputs: usize,
    pub(super) channels: usize,
    /// Rows and columns of the input.
    pub(super) side: usize,
    /// Rows and columns after pooling.
    pub(super) out: usize,
}

impl Form {
    /// Rows and columns with the padding.
    pub(super) fn padded(&self) -> usize {
        self.side + 2 * self.padding
    }

    pub(super) fn image(&self) -> usize {
        self.side * self.side * self.inputs
    }

    pub(super) fn pooled(&self) -> usize {
        self.out * self.out * self.channels
    }

    /// Returns the length of a kernel's row, which is contiguous in an image too.
    pub(super) fn run(&self) -> usize {
        self.kernel * self.inputs
    }

    /// Returns the number of groups needed for this many numbers.
    pub(super) fn groups(numbers: usize) -> usize {
        numbers.div_ceil(LANES)
    }
}

/// Numbers aligned to a cache line: a load across two lines takes twice as long.
pub(super) struct Buffer {
    memory: Vec<f32>,
    start: usize,
    length: usize,
}

impl Buffer {
    /// Creates a buffer of zeros.
    pub(super) fn new(length: usize) -> Self {
        let memory = vec![0.0; length + LANES];
        let start = memory.as_ptr().align_offset(size_of::<Group>()).min(LANES);
        Self { memory, start, length }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory[self.start..][..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..][..self.length]
    }
}

/// The working memory of a thread.
pub(super) struct Scratch {
    /// The padded image, and one more group.
    pub(super) image: Buffer,
    /// The gradient of `image`.
    pub(super) below: Buffer,
    /// Two rows of the convolution.
    pub(super) rows: [Buffer; 2],
    /// Each pixel with its neighbours to the right, below, and below right.
    pub(super) fours: Vec<[f32; 4]>,
    /// For each channel the nonzero entries of its gradient, with the position of the window in the image.
    pub(super) entries: Vec<(u32, f32)>,
}

impl Scratch {
    pub(super) fn new(form: &Form) -> Self {
        let image = form.padded() * form.padded() * form.inputs + LANES;
        let row = 2 * form.out * Form::groups(form.channels) * LANES;
        Self {
            image: Buffer::new(image),
            below: Buffer::new(image),
            rows: [Buffer::new(row), Buffer::new(row)],
            fours: vec![[0.0; 4]; form.padded() * form.padded()],
            entries: vec![(0, 0.0); form.pooled()],
        }
    }

    /// Copies an image into the padded one.
    #[inline(always)]
    pub(super) fn pad(&mut self, form: &Form, image: &[f32]) {
        let row = form.side * form.inputs;
        let start = (form.padding * form.padded() + form.padding) * form.inputs;
        let into = self.image[start..].chunks_mut(form.padded() * form.inputs);
        for (into, from) in into.zip(image.chunks_exact(row)) {
            into[..row].copy_from_slice(from);
        }
    }

    /// Fills `fours` from a padded image with one channel.
    #[inline(always)]
    pub(super) fn neighbours(&mut self, form: &Form) {
        let side = form.padded();
        for y in 0..side - 1 {
            let (above, below) = (&self.image[y * side..][..side], &self.image[(y + 1) * side..][..side]);
            let into = &mut self.fours[y * side..][..side - 1];
            for (x, four) in into.iter_mut().enumerate() {
                *four = [above[x], above[x + 1], below[x], below[x + 1]];
            }
        }
    }
}
