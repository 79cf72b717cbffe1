//! Colours that colour-blind readers can distinguish, the same for a name wherever it is drawn, and markers that need no colour.

use std::collections::{BTreeMap, BTreeSet};

/// Number of hues for series.
const HUES: usize = 7;
/// Number of colours for series: after the hues, others for charts of more series.
pub const COLOURS: usize = 2 * HUES;

/// Okabe and Ito's palette for white paper, with a darker yellow for contrast, and colours that differ from each of it.
const ON_PAPER: [[u8; 3]; COLOURS] = [
    [0, 114, 178],
    [213, 94, 0],
    [0, 158, 115],
    [204, 121, 167],
    [230, 159, 0],
    [86, 180, 233],
    [176, 160, 0],
    [84, 60, 170],
    [125, 55, 10],
    [0, 85, 60],
    [130, 45, 100],
    [205, 155, 100],
    [80, 200, 190],
    [95, 88, 0],
];

/// The same hues, light enough for a dark terminal.
const ON_SCREEN: [[u8; 3]; COLOURS] = [
    [64, 156, 224],
    [232, 112, 40],
    [24, 188, 140],
    [220, 140, 186],
    [236, 172, 30],
    [120, 204, 250],
    [240, 228, 66],
    [150, 125, 250],
    [170, 80, 50],
    [140, 235, 200],
    [175, 75, 140],
    [255, 215, 160],
    [50, 140, 160],
    [165, 155, 30],
];

/// Their replacements among a console's 16 colours with those for faint marks, on dark and on light background.
const PLAIN: [[(u8, u8); HUES]; 2] = [
    [(12, 4), (9, 1), (10, 2), (13, 5), (3, 8), (14, 6), (11, 8)],
    [(4, 12), (1, 8), (2, 10), (5, 13), (9, 8), (6, 14), (3, 11)],
];

/// Number of markers: shapes, then letters for charts of more series.
pub const MARKERS: usize = SHAPES.len() + LETTERS.len();

/// Letters that none of the shapes looks like in ASCII.
const LETTERS: &[u8] = b"abcdefghijklmnpqrstuwxyzBCDEFGHIJKLMNPQRSTUVWXYZ";

/// Shapes with their ASCII replacements.
pub(crate) const SHAPES: [(char, char); 10] = [
    ('●', 'o'),
    ('▲', '^'),
    ('■', '#'),
    ('◆', '*'),
    ('○', '0'),
    ('△', 'A'),
    ('□', '%'),
    ('◇', '+'),
    ('▼', 'v'),
    ('★', '@'),
];

/// The colour of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// A colour of the palette.
    Slot(u8),
    /// Grey, for references and ground truth behind the data.
    Grey,
    /// A colour chosen by the figure.
    Rgb([u8; 3]),
}

impl Paint {
    /// Returns the colour for a dark terminal.
    pub fn on_screen(self) -> [u8; 3] {
        match self {
            Self::Slot(i) => ON_SCREEN[usize::from(i) % COLOURS],
            Self::Grey => [150, 150, 150],
            Self::Rgb(c) => c,
        }
    }

    /// Returns the colour for white paper.
    pub fn on_paper(self) -> [u8; 3] {
        match self {
            Self::Slot(i) => ON_PAPER[usize::from(i) % COLOURS],
            Self::Grey => [120, 120, 120],
            Self::Rgb(c) => c,
        }
    }

    /// Returns one of a console's 16 colours, different for each colour of the palette. `faint` is less prominent.
    pub(crate) fn sixteen(self, paper: bool, faint: bool) -> u8 {
        let Self::Slot(i) = self else {
            return sixteen(if paper { self.on_paper() } else { self.on_screen() });
        };
        let (full, behind) = PLAIN[usize::from(paper)][usize::from(i) % HUES];
        if faint || usize::from(i) % COLOURS >= HUES { behind } else { full }
    }

    /// Parses a figure's `color`: a name of the palette, `grey`, or `#rrggbb`.
    pub fn parse(text: &str) -> Option<Self> {
        let names = ["blue", "vermillion", "green", "purple", "orange", "sky", "yellow"];
        if let Some(i) = names.iter().position(|n| *n == text) {
            return Some(Self::Slot(i as u8));
        }
        match text {
            "red" => return Some(Self::Slot(1)),
            "pink" | "magenta" => return Some(Self::Slot(3)),
            "cyan" => return Some(Self::Slot(5)),
            "grey" | "gray" | "black" | "white" => return Some(Self::Grey),
            _ => {}
        }
        let hex = text.strip_prefix('#').filter(|h| h.len() == 6 && h.is_ascii())?;
        let byte = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).ok();
        Some(Self::Rgb([byte(0)?, byte(2)?, byte(4)?]))
    }
}

/// Returns a marker's character.
pub fn marker(number: u8, ascii: bool) -> char {
    let number = usize::from(number) % MARKERS;
    match SHAPES.get(number) {
        Some((_, plain)) if ascii => *plain,
        Some((fine, _)) => *fine,
        None => char::from(LETTERS[number - SHAPES.len()]),
    }
}

/// Assigns colour and marker to each name that is `shown`: from a hash of the name, or the next free one if two names
/// collide. Collisions among all `known` names, shown or not, are resolved first, so that a name keeps its look
/// whichever others are shown. A look is free if no shown name has it. Letters mark what the shapes do not suffice for.
pub fn assign<'a>(
    known: impl Iterator<Item = &'a str>,
    shown: impl Iterator<Item = &'a str>,
) -> BTreeMap<String, (Paint, u8)> {
    let known: BTreeSet<&str> = known.collect();
    let shown: BTreeSet<&str> = shown.collect();
    let mut agreed = TakenLooks::default();
    let wishes: BTreeMap<&str, (usize, usize)> =
        known.iter().map(|name| (*name, agreed.take(preferred_look(name)))).collect();
    let mut looks = TakenLooks::default();
    let (first, then): (Vec<&str>, Vec<&str>) = shown.into_iter().partition(|name| known.contains(name));
    first
        .into_iter()
        .chain(then)
        .map(|name| {
            let (colour, marker) =
                looks.take(wishes.get(name).copied().unwrap_or_else(|| preferred_look(name)));
            (name.to_owned(), (Paint::Slot(colour as u8), marker as u8))
        })
        .collect()
}

/// Assigned colours and markers.
#[derive(Default)]
struct TakenLooks {
    colours: [bool; COLOURS],
    shapes: [bool; SHAPES.len()],
    letters: usize,
}

impl TakenLooks {
    fn take(&mut self, (colour, marker): (usize, usize)) -> (usize, usize) {
        let hues = &mut self.colours[..HUES];
        let is_free = colour < HUES && hues.contains(&false);
        let colour = first_free(if is_free { hues } else { &mut self.colours }, colour);
        if self.shapes.contains(&false) {
            return (colour, first_free(&mut self.shapes, marker));
        }
        let letter = SHAPES.len() + self.letters % LETTERS.len();
        self.letters += 1;
        (colour, letter)
    }
}

/// Returns the colour and marker a name would have without collisions.
fn preferred_look(name: &str) -> (usize, usize) {
    let hash = fnv1a(name.as_bytes());
    ((hash % HUES as u64) as usize, (hash / 64 % SHAPES.len() as u64) as usize)
}

/// Returns the first free index from `start` on, wrapping around; when all are taken, all become free again.
fn first_free(used: &mut [bool], start: usize) -> usize {
    if used.iter().all(|u| *u) {
        used.fill(false);
    }
    let free = (0..used.len()).map(|i| (start + i) % used.len()).find(|i| !used[*i]).unwrap_or(start);
    used[free] = true;
    free
}

/// Returns the FNV-1a hash of some bytes, which is the same on every machine and version.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

/// The number of colours supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// None: not a terminal, or disabled by the user.
    None,
    /// The 16 of a console.
    Sixteen,
    /// The 256 of most terminals.
    Indexed,
    /// All 24-bit colours.
    True,
}

/// Returns the nearest of a console's 16 colours by hue, because the nearest by distance would often be grey.
pub(crate) fn sixteen(c: [u8; 3]) -> u8 {
    let [low, high] = [c.iter().min(), c.iter().max()].map(|v| i32::from(*v.unwrap_or(&0)));
    if high - low < 40 {
        return match high {
            0..64 => 0,
            64..160 => 8,
            160..224 => 7,
            _ => 15,
        };
    }
    let middle = i32::midpoint(low, high);
    let bits = (0..3).filter(|i| i32::from(c[*i]) > middle).map(|i| 1u8 << i).sum::<u8>();
    if high > 200 { bits + 8 } else { bits }
}

/// Returns the nearest of the 256 colours, in the cube or the grey ramp.
pub fn indexed(c: [u8; 3]) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let nearest = |v: u8| (0..6u8).min_by_key(|i| STEPS[usize::from(*i)].abs_diff(v)).unwrap_or(0);
    let cube = c.map(nearest);
    let away = |d: [u8; 3]| (0..3).map(|i| u32::from(c[i].abs_diff(d[i])).pow(2)).sum::<u32>();
    let mean = (u32::from(c[0]) + u32::from(c[1]) + u32::from(c[2])) / 3;
    let grey = (mean.saturating_sub(3) / 10).min(23) as u8;
    if away([8 + grey * 10; 3]) < away(cube.map(|i| STEPS[usize::from(i)])) {
        232 + grey
    } else {
        16 + 36 * cube[0] + 6 * cube[1] + cube[2]
    }
}

/// Returns viridis from dark to bright, by a polynomial fit that is exact to less than a visible difference.
pub(crate) fn viridis(level: f64) -> [u8; 3] {
    const C: [[f64; 3]; 7] = [
        [0.277_727, 0.005_407, 0.334_100],
        [0.105_093, 1.404_614, 1.384_590],
        [-0.330_862, 0.214_848, 0.095_095],
        [-4.634_230, -5.799_101, -19.332_441],
        [6.228_270, 14.179_933, 56.690_553],
        [4.776_385, -13.745_145, -65.353_033],
        [-5.435_456, 4.645_853, 26.312_435],
    ];
    let t = level.clamp(0.0, 1.0);
    std::array::from_fn(|i| {
        let v = C.iter().rev().fold(0.0, |sum, c| sum * t + c[i]);
        (v.clamp(0.0, 1.0) * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_name_keeps_its_colour_in_any_company_without_collision() {
        let models = ["deep", "middle", "shallow"];
        let alone = assign(models.into_iter(), ["shallow"].into_iter());
        let together = assign(models.into_iter(), ["deep", "middle", "shallow", "target", "a"].into_iter());
        assert_eq!(alone["shallow"], together["shallow"]);
        // More series than hues have colours of their own, too.
        let names: Vec<String> = (0..COLOURS).map(|i| format!("trial {i}")).collect();
        let names = || names.iter().map(String::as_str);
        for count in [HUES, COLOURS] {
            let all = assign(names(), names().take(count));
            let colours: BTreeSet<_> = all.values().map(|(paint, _)| paint.on_paper()).collect();
            assert_eq!(colours.len(), count);
            let last = format!("trial {}", count - 1);
            assert_eq!(assign(names(), std::iter::once(last.as_str()))[&last].0, all[&last].0);
        }
    }

    #[test]
    fn every_line_has_its_own_marker_in_unicode_and_in_ascii() {
        let names: Vec<String> = (0..MARKERS).map(|i| format!("run-{i}")).collect();
        let looks = assign(std::iter::empty(), names.iter().map(String::as_str));
        for ascii in [false, true] {
            let markers: BTreeSet<char> = looks.values().map(|(_, number)| marker(*number, ascii)).collect();
            assert_eq!(markers.len(), MARKERS);
        }
        let few = assign(names.iter().map(String::as_str), ["run-57", "run-3"].into_iter());
        assert!(few.values().all(|(_, number)| usize::from(*number) < SHAPES.len()), "few lines have shapes");
    }

    #[test]
    fn colours_are_read_from_figures() {
        assert_eq!(Paint::parse("blue"), Some(Paint::Slot(0)));
        assert_eq!(Paint::parse("#ff8000"), Some(Paint::Rgb([255, 128, 0])));
        assert_eq!(Paint::parse("grey"), Some(Paint::Grey));
        assert_eq!(Paint::parse("#ff80"), None);
        assert_eq!(Paint::parse("#ééé"), None);
    }

    #[test]
    fn sixteen_colours_keep_the_hue() {
        assert_eq!([[255, 95, 95], [24, 188, 140], [64, 156, 224]].map(sixteen), [9, 6, 14]);
        assert_eq!([[138, 138, 138], [255, 255, 255], [0, 0, 0]].map(sixteen), [8, 15, 0]);
    }

    #[test]
    fn the_palette_is_told_apart_in_16_colours_and_256() {
        let slots = || (0..HUES as u8).map(Paint::Slot);
        for paper in [false, true] {
            let full: BTreeSet<u8> = slots().map(|slot| slot.sixteen(paper, false)).collect();
            assert_eq!(full.len(), HUES, "{full:?}");
            assert!(slots().all(|slot| !full.contains(&slot.sixteen(paper, true))), "{full:?}");
        }
        for of in [Paint::on_screen, Paint::on_paper] {
            let colours =
                (0..COLOURS as u8).map(|slot| indexed(of(Paint::Slot(slot)))).collect::<BTreeSet<_>>();
            assert_eq!(colours.len(), COLOURS);
        }
    }

    #[test]
    fn colours_come_down_to_256() {
        assert_eq!(indexed([255, 255, 255]), 231);
        assert_eq!(indexed([138, 138, 138]), 245);
        assert_eq!(indexed([64, 156, 224]), 74);
    }

    #[test]
    fn viridis_runs_from_dark_blue_to_yellow() {
        assert_eq!(viridis(0.0), [71, 1, 85]);
        let [r, g, b] = viridis(1.0);
        assert!(r > 240 && g > 220 && b < 60);
        let light = |c: [u8; 3]| c.iter().map(|v| u32::from(*v)).sum::<u32>();
        assert!(
            (0..10)
                .all(|i| light(viridis(f64::from(i) / 10.0)) < light(viridis(f64::from(i + 1) / 10.0)) + 12)
        );
    }
}
