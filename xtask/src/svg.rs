//! `cargo xtask svg`: converts the output of `tmux capture-pane -e -p` to an SVG picture.
//!
//! Braille, blocks and lines are drawn as shapes, so that the picture does not depend on the reader's fonts.

use std::fmt::Write as _;
use std::io::Read as _;

use anyhow::{Context as _, Result, bail};

/// The size of a cell in pixels.
const CELL: (f64, f64) = (8.4, 17.0);
/// The margin in pixels.
const MARGIN: f64 = 12.0;
const BACK: &str = "#11151c";
const FRONT: &str = "#d7dae0";

/// The 16 basic colours.
const BASE: [&str; 16] = [
    "#1c2028", "#e06c75", "#7ec07a", "#d8a657", "#5fa8e8", "#c08adf", "#56b6c2", "#c8ccd4", "#5c6370",
    "#ff7b85", "#98d894", "#f0c674", "#7cc0ff", "#d8a6f5", "#76d3de", "#ffffff",
];

/// A line of the terminal: characters with their styles.
pub(crate) type Row = Vec<(char, Look)>;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Look {
    front: Option<String>,
    back: Option<String>,
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
    pub(crate) reverse: bool,
}

/// Reads standard input. Returns the picture.
pub(crate) fn from_stdin() -> Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("the terminal's contents are not UTF-8")?;
    if text.trim().is_empty() {
        bail!("nothing came on standard input: pipe `tmux capture-pane -e -p -t PANE` into this");
    }
    Ok(picture(&text))
}

fn picture(text: &str) -> String {
    let rows = rows(text);
    let columns: usize = rows.iter().map(|row| row.iter().map(|(c, _)| width(*c)).sum()).max().unwrap_or(0);
    let mut out = open(columns, rows.len());
    for (y, row) in rows.iter().enumerate() {
        draw_row(&mut out, row, y);
    }
    out.push_str("</svg>\n");
    out
}

/// The opening tag and the background for a terminal of this size.
pub(crate) fn open(columns: usize, lines: usize) -> String {
    let (w, h) = (columns as f64 * CELL.0 + 2.0 * MARGIN, lines as f64 * CELL.1 + 2.0 * MARGIN);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w:.0}\" height=\"{h:.0}\" viewBox=\"0 0 {w:.1} {h:.1}\" \
         font-family=\"ui-monospace, 'SF Mono', Menlo, 'DejaVu Sans Mono', Consolas, monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACK}\"/>\n"
    )
}

/// Parses the lines of a capture.
pub(crate) fn rows(text: &str) -> Vec<Row> {
    let mut look = Look::default();
    text.trim_end_matches('\n').split('\n').map(|line| cells(line, &mut look)).collect()
}

/// Parses the cells of a line; `look` continues from line to line.
fn cells(line: &str, look: &mut Look) -> Row {
    let mut out = Vec::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c == '\x1b' {
            let Some(body) = rest.strip_prefix('[') else { continue };
            let end = body.find(|c: char| ('@'..='~').contains(&c)).unwrap_or(body.len());
            if body[end..].starts_with('m') {
                apply(look, &body[..end]);
            }
            rest = body.get(end + 1..).unwrap_or("");
        } else if !c.is_control() {
            out.push((c, look.clone()));
        }
    }
    out
}

fn apply(look: &mut Look, parameters: &str) {
    let mut list = parameters.split([';', ':']).map(|p| p.parse::<u8>().unwrap_or(0));
    while let Some(p) = list.next() {
        match p {
            0 => *look = Look::default(),
            1 => look.bold = true,
            2 => look.dim = true,
            3 => look.italic = true,
            4 => look.underline = true,
            7 => look.reverse = true,
            22 => (look.bold, look.dim) = (false, false),
            23 => look.italic = false,
            24 => look.underline = false,
            27 => look.reverse = false,
            30..=37 => look.front = Some(indexed(p - 30)),
            39 => look.front = None,
            40..=47 => look.back = Some(indexed(p - 40)),
            49 => look.back = None,
            90..=97 => look.front = Some(indexed(p - 90 + 8)),
            100..=107 => look.back = Some(indexed(p - 100 + 8)),
            38 | 48 => {
                let colour = match list.next() {
                    Some(5) => list.next().map(indexed),
                    Some(2) => {
                        let mut part = || list.next().unwrap_or(0);
                        Some(format!("#{:02x}{:02x}{:02x}", part(), part(), part()))
                    }
                    _ => None,
                };
                if p == 38 { look.front = colour } else { look.back = colour }
            }
            _ => {}
        }
    }
}

fn indexed(i: u8) -> String {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    match i {
        0..16 => BASE[usize::from(i)].to_owned(),
        16..232 => {
            let n = i - 16;
            let [r, g, b] = [n / 36, n / 6 % 6, n % 6].map(|s| STEPS[usize::from(s)]);
            format!("#{r:02x}{g:02x}{b:02x}")
        }
        _ => {
            let v = 8 + (i - 232) * 10;
            format!("#{v:02x}{v:02x}{v:02x}")
        }
    }
}

/// The width of a character in columns.
fn width(c: char) -> usize {
    let wide = matches!(u32::from(c), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60);
    if wide { 2 } else { 1 }
}

pub(crate) fn draw_row(out: &mut String, row: &Row, y: usize) {
    let top = MARGIN + y as f64 * CELL.1;
    let mut column = 0;
    let mut at = 0;
    while at < row.len() {
        let look = &row[at].1;
        let mut end = at;
        let start = column;
        while end < row.len() && row[end].1 == *look {
            column += width(row[end].0);
            end += 1;
        }
        run(out, &row[at..end], look, MARGIN + start as f64 * CELL.0, top);
        at = end;
    }
}

/// Draws adjacent characters of one style.
fn run(out: &mut String, cells: &[(char, Look)], look: &Look, left: f64, top: f64) {
    let (mut front, mut back) = (look.front.clone().unwrap_or_else(|| FRONT.to_owned()), look.back.clone());
    if look.reverse {
        let behind = back.unwrap_or_else(|| BACK.to_owned());
        back = Some(std::mem::replace(&mut front, behind));
    }
    let columns: usize = cells.iter().map(|(c, _)| width(*c)).sum();
    let mut add = |text: String| out.push_str(&text);
    if let Some(back) = back {
        let w = columns as f64 * CELL.0;
        add(format!(
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{w:.1}\" height=\"{}\" fill=\"{back}\"/>\n",
            CELL.1
        ));
    }
    let opacity = if look.dim { " opacity=\"0.6\"" } else { "" };
    let (mut shapes, mut dots) = (String::new(), String::new());
    let mut words: Vec<(f64, String, usize)> = Vec::new();
    let mut x = left;
    for (c, _) in cells {
        if !braille(&mut dots, *c, x, top) && !shape(&mut shapes, *c, x, top) && *c != ' ' {
            // Words stay together; each begins at its cell.
            let joined = words.last_mut().filter(|(at, _, n)| (at + *n as f64 * CELL.0 - x).abs() < 0.01);
            match joined {
                Some((_, text, n)) => {
                    text.push(*c);
                    *n += width(*c);
                }
                None => words.push((x, c.to_string(), width(*c))),
            }
        }
        x += width(*c) as f64 * CELL.0;
    }
    if !shapes.is_empty() {
        add(format!("<path fill=\"{front}\"{opacity} d=\"{shapes}\"/>\n"));
    }
    if !dots.is_empty() {
        add(format!(
            "<path stroke=\"{front}\"{opacity} stroke-width=\"1.9\" stroke-linecap=\"square\" d=\"{dots}\"/>\n"
        ));
    }
    let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
    let slant = if look.italic { " font-style=\"italic\"" } else { "" };
    let line = if look.underline { " text-decoration=\"underline\"" } else { "" };
    for (x, text, n) in words {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        add(format!(
            "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
             fill=\"{front}\"{opacity}{weight}{slant}{line}>{text}</text>\n",
            top + CELL.1 * 0.76,
            n as f64 * CELL.0
        ));
    }
}

/// Adds the dots of a Braille character to the data of a path that is stroked with square ends.
fn braille(path: &mut String, c: char, x: f64, y: f64) -> bool {
    let bits = match c {
        '\u{2800}'..='\u{28ff}' => u32::from(c) - 0x2800,
        _ => return false,
    };
    // Dots 1 to 8 of the standard, as (column, row).
    let places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)];
    places.into_iter().enumerate().filter(|(i, _)| bits & (1 << i) != 0).all(|(_, (column, row))| {
        let left = x + CELL.0 * (0.25 + 0.5 * f64::from(column));
        // Writing to a string cannot fail.
        write!(path, "M{left:.1} {:.1}h0", y + CELL.1 * (0.125 + 0.25 * f64::from(row))).is_ok()
    })
}

/// Adds a character that consists of rectangles to the data of a path.
fn shape(path: &mut String, c: char, x: f64, y: f64) -> bool {
    let (w, h) = CELL;
    let mut rect = |left: f64, top: f64, width: f64, height: f64| {
        let (a, b) = (x + left, y + top);
        write!(path, "M{a:.2} {b:.2}h{width:.2}v{height:.2}h-{width:.2}z").is_ok()
    };
    let (middle, centre, thin) = (w / 2.0, h / 2.0, 1.2);
    match c {
        '█' => rect(0.0, 0.0, w, h),
        '▀' => rect(0.0, 0.0, w, centre),
        '▔' => rect(0.0, 0.0, w, h / 8.0),
        '▁'..='▇' => {
            let part = h * f64::from(u32::from(c) - 0x2580) / 8.0;
            rect(0.0, h - part, w, part)
        }
        '▉'..='▏' => rect(0.0, 0.0, w * f64::from(0x2590 - u32::from(c)) / 8.0, h),
        '─' => rect(0.0, centre, w, thin),
        '│' => rect(middle, 0.0, thin, h),
        '└' => rect(middle, 0.0, thin, centre + thin) && rect(middle, centre, w - middle, thin),
        '┌' => rect(middle, centre, thin, h - centre) && rect(middle, centre, w - middle, thin),
        '┐' => rect(middle, centre, thin, h - centre) && rect(0.0, centre, middle + thin, thin),
        '┘' => rect(middle, 0.0, thin, centre + thin) && rect(0.0, centre, middle + thin, thin),
        '┤' => rect(middle, 0.0, thin, h) && rect(0.0, centre, middle, thin),
        '├' => rect(middle, 0.0, thin, h) && rect(middle, centre, w - middle, thin),
        '┬' => rect(0.0, centre, w, thin) && rect(middle, centre, thin, h - centre),
        '┴' => rect(0.0, centre, w, thin) && rect(middle, 0.0, thin, centre),
        '┼' => rect(0.0, centre, w, thin) && rect(middle, 0.0, thin, h),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn text_keeps_its_colours_and_places() {
        let svg = picture("ab \x1b[38;2;1;2;3;1mcd\x1b[0m <\n\x1b[7mx\x1b[0m");
        assert!(
            svg.contains(">ab</text>") && svg.contains("fill=\"#010203\" font-weight=\"bold\">cd</text>")
        );
        assert!(svg.contains("&lt;</text>"));
        assert!(svg.contains(&format!("fill=\"{FRONT}\"/>")), "reversed: the front colour is behind");
        let x = MARGIN + 3.0 * CELL.0;
        assert!(svg.contains(&format!("<text x=\"{x:.1}\" y=\"{:.1}\"", MARGIN + CELL.1 * 0.76)));
    }

    #[test]
    fn braille_and_lines_are_shapes() {
        let svg = picture("⣿─█");
        assert_eq!(svg.matches("<text").count(), 0);
        assert_eq!(svg.matches("h0").count(), 8, "the dots");
        let paths: usize = svg.split(" d=\"").skip(1).map(|path| path.matches('M').count()).sum();
        assert_eq!(paths, 10, "the dots, a line and a block");
    }

    #[test]
    fn colours_of_all_kinds_are_known() {
        let mut look = Look::default();
        apply(&mut look, "38;5;208;48;5;240");
        assert_eq!((look.front.as_deref(), look.back.as_deref()), (Some("#ff8700"), Some("#585858")));
        apply(&mut look, "31;0");
        assert_eq!(look, Look::default());
    }
}
