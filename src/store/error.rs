//! Why a store did not answer.

/// Why a store did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store cannot answer now; whether a step was taken is unknown. Try again.
    #[error("the store cannot answer: {0}")]
    Unavailable(String),
    /// The database of the store does not answer; whether a step was taken is unknown. The text is ours and holds no
    /// path, name or password: whoever watches the process may be told.
    #[error("the database cannot answer: {0}")]
    Away(String),
    /// The disk has not answered for a while; whether it ever will is unknown. The text is ours: whoever watches the
    /// process may be told.
    #[error("the disk does not answer: {0}")]
    Stalled(String),
    /// Free space is too little for a step of its [`Priority`](super::priority::Priority); checks go on.
    #[error("the store is full: {0}")]
    Full(String),
    /// What is stored cannot be read.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// The store holds what a newer version of this program wrote, and this one cannot read. Nothing is damaged.
    #[error("the store was written by a newer rescind, use that version: {0}")]
    Newer(String),
    /// The wall clock of this node is more than a minute from the database's: nothing is decided by it. The text is
    /// ours: whoever watches the process may be told.
    #[error("the clock is wrong: {0}")]
    WrongClock(String),
}
