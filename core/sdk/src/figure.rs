//! Figures: what is to be drawn from a run's metrics and tables. They cross the boundary as the TOML of `figures.toml`.

use std::fmt::Write as _;

/// Figures as they are declared: [`Figure`]s, or the text of a `figures.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures(String);

impl Figures {
    /// The text of their `figures.toml`.
    pub fn toml(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Figures {
    fn from(toml: &str) -> Self {
        Self(toml.to_owned())
    }
}

impl From<&String> for Figures {
    fn from(toml: &String) -> Self {
        Self(toml.clone())
    }
}

impl From<Figure> for Figures {
    fn from(figure: Figure) -> Self {
        Self(figure.toml())
    }
}

impl From<Vec<Figure>> for Figures {
    fn from(figures: Vec<Figure>) -> Self {
        Self(figures.iter().map(Figure::toml).collect())
    }
}

impl<const N: usize> From<[Figure; N]> for Figures {
    fn from(figures: [Figure; N]) -> Self {
        Vec::from(figures).into()
    }
}

/// A figure: one or more panels under a title.
///
/// ```
/// # use gradtop_sdk::prelude::*;
/// let loss = Figure::new("loss", "Loss")
///     .caption("Mean of the trials, band from lowest to highest.")
///     .panel(
///         Panel::new("epoch", Axis::log("MSE"))
///             .mark(Mark::line("loss").split("test").over_epochs().by([By::Model]).mean().band())
///             .mark(Mark::level(0.1).label("predicting the mean")),
///     );
/// let fit = Figure::new("fit", "Predictions over the data").panel(
///     Panel::new("x", "y")
///         .mark(Mark::scatter(("predictions", "x", "y")).label("data"))
///         .mark(Mark::line(("predictions", "x", "prediction")).by(["model"])),
/// );
/// # struct E;
/// let info = Info::new("fit", "Fit", "").figures([loss, fit]);
/// ```
#[derive(Clone, Debug)]
pub struct Figure {
    keys: Keys,
    panels: Vec<Panel>,
}

impl Figure {
    /// `id` is `[a-z0-9-]+`; a figure that is declared with the id of an earlier one takes its place.
    pub fn new(id: impl AsRef<str>, title: impl AsRef<str>) -> Self {
        Self {
            keys: Keys::default().text("id", id.as_ref()).text("title", title.as_ref()),
            panels: Vec::new(),
        }
    }

    /// A sentence or more below it.
    #[must_use]
    pub fn caption(mut self, text: impl AsRef<str>) -> Self {
        self.keys = self.keys.text("caption", text.as_ref());
        self
    }

    /// Adds a panel.
    #[must_use]
    pub fn panel(self, panel: Panel) -> Self {
        self.panels([panel])
    }

    /// Adds panels.
    #[must_use]
    pub fn panels(mut self, panels: impl IntoIterator<Item = Panel>) -> Self {
        self.panels.extend(panels);
        self
    }

    fn toml(&self) -> String {
        let part = |name: &str, keys: &Keys| format!("[[{name}]]\n{}\n", keys.lines());
        let panels = self.panels.iter().flat_map(|panel| {
            let marks = panel.marks.iter().map(|mark| part("figure.panel.mark", &mark.0));
            [part("figure.panel", &panel.keys)].into_iter().chain(marks)
        });
        [part("figure", &self.keys)].into_iter().chain(panels).collect()
    }
}

/// Two axes, perhaps a third at the right, and what is drawn between them.
#[derive(Clone, Debug)]
pub struct Panel {
    keys: Keys,
    marks: Vec<Mark>,
}

impl Panel {
    /// A text is a linear axis of that label.
    pub fn new(x: impl Into<Axis>, y: impl Into<Axis>) -> Self {
        Self { keys: Keys::default().axis("x", &x.into()).axis("y", &y.into()), marks: Vec::new() }
    }

    /// A heading.
    #[must_use]
    pub fn title(mut self, title: impl AsRef<str>) -> Self {
        self.keys = self.keys.text("title", title.as_ref());
        self
    }

    /// A second vertical axis, at the right, for marks that are [`Mark::right`].
    #[must_use]
    pub fn right(mut self, axis: impl Into<Axis>) -> Self {
        self.keys = self.keys.axis("y2", &axis.into());
        self
    }

    /// Adds a mark, over those before it.
    #[must_use]
    pub fn mark(self, mark: Mark) -> Self {
        self.marks([mark])
    }

    /// Adds marks.
    #[must_use]
    pub fn marks(mut self, marks: impl IntoIterator<Item = Mark>) -> Self {
        self.marks.extend(marks);
        self
    }
}

/// An axis: its label, its unit and how numbers become places.
#[derive(Clone, Debug)]
pub struct Axis(Keys);

impl Axis {
    /// Evenly. An empty label is none.
    pub fn linear(label: impl AsRef<str>) -> Self {
        match label.as_ref() {
            "" => Self(Keys::default()),
            label => Self(Keys::default().text("label", label)),
        }
    }

    /// By the decimal logarithm.
    pub fn log(label: impl AsRef<str>) -> Self {
        Self::linear(label).scale("log")
    }

    /// By the binary logarithm.
    pub fn log2(label: impl AsRef<str>) -> Self {
        Self::linear(label).scale("log2")
    }

    /// Linear about zero, logarithmic beyond, both signs.
    pub fn symlog(label: impl AsRef<str>) -> Self {
        Self::linear(label).scale("symlog")
    }

    /// The unit of its numbers.
    #[must_use]
    pub fn unit(self, unit: &str) -> Self {
        Self(self.0.text("unit", unit))
    }

    fn scale(self, scale: &str) -> Self {
        Self(self.0.text("scale", scale))
    }
}

impl<S: AsRef<str>> From<S> for Axis {
    fn from(label: S) -> Self {
        Self::linear(label)
    }
}

/// What a mark draws: a metric by its name, or `(table, x, y)`, a table and its columns along both axes.
#[derive(Clone, Debug)]
pub struct Source(Keys);

impl From<&str> for Source {
    fn from(metric: &str) -> Self {
        Self(Keys::default().text("metric", metric))
    }
}

impl<T: AsRef<str>, X: AsRef<str>, Y: AsRef<str>> From<(T, X, Y)> for Source {
    fn from((table, x, y): (T, X, Y)) -> Self {
        let table = Keys::default().text("table", table.as_ref());
        Self(table.text("xcol", x.as_ref()).text("ycol", y.as_ref()))
    }
}

/// What separates the lines of a metric; see [`Mark::by`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The model.
    Model,
    /// The split.
    Split,
    /// The trial.
    Trial,
}

impl AsRef<str> for By {
    fn as_ref(&self) -> &str {
        match self {
            Self::Model => "model",
            Self::Split => "split",
            Self::Trial => "trial",
        }
    }
}

/// Something drawn in a panel.
#[derive(Clone, Debug)]
pub struct Mark(Keys);

impl Mark {
    fn of(kind: &str, source: Source) -> Self {
        let mut keys = Keys::default().text("type", kind);
        keys.0.extend(source.0.0);
        Self(keys)
    }

    fn field(kind: &str, table: &str, [x, y, z]: [&str; 3]) -> Self {
        let Self(keys) = Self::of(kind, (table, x, y).into());
        Self(keys.text("zcol", z))
    }

    /// Lines through points.
    pub fn line(of: impl Into<Source>) -> Self {
        Self::of("line", of.into())
    }

    /// The area from the lowest to the highest.
    pub fn area(of: impl Into<Source>) -> Self {
        Self::of("band", of.into())
    }

    /// Points.
    pub fn scatter(of: impl Into<Source>) -> Self {
        Self::of("scatter", of.into())
    }

    /// Bars from zero.
    pub fn bar(of: impl Into<Source>) -> Self {
        Self::of("bar", of.into())
    }

    /// How often the values of a metric occur.
    pub fn histogram(metric: &str) -> Self {
        Self::of("histogram", metric.into())
    }

    /// How often the values of a table's column occur.
    pub fn histogram_of(table: &str, column: &str) -> Self {
        Self(Keys::default().text("type", "histogram").text("table", table).text("column", column))
    }

    /// Coloured cells: columns of a table along x and y, and the one of the colours.
    pub fn heatmap(table: &str, x: &str, y: &str, colour: &str) -> Self {
        Self::field("heatmap", table, [x, y, colour])
    }

    /// Lines of equal height: columns of a table along x and y, and the one of the heights.
    pub fn contour(table: &str, x: &str, y: &str, height: &str) -> Self {
        Self::field("contour", table, [x, y, height])
    }

    /// Images: a column of rows of pixels, a byte each, as [`Column::bytes`](crate::Column::bytes) makes it.
    pub fn image(table: &str, pixels: &str) -> Self {
        Self(Keys::default().text("type", "image").text("table", table).text("zcol", pixels))
    }

    /// A level line across the panel.
    pub fn level(y: f64) -> Self {
        Self(Keys::default().text("type", "rule").set("y", number(y)))
    }

    /// An upright line across the panel.
    pub fn upright(x: f64) -> Self {
        Self(Keys::default().text("type", "rule").set("x", number(x)))
    }

    /// Only the series of this model.
    #[must_use]
    pub fn model(self, model: &str) -> Self {
        Self(self.0.text("model", model))
    }

    /// Only the series of these models.
    #[must_use]
    pub fn models<S: AsRef<str>>(self, models: impl IntoIterator<Item = S>) -> Self {
        Self(self.0.texts("model", models))
    }

    /// Only the series of this split.
    #[must_use]
    pub fn split(self, split: &str) -> Self {
        Self(self.0.text("split", split))
    }

    /// Only the series of these splits.
    #[must_use]
    pub fn splits<S: AsRef<str>>(self, splits: impl IntoIterator<Item = S>) -> Self {
        Self(self.0.texts("split", splits))
    }

    /// Only the series of this trial.
    #[must_use]
    pub fn trial(self, trial: i32) -> Self {
        Self(self.0.set("trial", trial.to_string()))
    }

    /// A metric against epochs, where it was logged with them, not steps.
    #[must_use]
    pub fn over_epochs(self) -> Self {
        Self(self.0.text("x", "epoch"))
    }

    /// A metric against time, not steps.
    #[must_use]
    pub fn over_time(self) -> Self {
        Self(self.0.text("x", "time"))
    }

    /// One line, with a colour and a name in the legend, for each of these: of a metric [`By`], by model and split if not said;
    /// of a table names of columns, none if not said.
    #[must_use]
    pub fn by<S: AsRef<str>>(self, keys: impl IntoIterator<Item = S>) -> Self {
        Self(self.0.texts("by", keys))
    }

    /// One line for all: [`by`](Self::by) nothing.
    #[must_use]
    pub fn together(self) -> Self {
        self.by::<&str>([])
    }

    /// Of what [`by`](Self::by) does not separate, the mean at each place.
    #[must_use]
    pub fn mean(self) -> Self {
        Self(self.0.text("aggregate", "mean"))
    }

    /// Of what [`by`](Self::by) does not separate, the median at each place.
    #[must_use]
    pub fn median(self) -> Self {
        Self(self.0.text("aggregate", "median"))
    }

    /// With a band from the lowest to the highest of what is one line by [`mean`](Self::mean) or [`median`](Self::median).
    #[must_use]
    pub fn band(self) -> Self {
        Self(self.0.text("band", "minmax"))
    }

    /// The rows of all steps of a table, not only of the last.
    #[must_use]
    pub fn all_steps(self) -> Self {
        Self(self.0.text("steps", "all"))
    }

    /// The column of words written beside scattered points.
    #[must_use]
    pub fn words(self, column: &str) -> Self {
        Self(self.0.text("textcol", column))
    }

    /// Joins scattered points in the order of the table.
    #[must_use]
    pub fn joined(self) -> Self {
        Self(self.0.set("joined", "true".into()))
    }

    /// How many bins a histogram has, at least 1.
    #[must_use]
    pub fn bins(self, bins: u32) -> Self {
        Self(self.0.set("bins", bins.to_string()))
    }

    /// Colours or heights by their logarithm.
    #[must_use]
    pub fn log(self) -> Self {
        Self(self.0.text("scale", "log"))
    }

    /// Its name in the legend.
    #[must_use]
    pub fn label(self, label: impl AsRef<str>) -> Self {
        Self(self.0.text("label", label.as_ref()))
    }

    /// Its colour: a name of the palette, such as `blue`, `vermillion`, `green`, `purple`, `grey`, or `#rrggbb`.
    #[must_use]
    pub fn color(self, color: &str) -> Self {
        Self(self.0.text("color", color))
    }

    /// It belongs to the axis at the right; see [`Panel::right`].
    #[must_use]
    pub fn right(self) -> Self {
        Self(self.0.text("axis", "y2"))
    }
}

/// Keys and their values as TOML, in the order said.
#[derive(Clone, Debug, Default)]
struct Keys(Vec<(&'static str, String)>);

impl Keys {
    /// What is said again replaces what was said before.
    fn set(mut self, key: &'static str, value: String) -> Self {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => self.0.push((key, value)),
        }
        self
    }

    fn text(self, key: &'static str, text: &str) -> Self {
        self.set(key, quoted(text))
    }

    fn texts<S: AsRef<str>>(self, key: &'static str, texts: impl IntoIterator<Item = S>) -> Self {
        let texts: Vec<String> = texts.into_iter().map(|text| quoted(text.as_ref())).collect();
        self.set(key, format!("[{}]", texts.join(", ")))
    }

    fn axis(self, key: &'static str, axis: &Axis) -> Self {
        self.set(key, format!("{{ {} }}", axis.0.pairs().join(", ")))
    }

    fn pairs(&self) -> Vec<String> {
        self.0.iter().map(|(key, value)| format!("{key} = {value}")).collect()
    }

    fn lines(&self) -> String {
        self.pairs().join("\n") + "\n"
    }
}

fn number(value: f64) -> String {
    if value.is_nan() { "nan".into() } else { format!("{value:e}") }
}

/// A text as a basic string of TOML.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // Writing into a String cannot fail.
            c if c.is_control() => write!(out, "\\u{:04x}", u32::from(c)).unwrap_or_default(),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
