use crate::arguments::Arguments;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{FnArg, ItemFn, LitStr};

/// The function without parameters that a test harness takes, around the one that was written.
pub(crate) fn expand(arguments: &Arguments, mut function: ItemFn) -> syn::Result<TokenStream> {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        return Err(syn::Error::new(signature.span(), "`use_cassette` needs an `async fn`"));
    }
    if let Some(receiver) = signature.inputs.iter().find(|input| matches!(input, FnArg::Receiver(_))) {
        return Err(syn::Error::new(receiver.span(), "`use_cassette` stands on a function, not on a method"));
    }
    let name = signature.ident.to_string();
    let cassette_name = arguments
        .name
        .clone()
        .unwrap_or_else(|| LitStr::new(&format!("{name}.yaml"), signature.ident.span()));
    let default = || quote!(<::roster_cassette::Vcr as ::core::default::Default>::default());
    let vcr = arguments.vcr.as_ref().map_or_else(default, |vcr| quote!(#vcr));
    let parameters = signature.inputs.len();
    let given = (0..parameters).map(|_| {
        quote!(match ::roster_cassette::FromCassette::from_cassette(&cassette) {
            ::core::result::Result::Ok(given) => given,
            ::core::result::Result::Err(error) => ::core::panic!("{error}"),
        })
    });
    let mut inner = function.clone();
    inner.attrs.clear();
    inner.vis = syn::Visibility::Inherited;
    inner.sig.ident = format_ident!("with_cassette");
    function.sig.inputs.clear();
    let (attributes, visibility, outer) = (&function.attrs, &function.vis, &function.sig);
    Ok(quote! {
        #(#attributes)*
        #visibility #outer {
            #inner
            let cassette = match (#vcr).use_cassette(#cassette_name) {
                ::core::result::Result::Ok(cassette) => cassette,
                ::core::result::Result::Err(error) => ::core::panic!("{error}"),
            };
            let outcome = with_cassette(#(#given),*).await;
            match cassette.finish().await {
                ::core::result::Result::Ok(_) => outcome,
                ::core::result::Result::Err(error) => ::core::panic!("{error}"),
            }
        }
    })
}
