//! Parameters: their declaration, and parsing the texts sent by the host.

use gradtop_abi::text::{self, Range};

use crate::{Error, Result};

/// The parameters of an experiment: derived from its struct by `#[derive(Params)]`.
///
/// Each field is an integer (`i64`, `i32`, `u32`, `u64`, `usize`), `f64`, `bool` or `String`, an enum that is a [`Choice`], or a
/// `Vec` of one of these, with a doc comment (its help) and an attribute:
///
/// ```
/// # use gradtop_sdk::prelude::*;
/// /// Fits a line.
/// #[derive(Params)]
/// struct Line {
///     /// Learning rate
///     #[param(default = 0.1, min = 0.0, min_excluded, max = 10.0, log)]
///     lr: f64,
///     /// Function to fit
///     #[param(default = "sinc", choices = ["sinc", "sign"])]
///     function: String,
///     /// Optimizer
///     #[param(default = "adam")]
///     optimizer: Optimizer,
///     /// Widths of the hidden layers, comma-separated
///     #[param(default = "15,30", min = 1, max = 10_000, nonempty)]
///     hidden: Vec<usize>,
/// }
///
/// #[derive(Choice, Clone, Copy, Debug, PartialEq)]
/// enum Optimizer {
///     Adam,
///     Sgd,
/// }
/// assert_eq!(Line::defaults().lr, 0.1);
/// assert_eq!(Line::defaults().optimizer, Optimizer::Adam);
/// assert_eq!(Line::defaults().hidden, [15, 30]);
/// ```
///
/// | key | meaning |
/// |---|---|
/// | `default = VALUE` | required; of an enum or a list its text |
/// | `min = N`, `max = N` | range of a number, or of each number of a list, inclusive |
/// | `min_excluded`, `max_excluded` | the bound itself is not allowed |
/// | `log` | shown and sampled on a log scale; needs a `min` of at least 0 |
/// | `choices = ["a", "b"]` | the only values of a `String` |
/// | `distinct`, `nonempty` | a list names nothing twice, and something at all |
/// | `unit = "s"` | unit |
/// | `key = "name"` | name of the parameter where it is not the field's |
/// | `flatten` | alone, on a field whose type is itself `Params`: its parameters stand here, under their own names |
pub trait Params: Sized + 'static {
    /// First paragraph of the struct's doc comment.
    const SUMMARY: &'static str;
    /// The parameters, in the order of the fields.
    const PARAMS: &'static [ParamSpec];

    /// Creates the struct from values in the order of [`Self::PARAMS`].
    ///
    /// # Errors
    /// The values are those of other parameters.
    fn from_values(values: &Values) -> Result<Self>;

    /// Returns the struct with every parameter at its default.
    fn defaults() -> Self {
        let values = Values::parse(Self::PARAMS, &[]);
        values.and_then(|v| Self::from_values(&v)).expect("the derive checked that defaults are valid")
    }
}

/// An enum as a parameter. Derived for an enum without fields; a variant's name is its own in kebab case, or the one
/// given by `#[choice("…")]`.
///
/// ```
/// # use gradtop_sdk::prelude::*;
/// #[derive(Choice, Clone, Copy, Debug, PartialEq)]
/// enum Finder {
///     #[choice("lm")]
///     LevenbergMarquardt,
///     SquaredNorm,
/// }
/// assert_eq!(Finder::NAMES, ["lm", "squared-norm"]);
/// assert_eq!(Finder::SquaredNorm.name(), "squared-norm");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the type of a parameter",
    label = "an i64, i32, u32, u64, usize, f64, bool, String, an enum with `#[derive(Choice)]`, or a Vec of one of these"
)]
pub trait Choice: Clone + 'static {
    /// The names, in the order of the variants.
    const NAMES: &'static [&'static str];
    /// The variants.
    const ALL: &'static [Self];

    /// Returns its name.
    fn name(&self) -> &'static str;
}

/// The types of a parameter, and of the elements of a list.
#[doc(hidden)]
pub trait Item: Sized + PartialEq {
    const KIND: ParamKind;
    const CHOICES: &'static [&'static str] = &[];

    /// Converts a value; `None` if it is of another type.
    fn of(value: Value) -> Option<Self>;
}

macro_rules! items {
    ($($ty:ty: $kind:ident, $value:ident;)*) => {$(
        impl Item for $ty {
            const KIND: ParamKind = ParamKind::$kind;

            fn of(value: Value) -> Option<Self> {
                if let Value::$value(value) = value { value.try_into().ok() } else { None }
            }
        }
    )*};
}
items! {
    i64: I64, I64;
    i32: I64, I64;
    u32: I64, I64;
    u64: I64, I64;
    usize: I64, I64;
    f64: F64, F64;
    bool: Bool, Bool;
    String: Str, Text;
}

impl<T: Choice + PartialEq> Item for T {
    const KIND: ParamKind = ParamKind::Choice;
    const CHOICES: &'static [&'static str] = T::NAMES;

    fn of(value: Value) -> Option<Self> {
        if let Value::Text(text) = value { chosen(&text) } else { None }
    }
}

fn chosen<T: Choice>(name: &str) -> Option<T> {
    T::ALL.iter().find(|choice| choice.name() == name).cloned()
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// `i64`
    I64,
    /// `f64`
    F64,
    /// `bool`
    Bool,
    /// `String`
    Str,
    /// `String` with choices
    Choice,
}

/// A declared parameter.
#[derive(Clone, Copy, Debug)]
pub struct ParamSpec {
    /// Name, `[a-z][a-z0-9_]*`.
    pub key: &'static str,
    /// A one-line explanation.
    pub help: &'static str,
    /// Unit.
    pub unit: Option<&'static str>,
    /// Type.
    pub kind: ParamKind,
    /// Default as text.
    pub default: &'static str,
    /// The allowed values of a [`ParamKind::Choice`].
    pub choices: &'static [&'static str],
    /// Minimum, or -infinity.
    pub min: f64,
    /// Maximum, or infinity.
    pub max: f64,
    /// Whether `min` itself is excluded.
    pub min_excluded: bool,
    /// Whether `max` itself is excluded.
    pub max_excluded: bool,
    /// Whether to display and sample it on a log scale.
    pub log: bool,
}

/// A value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A value of a [`ParamKind::I64`].
    I64(i64),
    /// A value of a [`ParamKind::F64`].
    F64(f64),
    /// A value of a [`ParamKind::Bool`].
    Bool(bool),
    /// A value of a [`ParamKind::Str`] or [`ParamKind::Choice`].
    Text(String),
}

impl ParamSpec {
    /// Returns the total length of several lists.
    #[doc(hidden)]
    pub const fn count(parts: &[&[Self]]) -> usize {
        let (mut count, mut part) = (0, 0);
        while part < parts.len() {
            count += parts[part].len();
            part += 1;
        }
        count
    }

    /// Concatenates lists to one of length `N`, which must be their [`ParamSpec::count`].
    #[doc(hidden)]
    pub const fn join<const N: usize>(parts: &[&[Self]]) -> [Self; N] {
        let nothing = Self {
            key: "",
            help: "",
            unit: None,
            kind: ParamKind::Bool,
            default: "",
            choices: &[],
            min: 0.0,
            max: 0.0,
            min_excluded: false,
            max_excluded: false,
            log: false,
        };
        let mut all = [nothing; N];
        let (mut at, mut part) = (0, 0);
        while part < parts.len() {
            let mut i = 0;
            while i < parts[part].len() {
                all[at] = parts[part][i];
                at += 1;
                i += 1;
            }
            part += 1;
        }
        all
    }

    /// Returns the text, which must be one of the choices.
    ///
    /// # Panics
    /// If it is not, at compile time.
    #[doc(hidden)]
    pub const fn among(choices: &[&str], text: &'static str) -> &'static str {
        let mut i = 0;
        while i < choices.len() {
            let (choice, wanted) = (choices[i].as_bytes(), text.as_bytes());
            let mut at = 0;
            while at < choice.len() && at < wanted.len() && choice[at] == wanted[at] {
                at += 1;
            }
            if at == choice.len() && at == wanted.len() {
                return text;
            }
            i += 1;
        }
        panic!("the default is not among the choices")
    }

    /// Parses a value and checks its range or choice.
    ///
    /// # Errors
    /// The text is not of its type, out of range or not a choice; the message says what is allowed.
    pub fn parse(&self, text: &str) -> Result<Value> {
        self.read(text).map_err(|allowed| self.refuse(text, &allowed))
    }

    /// Parses a value; the error says what is allowed.
    fn read(&self, text: &str) -> Result<Value, String> {
        let value = match self.kind {
            ParamKind::I64 => {
                let value = text::integer(text).ok_or("a whole number")?;
                self.bounds().has_integer(value).then_some(Value::I64(value)).ok_or_else(|| self.range())?
            }
            ParamKind::F64 => {
                let value = text::float(text).ok_or("a finite number")?;
                self.bounds().has(value).then_some(Value::F64(value)).ok_or_else(|| self.range())?
            }
            ParamKind::Bool => Value::Bool(text::boolean(text).ok_or("`true` or `false`")?),
            ParamKind::Str => Value::Text(text.to_owned()),
            ParamKind::Choice if self.choices.contains(&text) => Value::Text(text.to_owned()),
            ParamKind::Choice => return Err(format!("one of {}", self.choices.join(", "))),
        };
        Ok(value)
    }

    fn bounds(&self) -> Range {
        let Self { min, max, min_excluded, max_excluded, .. } = *self;
        Range { min, max, min_excluded, max_excluded }
    }

    /// Describes the range: `greater than 0 and at most 10`.
    fn range(&self) -> String {
        let min = match (self.min == f64::NEG_INFINITY, self.min_excluded) {
            (true, _) => None,
            (false, true) => Some(format!("greater than {}", self.min)),
            (false, false) => Some(format!("at least {}", self.min)),
        };
        let max = match (self.max == f64::INFINITY, self.max_excluded) {
            (true, _) => None,
            (false, true) => Some(format!("less than {}", self.max)),
            (false, false) => Some(format!("at most {}", self.max)),
        };
        [min, max].into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }

    fn refuse(&self, text: &str, allowed: &str) -> Error {
        let text: String = text.chars().take(80).collect();
        Error::invalid(format!("parameter `{}` is `{text}`, but must be {allowed}", self.key))
    }
}

/// The checked values of all declared parameters.
#[derive(Clone, Debug)]
pub struct Values {
    specs: &'static [ParamSpec],
    values: Vec<Value>,
}

impl Values {
    /// Parses texts according to their declarations; missing ones get their default.
    ///
    /// # Errors
    /// A key is unknown or repeated, a text is not of its parameter's type, or a value is out of range.
    pub fn parse(specs: &'static [ParamSpec], texts: &[(&str, &str)]) -> Result<Self> {
        for (i, (key, _)) in texts.iter().enumerate() {
            let problem = if !specs.iter().any(|spec| spec.key == *key) {
                "is not declared"
            } else if texts[..i].iter().any(|(earlier, _)| earlier == key) {
                "is given twice"
            } else {
                continue;
            };
            return Err(Error::invalid(format!("parameter `{key}` {problem}")));
        }
        let values = specs
            .iter()
            .map(|spec| {
                let given = texts.iter().find(|(key, _)| *key == spec.key);
                spec.parse(given.map_or(spec.default, |(_, text)| text))
            })
            .collect::<Result<_>>()?;
        Ok(Self { specs, values })
    }

    /// Returns the values of a group of parameters, which must be the declared ones from `start` on.
    ///
    /// # Errors
    /// There are fewer values.
    pub fn part(&self, start: usize, specs: &'static [ParamSpec]) -> Result<Self> {
        match self.values.get(start..start + specs.len()) {
            Some(values) => Ok(Self { specs, values: values.to_vec() }),
            None => Err(self.mismatch(start)),
        }
    }

    /// Returns the value at `index`: a number, whose range must be within that of `T`, a Boolean or a text.
    ///
    /// # Errors
    /// The parameter is of another type.
    pub fn get<T: Item>(&self, index: usize) -> Result<T> {
        self.values.get(index).cloned().and_then(T::of).ok_or_else(|| self.mismatch(index))
    }

    /// Returns the choice at `index`.
    ///
    /// # Errors
    /// The parameter is of another type.
    pub fn choice<T: Choice>(&self, index: usize) -> Result<T> {
        chosen(&self.get::<String>(index)?).ok_or_else(|| self.mismatch(index))
    }

    /// Returns the list at `index`, given as comma-separated text.
    ///
    /// # Errors
    /// The text is not a list, an element is invalid, a `nonempty` list is empty, or a `distinct` list contains duplicates.
    pub fn list<T: Item>(&self, index: usize, distinct: bool, nonempty: bool) -> Result<Vec<T>> {
        let text: String = self.get(index)?;
        let spec = self.specs.get(index).ok_or_else(|| self.mismatch(index))?;
        let element = ParamSpec { kind: T::KIND, choices: T::CHOICES, ..*spec };
        if text.trim().is_empty() {
            return if nonempty { Err(spec.refuse(&text, "a list of at least one")) } else { Ok(Vec::new()) };
        }
        let mut all = Vec::new();
        for word in text.split(',').map(str::trim) {
            let problem =
                |what: String| Error::invalid(format!("parameter `{}` is `{text}`: {what}", spec.key));
            if word.is_empty() {
                return Err(problem("something is missing between two commas".into()));
            }
            let value = element.read(word).map_err(|allowed| {
                let key = spec.key;
                let none = !nonempty && word.eq_ignore_ascii_case("none");
                let hint = if none { "; leave it empty for none" } else { "" };
                let what = format!("parameter `{key}` names `{word}`, but each must be {allowed}{hint}");
                Error::invalid(what)
            })?;
            let value = T::of(value).ok_or_else(|| problem(format!("`{word}` is too large")))?;
            if distinct && all.contains(&value) {
                return Err(problem(format!("`{word}` is named twice")));
            }
            all.push(value);
        }
        Ok(all)
    }

    fn mismatch(&self, index: usize) -> Error {
        let key = self.specs.get(index).map_or("?", |spec| spec.key);
        Error::invalid(format!("parameter {index} (`{key}`) has another type"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The host has the same test.
    #[test]
    fn text_means_what_the_abi_says() {
        for case in include_str!("../../abi/tests/parameters.txt").lines().filter(|l| !l.starts_with('#')) {
            let [kind, text, meaning] = case.split('|').collect::<Vec<_>>()[..] else { panic!("{case}") };
            let kind = match kind {
                "i64" => ParamKind::I64,
                "f64" => ParamKind::F64,
                "bool" => ParamKind::Bool,
                "str" => ParamKind::Str,
                _ => ParamKind::Choice,
            };
            let nothing = ParamSpec::join::<1>(&[])[0];
            let spec = ParamSpec {
                kind,
                choices: &["sinc", "sign"],
                min: f64::NEG_INFINITY,
                max: f64::INFINITY,
                ..nothing
            };
            let value = match spec.parse(text) {
                Ok(Value::I64(value)) => value.to_string(),
                Ok(Value::F64(value)) => format!("{value:?}"),
                Ok(Value::Bool(value)) => value.to_string(),
                Ok(Value::Text(value)) => value,
                Err(_) => "-".to_owned(),
            };
            assert_eq!(value, meaning, "{case}");
        }
    }
}
