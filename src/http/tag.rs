//! The headings of operations in the document.

use poem_openapi::Tags;

/// The subjects of operations.
#[derive(Tags)]
pub(super) enum Tag {
    /// Sign in, stay signed in, sign out.
    Sessions,
    /// The user's devices: each sign-in is one.
    Devices,
    /// For administrators' tools, with a service key.
    Administration,
    /// For resource servers: RFC 7662 and RFC 7009.
    OAuth,
    /// What has ended, for those who judge tokens on their own.
    Feed,
    /// The service itself.
    Service,
}
