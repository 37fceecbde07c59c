//! The description of a device that a client sends.

use poem_openapi::Object;

use super::code::FieldCode;
use super::problem::{FieldError, Problem};
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

/// Parses the device that a client describes, or the problem with one of its fields.
pub(super) fn wish(device: Option<DeviceInput>) -> Result<DeviceWish, Problem> {
    let Some(DeviceInput { name, kind }) = device else { return Ok(DeviceWish::default()) };
    let (mut wish, mut errors) = (DeviceWish::default(), Vec::new());
    // A name that cannot be used is ignored: a device's default name must not keep its user out.
    wish.name = name.and_then(|name| DeviceName::parse(&name).ok());
    match kind.as_deref().map(DeviceKind::parse).transpose() {
        Ok(kind) => wish.kind = kind,
        Err(error) => errors.push(field_error("device.kind", error)),
    }
    if errors.is_empty() { Ok(wish) } else { Err(Problem::fields(errors)) }
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
