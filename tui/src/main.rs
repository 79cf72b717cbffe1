//! The binary `gradtop`: every command, and (as its own child) keeper, trainer and describing process.

mod chart;
mod print;

fn main() {
    let _ = print::terminal();
}
