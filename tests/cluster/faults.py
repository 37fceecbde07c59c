"""What is broken. Each fault does it and returns what it was; `Cluster.heal` takes all of it back."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass

import client
from machines import PROCESSES, Cluster, Machine, run

KILL, STOP = signal.SIGKILL, signal.SIGSTOP
#: Where nobody is: what is sent there is lost without a word.
NOWHERE = "02:00:00:00:00:ff"


@dataclass(frozen=True)
class Broken:
    """A cluster and the roles that its machines had when the fault began."""

    cluster: Cluster
    chance: random.Random
    primary: Machine
    standby: Machine
    other: Machine


@dataclass(frozen=True)
class Fault:
    name: str
    do: Callable[[Broken], str]
    #: How long it lasts at least; longer than Patroni's `ttl` where it has to run out.
    hold: float
    #: Whether changes are possible again before it is over.
    survives: bool


FAULTS: list[Fault] = []


def fault(
    hold: float = 4, survives: bool = True
) -> Callable[[Callable[[Broken], str]], Callable[[Broken], str]]:
    def note(do: Callable[[Broken], str]) -> Callable[[Broken], str]:
        FAULTS.append(Fault(do.__name__, do, hold, survives))
        return do

    return note


@fault()
def kill_postgres(broken: Broken) -> str:
    machine = broken.chance.choice([broken.primary, broken.primary, broken.standby])
    machine.signal(KILL, "postgres")
    return machine.name


@fault(hold=30)
def kill_patroni(broken: Broken) -> str:
    broken.primary.signal(KILL, "patroni")
    return broken.primary.name


@fault()
def kill_rescind(broken: Broken) -> str:
    machine = broken.chance.choice(broken.cluster.machines)
    machine.signal(KILL, "rescind")
    return machine.name


@fault()
def kill_machine(broken: Broken) -> str:
    machine = broken.chance.choice([broken.primary, broken.primary, broken.standby])
    machine.signal(KILL, *PROCESSES)
    return machine.name


@fault(hold=3, survives=False)
def kill_all_machines(broken: Broken) -> str:
    for machine in broken.cluster.machines:
        machine.signal(KILL, *PROCESSES)
    return "all"


@fault()
def kill_etcd(broken: Broken) -> str:
    broken.primary.signal(KILL, "etcd")
    return broken.primary.name


@fault(hold=25)
def etcd_away(broken: Broken) -> str:
    number = broken.chance.choice([KILL, STOP])
    for machine in broken.cluster.machines:
        machine.signal(number, "etcd")
    return number.name


@fault()
def stop_postgres(broken: Broken) -> str:
    broken.primary.signal(STOP, "postgres")
    return broken.primary.name


@fault()
def stop_standby(broken: Broken) -> str:
    broken.standby.signal(STOP, "postgres")
    return broken.standby.name


@fault(hold=30)
def stop_patroni(broken: Broken) -> str:
    broken.primary.signal(STOP, "patroni")
    return broken.primary.name


@fault()
def stop_rescind(broken: Broken) -> str:
    machine = broken.chance.choice(broken.cluster.machines)
    machine.signal(STOP, "rescind")
    return machine.name


@fault(hold=25)
def stop_machine(broken: Broken) -> str:
    """All but Rescind, so that it still asks the database beside it."""
    broken.primary.signal(STOP, "patroni", "postgres", "etcd")
    return broken.primary.name


@fault(hold=25)
def link_down_at_the_machine(broken: Broken) -> str:
    machine = broken.chance.choice([broken.primary, broken.primary, broken.standby])
    machine.ip("link", "set", "eth0", "down")
    return machine.name


@fault(hold=25)
def link_down_at_the_switch(broken: Broken) -> str:
    machine = broken.chance.choice([broken.primary, broken.primary, broken.standby])
    run("ip", "link", "set", f"cluster-{machine.number}", "down")
    return machine.name


def lose(sender: Machine, *receivers: Machine) -> None:
    """Loses what one machine sends to others, in this direction only."""
    for receiver in receivers:
        sender.ip("neigh", "replace", receiver.address, "lladdr", NOWHERE, "dev", "eth0", "nud", "permanent")


@fault(hold=25)
def primary_is_not_heard(broken: Broken) -> str:
    lose(broken.primary, broken.standby, broken.other)
    return broken.primary.name


@fault(hold=25)
def primary_hears_nothing(broken: Broken) -> str:
    for machine in (broken.standby, broken.other):
        lose(machine, broken.primary)
    return broken.primary.name


@fault(hold=12)
def standby_is_not_heard(broken: Broken) -> str:
    lose(broken.standby, broken.primary)
    return f"{broken.standby.name} by {broken.primary.name}"


@fault(hold=12)
def standby_hears_nothing(broken: Broken) -> str:
    lose(broken.primary, broken.standby)
    return f"{broken.standby.name} of {broken.primary.name}"


@fault()
def switchover(broken: Broken) -> str:
    return ordered(broken, "switchover", {"leader": broken.primary.name, "candidate": broken.standby.name})


@fault()
def failover(broken: Broken) -> str:
    return ordered(broken, "failover", {"candidate": broken.standby.name})


def ordered(broken: Broken, path: str, body: dict[str, str]) -> str:
    environment = broken.primary.environment()
    words = environment["PATRONI_RESTAPI_USERNAME"], environment["PATRONI_RESTAPI_PASSWORD"]
    answer = client.request(
        f"{broken.primary.outside}:8008", "POST", f"/{path}", body=body, timeout=60, basic=words
    )
    assert answer.status in (200, 202), answer
    return f"{broken.primary.name} to {broken.standby.name}"


@fault(hold=15)
def full_disk(broken: Broken) -> str:
    # Most of it at once: to write it would take a busy machine a minute, as long as the fault lasts.
    disk = os.statvfs(broken.primary.disk)
    most = disk.f_bavail * disk.f_frsize - (16 << 20)
    with (broken.primary.disk / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        os.posix_fallocate(file.fileno(), 0, max(most, 1))
        file.seek(0, os.SEEK_END)
        while file.write(bytes(1 << 16)):
            pass
    return broken.primary.name
