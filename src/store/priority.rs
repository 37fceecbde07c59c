//! What stops first when free space runs out.

/// How long a step goes on when the disk fills up, the first to stop first.
///
/// Whoever takes something back must be able to as long as there is any room at all; so what adds to the store makes
/// room for it, and a sign-in that was let in can still be signed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Adds or changes something that can wait: registrations, sign-ins, names, notes of when a device was seen.
    #[default]
    Adding,
    /// Keeps a session going.
    Refreshing,
    /// Sweeps: it writes a little to drop a lot.
    Sweeping,
    /// Takes something back: sign-outs, disabling and deleting users, new passwords, keys.
    Ending,
}

impl Priority {
    /// Every priority, the first to stop first.
    pub const ALL: [Self; 4] = [Self::Adding, Self::Refreshing, Self::Sweeping, Self::Ending];

    /// The stable word for readiness and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Adding => "sign_in",
            Self::Refreshing => "refresh",
            Self::Sweeping => "sweep",
            Self::Ending => "sign_out",
        }
    }

    /// What of it people know, for messages.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Adding => "registrations, sign-ins and renamings",
            Self::Refreshing => "refreshes",
            Self::Sweeping => "sweeps",
            Self::Ending => "sign-outs, disabling and key changes",
        }
    }
}
