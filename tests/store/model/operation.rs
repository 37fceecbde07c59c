//! Operations, drawn at random. Indices select among what exists when the operation runs.

use proptest::prelude::*;

use crate::service::{ELSEWHERE, HOME};

/// A device, and how many tokens back from its newest one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pick {
    pub(crate) device: usize,
    pub(crate) back: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Register { name: u8, signed_in: bool },
    Open { user: usize, right: bool },
    Refresh { token: Pick, network: &'static str },
    End { device: usize, caller: Option<usize> },
    EndAll { caller: Pick, keep: bool },
    EndAllOf { user: usize },
    ChangePassword { caller: Pick, right: bool },
    ReplacePassword { user: usize },
    SetDisabled { user: usize, disabled: bool },
    Delete { user: usize },
    DeleteMe { caller: Pick, right: bool },
    Everyone,
    Heard { device: usize },
    Pass { seconds: u64 },
    Sweep,
    Reopen,
}

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * 60;

/// A random history of a service.
pub(crate) fn operations() -> impl Strategy<Value = Vec<Operation>> {
    prop::collection::vec(operation(), 1..120)
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::{
        ChangePassword, Delete, DeleteMe, End, EndAll, EndAllOf, Everyone, Heard, Open, Pass, Refresh,
        Register, Reopen, ReplacePassword, SetDisabled, Sweep,
    };
    let user = || 0..3_usize;
    let device = || prop_oneof![6 => 0..3_usize, 2 => 3..12_usize];
    let back = prop_oneof![3 => Just(0_usize), 5 => Just(1), 1 => 2..5_usize];
    let pick = (device(), back).prop_map(|(device, back)| Pick { device, back });
    let right = || prop::bool::weighted(0.8);
    let network = prop_oneof![4 => Just(HOME), 2 => Just(ELSEWHERE), 1 => Just("2001:db8::7")];
    let seconds = prop_oneof![
        6 => 1..50_u64,
        3 => Just(MINUTE),
        3 => MINUTE..40 * MINUTE,
        1 => Just(65 * MINUTE),
        2 => DAY..3 * DAY,
        1 => prop_oneof![Just(28 * DAY), Just(30 * DAY), 20 * DAY..40 * DAY],
    ];
    prop_oneof![
        3 => (0..3_u8, any::<bool>()).prop_map(|(name, signed_in)| Register { name, signed_in }),
        6 => (user(), right()).prop_map(|(user, right)| Open { user, right }),
        16 => (pick.clone(), network).prop_map(|(token, network)| Refresh { token, network }),
        4 => (device(), prop::option::of(device())).prop_map(|(device, caller)| End { device, caller }),
        3 => (pick.clone(), any::<bool>()).prop_map(|(caller, keep)| EndAll { caller, keep }),
        1 => user().prop_map(|user| EndAllOf { user }),
        2 => (pick.clone(), right()).prop_map(|(caller, right)| ChangePassword { caller, right }),
        1 => user().prop_map(|user| ReplacePassword { user }),
        2 => (user(), any::<bool>()).prop_map(|(user, disabled)| SetDisabled { user, disabled }),
        1 => user().prop_map(|user| Delete { user }),
        1 => (pick, right()).prop_map(|(caller, right)| DeleteMe { caller, right }),
        1 => Just(Everyone),
        3 => device().prop_map(|device| Heard { device }),
        8 => seconds.prop_map(|seconds| Pass { seconds }),
        2 => Just(Sweep),
        1 => Just(Reopen),
    ]
}
