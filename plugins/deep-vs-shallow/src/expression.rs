//! Parses a user's function of x: `sin(3 * pi * x) * exp(-x)`.
//!
//! | | |
//! |---|---|
//! | numbers | `2`, `0.5`, `1e-3`, `pi`, `e`; the variable `x` |
//! | operators, loosest first | `+ -`, then `* / %`, then the signs `+ -`, then `^` (to the right: `2^3^2` is 2⁹, `-x^2` is −(x²)) |
//! | of one argument | `sin cos tan asin acos atan sinh cosh tanh exp ln log10 log2 sqrt cbrt abs sign floor ceil round sinc` |
//! | of two | `min max pow atan2 mod` |
//!
//! `sinc(u)` is sin(u)/u with sinc(0) = 1; `sign(0)` is 0. `%` and `mod` take the sign of the divisor's interval: the result
//! of `mod(u, 2)` lies in [0, 2).

use std::f64::consts;
use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// Maximum nesting of brackets, signs and powers, so that a text cannot overflow the stack.
const MAX_DEPTH: usize = 100;
/// Maximum length of a text in bytes.
const MAX_LENGTH: usize = 2000;

/// A parsed expression. Evaluation cannot fail: undefined values (√−1, 1/0) are NaN or infinite.
#[derive(Clone, Debug)]
pub struct Expression {
    root: Node,
}

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    text: String,
    /// Index of the character in the text.
    position: usize,
    what: String,
}

impl ParseError {
    /// Returns the index of the character at which parsing stopped.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, position, what } = self;
        write!(f, "expression `{text}`: {what} at character {}", position + 1)
    }
}

impl std::error::Error for ParseError {}

#[derive(Clone, Debug)]
enum Node {
    Number(f64),
    X,
    Call(One, Box<Node>),
    Call2(Two, Box<(Node, Node)>),
}

type One = fn(f64) -> f64;
type Two = fn(f64, f64) -> f64;

const ONE: &[(&str, One)] = &[
    ("sin", f64::sin),
    ("cos", f64::cos),
    ("tan", f64::tan),
    ("asin", f64::asin),
    ("acos", f64::acos),
    ("atan", f64::atan),
    ("sinh", f64::sinh),
    ("cosh", f64::cosh),
    ("tanh", f64::tanh),
    ("exp", f64::exp),
    ("ln", f64::ln),
    ("log10", f64::log10),
    ("log2", f64::log2),
    ("sqrt", f64::sqrt),
    ("cbrt", f64::cbrt),
    ("abs", f64::abs),
    ("sign", sign),
    ("floor", f64::floor),
    ("ceil", f64::ceil),
    ("round", f64::round),
    ("sinc", sinc),
];

const TWO: &[(&str, Two)] =
    &[("min", f64::min), ("max", f64::max), ("pow", f64::powf), ("atan2", f64::atan2), ("mod", remainder)];

/// Returns sin(u)/u, which is 1 at 0.
pub fn sinc(u: f64) -> f64 {
    if u == 0.0 { 1.0 } else { u.sin() / u }
}

fn sign(u: f64) -> f64 {
    if u == 0.0 || u.is_nan() { u } else { u.signum() }
}

fn remainder(a: f64, b: f64) -> f64 {
    a - b * (a / b).floor()
}

impl Expression {
    /// Parses an expression.
    ///
    /// # Errors
    /// Where the text becomes invalid, and what was expected there.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut parser = Parser { text, at: 0, depth: 0 };
        if text.len() > MAX_LENGTH {
            let short: String = text.chars().take(40).collect();
            return Err(ParseError {
                text: format!("{short}…"),
                position: MAX_LENGTH,
                what: format!("more than {MAX_LENGTH} bytes"),
            });
        }
        let root = parser.sum()?;
        match parser.peek() {
            None => Ok(Self { root }),
            Some(')') => Err(parser.error("a closing bracket without an opening one")),
            Some(c) => Err(parser.error(&format!("`{c}` where an operator was expected"))),
        }
    }

    /// Returns its value at x.
    pub fn at(&self, x: f64) -> f64 {
        self.root.at(x)
    }
}

impl Node {
    fn at(&self, x: f64) -> f64 {
        match self {
            Self::Number(value) => *value,
            Self::X => x,
            Self::Call(function, inner) => function(inner.at(x)),
            Self::Call2(function, pair) => function(pair.0.at(x), pair.1.at(x)),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Byte offset in `text`.
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn error(&self, what: &str) -> ParseError {
        self.error_at(self.at, what)
    }

    fn error_at(&self, byte: usize, what: &str) -> ParseError {
        let position = self.text[..byte].chars().count();
        ParseError { text: self.text.to_owned(), position, what: what.to_owned() }
    }

    /// Returns the next character that is not a space.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn sum(&mut self) -> Result<Node, ParseError> {
        let mut left = self.term()?;
        loop {
            let operator: Two = match self.peek() {
                Some('+') => Add::add,
                Some('-') => Sub::sub,
                _ => return Ok(left),
            };
            self.at += 1;
            left = Node::Call2(operator, Box::new((left, self.term()?)));
        }
    }

    fn term(&mut self) -> Result<Node, ParseError> {
        let mut left = self.signed()?;
        loop {
            let operator: Two = match self.peek() {
                Some('*') => Mul::mul,
                Some('/') => Div::div,
                Some('%') => remainder,
                _ => return Ok(left),
            };
            self.at += 1;
            left = Node::Call2(operator, Box::new((left, self.signed()?)));
        }
    }

    /// Signs and powers call this for their operand, and brackets lead here too: the only place where depth grows.
    fn signed(&mut self) -> Result<Node, ParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(&format!("nesting deeper than {MAX_DEPTH}")));
        }
        let node = if self.take('-') {
            Node::Call(Neg::neg, Box::new(self.signed()?))
        } else if self.take('+') {
            self.signed()?
        } else {
            let base = self.atom()?;
            if self.take('^') { Node::Call2(f64::powf, Box::new((base, self.signed()?))) } else { base }
        };
        self.depth -= 1;
        Ok(node)
    }

    fn atom(&mut self) -> Result<Node, ParseError> {
        match self.peek() {
            None => Err(self.error("the end where a number, x, a function or a bracket was expected")),
            Some('(') => {
                self.at += 1;
                let inner = self.sum()?;
                self.close()?;
                Ok(inner)
            }
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if c.is_ascii_alphabetic() => self.word(),
            Some(c) => {
                Err(self.error(&format!("`{c}` where a number, x, a function or a bracket was expected")))
            }
        }
    }

    fn close(&mut self) -> Result<(), ParseError> {
        if self.take(')') { Ok(()) } else { Err(self.error("`)` was expected")) }
    }

    fn number(&mut self) -> Result<Node, ParseError> {
        let rest = &self.text.as_bytes()[self.at..];
        let digits = |from: usize| from + rest[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let mut end = digits(0);
        if rest.get(end) == Some(&b'.') {
            end = digits(end + 1);
        }
        if matches!(rest.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(rest.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign);
            if exponent > end + 1 + sign {
                end = exponent;
            }
        }
        let start = self.at;
        let text = &self.text[start..start + end];
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => {
                self.at += end;
                Ok(Node::Number(value))
            }
            _ => Err(self.error(&format!("`{text}`, which is no number,"))),
        }
    }

    fn word(&mut self) -> Result<Node, ParseError> {
        let start = self.at;
        let rest = &self.text[start..];
        let length = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let name = &rest[..length];
        self.at += length;
        match name {
            "x" => return Ok(Node::X),
            "pi" => return Ok(Node::Number(consts::PI)),
            "e" => return Ok(Node::Number(consts::E)),
            _ => {}
        }
        if let Some(&(name, function)) = ONE.iter().find(|(known, _)| *known == name) {
            self.open(name)?;
            let argument = self.sum()?;
            self.close()?;
            return Ok(Node::Call(function, Box::new(argument)));
        }
        if let Some(&(name, function)) = TWO.iter().find(|(known, _)| *known == name) {
            self.open(name)?;
            let first = self.sum()?;
            if !self.take(',') {
                return Err(self.error(&format!("`,` was expected ({name} takes two arguments)")));
            }
            let second = self.sum()?;
            self.close()?;
            return Ok(Node::Call2(function, Box::new((first, second))));
        }
        let known: Vec<&str> = ONE.iter().map(|f| f.0).chain(TWO.iter().map(|f| f.0)).collect();
        let what = format!("`{name}`, which is neither x, pi, e nor one of {},", known.join(" "));
        Err(self.error_at(start, &what))
    }

    fn open(&mut self, name: &str) -> Result<(), ParseError> {
        if self.take('(') { Ok(()) } else { Err(self.error(&format!("`(` was expected after {name}"))) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn values() {
        for (text, x, expected) in [
            ("1 + 2 * 3", 0.0, 7.0),
            ("(1 + 2) * 3", 0.0, 9.0),
            ("2^3^2", 0.0, 512.0),
            ("-x^2", 3.0, -9.0),
            ("2^-x", 1.0, 0.5),
            ("10 - 4 - 3", 0.0, 3.0),
            ("12 / 3 / 2", 0.0, 2.0),
            ("7 % 4 + mod(-1, 4)", 0.0, 6.0),
            ("--x", 2.0, 2.0),
            ("1.5e1 + .5 + 2.", 0.0, 17.5),
            ("2*e", 0.0, 2.0 * consts::E),
            (" sin( pi / 2 ) ", 0.0, 1.0),
            ("sinc(x)", 0.0, 1.0),
            ("sinc(5*pi*x)", 0.1, 2.0 / consts::PI),
            ("sign(x)", -0.2, -1.0),
            ("sign(x)", 0.0, 0.0),
            ("max(x, 0) + min(x, 0)", -4.0, -4.0),
            ("pow(x, 3)", 2.0, 8.0),
            ("exp(ln(x))", 2.0, 2.0),
        ] {
            let value = Expression::parse(text).unwrap().at(x);
            assert!((value - expected).abs() < 1e-12, "{text} at {x} is {value}, not {expected}");
        }
        assert!(Expression::parse("sqrt(x)").unwrap().at(-1.0).is_nan());
    }

    #[test]
    fn errors_say_what_and_where() {
        for (text, position, what) in [
            ("", 0, "the end"),
            ("2 +", 3, "the end"),
            ("sin(x", 5, "`)` was expected"),
            ("sin x", 4, "`(` was expected after sin"),
            ("x)", 1, "closing bracket"),
            ("2 x", 2, "`x` where an operator"),
            ("3 * tann(x)", 4, "`tann`"),
            ("y + 1", 0, "`y`"),
            ("min(x)", 5, "takes two arguments"),
            ("√x", 0, "`√`"),
            ("x + √2", 4, "`√`"),
            ("..", 0, "no number"),
            ("1e999", 0, "no number"),
        ] {
            let error = Expression::parse(text).unwrap_err();
            assert_eq!(error.position(), position, "{error}");
            assert!(error.to_string().contains(what), "{error}");
            assert!(error.to_string().ends_with(&format!("at character {}", position + 1)), "{error}");
        }
    }

    #[test]
    fn nothing_exhausts_the_stack() {
        for text in ["(".repeat(1900), "-".repeat(1900), format!("{}1", "2^".repeat(900)), "sin(".repeat(400)]
        {
            assert!(Expression::parse(&text).unwrap_err().to_string().contains("nesting"), "{text}");
        }
        assert!(Expression::parse(&"1+".repeat(3000)).unwrap_err().to_string().contains("bytes"));
        assert_eq!(Expression::parse(&format!("{}x", "1+".repeat(900))).unwrap().at(0.5), 900.5);
    }
}
