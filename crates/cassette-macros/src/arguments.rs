use syn::parse::{Parse, ParseStream};
use syn::{Expr, Ident, LitStr, Token};

/// What stands in the parentheses of the attribute.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) name: Option<LitStr>,
    pub(crate) vcr: Option<Expr>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut arguments = Self::default();
        while !input.is_empty() {
            if arguments.name.is_none() && arguments.vcr.is_none() && input.peek(LitStr) {
                arguments.name = Some(input.parse()?);
            } else {
                let key: Ident = input.parse()?;
                if key != "vcr" || arguments.vcr.is_some() {
                    return Err(syn::Error::new(
                        key.span(),
                        "there are a name, in quotes and first, and `vcr = …`, once",
                    ));
                }
                input.parse::<Token![=]>()?;
                arguments.vcr = Some(input.parse()?);
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_arguments_are_optional_and_come_in_order() {
        let parse = syn::parse_str::<Arguments>;
        assert_eq!(parse("\"a.yaml\", vcr = my_vcr()").unwrap().name.unwrap().value(), "a.yaml");
        assert!(parse("").unwrap().name.is_none());
        assert!(parse("vcr = my_vcr(),").unwrap().vcr.is_some());
        for wrong in ["vcr = a, \"b\"", "path = \"a\"", "vcr = a, vcr = b", "\"a\" \"b\""] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
