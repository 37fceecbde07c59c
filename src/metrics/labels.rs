//! The labels of the metrics and the values they may have.

use prometheus_client::encoding::EncodeLabelSet;

/// The HTTP statuses that the service sends; any other is counted too, by a lookup each time.
pub(crate) const STATUSES: [u16; 19] =
    [200, 201, 204, 304, 400, 401, 403, 404, 405, 409, 410, 413, 414, 415, 429, 431, 500, 501, 503];

/// The HTTP statuses that alerts watch: listed for each operation before the first is sent.
pub(super) const FAILURES: [u16; 2] = [500, 503];
/// The results of sign-ins: the values of the label.
pub(super) const SIGN_INS: [&str; 7] =
    ["ok", "wrong_credentials", "rate_limited", "overloaded", "failed", "registered", "vouched"];
/// The classes of refreshes: the values of the label.
pub(super) const REFRESHES: [&str; 7] =
    ["rotated", "repeated", "renewed", "recovered", "reused", "ended", "ahead"];
/// The kinds of sign-outs: the values of the label.
pub(super) const SIGN_OUTS: [&str; 11] = [
    "logout",
    "logout_all",
    "logout_others",
    "device",
    "password",
    "refresh_reused",
    "evicted",
    "delete_account",
    "administrator",
    "disabled",
    "everyone",
];
/// The kinds of store alarms: the values of the label.
pub(super) const ALARMS: [&str; 1] = ["rolled_back"];

/// The labels of a request that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) operation: String,
    pub(super) method: String,
    pub(super) status: u16,
}

/// The labels of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OperationLabels {
    pub(super) operation: String,
    pub(super) method: String,
}

/// The label of a sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ResultLabel {
    pub(super) result: &'static str,
}

/// The label of a refresh.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ClassLabel {
    pub(super) class: &'static str,
}

/// The label of a sign-out, an alarm or a question to the database.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindLabel {
    pub(super) kind: &'static str,
}

/// The label of a kind of step.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StepLabel {
    pub(super) step: &'static str,
}
