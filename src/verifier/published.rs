//! The document in which the issuer publishes its keys and names, with the fields a verifier needs.

use serde::{Deserialize, Deserializer};

use crate::model::names::Names;

/// The document at `/.well-known/paserk`, with the fields a verifier needs.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PublishedKeys {
    pub(super) issuer: String,
    /// The audience of every token minted now; an earlier issuer does not publish it.
    pub(super) audience: Option<String>,
    /// Every issuer and audience that a live token may carry, as pairs; an earlier issuer does not publish them.
    #[serde(default, deserialize_with = "published_names")]
    pub(super) names: Vec<Names>,
    pub(super) version: u64,
    pub(super) keys: Vec<PublishedKey>,
    /// The ids of keys that are never trusted again. An earlier issuer lists such keys in `keys` instead.
    #[serde(default)]
    pub(super) distrusted: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct PublishedKey {
    pub(super) kid: String,
    pub(super) state: String,
    pub(super) public: String,
    pub(super) not_after: Option<String>,
}

/// Reads the published pairs of issuer and audience.
fn published_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Names>, D::Error> {
    #[derive(Deserialize)]
    struct PublishedNames {
        issuer: String,
        audience: String,
    }

    let names = Vec::<PublishedNames>::deserialize(deserializer)?;
    Ok(names.into_iter().map(|PublishedNames { issuer, audience }| Names { issuer, audience }).collect())
}

impl PublishedKeys {
    /// The names in tokens minted now; `None` if the audience is not published.
    pub(super) fn present(&self) -> Option<Names> {
        let audience = self.audience.clone()?;
        Some(Names { issuer: self.issuer.clone(), audience })
    }
}
