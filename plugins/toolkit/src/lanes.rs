//! Sixteen numbers at a time: vector instructions as functions that are safe to call, and tensors as slices. Together
//! with `plugins/torch/src/raw.rs` the only unsafe code of the plugins.
//!
//! A program is compiled for every x86-64 processor; the instructions available are detected at run time. A value of a
//! [`Lanes`] type exists only if the processor has its instructions, which makes the functions safe.

#![expect(
    clippy::inline_always,
    reason = "instructions are only used in functions compiled for them, which these become part of"
)]
#![expect(unsafe_code, reason = "vector instructions and the memory of tensors")]

use std::arch::x86_64::{
    __m256, __m256i, __m512, __m512i, _CMP_NEQ_UQ, _mm_add_ps, _mm_add_ss, _mm_cmpeq_epi8, _mm_cvtss_f32,
    _mm_loadu_ps, _mm_loadu_si128, _mm_movehdup_ps, _mm_movehl_ps, _mm_movemask_epi8, _mm_set1_epi8,
    _mm_srli_si128, _mm256_add_ps, _mm256_broadcast_ps, _mm256_castps256_ps128, _mm256_cmp_ps,
    _mm256_cvtepu8_epi32, _mm256_extractf128_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_movemask_ps,
    _mm256_permutevar_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps, _mm512_broadcast_f32x4,
    _mm512_castps512_ps256, _mm512_cmp_ps_mask, _mm512_cvtepu8_epi32, _mm512_extractf32x8_ps,
    _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_permutevar_ps, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_storeu_ps,
};

use std::marker::PhantomData;
use std::ops::Range;

use tch::{Device, Kind, TchError, Tensor};

/// Number of elements processed at a time.
pub(crate) const LANES: usize = 16;

/// Sixteen numbers.
pub(crate) type Group = [f32; LANES];

/// The operations of a processor on sixteen numbers at a time.
pub(crate) trait Lanes: Copy {
    /// Whether there are 32 registers of sixteen numbers, instead of 16 of eight.
    const WIDE: bool;
    type Vector: Copy;
    /// For each number one of four positions.
    type Places: Copy;

    fn all(self, value: f32) -> Self::Vector;
    fn load(self, from: &Group) -> Self::Vector;
    fn store(self, vector: Self::Vector, into: &mut Group);
    /// Returns sum + a · b, rounded once.
    fn add_product(self, sum: Self::Vector, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Returns the sum of all: of its halves, then of the halves of that, and so on.
    fn total(self, vector: Self::Vector) -> f32;
    fn places(self, of: &[u8; LANES]) -> Self::Places;
    /// Returns for each number the one of the four at its position.
    fn pick(self, from: &[f32; 4], places: Self::Places) -> Self::Vector;
    /// Returns one bit for each number that is not 0.
    fn not_zero(self, vector: Self::Vector) -> u32;
    /// Returns one bit for each position that is `place`.
    fn are(self, places: &[u8; LANES], place: u8) -> u32;
}

/// Work that is compiled for each kind of processor. `run` and what it calls must be `inline(always)`.
pub(crate) trait Job {
    fn run<L: Lanes>(self, lanes: L);
}

/// The instructions of this processor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Processor(Set);

#[derive(Clone, Copy, Debug)]
enum Set {
    Wide(Avx512),
    Narrow(Avx2),
}

impl Processor {
    /// Returns the widest available; `None` on a processor without AVX2.
    pub(crate) fn best() -> Option<Self> {
        let wide = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        let narrow = Self::narrow()?;
        Some(if wide { Self(Set::Wide(Avx512(()))) } else { narrow })
    }

    /// Returns AVX2 and FMA, even if more is available.
    pub(crate) fn narrow() -> Option<Self> {
        let has = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        has.then_some(Self(Set::Narrow(Avx2(()))))
    }

    /// Runs a job with these instructions.
    pub(crate) fn run(self, job: impl Job) {
        match self.0 {
            // SAFETY: the value was made where the processor has these instructions.
            Set::Wide(lanes) => unsafe { run_wide(lanes, job) },
            // SAFETY: as above.
            Set::Narrow(lanes) => unsafe { run_narrow(lanes, job) },
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn run_wide(lanes: Avx512, job: impl Job) {
    job.run(lanes);
}

#[target_feature(enable = "avx2,fma")]
fn run_narrow(lanes: Avx2, job: impl Job) {
    job.run(lanes);
}

/// Only created by [`Processor`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

/// Only created by [`Processor`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Lanes for Avx512 {
    const WIDE: bool = true;
    type Vector = __m512;
    type Places = __m512i;

    #[inline(always)]
    fn all(self, value: f32) -> __m512 {
        // SAFETY: `self` exists, so the processor has AVX-512.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn load(self, from: &Group) -> __m512 {
        // SAFETY: as above; the reference is to sixteen numbers, at any address.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, vector: __m512, into: &mut Group) {
        // SAFETY: as above.
        unsafe { _mm512_storeu_ps(into.as_mut_ptr(), vector) }
    }

    #[inline(always)]
    fn add_product(self, sum: __m512, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as in `all`.
        unsafe { _mm512_fmadd_ps(a, b, sum) }
    }

    #[inline(always)]
    fn total(self, vector: __m512) -> f32 {
        // SAFETY: as in `all`.
        let low = unsafe { _mm512_castps512_ps256(vector) };
        // SAFETY: as in `all`.
        let high = unsafe { _mm512_extractf32x8_ps::<1>(vector) };
        // SAFETY: a processor with AVX-512 has AVX2 too.
        unsafe { total_of_halves(low, high) }
    }

    #[inline(always)]
    fn places(self, of: &[u8; LANES]) -> __m512i {
        // SAFETY: the reference is to sixteen bytes, at any address.
        let bytes = unsafe { _mm_loadu_si128(of.as_ptr().cast()) };
        // SAFETY: as in `all`.
        unsafe { _mm512_cvtepu8_epi32(bytes) }
    }

    #[inline(always)]
    fn pick(self, from: &[f32; 4], places: __m512i) -> __m512 {
        // SAFETY: the reference is to four numbers, at any address.
        let four = unsafe { _mm_loadu_ps(from.as_ptr()) };
        // SAFETY: as in `all`.
        let repeated = unsafe { _mm512_broadcast_f32x4(four) };
        // SAFETY: as in `all`.
        unsafe { _mm512_permutevar_ps(repeated, places) }
    }

    #[inline(always)]
    fn not_zero(self, vector: __m512) -> u32 {
        // SAFETY: as in `all`.
        let zero = unsafe { _mm512_setzero_ps() };
        // SAFETY: as in `all`.
        u32::from(unsafe { _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(vector, zero) })
    }

    #[inline(always)]
    fn are(self, places: &[u8; LANES], place: u8) -> u32 {
        equal_bytes(places, place)
    }
}

impl Lanes for Avx2 {
    const WIDE: bool = false;
    type Vector = [__m256; 2];
    type Places = [__m256i; 2];

    #[inline(always)]
    fn all(self, value: f32) -> [__m256; 2] {
        // SAFETY: `self` exists, so the processor has AVX2 and FMA.
        [unsafe { _mm256_set1_ps(value) }; 2]
    }

    #[inline(always)]
    fn load(self, from: &Group) -> [__m256; 2] {
        let (halves, _) = from.as_chunks::<8>();
        // SAFETY: as above; the reference is to eight numbers, at any address.
        let low = unsafe { _mm256_loadu_ps(halves[0].as_ptr()) };
        // SAFETY: as above.
        let high = unsafe { _mm256_loadu_ps(halves[1].as_ptr()) };
        [low, high]
    }

    #[inline(always)]
    fn store(self, vector: [__m256; 2], into: &mut Group) {
        let (halves, _) = into.as_chunks_mut::<8>();
        // SAFETY: as in `load`.
        unsafe { _mm256_storeu_ps(halves[0].as_mut_ptr(), vector[0]) };
        // SAFETY: as in `load`.
        unsafe { _mm256_storeu_ps(halves[1].as_mut_ptr(), vector[1]) };
    }

    #[inline(always)]
    fn add_product(self, sum: [__m256; 2], a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: as in `all`.
        let low = unsafe { _mm256_fmadd_ps(a[0], b[0], sum[0]) };
        // SAFETY: as in `all`.
        let high = unsafe { _mm256_fmadd_ps(a[1], b[1], sum[1]) };
        [low, high]
    }

    #[inline(always)]
    fn total(self, [low, high]: [__m256; 2]) -> f32 {
        // SAFETY: as in `all`.
        unsafe { total_of_halves(low, high) }
    }

    #[inline(always)]
    fn places(self, of: &[u8; LANES]) -> [__m256i; 2] {
        // SAFETY: the reference is to sixteen bytes, at any address.
        let bytes = unsafe { _mm_loadu_si128(of.as_ptr().cast()) };
        // SAFETY: as in `all`.
        let above = unsafe { _mm_srli_si128::<8>(bytes) };
        // SAFETY: as in `all`.
        let low = unsafe { _mm256_cvtepu8_epi32(bytes) };
        // SAFETY: as in `all`.
        let high = unsafe { _mm256_cvtepu8_epi32(above) };
        [low, high]
    }

    #[inline(always)]
    fn pick(self, from: &[f32; 4], places: [__m256i; 2]) -> [__m256; 2] {
        // SAFETY: the reference is to four numbers, at any address.
        let four = unsafe { _mm_loadu_ps(from.as_ptr()) };
        // SAFETY: as in `all`.
        let repeated = unsafe { _mm256_broadcast_ps(&four) };
        // SAFETY: as in `all`.
        let low = unsafe { _mm256_permutevar_ps(repeated, places[0]) };
        // SAFETY: as in `all`.
        let high = unsafe { _mm256_permutevar_ps(repeated, places[1]) };
        [low, high]
    }

    #[inline(always)]
    fn not_zero(self, vector: [__m256; 2]) -> u32 {
        // SAFETY: as in `all`.
        let zero = unsafe { _mm256_setzero_ps() };
        let mut bits = 0;
        for (half, shift) in vector.into_iter().zip([0, 8]) {
            // SAFETY: as in `all`.
            let differ = unsafe { _mm256_cmp_ps::<_CMP_NEQ_UQ>(half, zero) };
            // SAFETY: as in `all`.
            bits |= (unsafe { _mm256_movemask_ps(differ) } as u32) << shift;
        }
        bits
    }

    #[inline(always)]
    fn are(self, places: &[u8; LANES], place: u8) -> u32 {
        equal_bytes(places, place)
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn total_of_halves(low: __m256, high: __m256) -> f32 {
    let eight = _mm256_add_ps(low, high);
    let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}

/// Returns one bit for each byte that is `byte`.
#[inline(always)]
fn equal_bytes(bytes: &[u8; LANES], byte: u8) -> u32 {
    // SAFETY: the reference is to sixteen bytes, at any address; every x86-64 processor has SSE2.
    let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
    // SAFETY: as above.
    let wanted = unsafe { _mm_set1_epi8(byte.cast_signed()) };
    // SAFETY: as above.
    let equal = unsafe { _mm_cmpeq_epi8(bytes, wanted) };
    // SAFETY: as above.
    unsafe { _mm_movemask_epi8(equal) as u32 }
}

/// The layout of matrices in the memory of an f32 tensor on the CPU.
#[derive(Clone, Copy)]
pub(crate) struct Form<'a> {
    pub(crate) parts: usize,
    pub(crate) part_step: usize,
    pub(crate) rows: usize,
    pub(crate) row_step: usize,
    pub(crate) columns: usize,
    pub(crate) column_step: usize,
    extent: Extent,
    tensor: PhantomData<&'a Tensor>,
}

impl<'a> Form<'a> {
    /// Returns `None` if it is not such a tensor, or empty.
    pub(crate) fn of(tensor: &'a Tensor) -> Option<Self> {
        if !is_plain(tensor) {
            return None;
        }
        let (size, steps) = (tensor.size(), tensor.stride());
        let (size, steps) = match (size.as_slice(), steps.as_slice()) {
            (&[rows, columns], &[row_step, column_step]) => ([1, rows, columns], [0, row_step, column_step]),
            (&[a, b, c], &[x, y, z]) => ([a, b, c], [x, y, z]),
            _ => return None,
        };
        let extent = Extent::of(tensor, &size, &steps)?;
        let [parts, rows, columns] = size.map(|n| n as usize);
        let [part_step, row_step, column_step] = steps.map(|n| n as usize);
        // The stride of an axis of length one is arbitrary.
        let column_step = if columns == 1 { 1 } else { column_step };
        Some(Self { parts, part_step, rows, row_step, columns, column_step, extent, tensor: PhantomData })
    }
}

/// Where the first number of a tensor is, and how many there are up to the last, including gaps.
#[derive(Clone, Copy)]
struct Extent {
    start: *mut f32,
    length: usize,
}

impl Extent {
    /// Returns `None` if there are no numbers.
    fn of(tensor: &Tensor, size: &[i64], steps: &[i64]) -> Option<Self> {
        let last: i64 = size.iter().zip(steps).map(|(size, step)| (size - 1) * step).sum();
        let some = !size.contains(&0);
        some.then(|| Self { start: tensor.data_ptr().cast(), length: last as usize + 1 })
    }

    fn range(self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.length * size_of::<f32>()
    }
}

fn is_plain(tensor: &Tensor) -> bool {
    tensor.kind() == Kind::Float && tensor.device() == Device::Cpu
}

/// Passes the memory of tensors to `work`, each from its first number to its last: `read` to be read, `write` to be written.
///
/// # Errors
/// A tensor to be written shares memory with another.
pub(crate) fn with_forms<const R: usize, const W: usize, T>(
    read: [&Form<'_>; R],
    write: [&Form<'_>; W],
    work: impl FnOnce([&[f32]; R], [&mut [f32]; W]) -> T,
) -> Result<T, TchError> {
    hand_out(read.map(|form| form.extent), write.map(|form| form.extent), work)
}

/// Like [`with_forms`], for contiguous tensors of any shape.
///
/// # Errors
/// A tensor is not contiguous, not `f32`, not on the CPU or empty, or one to be written shares memory with another.
pub(crate) fn with_memory<const R: usize, const W: usize, T>(
    read: [&Tensor; R],
    write: [&mut Tensor; W],
    work: impl FnOnce([&[f32]; R], [&mut [f32]; W]) -> T,
) -> Result<T, TchError> {
    let write = write.map(|tensor| &*tensor);
    let plain = |tensor: &&Tensor| is_plain(tensor) && tensor.is_contiguous() && tensor.numel() > 0;
    if !read.iter().chain(&write).all(plain) {
        return Err(TchError::Shape("this needs contiguous tensors of f32 on the CPU".to_owned()));
    }
    let extent = |tensor: &Tensor| Extent { start: tensor.data_ptr().cast(), length: tensor.numel() };
    hand_out(read.map(extent), write.map(extent), work)
}

fn hand_out<const R: usize, const W: usize, T>(
    read: [Extent; R],
    write: [Extent; W],
    work: impl FnOnce([&[f32]; R], [&mut [f32]; W]) -> T,
) -> Result<T, TchError> {
    let apart = |a: Extent, b: Extent| a.range().end <= b.range().start || b.range().end <= a.range().start;
    let shared = (0..W).any(|i| !read.iter().chain(&write[..i]).all(|&other| apart(write[i], other)));
    if shared {
        return Err(TchError::Shape("tensors that are written must not share memory with others".to_owned()));
    }
    // SAFETY: the pointer is to as many f32 of a CPU tensor, which is borrowed for this call; nothing that is written
    // overlaps them, and tensors belong to one thread.
    let read = read.map(|of| unsafe { std::slice::from_raw_parts(of.start, of.length) });
    // SAFETY: as above; nothing else overlaps them.
    let write = write.map(|of| unsafe { std::slice::from_raw_parts_mut(of.start, of.length) });
    Ok(work(read, write))
}
