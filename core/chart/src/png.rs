//! Renders an SVG drawing as PNG with built-in fonts.

use std::sync::Arc;

use png::{BitDepth, ColorType, Compression, Encoder, EncodingError, Filter};
use resvg::tiny_skia::{IntSize, Pixmap, Transform};
use resvg::usvg::{Options, Tree};
use skrifa::MetadataProvider as _;

/// Pixels per unit of the drawing.
const SCALE: f32 = 2.0;

/// Why a drawing could not be rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PngError {
    /// It is not valid SVG.
    #[error("the drawing is not well-formed: {0}")]
    Svg(#[from] resvg::usvg::Error),
    /// It is too large or empty.
    #[error("no picture of {0} by {1} pixels")]
    Size(u32, u32),
    /// Its pixels cannot be encoded.
    #[error("the picture cannot be encoded: {0}")]
    Encoding(#[from] EncodingError),
}

/// The fonts; the second is for characters missing in the first, such as the ₂ of log₂.
const FONTS: [&[u8]; 2] = [epaint_default_fonts::HACK_REGULAR, epaint_default_fonts::UBUNTU_LIGHT];

/// Returns the characters of a drawing missing in the fonts, each once; they are displayed as boxes.
pub fn missing(svg: &str) -> String {
    let fonts: Vec<_> = FONTS.into_iter().filter_map(|font| skrifa::FontRef::new(font).ok()).collect();
    let texts = svg.split('<').filter_map(|tag| tag.split_once('>')).map(|(_, text)| text);
    let mut letters: Vec<char> = texts.flat_map(str::chars).filter(|c| !c.is_ascii()).collect();
    letters.sort_unstable();
    letters.dedup();
    letters.retain(|c| fonts.iter().all(|font| font.charmap().map(*c).is_none()));
    letters.into_iter().collect()
}

/// Renders a drawing to the bytes of a PNG file.
pub fn render(svg: &str) -> Result<Vec<u8>, PngError> {
    let mut options = Options::default();
    let fonts = Arc::make_mut(&mut options.fontdb);
    for font in FONTS {
        fonts.load_font_data(font.to_vec());
    }
    fonts.set_monospace_family("Hack");
    let tree = Tree::from_str(svg, &options)?;
    let size = tree.size();
    let (width, height) = ((size.width() * SCALE).ceil() as u32, (size.height() * SCALE).ceil() as u32);
    let mut pixels = Pixmap::new(width, height).ok_or(PngError::Size(width, height))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    Ok(encoded(&pixels)?)
}

/// Encodes an image. Figures consist of flat colours with antialiased edges, which compress best without PNG's filters
/// and as a palette if that holds all colours. Heatmaps are gradients, for which filters help. So both are tried, and
/// the smaller is taken.
fn encoded(pixels: &Pixmap) -> Result<Vec<u8>, EncodingError> {
    let colours: Vec<[u8; 3]> = pixels.pixels().iter().map(|p| [p.red(), p.green(), p.blue()]).collect();
    // Transparency would need another channel, but figures are opaque.
    if pixels.pixels().iter().any(|p| p.alpha() != 255) {
        return pixels.encode_png();
    }
    let size = (pixels.width(), pixels.height());
    let mut palette: Vec<[u8; 3]> = colours.clone();
    palette.sort_unstable();
    palette.dedup();
    if palette.len() <= 256 {
        let numbers: Vec<u8> =
            colours.iter().map(|c| palette.binary_search(c).map_or(0, |i| i as u8)).collect();
        return written(size, &numbers, Some(palette.concat()), Filter::NoFilter);
    }
    let bytes = colours.concat();
    let plain = written(size, &bytes, None, Filter::NoFilter)?;
    let filtered = written(size, &bytes, None, Filter::Adaptive)?;
    Ok(if filtered.len() < plain.len() { filtered } else { plain })
}

fn written(
    (width, height): (u32, u32),
    bytes: &[u8],
    palette: Option<Vec<u8>>,
    filter: Filter,
) -> Result<Vec<u8>, EncodingError> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, width, height);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_color(if palette.is_some() { ColorType::Indexed } else { ColorType::Rgb });
    if let Some(palette) = palette {
        encoder.set_palette(palette);
    }
    encoder.set_compression(Compression::High);
    encoder.set_filter(filter);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(bytes)?;
    writer.finish()?;
    Ok(out)
}

/// Encodes pixels, row by row from the top, as PNG; `None` is transparent. Returns `None` if they do not form a rectangle.
pub(crate) fn of_pixels(width: usize, pixels: &[Option<[u8; 3]>]) -> Option<Vec<u8>> {
    let height = pixels.len().checked_div(width)?;
    if width * height != pixels.len() {
        return None;
    }
    let bytes = pixels.iter().flat_map(|p| p.map_or([0; 4], |[r, g, b]| [r, g, b, 255])).collect();
    let size = IntSize::from_wh(u32::try_from(width).ok()?, u32::try_from(height).ok()?)?;
    Pixmap::from_vec(bytes, size)?.encode_png().ok()
}

/// Encodes bytes as base64 for a data URL (RFC 4648, section 4).
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
    fn a_picture_is_the_same_however_it_is_packed() {
        // Few colours, many, and a slope of them.
        let flat = |x: u32, y: u32| [(x / 16 * 40) as u8, (y / 16 * 40) as u8, 7];
        let noisy = |x: u32, y: u32| [(x * 7 % 256) as u8, (y * 13 % 256) as u8, (x * y % 256) as u8];
        let slope = |x: u32, y: u32| [(x * 2) as u8, (y * 2) as u8, (x + y) as u8];
        let kinds: [&dyn Fn(u32, u32) -> [u8; 3]; 3] = [&flat, &noisy, &slope];
        let mut sizes = Vec::new();
        for colour in kinds {
            let bytes: Vec<u8> = (0..96 * 96)
                .flat_map(|i| {
                    let [r, g, b] = colour(i % 96, i / 96);
                    [r, g, b, 255]
                })
                .collect();
            let pixels = Pixmap::from_vec(bytes, IntSize::from_wh(96, 96).unwrap()).unwrap();
            let png = encoded(&pixels).unwrap();
            assert_eq!(Pixmap::decode_png(&png).unwrap().data(), pixels.data());
            assert!(png.len() <= pixels.encode_png().unwrap().len());
            sizes.push(png.len());
        }
        assert!(sizes[0] * 4 < sizes[1], "{sizes:?}");
    }

    #[test]
    fn letters_that_one_font_lacks_are_drawn_with_another() {
        let picture = |letter: char| {
            render(&format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"20\" height=\"20\" font-family=\"monospace\">\
                 <rect width=\"20\" height=\"20\" fill=\"#ffffff\"/><text x=\"4\" y=\"15\">{letter}</text></svg>"
            ))
            .unwrap()
        };
        // Private, in no font: the box that stands for what is missing.
        assert_ne!(picture('₂'), picture('\u{f8ff}'));
        assert_ne!(picture('₂'), picture(' '));
        assert_ne!(picture('₂'), picture('₁'));
    }

    #[test]
    fn letters_that_no_font_has_are_named() {
        assert_eq!(missing("<text x=\"1\">loss 日本語 ₂ 本</text><text>π · größe</text>"), "日本語");
        assert_eq!(missing("<text>plain</text>"), "");
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
