//! What another system says about a sign-in there: whose client it was, and how the user was proven.

use std::net::IpAddr;

use poem_openapi::Object;

use super::client::plain;
use super::code::FieldCode;
use super::problem::{FieldError, Problem};
use crate::auth::ClientInfo;
use crate::model::authentication_method::{AuthenticationMethod, AuthenticationMethodError};

/// The end user's client, as the system that signed the user in saw it.
#[derive(Debug, Object)]
#[oai(rename = "ClientInput")]
pub(super) struct ClientInput {
    /// The address of the end user: IPv4 or IPv6, without a port.
    address: String,
    /// The user agent of the end user. At most 256 characters are kept.
    user_agent: Option<String>,
}

/// The client of a sign-in elsewhere. Nothing of the caller's own is taken for a part that is left out.
pub(super) fn client(input: ClientInput) -> Result<ClientInfo, Problem> {
    let address: IpAddr =
        input.address.parse().map_err(|_| field("client.address", FieldCode::InvalidFormat))?;
    if input.user_agent.as_deref().unwrap_or_default().chars().any(char::is_control) {
        return Err(field("client.user_agent", FieldCode::InvalidCharacters));
    }
    let user_agent = input.user_agent.map(|text| plain(text.as_bytes())).filter(|text| !text.is_empty());
    Ok(ClientInfo { address: address.to_canonical(), user_agent })
}

/// Parses the names of authentication methods, or returns the problem with the first one that is none.
pub(super) fn methods(names: &[String]) -> Result<Vec<AuthenticationMethod>, Problem> {
    if names.len() > AuthenticationMethod::MOST {
        return Err(field("amr", FieldCode::TooLong));
    }
    let parse = |(index, name): (usize, &String)| {
        AuthenticationMethod::parse(name).map_err(|error| {
            let code = match error {
                AuthenticationMethodError::TooShort => FieldCode::TooShort,
                AuthenticationMethodError::TooLong => FieldCode::TooLong,
                AuthenticationMethodError::InvalidCharacters => FieldCode::InvalidCharacters,
            };
            field(&format!("amr[{index}]"), code)
        })
    };
    names.iter().enumerate().map(parse).collect()
}

/// The names of authentication methods, as answers list them: absent if there are none.
pub(super) fn names(methods: &[AuthenticationMethod]) -> Option<Vec<String>> {
    let names = methods.iter().map(|method| method.as_str().to_owned());
    (!methods.is_empty()).then(|| names.collect())
}

fn field(field: &str, code: FieldCode) -> Problem {
    Problem::fields(vec![FieldError { field: field.to_owned(), code }])
}
