//! The description of a device that a client sends.

use poem_openapi::Object;

use super::code::FieldCode;
use super::problem::{FieldError, Problem};
use super::user_agent;
use crate::auth::ClientInfo;
use crate::auth::login::DeviceWish;
use crate::model::device::{DeviceKind, DeviceName, DeviceTextError};

/// What the app says about its device; what is left out is guessed from the `User-Agent`.
#[derive(Debug, Object)]
#[oai(rename = "DeviceInput")]
pub(super) struct DeviceInput {
    /// What people call it: `Ada's phone`. At most 100 characters that can be seen are kept; when there are none, it is
    /// guessed from the `User-Agent`.
    name: Option<String>,
    /// `mobile`, `desktop`, `browser`, `other`, or a word of the app's own: 1 to 32 of `a`–`z`, `0`–`9`, `-`, `_`.
    kind: Option<String>,
}

/// Parses the device that a client describes, or returns the problem with its kind. What is left out is guessed from the
/// client's user agent.
pub(super) fn wish(device: Option<DeviceInput>, client: &ClientInfo) -> Result<DeviceWish, Problem> {
    let (name, kind) = device.map_or((None, None), |DeviceInput { name, kind }| (name, kind));
    let kind = kind.as_deref().map(DeviceKind::parse).transpose();
    let kind = kind.map_err(|error| Problem::fields(vec![field_error("device.kind", error)]))?;
    // A name that cannot be used is ignored: a device's default name must not keep its user out.
    let name = name.and_then(|name| DeviceName::parse(&name).ok());
    let guess = user_agent::readable(client.user_agent.as_deref().unwrap_or_default());
    Ok(DeviceWish {
        name: name.or_else(|| DeviceName::parse(&guess.name).ok()),
        kind: kind.or_else(|| DeviceKind::parse(guess.kind).ok()),
        rotates: true,
        amr: Vec::new(),
    })
}

/// Names what is wrong with a device's name or kind, at `field`.
pub(super) fn field_error(field: &str, error: DeviceTextError) -> FieldError {
    let code = match error {
        DeviceTextError::TooShort => FieldCode::TooShort,
        DeviceTextError::TooLong => FieldCode::TooLong,
        DeviceTextError::InvalidCharacters => FieldCode::InvalidCharacters,
    };
    FieldError { field: field.to_owned(), code }
}
