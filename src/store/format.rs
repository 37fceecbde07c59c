//! The format of what is stored.

#[cfg(test)]
pub(super) mod tests;
