//! Implements `#[derive(Params)]`: checks each field and writes the implementation.

use std::cmp::Ordering;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Expr, ExprLit, Field, Fields, Ident, Lit, LitStr, Result, Type};

use crate::attributes::{Attributes, Bound, Number, number, summary};

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// An integer, with the minimum and maximum of its type if they differ from those of `i64`.
    Integer(Option<i64>, Option<i64>),
    F64,
    Bool,
    Str,
    Choice,
    Enum,
    List,
}

/// A checked field.
enum Param {
    One {
        field: Ident,
        key: String,
        /// The method of `Values` that returns it, and its arguments after the index.
        get: (&'static str, TokenStream),
        spec: TokenStream,
    },
    /// A struct of parameters.
    Group { field: Ident, ty: Type },
}

impl Param {
    fn key(&self) -> Option<&str> {
        match self {
            Self::One { key, .. } => Some(key),
            Self::Group { .. } => None,
        }
    }
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => fields.named.iter().collect(),
            Fields::Unit => Vec::new(),
            Fields::Unnamed(fields) => {
                return Err(Error::new(fields.span(), "Params needs fields with names"));
            }
        },
        _ => return Err(Error::new(input.ident.span(), "Params is derived for a struct")),
    };
    if let Some(generic) = input.generics.params.first() {
        return Err(Error::new(generic.span(), "Params cannot be derived for a generic struct"));
    }

    // All fields are checked before anything is reported, so that one build shows every mistake.
    let mut params: Vec<Param> = Vec::new();
    let mut errors: Option<Error> = None;
    for field in fields {
        match read(field) {
            Ok(Param::One { field, key, .. })
                if params.iter().any(|earlier| earlier.key() == Some(key.as_str())) =>
            {
                collect(&mut errors, Error::new(field.span(), format!("key `{key}` is used twice")));
            }
            Ok(param) => params.push(param),
            Err(error) => collect(&mut errors, error),
        }
    }
    if let Some(errors) = errors {
        return Err(errors);
    }

    let name = &input.ident;
    let summary = summary(&input.attrs);
    let (specs, values) = written(&params);
    Ok(quote! {
        impl ::gradtop_sdk::Params for #name {
            const SUMMARY: &'static str = #summary;
            const PARAMS: &'static [::gradtop_sdk::ParamSpec] = #specs;

            #[allow(unused_variables, reason = "a struct without parameters reads none")]
            fn from_values(values: &::gradtop_sdk::Values) -> ::gradtop_sdk::Result<Self> {
                ::core::result::Result::Ok(Self { #(#values),* })
            }
        }
    })
}

/// Returns the list of all specifications, and how each field is created from the values.
fn written(params: &[Param]) -> (TokenStream, Vec<TokenStream>) {
    let (mut parts, mut values) = (Vec::new(), Vec::new());
    let mut start = quote!(0_usize);
    for param in params {
        match param {
            Param::One { field, get: (get, more), spec, .. } => {
                let get = format_ident!("{get}");
                values.push(quote!(#field: values.#get(#start #more)?));
                parts.push(quote!(&[#spec]));
                start = quote!(#start + 1);
            }
            Param::Group { field, ty } => {
                let group = quote!(<#ty as ::gradtop_sdk::Params>);
                values.push(quote!(#field: #group::from_values(&values.part(#start, #group::PARAMS)?)?));
                parts.push(quote!(#group::PARAMS));
                start = quote!(#start + #group::PARAMS.len());
            }
        }
    }
    let specs = quote! {{
        const PARTS: &[&[::gradtop_sdk::ParamSpec]] = &[#(#parts),*];
        const ALL: [::gradtop_sdk::ParamSpec; ::gradtop_sdk::ParamSpec::count(PARTS)] =
            ::gradtop_sdk::ParamSpec::join(PARTS);
        &ALL
    }};
    (specs, values)
}

fn collect(errors: &mut Option<Error>, error: Error) {
    match errors {
        Some(errors) => errors.combine(error),
        None => *errors = Some(error),
    }
}

fn read(field: &Field) -> Result<Param> {
    let ident = field.ident.clone().ok_or_else(|| Error::new(field.span(), "a parameter needs a name"))?;
    let mut attributes = Attributes::of(field)?;
    if let Some(span) = attributes.flatten {
        if attributes.given > 1 {
            return Err(Error::new(span, "`flatten` stands alone: the struct's own fields say the rest"));
        }
        return Ok(Param::Group { field: ident, ty: field.ty.clone() });
    }
    let kind = kind(&field.ty, attributes.choices.is_some())?;
    let key = key(&ident, attributes.key.as_ref())?;
    check_keys(&attributes, kind)?;
    if let Kind::Integer(least, greatest) = kind {
        limit(&mut attributes, least, greatest)?;
    }
    check_range(&attributes)?;
    let default = default(&ident, &attributes, kind)?;
    let spec = spec(field, &attributes, kind, &key, &default);
    let get = match kind {
        Kind::Integer(..) | Kind::F64 | Kind::Bool | Kind::Str | Kind::Choice => ("get", TokenStream::new()),
        Kind::Enum => ("choice", TokenStream::new()),
        Kind::List => {
            let (distinct, nonempty) = (attributes.distinct.is_some(), attributes.nonempty.is_some());
            ("list", quote!(, #distinct, #nonempty))
        }
    };
    Ok(Param::One { field: ident, key, get, spec })
}

/// Limits an integer's range to that of its type.
fn limit(attributes: &mut Attributes, least: Option<i64>, greatest: Option<i64>) -> Result<()> {
    let wrong = |bound: &Number| Error::new(bound.source.span(), "the bound is not a value of the type");
    if let Some(least) = least {
        let min = attributes.min.number.get_or_insert_with(|| Number::whole(least));
        if min.value < least as f64 {
            return Err(wrong(min));
        }
    }
    if let Some(greatest) = greatest {
        let max = attributes.max.number.get_or_insert_with(|| Number::whole(greatest));
        if max.value > greatest as f64 {
            return Err(wrong(max));
        }
    }
    Ok(())
}

fn kind(ty: &Type, has_choices: bool) -> Result<Kind> {
    let last = match ty {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        _ => None,
    };
    let name = last.map(|last| (last.ident.to_string(), last.arguments.is_empty()));
    match name.as_ref().map(|(name, plain)| (name.as_str(), *plain)) {
        Some(("i64", true)) => Ok(Kind::Integer(None, None)),
        Some(("i32", true)) => Ok(Kind::Integer(Some(i32::MIN.into()), Some(i32::MAX.into()))),
        Some(("u32", true)) => Ok(Kind::Integer(Some(0), Some(u32::MAX.into()))),
        Some(("u64" | "usize", true)) => Ok(Kind::Integer(Some(0), None)),
        Some(("f64", true)) => Ok(Kind::F64),
        Some(("bool", true)) => Ok(Kind::Bool),
        Some(("String", true)) => Ok(if has_choices { Kind::Choice } else { Kind::Str }),
        Some(("Vec", false)) => Ok(Kind::List),
        Some((_, true)) => Ok(Kind::Enum),
        _ => Err(Error::new(
            ty.span(),
            "a parameter is an i64, i32, u32, u64, usize, f64, bool or String, an enum with #[derive(Choice)], a Vec of one of these, \
             or a struct of parameters with #[param(flatten)]",
        )),
    }
}

fn key(ident: &Ident, given: Option<&LitStr>) -> Result<String> {
    let (key, span) = match given {
        Some(given) => (given.value(), given.span()),
        None => (ident.unraw().to_string(), ident.span()),
    };
    let valid = key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if valid {
        return Ok(key);
    }
    Err(Error::new(
        span,
        format!("`{key}` cannot name a parameter: a letter, then letters, digits and `_`, all lower case"),
    ))
}

/// Reports keys that do not apply to the field's type.
fn check_keys(attributes: &Attributes, kind: Kind) -> Result<()> {
    if let Some((span, choices)) = &attributes.choices {
        if kind != Kind::Choice {
            return Err(Error::new(*span, "only a String has choices"));
        }
        if choices.is_empty() {
            return Err(Error::new(*span, "choices are empty"));
        }
        for (i, choice) in choices.iter().enumerate() {
            if choices[..i].iter().any(|earlier| earlier.value() == choice.value()) {
                return Err(Error::new(choice.span(), format!("choice `{}` is given twice", choice.value())));
            }
        }
    }
    if !matches!(kind, Kind::Integer(..) | Kind::F64) {
        let bounds = || [&attributes.min, &attributes.max].into_iter();
        let numbers = bounds().filter_map(|bound| bound.number.as_ref()).map(|number| number.source.span());
        let flags = bounds().filter_map(|bound| bound.excluded);
        let range = numbers.chain(flags).next().filter(|_| kind != Kind::List);
        if let Some(span) = range.or(attributes.log) {
            return Err(Error::new(span, "only a number has a range or a scale"));
        }
    }
    if let Some(span) = attributes.distinct.or(attributes.nonempty).filter(|_| kind != Kind::List) {
        return Err(Error::new(span, "only a Vec is distinct or nonempty"));
    }
    if matches!(kind, Kind::Integer(..)) {
        for bound in [&attributes.min, &attributes.max].into_iter().filter_map(|bound| bound.number.as_ref())
        {
            // Ranges cross the boundary as doubles, which represent no larger integer exactly.
            let exact = bound.integer.is_some_and(|integer| integer.unsigned_abs() <= 1 << 53);
            if !exact {
                let text = "a bound of an i64 is an integer of at most 2^53";
                return Err(Error::new(bound.source.span(), text));
            }
        }
    }
    Ok(())
}

fn check_range(attributes: &Attributes) -> Result<()> {
    for (bound, name) in [(&attributes.min, "min"), (&attributes.max, "max")] {
        if let (None, Some(span)) = (&bound.number, bound.excluded) {
            return Err(Error::new(span, format!("`{name}_excluded` needs a `{name}`")));
        }
    }
    if let (Some(min), Some(max)) = (&attributes.min.number, &attributes.max.number) {
        let open = attributes.min.excluded.is_some() || attributes.max.excluded.is_some();
        if min.value > max.value {
            return Err(Error::new(max.source.span(), "max is less than min"));
        }
        if open && min.value == max.value {
            return Err(Error::new(max.source.span(), "no value is between min and max"));
        }
    }
    match (attributes.log, &attributes.min.number) {
        (Some(span), None) => Err(Error::new(span, "a log scale needs a `min` of at least 0")),
        (Some(_), Some(min)) if min.value < 0.0 => {
            Err(Error::new(min.source.span(), "a log scale needs a `min` of at least 0"))
        }
        _ => Ok(()),
    }
}

/// Returns the default as text.
fn default(ident: &Ident, attributes: &Attributes, kind: Kind) -> Result<String> {
    let Some(default) = &attributes.default else {
        let text = format!("parameter `{}` has no default: #[param(default = …)]", ident.unraw());
        return Err(Error::new(ident.span(), text));
    };
    let span = default.span();
    let literal = match default {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        _ => None,
    };
    match (kind, literal) {
        (Kind::Integer(..), _) => {
            let wrong = || Error::new(span, "the default of an i64 is an integer literal");
            let value = number(default.clone()).map_err(|_| wrong())?;
            let integer = value.integer.ok_or_else(wrong)?;
            check_default(attributes, &value, span)?;
            Ok(integer.to_string())
        }
        (Kind::F64, _) => {
            let value = number(default.clone())
                .map_err(|_| Error::new(span, "the default of an f64 is a number literal"))?;
            check_default(attributes, &value, span)?;
            Ok(value.value.to_string())
        }
        (Kind::Bool, Some(Lit::Bool(value))) => Ok(value.value.to_string()),
        (Kind::Bool, _) => Err(Error::new(span, "the default of a bool is `true` or `false`")),
        (Kind::Str | Kind::Choice | Kind::Enum | Kind::List, Some(Lit::Str(value))) => {
            let text = value.value();
            let choices = attributes.choices.as_ref().map(|(_, choices)| choices);
            if choices.is_some_and(|choices| choices.iter().all(|choice| choice.value() != text)) {
                return Err(Error::new(span, format!("the default `{text}` is not among the choices")));
            }
            Ok(text)
        }
        (Kind::Str | Kind::Choice, _) => Err(Error::new(span, "the default of a String is a string literal")),
        (Kind::Enum | Kind::List, _) => {
            Err(Error::new(span, "the default of an enum or a Vec is a string literal: its text"))
        }
    }
}

fn check_default(attributes: &Attributes, default: &Number, span: Span) -> Result<()> {
    for (bound, beyond, what) in [
        (&attributes.min, Ordering::Less, "below min, or is the excluded min"),
        (&attributes.max, Ordering::Greater, "above max, or is the excluded max"),
    ] {
        let order = bound.number.as_ref().and_then(|number| default.value.partial_cmp(&number.value));
        if order == Some(beyond) || order == Some(Ordering::Equal) && bound.excluded.is_some() {
            return Err(Error::new(span, format!("the default is {what}")));
        }
    }
    Ok(())
}

fn spec(field: &Field, attributes: &Attributes, kind: Kind, key: &str, default: &str) -> TokenStream {
    let help = summary(&field.attrs);
    let choices = attributes.choices.as_ref().map(|(_, choices)| choices.as_slice()).unwrap_or_default();
    let ty = &field.ty;
    let (choices, default) = if kind == Kind::Enum {
        let names = quote!(<#ty as ::gradtop_sdk::Choice>::NAMES);
        let default = quote!(::gradtop_sdk::ParamSpec::among(#names, #default));
        (names, default)
    } else {
        (quote!(&[#(#choices),*]), quote!(#default))
    };
    let kind = match kind {
        Kind::Integer(..) => quote!(I64),
        Kind::F64 => quote!(F64),
        Kind::Bool => quote!(Bool),
        Kind::Str | Kind::List => quote!(Str),
        Kind::Choice | Kind::Enum => quote!(Choice),
    };
    let none = quote!(::core::option::Option::None);
    let unit = attributes.unit.as_ref().map_or(none, |unit| quote!(::core::option::Option::Some(#unit)));
    let bound = |bound: &Bound, none: TokenStream| {
        bound.number.as_ref().map_or(none, |number| number.value.to_token_stream())
    };
    let min = bound(&attributes.min, quote!(::core::primitive::f64::NEG_INFINITY));
    let max = bound(&attributes.max, quote!(::core::primitive::f64::INFINITY));
    let min_excluded = attributes.min.excluded.is_some();
    let max_excluded = attributes.max.excluded.is_some();
    let log = attributes.log.is_some();
    quote! {
        ::gradtop_sdk::ParamSpec {
            key: #key,
            help: #help,
            unit: #unit,
            kind: ::gradtop_sdk::ParamKind::#kind,
            default: #default,
            choices: #choices,
            min: #min,
            max: #max,
            min_excluded: #min_excluded,
            max_excluded: #max_excluded,
            log: #log,
        }
    }
}
