//! Priorities of writes when free space runs out.

/// The priority of a step when the disk fills up, the first to stop first.
///
/// Steps that end sessions must succeed as long as there is any space at all. So steps that add to the store stop
/// earlier, and a session that was opened can still be ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Adds or changes something that can wait: registrations, sign-ins, names, last-seen records.
    #[default]
    Adding,
    /// Continues a session: refreshes.
    Refreshing,
    /// Sweeps: writes a little to delete a lot.
    Sweeping,
    /// Ends or protects sessions: sign-outs, disabling and deleting users, new passwords, keys.
    Ending,
}

impl Priority {
    /// All priorities, the first to stop first.
    pub const ALL: [Self; 4] = [Self::Adding, Self::Refreshing, Self::Sweeping, Self::Ending];

    /// The stable name of the priority for readiness and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Adding => "sign_in",
            Self::Refreshing => "refresh",
            Self::Sweeping => "sweep",
            Self::Ending => "sign_out",
        }
    }

    /// The operations of this priority, for messages.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Adding => "registrations, sign-ins and renamings",
            Self::Refreshing => "refreshes",
            Self::Sweeping => "sweeps",
            Self::Ending => "sign-outs, disabling and key changes",
        }
    }
}
