//! Parses `#[param(…)]`.

use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprLit, ExprUnary, Field, Lit, LitStr, Result, Token, UnOp, bracketed};

/// A number as written, and as a float.
pub(crate) struct Number {
    pub(crate) value: f64,
    pub(crate) integer: Option<i64>,
    pub(crate) source: Expr,
}

/// One end of a range.
#[derive(Default)]
pub(crate) struct Bound {
    pub(crate) number: Option<Number>,
    pub(crate) excluded: Option<proc_macro2::Span>,
}

/// The content of a field's attribute.
#[derive(Default)]
pub(crate) struct Attributes {
    pub(crate) default: Option<Expr>,
    pub(crate) min: Bound,
    pub(crate) max: Bound,
    pub(crate) log: Option<proc_macro2::Span>,
    pub(crate) choices: Option<(proc_macro2::Span, Vec<LitStr>)>,
    pub(crate) unit: Option<LitStr>,
    pub(crate) key: Option<LitStr>,
    pub(crate) distinct: Option<proc_macro2::Span>,
    pub(crate) nonempty: Option<proc_macro2::Span>,
    pub(crate) flatten: Option<proc_macro2::Span>,
    /// How many keys are given.
    pub(crate) given: usize,
}

const KNOWN: &str =
    "default, min, max, min_excluded, max_excluded, log, choices, unit, key, distinct, nonempty, flatten";

impl Attributes {
    pub(crate) fn of(field: &Field) -> Result<Self> {
        let mut all = Self::default();
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("param")) {
            attribute.parse_nested_meta(|meta| all.read(&meta))?;
        }
        Ok(all)
    }

    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let Some(name) = meta.path.get_ident().map(ToString::to_string) else {
            return Err(meta.error(format!("unknown key; the keys are {KNOWN}")));
        };
        let span = meta.path.span();
        self.given += 1;
        match name.as_str() {
            "default" => once(&mut self.default, meta, meta.value()?.parse()?),
            "min" => once(&mut self.min.number, meta, number(meta.value()?.parse()?)?),
            "max" => once(&mut self.max.number, meta, number(meta.value()?.parse()?)?),
            "min_excluded" => once(&mut self.min.excluded, meta, span),
            "max_excluded" => once(&mut self.max.excluded, meta, span),
            "log" => once(&mut self.log, meta, span),
            "unit" => once(&mut self.unit, meta, meta.value()?.parse()?),
            "key" => once(&mut self.key, meta, meta.value()?.parse()?),
            "distinct" => once(&mut self.distinct, meta, span),
            "nonempty" => once(&mut self.nonempty, meta, span),
            "flatten" => once(&mut self.flatten, meta, span),
            "choices" => {
                let input = meta.value()?;
                let content;
                bracketed!(content in input);
                let list = Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?;
                once(&mut self.choices, meta, (span, list.into_iter().collect()))
            }
            _ => Err(meta.error(format!("unknown key `{name}`; the keys are {KNOWN}"))),
        }
    }
}

fn once<T>(slot: &mut Option<T>, meta: &ParseNestedMeta<'_>, value: T) -> Result<()> {
    if slot.replace(value).is_some() {
        return Err(meta.error("given twice"));
    }
    Ok(())
}

impl Number {
    pub(crate) fn whole(value: i64) -> Self {
        Self { value: value as f64, integer: Some(value), source: syn::parse_quote!(0) }
    }
}

/// Parses a number literal, optionally negative.
pub(crate) fn number(source: Expr) -> Result<Number> {
    let (negative, literal) = match &source {
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => (true, expr.as_ref()),
        other => (false, other),
    };
    let digits = match literal {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) if int.suffix().is_empty() => int.base10_digits(),
        Expr::Lit(ExprLit { lit: Lit::Float(float), .. }) if float.suffix().is_empty() => {
            float.base10_digits()
        }
        _ => return Err(Error::new(source.span(), "expected a number literal without suffix")),
    };
    let text = if negative { format!("-{digits}") } else { digits.to_owned() };
    let value: f64 = text.parse().map_err(|_| Error::new(source.span(), "not a number"))?;
    if !value.is_finite() {
        return Err(Error::new(source.span(), "too large for an f64"));
    }
    let is_int = matches!(literal, Expr::Lit(ExprLit { lit: Lit::Int(_), .. }));
    let integer = match is_int.then(|| text.parse::<i64>()) {
        Some(Err(_)) => return Err(Error::new(source.span(), "too large for an i64")),
        Some(Ok(integer)) => Some(integer),
        None => None,
    };
    Ok(Number { value, integer, source })
}

/// Returns the first paragraph of the doc comment, on one line.
pub(crate) fn summary(attributes: &[Attribute]) -> String {
    let lines =
        attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
            match &attribute.meta.require_name_value().ok()?.value {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
                _ => None,
            }
        });
    let text = lines.collect::<Vec<_>>().join("\n");
    let first =
        text.lines().map(str::trim).skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    first.collect::<Vec<_>>().join(" ")
}
