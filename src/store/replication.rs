//! The hosts of a shared store, as `rescind doctor` sees them.

/// The settings of one host on which promises rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSettings {
    /// Whether it accepts writes.
    pub is_primary: bool,
    /// Whether it waits for its disk.
    pub fsync: String,
    /// Whether a page that was half written at a loss of power can be repaired.
    pub full_page_writes: String,
    /// What a commit waits for.
    pub synchronous_commit: String,
    /// The standbys that a commit waits for.
    pub synchronous_standby_names: String,
}

/// One host of a connection string, with its settings or the reason why they could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExaminedHost {
    /// The host and its port.
    pub name: String,
    /// The settings, or why they could not be read.
    pub settings: Result<HostSettings, String>,
}
