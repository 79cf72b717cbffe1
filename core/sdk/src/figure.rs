//! Figures: what to draw from a run's metrics and tables. They cross the boundary as TOML, in the format of `figures.toml`.

use std::fmt::Write as _;

/// Declared figures: [`Figure`]s, or the text of a `figures.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures(String);

impl Figures {
    /// Returns the text of the `figures.toml`.
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
    /// Creates a figure without panels. `id` is `[a-z0-9-]+`; a figure replaces an earlier one with the same id.
    pub fn new(id: impl AsRef<str>, title: impl AsRef<str>) -> Self {
        Self {
            keys: Keys::default().text("id", id.as_ref()).text("title", title.as_ref()),
            panels: Vec::new(),
        }
    }

    /// Sets the text below it, a sentence or more.
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

/// A pair of axes, optionally a third on the right, with marks.
#[derive(Clone, Debug)]
pub struct Panel {
    keys: Keys,
    marks: Vec<Mark>,
}

impl Panel {
    /// Creates a panel without marks. A text is a linear axis with that label.
    pub fn new(x: impl Into<Axis>, y: impl Into<Axis>) -> Self {
        Self { keys: Keys::default().axis("x", &x.into()).axis("y", &y.into()), marks: Vec::new() }
    }

    /// Sets the title.
    #[must_use]
    pub fn title(mut self, title: impl AsRef<str>) -> Self {
        self.keys = self.keys.text("title", title.as_ref());
        self
    }

    /// Adds a second vertical axis on the right, for marks that are [`Mark::right`].
    #[must_use]
    pub fn right(mut self, axis: impl Into<Axis>) -> Self {
        self.keys = self.keys.axis("y2", &axis.into());
        self
    }

    /// Adds a mark on top of the previous ones.
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

/// An axis: its label, unit and scale.
#[derive(Clone, Debug)]
pub struct Axis(Keys);

impl Axis {
    /// Creates a linear axis. An empty label means none.
    pub fn linear(label: impl AsRef<str>) -> Self {
        match label.as_ref() {
            "" => Self(Keys::default()),
            label => Self(Keys::default().text("label", label)),
        }
    }

    /// Creates a logarithmic axis, base 10.
    pub fn log(label: impl AsRef<str>) -> Self {
        Self::linear(label).scale("log")
    }

    /// Creates a logarithmic axis, base 2.
    pub fn log2(label: impl AsRef<str>) -> Self {
        Self::linear(label).scale("log2")
    }

    /// Creates an axis that is linear around zero and logarithmic beyond, for both signs.
    pub fn symlog(label: impl AsRef<str>) -> Self {
        Self::linear(label).scale("symlog")
    }

    /// Sets the unit of its values.
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

/// What a mark draws: a metric by its name, or `(table, x, y)` for a table and its columns of x and y values.
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

    /// Draws lines through points.
    pub fn line(of: impl Into<Source>) -> Self {
        Self::of("line", of.into())
    }

    /// Draws the area between the minimum and the maximum.
    pub fn area(of: impl Into<Source>) -> Self {
        Self::of("band", of.into())
    }

    /// Draws points.
    pub fn scatter(of: impl Into<Source>) -> Self {
        Self::of("scatter", of.into())
    }

    /// Draws bars from zero.
    pub fn bar(of: impl Into<Source>) -> Self {
        Self::of("bar", of.into())
    }

    /// Draws a histogram of the values of a metric.
    pub fn histogram(metric: &str) -> Self {
        Self::of("histogram", metric.into())
    }

    /// Draws a histogram of a table's column.
    pub fn histogram_of(table: &str, column: &str) -> Self {
        Self(Keys::default().text("type", "histogram").text("table", table).text("column", column))
    }

    /// Draws coloured cells, from columns of a table for x, y and the colour.
    pub fn heatmap(table: &str, x: &str, y: &str, colour: &str) -> Self {
        Self::field("heatmap", table, [x, y, colour])
    }

    /// Draws contour lines, from columns of a table for x, y and the height.
    pub fn contour(table: &str, x: &str, y: &str, height: &str) -> Self {
        Self::field("contour", table, [x, y, height])
    }

    /// Draws images, from a column of pixels, one byte each, as created by [`Column::bytes`](crate::Column::bytes).
    pub fn image(table: &str, pixels: &str) -> Self {
        Self(Keys::default().text("type", "image").text("table", table).text("zcol", pixels))
    }

    /// Draws a horizontal line across the panel.
    pub fn level(y: f64) -> Self {
        Self(Keys::default().text("type", "rule").set("y", number(y)))
    }

    /// Draws a vertical line across the panel.
    pub fn upright(x: f64) -> Self {
        Self(Keys::default().text("type", "rule").set("x", number(x)))
    }

    /// Selects the series of a model.
    #[must_use]
    pub fn model(self, model: &str) -> Self {
        Self(self.0.text("model", model))
    }

    /// Selects the series of these models.
    #[must_use]
    pub fn models<S: AsRef<str>>(self, models: impl IntoIterator<Item = S>) -> Self {
        Self(self.0.texts("model", models))
    }

    /// Selects the series of a split.
    #[must_use]
    pub fn split(self, split: &str) -> Self {
        Self(self.0.text("split", split))
    }

    /// Selects the series of these splits.
    #[must_use]
    pub fn splits<S: AsRef<str>>(self, splits: impl IntoIterator<Item = S>) -> Self {
        Self(self.0.texts("split", splits))
    }

    /// Selects the series of a trial.
    #[must_use]
    pub fn trial(self, trial: i32) -> Self {
        Self(self.0.set("trial", trial.to_string()))
    }

    /// Draws a metric against epochs, if it was logged with them, instead of steps.
    #[must_use]
    pub fn over_epochs(self) -> Self {
        Self(self.0.text("x", "epoch"))
    }

    /// Draws a metric against time instead of steps.
    #[must_use]
    pub fn over_time(self) -> Self {
        Self(self.0.text("x", "time"))
    }

    /// Draws a separate line, with a colour and a name in the legend, for each value of these: for a metric [`By`], by
    /// default model and split; for a table names of columns, by default none.
    #[must_use]
    pub fn by<S: AsRef<str>>(self, keys: impl IntoIterator<Item = S>) -> Self {
        Self(self.0.texts("by", keys))
    }

    /// Draws a single line: [`by`](Self::by) nothing.
    #[must_use]
    pub fn together(self) -> Self {
        self.by::<&str>([])
    }

    /// Draws the mean of what [`by`](Self::by) does not separate.
    #[must_use]
    pub fn mean(self) -> Self {
        Self(self.0.text("aggregate", "mean"))
    }

    /// Draws the median of what [`by`](Self::by) does not separate.
    #[must_use]
    pub fn median(self) -> Self {
        Self(self.0.text("aggregate", "median"))
    }

    /// Adds a band from the minimum to the maximum of what [`mean`](Self::mean) or [`median`](Self::median) combines.
    #[must_use]
    pub fn band(self) -> Self {
        Self(self.0.text("band", "minmax"))
    }

    /// Draws the rows of all steps of a table, not only of the last.
    #[must_use]
    pub fn all_steps(self) -> Self {
        Self(self.0.text("steps", "all"))
    }

    /// Sets the column of texts displayed at scattered points.
    #[must_use]
    pub fn words(self, column: &str) -> Self {
        Self(self.0.text("textcol", column))
    }

    /// Connects scattered points in the order of the table.
    #[must_use]
    pub fn joined(self) -> Self {
        Self(self.0.set("joined", "true".into()))
    }

    /// Sets the number of bins of a histogram, at least 1.
    #[must_use]
    pub fn bins(self, bins: u32) -> Self {
        Self(self.0.set("bins", bins.to_string()))
    }

    /// Maps values to colours or heights logarithmically.
    #[must_use]
    pub fn log(self) -> Self {
        Self(self.0.text("scale", "log"))
    }

    /// Sets the name in the legend.
    #[must_use]
    pub fn label(self, label: impl AsRef<str>) -> Self {
        Self(self.0.text("label", label.as_ref()))
    }

    /// Sets the colour: a name of the palette, such as `blue`, `vermillion`, `green`, `purple`, `grey`, or `#rrggbb`.
    #[must_use]
    pub fn color(self, color: &str) -> Self {
        Self(self.0.text("color", color))
    }

    /// Uses the axis on the right; see [`Panel::right`].
    #[must_use]
    pub fn right(self) -> Self {
        Self(self.0.text("axis", "y2"))
    }
}

/// Keys and their values as TOML, in the order set.
#[derive(Clone, Debug, Default)]
struct Keys(Vec<(&'static str, String)>);

impl Keys {
    /// Sets a key, replacing an earlier value.
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

/// Quotes a text as a TOML basic string.
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
