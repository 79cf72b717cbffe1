//! Parses filters.

use gradtop_store::State;

use super::{Compare, Filter, FilterError, PARAM, Pattern};
use crate::list::field::{Asked, Field, MARK, MARKS, STATE, STATES};
use gradtop_host::Than;
use gradtop_host::text::time;
use gradtop_store::suggest;

/// Maximum nesting of parentheses, so that pasted text cannot overflow the stack.
const DEPTH: usize = 50;

pub(super) fn parse(text: &str) -> Result<Filter, FilterError> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, next: 0, end: text.chars().count(), depth: 0 };
    let filter = parser.any()?;
    match parser.peek() {
        None => Ok(filter),
        Some((at, _)) => Err(error(*at, "there is no ( for this )")),
    }
}

fn error(at: usize, message: impl Into<String>) -> FilterError {
    FilterError { at, message: message.into() }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    /// A word, and whether it was entirely quoted.
    Word(String, bool),
    /// Key, operator, value, and the position of the value.
    Term(String, Operator, String, usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Colon,
    Number(Compare),
}

const OPERATORS: [(&str, Operator); 7] = [
    ("<=", Operator::Number(Compare::Than(Than::AtMost))),
    (">=", Operator::Number(Compare::Than(Than::AtLeast))),
    ("!=", Operator::Number(Compare::IsNot)),
    ("<", Operator::Number(Compare::Than(Than::Less))),
    (">", Operator::Number(Compare::Than(Than::More))),
    ("=", Operator::Number(Compare::Is)),
    (":", Operator::Colon),
];

fn operator(rest: &[char]) -> Option<(usize, Operator)> {
    let begins = |(sign, _): &&(&str, Operator)| sign.chars().eq(rest.iter().take(sign.len()).copied());
    OPERATORS.iter().find(begins).map(|(sign, operator)| (sign.len(), *operator))
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, FilterError> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let start = i;
        match chars[i] {
            c if c.is_whitespace() => i += 1,
            '(' | ')' => {
                out.push((i, if chars[i] == '(' { Token::Open } else { Token::Close }));
                i += 1;
            }
            '-' | '!' if chars.get(i + 1).is_some_and(|c| !c.is_whitespace() && *c != '=') => {
                out.push((i, Token::Not));
                i += 1;
            }
            _ => {
                let (word, quoted) = word(&chars, &mut i, true)?;
                // Spaces around the operator are allowed.
                let blanks = chars[i..].iter().take_while(|c| c.is_whitespace()).count();
                let sign = if quoted { None } else { operator(&chars[i + blanks..]) };
                let Some((length, operator)) = sign else {
                    out.push((start, plain(word, quoted)));
                    continue;
                };
                if word.is_empty() {
                    return Err(error(start, "a name belongs before this sign, such as state or lr"));
                }
                i += blanks + length;
                while chars.get(i).is_some_and(|c| c.is_whitespace()) {
                    i += 1;
                }
                let at = i;
                let (value, _) = self::word(&chars, &mut i, false)?;
                if value.is_empty() {
                    return Err(error(at, format!("what should {word} be compared with?")));
                }
                out.push((start, Token::Term(word.to_lowercase(), operator, value, at)));
            }
        }
    }
    Ok(out)
}

fn plain(word: String, quoted: bool) -> Token {
    match word.as_str() {
        _ if quoted => Token::Word(word, true),
        "AND" | "&" | "&&" => Token::And,
        "OR" | "|" | "||" => Token::Or,
        "NOT" => Token::Not,
        _ => Token::Word(word, false),
    }
}

/// Reads a word up to a space or parenthesis, or up to an operator if one may follow. Quotes may contain anything.
fn word(chars: &[char], i: &mut usize, before_sign: bool) -> Result<(String, bool), FilterError> {
    if chars.get(*i) == Some(&'"') {
        let start = *i;
        *i += 1;
        let mut word = String::new();
        loop {
            match chars.get(*i) {
                None => return Err(error(start, "this quotation mark has no second one")),
                Some('"') => break,
                Some(c) => word.push(*c),
            }
            *i += 1;
        }
        *i += 1;
        return Ok((word, true));
    }
    let mut word = String::new();
    while let Some(c) = chars.get(*i) {
        let ends = c.is_whitespace() || matches!(c, '(' | ')' | '"');
        let prefix = *c == ':' && word.eq_ignore_ascii_case(PARAM.trim_end_matches(':'));
        if ends || (before_sign && !prefix && operator(&chars[*i..]).is_some()) {
            break;
        }
        word.push(*c);
        *i += 1;
    }
    Ok((word, false))
}

struct Parser<'a> {
    tokens: &'a [(usize, Token)],
    next: usize,
    end: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a (usize, Token)> {
        self.tokens.get(self.next)
    }

    fn take(&mut self, token: &Token) -> bool {
        let is = self.peek().is_some_and(|(_, t)| t == token);
        self.next += usize::from(is);
        is
    }

    fn any(&mut self) -> Result<Filter, FilterError> {
        let empty = Filter::All(Vec::new());
        let mut parts = vec![self.all()?];
        while let Some((at, Token::Or)) = self.peek() {
            self.next += 1;
            if parts.last() == Some(&empty) {
                return Err(error(*at, "nothing before OR"));
            }
            parts.push(self.all()?);
            if parts.last() == Some(&empty) {
                return Err(error(*at, "nothing after OR"));
            }
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Any(parts) })
    }

    fn all(&mut self) -> Result<Filter, FilterError> {
        let mut parts = Vec::new();
        loop {
            if let Some((at, Token::And)) = self.peek() {
                self.next += 1;
                let follows =
                    self.peek().is_some_and(|(_, t)| !matches!(t, Token::And | Token::Or | Token::Close));
                if parts.is_empty() || !follows {
                    let side = if parts.is_empty() { "before" } else { "after" };
                    return Err(error(*at, format!("nothing {side} AND")));
                }
            }
            match self.peek() {
                None | Some((_, Token::Close | Token::Or)) => break,
                Some(_) => parts.push(self.one()?),
            }
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::All(parts) })
    }

    fn one(&mut self) -> Result<Filter, FilterError> {
        let mut negated = false;
        let mut not_at = None;
        while let Some((at, Token::Not)) = self.peek() {
            (negated, not_at) = (!negated, Some(*at));
            self.next += 1;
        }
        let Some((at, token)) = self.peek() else {
            return Err(error(not_at.unwrap_or(self.end), "nothing after NOT"));
        };
        self.next += 1;
        let filter = match token {
            Token::Open => self.group(*at)?,
            Token::Word(word, _) => Filter::Word(Pattern::new(word)),
            Token::Term(key, operator, value, value_at) => term(*at, key, *operator, value, *value_at)?,
            Token::Close | Token::And | Token::Or | Token::Not => {
                return Err(error(not_at.unwrap_or(*at), "nothing after NOT"));
            }
        };
        Ok(if negated { Filter::Not(Box::new(filter)) } else { filter })
    }

    fn group(&mut self, at: usize) -> Result<Filter, FilterError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(error(at, "too many parentheses within each other"));
        }
        let filter = self.any()?;
        self.depth -= 1;
        if filter == Filter::All(Vec::new()) {
            return Err(error(at, "nothing between the parentheses"));
        }
        if self.take(&Token::Close) { Ok(filter) } else { Err(error(at, "this ( has no )")) }
    }
}

fn term(
    at: usize,
    key: &str,
    operator: Operator,
    value: &str,
    value_at: usize,
) -> Result<Filter, FilterError> {
    let own = Field::asked(key);
    let key = own.map_or(key, |own| own.name());
    let is_text = own.is_some_and(|own| own.asked.is_text());
    let (number, kind) = if own.is_some_and(|own| matches!(own.asked, Asked::Time)) {
        (time(value), "times")
    } else {
        (number(value).ok_or_else(|| format!("{value} is not a number")), "numbers")
    };
    match operator {
        Operator::Colon if own.is_some_and(|own| own.asked.is_number()) => match number {
            Ok(n) => Ok(Filter::Number(key.to_owned(), Compare::Is, n)),
            Err(why) => Err(error(value_at, format!("{key} is compared with {kind}: {why}"))),
        },
        Operator::Colon => {
            let pattern = Pattern::new(value);
            match known_words(key) {
                Some((words, kind, refuses)) if !words.iter().any(|word| pattern.is(word)) => {
                    let hint = suggest(value, words.into_iter(), kind);
                    Err(error(value_at, format!("{refuses} {value}; {hint}")))
                }
                _ => Ok(Filter::Text(key.to_owned(), pattern)),
            }
        }
        Operator::Number(compare) => match (number, compare) {
            (_, _) if is_text && !matches!(compare, Compare::Is | Compare::IsNot) => {
                Err(error(at, format!("{key} is text: write {key}:{value}")))
            }
            (Ok(n), _) if !is_text => Ok(Filter::Number(key.to_owned(), compare, n)),
            (_, Compare::Is) => term(at, key, Operator::Colon, value, value_at),
            (_, Compare::IsNot) => {
                Ok(Filter::Not(Box::new(term(at, key, Operator::Colon, value, value_at)?)))
            }
            (number, _) => Err(error(value_at, number.err().unwrap_or_default())),
        },
    }
}

/// Returns the only words that a field can be, what they are called, and how another is refused.
fn known_words(key: &str) -> Option<(Vec<&'static str>, &'static str, &'static str)> {
    let states = || State::ALL.iter().map(|s| s.word()).chain(STATES.map(|(word, _)| word));
    match key {
        STATE => Some((states().collect(), "states", "there is no state")),
        MARK => Some((MARKS.to_vec(), "words", "`is:` does not know")),
        _ => None,
    }
}

/// Parses a number with an optional suffix `k`, `M`, `G` or `%`, or in seconds with `s`, `m`, `h` or `d`.
fn number(text: &str) -> Option<f64> {
    if let Ok(n) = text.parse::<f64>() {
        return Some(n).filter(|n| !n.is_nan());
    }
    let last = text.chars().last()?;
    let factor = match last {
        '%' | 's' => 1.0,
        'k' => 1e3,
        'M' => 1e6,
        'G' => 1e9,
        'm' => 60.0,
        'h' => 3600.0,
        'd' => 86_400.0,
        _ => return None,
    };
    let digits = text.strip_suffix(last)?;
    let plain = digits.chars().next_back().is_some_and(|c| c.is_ascii_digit() || c == '.');
    digits.parse::<f64>().ok().filter(|n| plain && n.is_finite()).map(|n| n * factor)
}
