//! Handles signals.

use std::io;
use std::sync::mpsc::Sender;

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::Signals;

use super::Event;
use crate::app::Msg;

/// Starts handling signals: each makes the monitor quit in order. The runs continue.
pub(super) fn start(tx: &Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGCONT, SIGWINCH])?;
    let tx = tx.clone();
    let listen = move || {
        for signal in signals.forever() {
            let event = match signal {
                SIGTSTP => Event::Suspend,
                SIGCONT => Event::Continued,
                SIGWINCH => Event::Resized,
                // They are meant for the program that has the terminal.
                SIGINT | SIGQUIT if !super::terminal::is_ours() => continue,
                _ => Event::Msg(Msg::Quit),
            };
            if tx.send(event).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(listen).map(drop)
}
