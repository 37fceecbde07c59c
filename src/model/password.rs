//! stand-in
use serde::{Deserialize, Serialize};
/// x
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash(String);
impl PasswordHash {
    /// x
    pub fn parse(t: &str) -> Option<Self> {
        Some(Self(t.to_owned()))
    }
    /// x
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
