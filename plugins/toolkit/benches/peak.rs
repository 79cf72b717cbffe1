//! Multiplications and additions a second when matrices of single precision are multiplied all the time: what a training step could
//! reach at most. `peak [--threads 1]` prints one JSON line; the scripts in `benches/` set their figures against it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for measuring")]

use std::time::Instant;

use gradtop_toolkit::dense::product;
use gradtop_toolkit::runtime::set_threads;
use tch::{Device, Kind, Tensor};

const SIZE: i64 = 512;

fn main() {
    let threads = std::env::args().skip_while(|a| a != "--threads").nth(1);
    set_threads(threads.map_or(1, |n| n.parse().unwrap()));
    let of = |_| Tensor::rand([SIZE, SIZE], (Kind::Float, Device::Cpu));
    let ([a, b], out) = ([0, 1].map(of), Tensor::zeros([SIZE, SIZE], (Kind::Float, Device::Cpu)));
    // By whoever is faster here.
    let lowest = (0..200)
        .map(|i| {
            let start = Instant::now();
            if i % 2 == 0 { a.f_mm_out(&out, &b).map(drop) } else { product(&out, &a, &b) }.unwrap();
            start.elapsed()
        })
        .min()
        .unwrap();
    println!("{{\"multiplications_per_s\": {:.0}}}", (SIZE * SIZE * SIZE) as f64 / lowest.as_secs_f64());
}
