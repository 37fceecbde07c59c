//! stand-in
use serde::{Deserialize, Serialize};
/// x
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Username {
    shown: String,
    key: String,
}
impl Username {
    /// x
    pub fn parse(t: &str) -> Result<Self, ()> {
        Ok(Self { shown: t.to_owned(), key: t.to_lowercase() })
    }
    /// x
    pub fn shown(&self) -> &str {
        &self.shown
    }
    /// x
    pub fn key(&self) -> &str {
        &self.key
    }
}
