//! The contract in its simplest form: nothing is counted, stamped or indexed. A bump visits every device and every
//! token and ends them; a count counts; whether a refresh token is valid follows from the list of all events.

use std::collections::BTreeMap;

use rescind::model::device::Cause;
use rescind::model::ids::DeviceId;
use rescind::model::verdict::Reason;

use super::outcome::Outcome;
use crate::service::{ACCESS, DAY, IDLE, LIFETIME};

/// A time or a duration, in seconds.
type Seconds = i64;

fn seconds(span: std::time::Duration) -> Seconds {
    i64::try_from(span.as_secs()).unwrap()
}

#[derive(Default)]
pub(crate) struct Naive {
    pub(crate) now: Seconds,
    pub(crate) era: u64,
    pub(crate) most: usize,
    pub(crate) users: Vec<Account>,
    pub(crate) devices: Vec<Device>,
    pub(crate) log: BTreeMap<u64, (Seconds, Line)>,
    pub(crate) head: u64,
}

pub(crate) struct Account {
    pub(crate) name: u8,
    pub(crate) password: u64,
    pub(crate) bumps: u64,
    disabled: bool,
    pub(crate) deleted: bool,
}

pub(crate) struct Device {
    pub(crate) user: usize,
    id: DeviceId,
    pub(crate) idle_end: Seconds,
    pub(crate) absolute_end: Seconds,
    seen: Seconds,
    pub(crate) sequence: u64,
    floor: u64,
    /// The advances: time, network and new sequence.
    rotations: Vec<(Seconds, &'static str, u64)>,
    /// The recoveries: time and sequence.
    recoveries: Vec<(Seconds, u64)>,
    pub(crate) tokens: Vec<Token>,
    pub(crate) end: Option<End>,
}

pub(crate) struct End {
    pub(crate) at: Seconds,
    pub(crate) cause: Cause,
    /// Whether a bump ended the device, not a step of its own.
    pub(crate) left_behind: bool,
}

/// A pair of tokens that a client holds.
pub(crate) struct Token {
    sequence: u64,
    fate: Option<Reason>,
    access_until: Seconds,
    refresh_until: Seconds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Device(usize),
    Generation(usize, u64),
    Era(u64),
}

impl Naive {
    pub(crate) fn alive(&self, user: usize) -> impl Iterator<Item = usize> {
        let devices = self.devices.iter().enumerate();
        devices.filter(move |(_, device)| device.user == user && device.end.is_none()).map(|(at, _)| at)
    }

    pub(crate) fn last_end(&self, device: usize) -> Seconds {
        self.devices[device].idle_end.min(self.devices[device].absolute_end)
    }

    /// The reason why an access token does not act for its user, as an error.
    pub(crate) fn judge(&self, device: usize, token: usize) -> Result<(), Outcome> {
        let (found, token) = (&self.devices[device], &self.devices[device].tokens[token]);
        self.reason(device, token.fate, token.access_until).map_or(Ok(()), |reason| {
            let forgotten = found.end.as_ref().is_some_and(|end| end.at + seconds(DAY * 28) <= self.now);
            Err(if forgotten { Outcome::RefusedSomehow } else { Outcome::Refused(reason) })
        })
    }

    fn reason(&self, device: usize, fate: Option<Reason>, until: Seconds) -> Option<Reason> {
        let device_end = self.last_end(device);
        let (device, user) = (&self.devices[device], &self.users[self.devices[device].user]);
        match fate {
            Some(Reason::Reset) => return Some(Reason::Reset),
            _ if user.deleted => return Some(Reason::SignedOutEverywhere),
            _ if user.disabled => return Some(Reason::UserDisabled),
            Some(reason) => return Some(reason),
            None => {}
        }
        if device.end.is_some() {
            return Some(Reason::SignedOut);
        }
        (until <= self.now || device_end <= self.now).then_some(Reason::Expired)
    }

    fn write(&mut self, line: Line) {
        self.head += 1;
        self.log.insert(self.head, (self.now, line));
    }

    fn end(&mut self, device: usize, at: Seconds, cause: Cause) {
        self.devices[device].end = Some(End { at, cause, left_behind: false });
        if cause != Cause::Expired {
            self.write(Line::Device(device));
        }
    }

    /// Ends all of a user's devices except `keep`; returns how many there were.
    fn bump(&mut self, user: usize, keep: Option<usize>, cause: Cause) -> u64 {
        self.users[user].bumps += 1;
        self.write(Line::Generation(user, self.users[user].bumps + 1));
        let mut ended = 0;
        for (at, device) in self.devices.iter_mut().enumerate().filter(|(_, device)| device.user == user) {
            for token in device.tokens.iter_mut().filter(|token| token.fate != Some(Reason::Reset)) {
                token.fate = Some(match token.fate {
                    _ if keep != Some(at) => Reason::SignedOutEverywhere,
                    Some(Reason::PasswordChanged) => Reason::PasswordChanged,
                    _ if cause == Cause::PasswordChanged => Reason::PasswordChanged,
                    _ => Reason::Superseded,
                });
            }
            if keep != Some(at) && device.end.is_none() {
                device.end = Some(End { at: self.now, cause, left_behind: true });
                ended += 1;
            }
        }
        ended
    }

    pub(crate) fn register(&mut self, name: u8, device: Option<DeviceId>) -> Outcome {
        if self.users.iter().any(|user| user.name == name && !user.deleted) {
            return Outcome::UsernameTaken;
        }
        self.users.push(Account { name, password: 0, bumps: 0, disabled: false, deleted: false });
        device.map_or(Outcome::Done, |id| self.add(self.users.len() - 1, id, Vec::new()))
    }

    fn add(&mut self, user: usize, id: DeviceId, evicted: Vec<usize>) -> Outcome {
        self.devices.push(Device {
            user,
            id,
            idle_end: self.now + seconds(IDLE),
            absolute_end: self.now + seconds(LIFETIME),
            seen: self.now,
            sequence: 0,
            floor: 0,
            rotations: Vec::new(),
            recoveries: Vec::new(),
            tokens: Vec::new(),
            end: None,
        });
        self.mint(self.devices.len() - 1);
        Outcome::Opened { evicted }
    }

    fn mint(&mut self, device: usize) {
        let refresh_until = self.last_end(device);
        let access_until = refresh_until.min(self.now + seconds(ACCESS));
        let device = &mut self.devices[device];
        let sequence = device.sequence;
        device.tokens.push(Token { sequence, fate: None, access_until, refresh_until });
    }

    pub(crate) fn open(&mut self, user: usize, verified: u64, id: DeviceId) -> Outcome {
        match &self.users[user] {
            found if found.deleted => return Outcome::NoUser,
            found if found.disabled => return Outcome::Disabled,
            found if found.password != verified => return Outcome::PasswordChanged,
            _ => {}
        }
        let mut evicted = Vec::new();
        while self.alive(user).count() >= self.most {
            let first = self.alive(user).min_by_key(|at| {
                (self.last_end(*at) > self.now, self.devices[*at].seen, self.devices[*at].id)
            });
            let first = first.unwrap();
            if self.last_end(first) > self.now {
                evicted.push(first);
                self.end(first, self.now, Cause::Evicted);
            } else {
                self.end(first, self.now, Cause::Expired);
                self.write(Line::Device(first));
            }
        }
        self.add(user, id, evicted)
    }

    pub(crate) fn refresh(&mut self, at: usize, token: usize, network: &'static str) -> Outcome {
        let token = &self.devices[at].tokens[token];
        let (presented, until) = (token.sequence, token.refresh_until);
        let fate = token.fate.filter(|fate| !matches!(fate, Reason::Superseded | Reason::PasswordChanged));
        if let Some(reason) = self.reason(at, fate, until) {
            let end = self.devices[at].end.as_ref();
            let forgotten = end.is_some_and(|end| end.at + seconds(DAY * 28) <= self.now);
            return if forgotten { Outcome::RefusedSomehow } else { Outcome::Refused(reason) };
        }
        let (now, device) = (self.now, &mut self.devices[at]);
        if presented < device.floor {
            return Outcome::Refused(Reason::PasswordChanged);
        }
        let current = device.sequence;
        let advance = device.rotations.last().filter(|(.., to)| *to == current);
        let advance = advance.map(|(at, from, _)| (*at, *from == network));
        if presented == current {
            if advance.is_some_and(|(at, there)| now < at + 60 && there) {
                self.mint(at);
                return Outcome::Repeated(current);
            }
            device.sequence += 1;
            device.rotations.push((now, network, current + 1));
            device.idle_end = (now + seconds(IDLE)).min(device.absolute_end);
            self.mint(at);
            return Outcome::Rotated(current + 1);
        }
        let recovered = device.recoveries.iter().filter(|(_, of)| *of == current).map(|(at, _)| *at).max();
        let open = advance.map(|(at, _)| at).max(recovered).is_some_and(|since| now < since + 60);
        let known = advance.is_some_and(|(_, there)| there);
        let granted = device.recoveries.iter().filter(|(at, _)| now < at + seconds(DAY)).count();
        if presented + 1 == current && open && (known || recovered.is_some()) {
            self.mint(at);
            return Outcome::Repeated(current);
        }
        if presented + 1 == current && granted < 5 {
            device.recoveries.push((now, current));
            self.mint(at);
            return Outcome::Recovered(current);
        }
        self.end(at, now, Cause::RefreshReused);
        Outcome::Reused
    }

    pub(crate) fn end_one(&mut self, device: usize, caller: Option<(usize, usize)>) -> Outcome {
        if let Some(Err(refused)) = caller.map(|(device, token)| self.judge(device, token)) {
            return refused;
        }
        if self.devices[device].end.is_some() || self.users[self.devices[device].user].deleted {
            return Outcome::NotLive;
        }
        self.end(device, self.now, Cause::SignedOut);
        Outcome::Done
    }

    pub(crate) fn end_all(&mut self, device: usize, token: usize, keep: bool) -> Outcome {
        if let Err(refused) = self.judge(device, token) {
            return refused;
        }
        let ended = self.bump(self.devices[device].user, keep.then_some(device), Cause::SignedOutEverywhere);
        if keep {
            let found = &mut self.devices[device];
            let Token { sequence, access_until, refresh_until, .. } = found.tokens[token];
            found.tokens.push(Token { sequence, fate: None, access_until, refresh_until });
        }
        Outcome::SignedOut(ended)
    }

    /// Ends all of a user's devices for an administrator; `password` is the new password, if one is set.
    pub(crate) fn end_all_of(&mut self, user: usize, password: Option<u64>) -> Outcome {
        if self.users[user].deleted {
            return Outcome::NoUser;
        }
        let cause = if password.is_some() { Cause::PasswordChanged } else { Cause::Administrator };
        self.users[user].password = password.unwrap_or(self.users[user].password);
        Outcome::SignedOut(self.bump(user, None, cause))
    }

    pub(crate) fn change_password(&mut self, device: usize, token: usize, verified: u64, to: u64) -> Outcome {
        if let Err(refused) = self.judge(device, token) {
            return refused;
        }
        let user = self.devices[device].user;
        if self.users[user].password != verified {
            return Outcome::PasswordChanged;
        }
        self.users[user].password = to;
        let ended = self.bump(user, Some(device), Cause::PasswordChanged);
        let (now, found) = (self.now, &mut self.devices[device]);
        found.sequence += 1;
        found.floor = found.sequence;
        found.idle_end = (now + seconds(IDLE)).min(found.absolute_end);
        self.mint(device);
        Outcome::SignedOut(ended)
    }

    pub(crate) fn set_disabled(&mut self, user: usize, disabled: bool) -> Outcome {
        let found = &mut self.users[user];
        if found.deleted {
            return Outcome::NoUser;
        }
        let was = std::mem::replace(&mut found.disabled, disabled);
        // Enabling bumps, too, so that followers hear of it; nobody is signed in.
        let cause = if disabled { Cause::Disabled } else { Cause::Administrator };
        let ended = if disabled == was { 0 } else { self.bump(user, None, cause) };
        Outcome::SignedOut(ended)
    }

    pub(crate) fn delete(&mut self, user: usize) -> Outcome {
        if self.users[user].deleted {
            return Outcome::NoUser;
        }
        self.users[user].deleted = true;
        Outcome::SignedOut(self.bump(user, None, Cause::SignedOutEverywhere))
    }

    pub(crate) fn everyone(&mut self) -> Outcome {
        self.era = (self.era + 1).max(u64::try_from(self.now).unwrap());
        self.write(Line::Era(self.era));
        for device in &mut self.devices {
            for token in &mut device.tokens {
                token.fate = Some(Reason::Reset);
            }
            let end = End { at: self.now, cause: Cause::Administrator, left_behind: true };
            device.end.get_or_insert(end);
        }
        Outcome::Done
    }

    pub(crate) fn heard(&mut self, device: usize) {
        self.devices[device].seen = self.now;
    }

    pub(crate) fn sweep(&mut self) {
        for at in 0..self.devices.len() {
            if self.devices[at].end.is_none() && self.last_end(at) <= self.now {
                self.end(at, self.last_end(at), Cause::Expired);
            }
        }
        self.log.retain(|_, (at, _)| self.now < *at + 65 * 60);
    }
}
