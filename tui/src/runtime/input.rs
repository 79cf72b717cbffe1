//! Keys, mouse and size, as the terminal tells them.

use std::io;
use std::sync::mpsc::Sender;

use crossterm::event::{Event as Input, KeyEventKind, MouseEventKind};

use super::Event;
use crate::app::Msg;

/// Starts reading, on a thread that lives as long as the process: nothing can wake it from waiting for a key.
pub(super) fn start(tx: &Sender<Event>) -> io::Result<()> {
    let tx = tx.clone();
    let read = move || {
        loop {
            let msg = match crossterm::event::read() {
                Ok(Input::Key(key)) if key.kind == KeyEventKind::Release => continue,
                Ok(Input::Key(key)) => Msg::Key(key),
                Ok(Input::Mouse(mouse)) if mouse.kind == MouseEventKind::Moved => continue,
                Ok(Input::Mouse(mouse)) => Msg::Mouse(mouse),
                Ok(Input::Paste(text)) => Msg::Paste(text),
                Ok(Input::Resize(width, height)) => Msg::Resize(width, height),
                Ok(Input::FocusGained | Input::FocusLost) => continue,
                // The terminal is gone.
                Err(_) => Msg::Quit,
            };
            let last = matches!(msg, Msg::Quit);
            if tx.send(msg.into()).is_err() || last {
                return;
            }
        }
    };
    std::thread::Builder::new().name("input".to_owned()).spawn(read).map(drop)
}
