//! Decodes terminal input into keys, mouse events, pasted text and responses.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

/// An input from the terminal.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Input {
    Key(KeyEvent),
    Mouse(MouseEvent),
    Paste(String),
    /// The response to our status query.
    Answer,
    /// The terminal gained or lost the focus.
    Focus(bool),
}

/// How incomplete the buffered input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfinished {
    Nothing,
    /// A lone escape, which may be a key or the beginning of a sequence.
    Escape,
    /// An incomplete sequence, which no key sends in pieces.
    Sequence,
}

const ESC: u8 = 0x1b;
/// Only pasted text is longer.
const LONGEST: usize = 64;
/// The status responses, after an escape: the terminal works, or does not; either will do.
const ANSWERS: [&[u8]; 2] = [b"[0n", b"[3n"];
const PASTED: &[u8] = b"200~";
const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// Decodes bytes, in whatever pieces they arrive.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    bytes: Vec<u8>,
    /// An escape was taken for the key, but may have begun a response.
    torn: bool,
}

/// The result of decoding the first bytes.
enum Step {
    /// More bytes are needed.
    More,
    /// So many bytes are this input, or are ignored.
    Take(usize, Option<Input>),
}

impl Decoder {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the next complete input. `due`: a response is expected.
    pub(super) fn next(&mut self, due: bool) -> Option<Input> {
        loop {
            let step = match self.rest_of_answer(due) {
                Some(step) => step,
                None => step(&self.bytes),
            };
            let Step::Take(n, input) = step else { return None };
            self.torn = false;
            self.bytes.drain(..n);
            if input.is_some() {
                return input;
            }
        }
    }

    /// Recognizes the rest of a response whose escape was taken for the key.
    fn rest_of_answer(&self, due: bool) -> Option<Step> {
        if !(self.torn && due) {
            return None;
        }
        if ANSWERS.iter().any(|answer| self.bytes.starts_with(answer)) {
            return Some(Step::Take(3, Some(Input::Answer)));
        }
        ANSWERS.iter().any(|answer| answer.starts_with(&self.bytes)).then_some(Step::More)
    }

    pub(super) fn unfinished(&self) -> Unfinished {
        match self.bytes[..] {
            [] => Unfinished::Nothing,
            [ESC] => Unfinished::Escape,
            _ => Unfinished::Sequence,
        }
    }

    /// Decodes the buffered bytes by themselves, after nothing followed.
    pub(super) fn give_up(&mut self) -> Option<Input> {
        let bytes = std::mem::take(&mut self.bytes);
        self.torn = bytes == [ESC];
        let key = |code, modifiers| Some(Input::Key(KeyEvent::new(code, modifiers)));
        match bytes[..] {
            [ESC] => key(KeyCode::Esc, KeyModifiers::NONE),
            [ESC, c @ (b'[' | b'O')] => key(KeyCode::Char(char::from(c)), KeyModifiers::ALT),
            [c @ 0x20..0x7f] => key(KeyCode::Char(char::from(c)), KeyModifiers::NONE),
            _ => None,
        }
    }
}

fn step(bytes: &[u8]) -> Step {
    match bytes {
        [] | [ESC] | [ESC, b'O'] => Step::More,
        [ESC, b'[', rest @ ..] => match sequence(rest) {
            Step::Take(n, input) => Step::Take(n + 2, input),
            Step::More => Step::More,
        },
        [ESC, b'O', c, ..] => Step::Take(3, letter(*c, KeyModifiers::NONE).map(Input::Key)),
        [ESC, ESC, ..] => Step::Take(1, Some(Input::Key(KeyCode::Esc.into()))),
        [ESC, rest @ ..] => match plain(rest) {
            Step::Take(n, Some(Input::Key(key))) => {
                let key = KeyEvent::new(key.code, key.modifiers | KeyModifiers::ALT);
                Step::Take(n + 1, Some(Input::Key(key)))
            }
            Step::Take(n, other) => Step::Take(n + 1, other),
            Step::More => Step::More,
        },
        _ => plain(bytes),
    }
}

/// Decodes a character or control character.
fn plain(bytes: &[u8]) -> Step {
    let key = |code, modifiers| Step::Take(1, Some(Input::Key(KeyEvent::new(code, modifiers))));
    let control = |c: u8| key(KeyCode::Char(char::from(c)), KeyModifiers::CONTROL);
    match bytes[0] {
        b'\r' => key(KeyCode::Enter, KeyModifiers::NONE),
        b'\t' => key(KeyCode::Tab, KeyModifiers::NONE),
        0x7f => key(KeyCode::Backspace, KeyModifiers::NONE),
        0 => control(b' '),
        c @ 1..=0x1a => control(c - 1 + b'a'),
        c @ 0x1c..=0x1f => control(c - 0x1c + b'4'),
        first => {
            let length = match first {
                0..0x80 => 1,
                0xc0..0xe0 => 2,
                0xe0..0xf0 => 3,
                _ => 4,
            };
            let whole = bytes.get(..length).unwrap_or(bytes);
            match std::str::from_utf8(whole) {
                Ok(text) => {
                    let char = text.chars().next().map(|c| {
                        let shift = if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
                        Input::Key(KeyEvent::new(KeyCode::Char(c), shift))
                    });
                    Step::Take(length, char)
                }
                Err(e) if e.error_len().is_none() => Step::More,
                Err(_) => Step::Take(1, None),
            }
        }
    }
}

/// Decodes what follows `ESC [`.
fn sequence(bytes: &[u8]) -> Step {
    if bytes.starts_with(PASTED) {
        return pasted(&bytes[PASTED.len()..]);
    }
    let Some(end) = bytes.iter().position(|b| !(0x20..0x40).contains(b)) else {
        return if bytes.len() < LONGEST { Step::More } else { Step::Take(bytes.len(), None) };
    };
    let whole = |input| Step::Take(end + 1, input);
    let text = std::str::from_utf8(&bytes[..end]).unwrap_or_default();
    match bytes[end] {
        // Not a valid sequence: something else begins here.
        0..0x40 | 0x7f.. => Step::Take(end, None),
        c @ (b'I' | b'O') if end == 0 => whole(Some(Input::Focus(c == b'I'))),
        b'n' => whole((!text.starts_with('?')).then_some(Input::Answer)),
        b'M' | b'm' if text.starts_with('<') => {
            whole(mouse(&text[1..], bytes[end] == b'm').map(Input::Mouse))
        }
        // A mouse event in the old encoding, with three more bytes.
        b'M' if end == 0 => {
            if bytes.len() < 4 {
                Step::More
            } else {
                Step::Take(4, None)
            }
        }
        // A function key of the Linux console.
        b'[' if end == 0 => match bytes.get(1) {
            None => Step::More,
            Some(c @ b'A'..=b'E') => Step::Take(2, Some(Input::Key(KeyCode::F(c - b'A' + 1).into()))),
            Some(_) => Step::Take(1, None),
        },
        b'~' => whole(numbered(text).map(Input::Key)),
        c => {
            let held = text.split(';').nth(1).map_or(KeyModifiers::NONE, modifiers);
            whole(letter(c, held).map(Input::Key))
        }
    }
}

fn pasted(bytes: &[u8]) -> Step {
    let end = bytes.windows(PASTE_ENDS.len()).position(|w| w == PASTE_ENDS);
    end.map_or(Step::More, |end| {
        let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
        Step::Take(PASTED.len() + end + PASTE_ENDS.len(), Some(Input::Paste(text)))
    })
}

/// Decodes the modifiers of a key.
fn modifiers(text: &str) -> KeyModifiers {
    let held = text.parse::<u8>().unwrap_or(1).saturating_sub(1);
    let all = [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)];
    all.into_iter().filter(|(bit, _)| held & bit != 0).map(|(_, modifier)| modifier).collect()
}

/// Decodes a key whose sequence ends in a letter.
fn letter(c: u8, held: KeyModifiers) -> Option<KeyEvent> {
    let code = match c {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'M' => KeyCode::Enter,
        b'P'..=b'S' => KeyCode::F(c - b'P' + 1),
        b'Z' => return Some(KeyEvent::new(KeyCode::BackTab, held | KeyModifiers::SHIFT)),
        _ => return None,
    };
    Some(KeyEvent::new(code, held))
}

/// Decodes a key that has a number.
fn numbered(text: &str) -> Option<KeyEvent> {
    let mut parts = text.split(';');
    let code = match parts.next()?.parse::<u8>().ok()? {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        n @ 11..=15 => KeyCode::F(n - 10),
        n @ 17..=21 => KeyCode::F(n - 11),
        n @ 23..=26 => KeyCode::F(n - 12),
        n @ 28..=29 => KeyCode::F(n - 15),
        n @ 31..=34 => KeyCode::F(n - 17),
        _ => return None,
    };
    Some(KeyEvent::new(code, parts.next().map_or(KeyModifiers::NONE, modifiers)))
}

/// Decodes a mouse event; `up`: a button was released.
fn mouse(text: &str, up: bool) -> Option<MouseEvent> {
    let mut parts = text.split(';').map(str::parse::<u16>);
    let [code, column, row] = [parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?];
    let button = match code & 3 {
        0 => Some(MouseButton::Left),
        1 => Some(MouseButton::Middle),
        2 => Some(MouseButton::Right),
        _ => None,
    };
    let kind = match (code & 0b1110_0000, button) {
        (0, Some(button)) if up => MouseEventKind::Up(button),
        (0, Some(button)) => MouseEventKind::Down(button),
        (32, Some(button)) => MouseEventKind::Drag(button),
        (64, _) => match code & 3 {
            0 => MouseEventKind::ScrollUp,
            1 => MouseEventKind::ScrollDown,
            2 => MouseEventKind::ScrollLeft,
            _ => MouseEventKind::ScrollRight,
        },
        // Movements without a button are ignored.
        _ => return None,
    };
    let all = [(4, KeyModifiers::SHIFT), (8, KeyModifiers::ALT), (16, KeyModifiers::CONTROL)];
    let modifiers = all.into_iter().filter(|(bit, _)| code & bit != 0).map(|(_, m)| m).collect();
    Some(MouseEvent { kind, column: column.saturating_sub(1), row: row.saturating_sub(1), modifiers })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    /// Decodes bytes that arrive in these pieces, with a pause after each if `slow`.
    fn read(pieces: &[&[u8]], due: bool, slow: bool) -> Vec<Input> {
        let mut decoder = Decoder::default();
        let mut read = Vec::new();
        for (i, piece) in pieces.iter().enumerate() {
            decoder.feed(piece);
            read.extend(std::iter::from_fn(|| decoder.next(due)));
            if slow || i + 1 == pieces.len() {
                read.extend(decoder.give_up());
            }
        }
        read
    }

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Input {
        Input::Key(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn keys_are_what_terminals_send_for_them() {
        let (none, shift, alt, control) =
            (KeyModifiers::NONE, KeyModifiers::SHIFT, KeyModifiers::ALT, KeyModifiers::CONTROL);
        let table: [(&str, KeyCode, KeyModifiers); 33] = [
            ("q", KeyCode::Char('q'), none),
            ("S", KeyCode::Char('S'), shift),
            ("?", KeyCode::Char('?'), none),
            ("é", KeyCode::Char('é'), none),
            ("日", KeyCode::Char('日'), none),
            ("\r", KeyCode::Enter, none),
            ("\t", KeyCode::Tab, none),
            ("\x7f", KeyCode::Backspace, none),
            ("\x03", KeyCode::Char('c'), control),
            ("\x1a", KeyCode::Char('z'), control),
            ("\n", KeyCode::Char('j'), control),
            ("\x00", KeyCode::Char(' '), control),
            ("\x1f", KeyCode::Char('7'), control),
            ("\x1b", KeyCode::Esc, none),
            ("\x1bx", KeyCode::Char('x'), alt),
            ("\x1b\x7f", KeyCode::Backspace, alt),
            ("\x1b[", KeyCode::Char('['), alt),
            ("\x1b[A", KeyCode::Up, none),
            ("\x1bOB", KeyCode::Down, none),
            ("\x1b[1;5C", KeyCode::Right, control),
            ("\x1b[1;2D", KeyCode::Left, shift),
            ("\x1b[1;3H", KeyCode::Home, alt),
            ("\x1b[F", KeyCode::End, none),
            ("\x1b[4~", KeyCode::End, none),
            ("\x1b[5~", KeyCode::PageUp, none),
            ("\x1b[6;5~", KeyCode::PageDown, control),
            ("\x1b[3~", KeyCode::Delete, none),
            ("\x1b[Z", KeyCode::BackTab, shift),
            ("\x1bOP", KeyCode::F(1), none),
            ("\x1b[15~", KeyCode::F(5), none),
            ("\x1b[24~", KeyCode::F(12), none),
            ("\x1b[1;2R", KeyCode::F(3), shift),
            ("\x1b[[E", KeyCode::F(5), none),
        ];
        for (bytes, code, modifiers) in table {
            assert_eq!(read(&[bytes.as_bytes()], false, false), [key(code, modifiers)], "{bytes:?}");
        }
    }

    #[test]
    fn the_mouse_and_pasted_text() {
        let mouse = |bytes: &str| match &read(&[bytes.as_bytes()], false, false)[..] {
            [Input::Mouse(m)] => Some((m.kind, m.column, m.row, m.modifiers)),
            [] => None,
            other => panic!("{other:?}"),
        };
        let none = KeyModifiers::NONE;
        assert_eq!(mouse("\x1b[<0;5;7M"), Some((MouseEventKind::Down(MouseButton::Left), 4, 6, none)));
        assert_eq!(mouse("\x1b[<2;1;1m"), Some((MouseEventKind::Up(MouseButton::Right), 0, 0, none)));
        assert_eq!(mouse("\x1b[<32;300;9M"), Some((MouseEventKind::Drag(MouseButton::Left), 299, 8, none)));
        let up = Some((MouseEventKind::ScrollUp, 1, 1, KeyModifiers::CONTROL));
        assert_eq!(mouse("\x1b[<80;2;2M"), up);
        assert_eq!(mouse("\x1b[<65;2;2M"), Some((MouseEventKind::ScrollDown, 1, 1, none)));
        for nothing in ["\x1b[<35;4;4M", "\x1b[M !!", "\x1b[1I", "\x1b[?1;2c", "\x1b[200~"] {
            assert_eq!(mouse(nothing), None, "{nothing:?}");
        }
        let pasted = read(&[b"a\x1b[200~q\x1b[A\r\x1b[201~b"], false, false);
        let [first, Input::Paste(text), last] = &pasted[..] else { panic!("{pasted:?}") };
        assert_eq!(text, "q\x1b[A\r");
        assert_eq!([first, last], [&key(KeyCode::Char('a'), none), &key(KeyCode::Char('b'), none)]);
    }

    #[test]
    fn the_focus_is_told_and_is_no_key() {
        assert_eq!(read(&[b"\x1b[I\x1b[O"], false, false), [Input::Focus(true), Input::Focus(false)]);
        assert_eq!(read(&[b"\x1b", b"[", b"O"], true, false), [Input::Focus(false)]);
    }

    #[test]
    fn no_piece_of_an_answer_is_a_key() {
        let answer: [&[u8]; 4] = [b"\x1b", b"[", b"0", b"n"];
        assert_eq!(read(&[b"\x1b[0n"], false, false), [Input::Answer]);
        assert_eq!(read(&[b"\x1b[3n"], true, false), [Input::Answer]);
        for cut in 1..4 {
            let (one, two) = (answer[..cut].concat(), answer[cut..].concat());
            assert_eq!(read(&[&one, &two], true, false), [Input::Answer], "cut at {cut}");
        }
        assert_eq!(read(&answer, true, false), [Input::Answer]);
        // The escape was taken for the key.
        let escape = key(KeyCode::Esc, KeyModifiers::NONE);
        assert_eq!(read(&[b"\x1b", b"[0n"], true, true), [escape.clone(), Input::Answer]);
        // Keys typed in between keep their order.
        let char = |c| key(KeyCode::Char(c), KeyModifiers::NONE);
        let all = [char('a'), escape, Input::Answer, char('b'), key(KeyCode::Up, KeyModifiers::NONE)];
        assert_eq!(read(&[b"a\x1b", b"\x1b[", b"0nb\x1b[A"], true, false), all);
    }

    proptest! {
        /// The result does not depend on how the bytes are split, and nothing panics.
        #[test]
        fn pieces_make_no_difference(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "a", "Q", "é", "日", "\r", "\x1b[A", "\x1b[1;5C", "\x1bOP", "\x1b[0n", "\x1b[I", "\x1b[<0;5;7M", "\x1b[15~",
                    "\x1b[200~p\x1b[Aq\x1b[201~", "\x1bx",
                ]),
                0..12,
            ),
            cuts in prop::collection::vec(0usize..200, 0..8),
        ) {
            let bytes = parts.concat().into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|c| *c < bytes.len()).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            prop_assert_eq!(read(&pieces, true, false), read(&[&bytes], true, false));
        }

        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..60), slow: bool) {
            let (one, two) = bytes.split_at(bytes.len() / 2);
            read(&[one, two], slow, slow);
        }
    }
}
