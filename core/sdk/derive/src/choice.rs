//! Implements `#[derive(Choice)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, LitStr, Result, Variant};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(Error::new(input.ident.span(), "Choice is derived for an enum"));
    };
    if data.variants.is_empty() {
        return Err(Error::new(input.ident.span(), "a Choice needs variants"));
    }
    let names = data.variants.iter().map(name).collect::<Result<Vec<_>>>()?;
    for (i, name) in names.iter().enumerate() {
        if names[..i].iter().any(|earlier| earlier.value() == name.value()) {
            return Err(Error::new(name.span(), format!("choice `{}` is given twice", name.value())));
        }
    }
    let (ty, variants) = (&input.ident, data.variants.iter().map(|variant| &variant.ident));
    let all: Vec<_> = variants.collect();
    Ok(quote! {
        impl ::gradtop_sdk::Choice for #ty {
            const NAMES: &'static [&'static str] = &[#(#names),*];
            const ALL: &'static [Self] = &[#(Self::#all),*];

            fn name(&self) -> &'static str {
                match self {
                    #(Self::#all => #names),*
                }
            }
        }
    })
}

/// Returns the variant's name in kebab case, or the name given by `#[choice("…")]`.
fn name(variant: &Variant) -> Result<LitStr> {
    if !matches!(variant.fields, Fields::Unit) {
        return Err(Error::new(variant.span(), "a variant of a Choice has no fields"));
    }
    if let Some(attribute) = variant.attrs.iter().find(|attribute| attribute.path().is_ident("choice")) {
        let name: LitStr = attribute.parse_args()?;
        if name.value().is_empty() {
            return Err(Error::new(name.span(), "a choice needs a name"));
        }
        return Ok(name);
    }
    let mut name = String::new();
    for c in variant.ident.to_string().chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(c.to_lowercase());
    }
    Ok(LitStr::new(&name, variant.ident.span()))
}
