//! An SVG drawing as a PNG picture, with the one font that is built in: no font of the system is needed.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use resvg::tiny_skia::{IntSize, Pixmap, Transform};
use resvg::usvg::{Options, Tree};

/// Pixels for each unit of the drawing.
const SCALE: f32 = 2.0;

/// The picture, as the bytes of a PNG file.
pub(crate) fn render(svg: &str) -> Result<Vec<u8>> {
    let mut options = Options::default();
    let fonts = Arc::make_mut(&mut options.fontdb);
    fonts.load_font_data(epaint_default_fonts::HACK_REGULAR.to_vec());
    fonts.set_monospace_family("Hack");
    let tree = Tree::from_str(svg, &options).context("the drawing is not well-formed")?;
    let size = tree.size();
    let (width, height) = ((size.width() * SCALE).ceil() as u32, (size.height() * SCALE).ceil() as u32);
    let mut pixels =
        Pixmap::new(width, height).with_context(|| format!("no picture of {width} by {height} pixels"))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().context("the picture cannot be encoded")
}

/// Colours, row by row from the top, as the bytes of a PNG file; `None` is transparent. Nothing if they fill no rectangle.
pub(crate) fn of_pixels(width: usize, pixels: &[Option<[u8; 3]>]) -> Option<Vec<u8>> {
    let height = pixels.len().checked_div(width)?;
    if width * height != pixels.len() {
        return None;
    }
    let bytes = pixels.iter().flat_map(|p| p.map_or([0; 4], |[r, g, b]| [r, g, b, 255])).collect();
    let size = IntSize::from_wh(u32::try_from(width).ok()?, u32::try_from(height).ok()?)?;
    Pixmap::from_vec(bytes, size)?.encode_png().ok()
}

/// Bytes as text for a data URL (RFC 4648, section 4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().enumerate().fold(0u32, |bits, (i, b)| bits | u32::from(*b) << (16 - 8 * i));
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= three.len() { letter as char } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        let of = |text: &str| base64(text.as_bytes());
        let known = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (text, coded) in known {
            assert_eq!(of(text), coded);
        }
        assert_eq!(base64(&[255, 254, 253]), "//79");
    }

    #[test]
    fn pixels_come_back_from_the_picture() {
        let pixels = [Some([1, 2, 3]), None, Some([250, 0, 9]), Some([0, 0, 0])];
        let png = of_pixels(2, &pixels).unwrap();
        let back = Pixmap::decode_png(&png).unwrap();
        assert_eq!((back.width(), back.height()), (2, 2));
        let colours: Vec<_> =
            back.pixels().iter().map(|p| (p.alpha() > 0).then(|| [p.red(), p.green(), p.blue()])).collect();
        assert_eq!(colours, pixels);
        assert_eq!(of_pixels(3, &pixels), None);
        assert_eq!(of_pixels(0, &pixels), None);
    }
}
