//! Writes drawings to files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use gradtop_chart::{Chart, Figure, cells, csv, png, svg};

use crate::failure::Failure;
use crate::files::{ends_as, is_stdout, replace};
use crate::print::{self, clean};

/// The format of an exported drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Svg,
    Png,
    /// The points as text.
    Csv,
}

impl Format {
    /// All formats with their extensions.
    pub(crate) const ALL: [(Self, &str); 3] = [(Self::Png, "png"), (Self::Svg, "svg"), (Self::Csv, "csv")];

    /// Returns the format for the extension of a file.
    pub(crate) fn of(file: &Path) -> Result<Self> {
        let end = file.extension().map(|end| end.to_string_lossy().to_lowercase()).unwrap_or_default();
        let known = Self::ALL.iter().find(|(_, extension)| *extension == end);
        known.map(|(format, _)| *format).ok_or_else(|| {
            Failure::usage(format!("a chart is written as .png, .svg or .csv, not as {}", print::short(file)))
                .into()
        })
    }

    fn ending(self) -> &'static str {
        Self::ALL.iter().find(|(format, _)| *format == self).map_or("", |(_, ending)| ending)
    }

    /// Renders a figure. Also returns the characters that a picture cannot show.
    pub(crate) fn bytes(self, figure: &Figure) -> Result<(Vec<u8>, String)> {
        Ok(match self {
            Self::Svg => (svg::figure(figure).into_bytes(), String::new()),
            Self::Csv => (csv::figure(figure).into_bytes(), String::new()),
            Self::Png => {
                let drawing = svg::figure(figure);
                (png::render(&drawing)?, png::missing(&drawing))
            }
        })
    }
}

/// Draws a figure in the terminal, of this size or one that suits.
pub(crate) fn print(figure: &Figure, width: Option<u16>, height: Option<u16>) {
    let size = print::terminal().size;
    let width = width.map(usize::from).or(size.map(|(width, _)| width)).unwrap_or(100);
    // One line is left for the prompt.
    let usual = size.map_or(30, |(_, height)| height.saturating_sub(1).min(40));
    let height = height.map_or(usual, usize::from);
    print::cells(&cells::figure(figure, width.max(20), height.max(8), print::theme()));
}

/// Writes drawings and reports them; several drawings go to separate files.
pub(crate) fn write_all(charts: &[(String, Figure)], files: &[(Format, &Path)]) -> Result<()> {
    let printed = files.iter().filter(|(_, file)| is_stdout(file)).count();
    if printed * charts.len() > 1 {
        let message = format!("standard output takes one drawing, and these are {}", printed * charts.len());
        return Err(Failure::usage(message).help("name one figure and one form, or files").into());
    }
    for (format, file) in files {
        ends_as(file, format.ending())?;
    }
    let say = if printed > 0 { print::note } else { print::line };
    let ids: Vec<&str> = charts.iter().map(|(id, _)| id.as_str()).collect();
    for ((id, figure), suffix) in charts.iter().zip(suffixes(&ids)) {
        for (format, file) in files {
            if *format == Format::Csv && figure.charts.iter().all(Chart::is_images) {
                let why = format!("{} consists of images, which have no points to write", clean(id));
                if charts.len() == 1 {
                    return Err(Failure::usage(why).help("--png and --svg write the images").into());
                }
                print::warn(why);
                continue;
            }
            if *format == Format::Csv && csv::is_rounded(figure) {
                print::warn("x of 2^53 and more is rounded; `gradtop export` writes every step exactly");
            }
            let (bytes, missing) = format.bytes(figure)?;
            match format {
                _ if !is_stdout(file) => {
                    let file = suffixed(file, &suffix);
                    replace(&file, &bytes)?;
                    say(&format!("wrote {}", print::short(&file)));
                }
                Format::Png if !print::binary(&bytes) => {
                    let failure = Failure::usage("a terminal cannot show a picture as bytes");
                    return Err(failure.help("name a file, or send it to one with `> FILE`").into());
                }
                Format::Png => {}
                Format::Svg | Format::Csv => print::content(&String::from_utf8_lossy(&bytes)),
            }
            if !missing.is_empty() {
                let letters = clean(&missing);
                print::note(&format!("no installed font has {letters}: --svg FILE keeps these letters"));
            }
        }
    }
    Ok(())
}

/// Suffixes such as `-loss` that make the file names of several figures unique; a single figure needs none. Ids that are equal
/// as file names are numbered.
fn suffixes(ids: &[&str]) -> Vec<String> {
    if ids.len() == 1 {
        return vec![String::new()];
    }
    let mut taken = BTreeSet::new();
    let free = |id: &&str| {
        let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        let safe: String = id.chars().map(plain).collect();
        let numbered = (2..).map(|n| format!("-{safe}-{n}"));
        std::iter::once(format!("-{safe}")).chain(numbered).find(|name| taken.insert(name.clone()))
    };
    ids.iter().map(free).map(Option::unwrap_or_default).collect()
}

/// Inserts a suffix before the extension of a file.
pub(crate) fn suffixed(file: &Path, suffix: &str) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = file.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    file.with_file_name(format!("{stem}{suffix}{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_several_figures_has_a_file_of_its_own() {
        assert_eq!(suffixes(&["loss"]), [""]);
        assert_eq!(suffixes(&["loss", "fit"]), ["-loss", "-fit"]);
        assert_eq!(
            suffixes(&["train/loss", "train loss", "größe"]),
            ["-train-loss", "-train-loss-2", "-größe"]
        );
        assert_eq!(suffixed(Path::new("a/all.svg"), "-fit"), Path::new("a/all-fit.svg"));
        assert_eq!(suffixed(Path::new("all.svg"), ""), Path::new("all.svg"));
        assert_eq!(suffixed(Path::new("all"), "-fit"), Path::new("all-fit"));
    }

    #[test]
    fn images_have_no_points_to_write() {
        let image = gradtop_chart::Image { width: 1, height: 1, pixels: vec![None] };
        let mark = gradtop_chart::Mark::new(
            (gradtop_chart::colour::Paint::Grey, 0),
            gradtop_chart::Shape::Image(image),
        );
        let chart = Chart { marks: vec![mark], ..Chart::default() };
        let figure = Figure { charts: vec![chart], ..Figure::default() };
        let file = Path::new("images.csv");
        let error = write_all(&[("mistakes".to_owned(), figure)], &[(Format::Csv, file)]);
        assert!(error.is_err_and(|e| e.to_string().contains("mistakes consists of images")));
        assert!(!file.exists());
    }

    #[test]
    fn an_extension_says_what_is_written_or_is_an_error() {
        assert_eq!(Format::of(Path::new("a/loss.PNG")).ok(), Some(Format::Png));
        for wrong in ["loss.txt", "loss", "png"] {
            let error = Format::of(Path::new(wrong)).map_err(|e| e.to_string()).err();
            assert!(error.is_some_and(|e| e.contains(".png, .svg or .csv") && e.contains(wrong)), "{wrong}");
        }
    }
}
