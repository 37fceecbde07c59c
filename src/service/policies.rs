//! The settings as the policies and limits of the service's parts.

use std::time::Duration;

use crate::auth::SessionPolicy;
use crate::auth::hashing::HashParameters;
use crate::auth::limits::{Allowance, Allowances};
use crate::feed::followers::FollowerLimits;
use crate::model::replay::ReplayPolicy;
use crate::settings::Settings;

/// The longest wait for followers to confirm a sign-out.
const LONGEST_FENCE: Duration = Duration::from_secs(8);

pub(super) fn sessions(settings: &Settings) -> SessionPolicy {
    SessionPolicy {
        access_lifetime: settings.access_lifetime,
        device_idle: settings.device_idle,
        device_lifetime: settings.device_lifetime,
        devices_per_user: u64::from(settings.devices_per_user),
        registration: settings.registration_open,
        replay: ReplayPolicy {
            grace: settings.refresh_grace,
            recoveries: settings.refresh_recoveries as usize,
            strict: settings.refresh_strict,
        },
    }
}

pub(super) fn followers(settings: &Settings) -> FollowerLimits {
    FollowerLimits {
        streams: settings.feed_streams_max,
        streams_per_key: settings.feed_streams_per_key,
        // Whoever waits is to be answered, not told that it took too long.
        wait: LONGEST_FENCE.min(settings.request_timeout * 4 / 5),
    }
}

pub(super) fn hashes(settings: &Settings) -> HashParameters {
    HashParameters {
        memory_kib: settings.argon2_memory_kib,
        iterations: settings.argon2_iterations,
        parallelism: settings.argon2_parallelism,
    }
}

pub(super) fn allowances(settings: &Settings) -> Allowances {
    Allowances {
        failures_per_account: per_minute(settings.sign_in_attempts_per_account),
        failures_per_address: per_minute(settings.sign_in_attempts_per_address),
        failures_per_device: per_minute(settings.sign_in_attempts_per_device),
        registrations_per_address: per_hour(settings.registrations_per_address),
        sign_ins_per_account: per_hour(settings.sign_ins_per_account),
        sign_ins_per_address: per_hour(settings.sign_ins_per_address),
        sign_outs_of_others_per_user: per_hour(settings.sign_outs_of_others_per_user),
    }
}

fn per_minute(attempts: u32) -> Allowance {
    per(Duration::from_secs(60), attempts)
}

fn per_hour(attempts: u32) -> Allowance {
    per(Duration::from_secs(60 * 60), attempts)
}

fn per(time: Duration, attempts: u32) -> Allowance {
    Allowance { burst: attempts, every: time / attempts.max(1) }
}
