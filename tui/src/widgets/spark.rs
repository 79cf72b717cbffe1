//! A sparkline: a line chart in one row of text.

use gradtop_chart::cells::glyphs::Glyphs;
use gradtop_chart::decimate::thin;
use gradtop_chart::scale::finite_range;

/// Draws equidistant values in `width` cells of Braille, eighths of blocks, or ASCII. Those that are not finite are left
/// blank. `log`: on a logarithmic scale, if all are positive.
pub(crate) fn sparkline(values: &[f64], log: bool, glyphs: Glyphs, width: usize) -> String {
    let (across, down) = match glyphs {
        Glyphs::Braille => (2, 4),
        Glyphs::HalfBlock | Glyphs::Dot => (1, 8),
        Glyphs::Ascii => (1, 3),
    };
    let dots = width * across;
    let log = log && values.iter().all(|v| !v.is_finite() || *v > 0.0);
    let value = |v: f64| if log && v > 0.0 { v.ln() } else { v };
    let Some((low, high)) = finite_range(values.iter().map(|v| value(*v))) else {
        return " ".repeat(width);
    };
    let n = values.len();
    let at = |i: f64| Some(if n < 2 { 0 } else { (i * (dots - 1) as f64 / (n - 1) as f64).round() as i32 });
    let thinned = thin(values.iter().enumerate().map(|(i, v)| (i as f64, value(*v))), at, |_| true);
    let row = |v: f64| {
        let t = if high > low { (v - low) / (high - low) } else { 0.5 };
        ((1.0 - t) * f64::from(down - 1)).round().clamp(0.0, f64::from(down - 1)) as usize
    };
    // The range of rows in each column of dots, connected to the previous column.
    let mut spans: Vec<Option<(usize, usize)>> = vec![None; dots];
    for segment in &thinned.segments {
        let mut before: Option<(usize, f64)> = None;
        for c in segment {
            let column = c.at.max(0) as usize;
            let mut put = |column: usize, a: f64, b: f64| {
                if let Some(s) = spans.get_mut(column) {
                    let (top, bottom) = (row(a.max(b)), row(a.min(b)));
                    let s = s.get_or_insert((top, bottom));
                    *s = (s.0.min(top), s.1.max(bottom));
                }
            };
            if let Some((x, v)) = before {
                let span = (column - x) as f64;
                for between in x + 1..column {
                    let v = v + (c.first - v) * (between - x) as f64 / span;
                    put(between, v, v);
                }
            }
            put(column, c.min, c.max);
            before = Some((column, c.last));
        }
    }
    (0..width).map(|cell| glyph(glyphs, &spans[cell * across..(cell + 1) * across])).collect()
}

fn glyph(glyphs: Glyphs, spans: &[Option<(usize, usize)>]) -> char {
    match glyphs {
        Glyphs::Braille => {
            let mut mask = 0u32;
            for (dots, span) in [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]].iter().zip(spans) {
                if let Some((top, bottom)) = span {
                    mask |= dots[*top..=*bottom].iter().sum::<u32>();
                }
            }
            if mask == 0 { ' ' } else { char::from_u32(0x2800 + mask).unwrap_or(' ') }
        }
        Glyphs::HalfBlock | Glyphs::Dot => match spans.first() {
            Some(Some((top, _))) => ['█', '▇', '▆', '▅', '▄', '▃', '▂', '▁'][*top],
            _ => ' ',
        },
        Glyphs::Ascii => match spans.first() {
            Some(Some((top, _))) => ['^', '-', '_'][*top],
            _ => ' ',
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_the_course_in_each_kind_of_glyph() {
        let fall: Vec<f64> = (0..40).map(|i| (-0.1 * f64::from(i)).exp()).collect();
        assert_eq!(sparkline(&fall, false, Glyphs::Braille, 8), "⠑⠢⠤⢄⣀⣀⣀⣀");
        assert_eq!(sparkline(&fall, true, Glyphs::Braille, 8), "⠉⠑⠒⠒⠤⠤⢄⣀");
        assert_eq!(sparkline(&fall, false, Glyphs::HalfBlock, 8), "█▆▄▃▂▁▁▁");
        assert_eq!(sparkline(&fall, false, Glyphs::Ascii, 8), "^--_____");
    }

    #[test]
    fn nothing_and_what_is_not_finite_is_blank() {
        assert_eq!(sparkline(&[], false, Glyphs::Braille, 3), "   ");
        assert_eq!(sparkline(&[f64::NAN; 3], false, Glyphs::Braille, 3), "   ");
        let gap = [1.0, 1.0, f64::NAN, f64::NAN, f64::NAN, f64::NAN, 1.0, 1.0];
        assert_eq!(sparkline(&gap, false, Glyphs::Ascii, 8), "--    --");
        assert_eq!(sparkline(&[1.0], false, Glyphs::Ascii, 0), "");
    }
}
