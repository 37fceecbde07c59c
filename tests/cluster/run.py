"""A real cluster of three machines, broken again and again: `run.py --faults 10 --seed 1 --set proof_of_primacy=0s`.

Six users work on the nodes of Rescind all the time and note what was acknowledged. After each fault everything is
healed, and what was acknowledged is compared with what every node answers.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import doctor
import private
from client import request
from faults import FAULTS, Broken, Fault
from ledger import Load
from machines import LOGS, RESCIND, Cluster, run
from probes import Probes

#: How many seconds the cluster may need to acknowledge changes again while something is broken.
PATIENCE = 60
#: Enough for the load of a run, and for a machine that is busy with other things.
SETTINGS = ["sign_ins_per_account=100000", "registrations_per_address=100000", "store_read_budget=2s"]


def arguments() -> argparse.Namespace:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--faults", type=int, default=int(os.environ.get("RESCIND_TEST_FAULTS", "10")))
    asked.add_argument("--seed", type=int, default=int(os.environ.get("RESCIND_TEST_SEED", "1")))
    clusters = int(os.environ.get("RESCIND_TEST_CLUSTERS", "1"))
    asked.add_argument("--clusters", type=int, default=clusters, help="clusters that share the faults")
    asked.add_argument("--outcome", type=Path, help="a file for what happened, instead of a report")
    asked.add_argument(
        "--only", action="append", choices=[fault.name for fault in FAULTS], help="only this fault"
    )
    asked.add_argument("--possible", action="store_true", help="only say whether it can run here")
    asked.add_argument("--set", action="append", default=[], dest="settings", help="a setting of Rescind")
    return asked.parse_args()


def order(only: list[str] | None, number: int, chance: random.Random) -> list[Fault]:
    """Every fault once, in a random order, then again."""
    among = [fault for fault in FAULTS if not only or fault.name in only]
    found: list[Fault] = []
    while len(found) < number:
        found += chance.sample(among, len(among))
    return found[:number]


def broken(cluster: Cluster, chance: random.Random) -> Broken:
    roles = {role: name for name, role, _ in cluster.members()}
    by_name = {machine.name: machine for machine in cluster.machines}
    return Broken(cluster, chance, *(by_name[roles[role]] for role in ("leader", "sync_standby", "replica")))


@dataclass(frozen=True)
class Result:
    """What one fault did."""

    survived: bool
    #: The longest time in which no node acknowledged a change, and from the fault's end until every node answered.
    away: float
    recovery: float


@dataclass(frozen=True)
class Outcome:
    """What all faults of a cluster did, and what was counted meanwhile."""

    results: list[Result]
    counts: Counter[str]
    contradictions: list[str]

    def write(self, file: Path) -> None:
        results = [asdict(result) for result in self.results]
        told = {"results": results, "counts": dict(self.counts), "contradictions": self.contradictions}
        file.write_text(json.dumps(told), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Outcome:
        told = json.loads(file.read_text(encoding="utf-8"))
        results = [Result(**result) for result in told["results"]]
        return cls(results, Counter(told["counts"]), told["contradictions"])

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.results + other.results,
            self.counts + other.counts,
            self.contradictions + other.contradictions,
        )


def fail(
    number: int, fault: Fault, cluster: Cluster, load: Load, probes: Probes, chance: random.Random
) -> Result:
    """One fault from its begin until everything that was acknowledged before its end has been looked after."""
    probes.renew()
    before = load.tally.counts.copy()
    roles = broken(cluster, chance)
    load.begin()
    time.sleep(1)
    begun = time.monotonic()
    what = fault.do(roles)
    done = time.monotonic()
    changed = not fault.survives
    while (lasted := time.monotonic() - done) < fault.hold or (not changed and lasted < PATIENCE):
        changed = changed or probes.changed_since(done + fault.hold / 2)
        time.sleep(0.1)
    # Some more, with whatever took over beside whatever does not know yet.
    time.sleep(3)
    healed = time.monotonic()
    cluster.heal()
    cluster.mend()
    time.sleep(2)
    load.end()
    load.settle()
    result = Result(changed, probes.away(begun, healed), probes.recovery(healed))
    counts = ", ".join(f"{number} {what}" for what, number in (load.tally.counts - before).items())
    times = f"no change for {result.away:.1f} s, every node {result.recovery:.1f} s after the end"
    print(f"{number:3} {fault.name} {what}: {times}; {counts}", flush=True)
    if not result.survived:
        load.tally.contradict(
            "not survived", f"{fault.name} {what}: no node acknowledged a change in {PATIENCE} s"
        )
    return result


def several(asked: argparse.Namespace) -> int:
    """Breaks several clusters beside one another, each with its share of the faults and a seed of its own."""
    more = [word for name in asked.only or [] for word in ("--only", name)]
    more += [word for setting in asked.settings for word in ("--set", setting)]
    with tempfile.TemporaryDirectory() as folder:
        outcomes, running = [], []
        for number in range(asked.clusters):
            outcomes.append(Path(folder) / str(number))
            share = asked.faults // asked.clusters + (number < asked.faults % asked.clusters)
            words = ["--clusters=1", f"--faults={share}", f"--seed={asked.seed + number}"]
            words += [f"--outcome={outcomes[-1]}", *more]
            environment = {**os.environ, "CLUSTER_LOGS": str(LOGS / f"{number + 1}")}
            running.append(subprocess.Popen([sys.executable, "-B", __file__, *words], env=environment))
        statuses = [cluster.wait() for cluster in running]
        if any(statuses):
            print(f"FAILED: a cluster ended early; the logs are in {LOGS}")
            return 1
        first, *others = map(Outcome.read, outcomes)
    return report(sum(others, first), asked.settings)


def test(asked: argparse.Namespace) -> int:
    chance = random.Random(asked.seed)
    faults = order(asked.only, asked.faults, chance)
    cluster = Cluster([*SETTINGS, *asked.settings])
    print(f"{len(faults)} faults with seed {asked.seed}; logs in {LOGS}", flush=True)
    begun = time.monotonic()
    cluster.start()
    doctor.test(cluster)
    first = cluster.machines[0]
    words = ["service-key", "add", "tests", "--scope", "sessions", "--json"]
    environment = first.command("rescind")[1]
    told = run("env", "-C", first.folder / "rescind", RESCIND, *words, **environment)
    nodes = [machine.node for machine in cluster.machines]
    load, probes = Load(nodes, json.loads(told)["key"], asked.seed), Probes(nodes)
    print(f"started after {time.monotonic() - begun:.0f} s", flush=True)
    try:
        results = [
            fail(number, fault, cluster, load, probes, chance) for number, fault in enumerate(faults, 1)
        ]
    except BaseException:
        print("\n".join(load.tally.contradictions))
        raise
    if proves(asked.settings):
        tell_proofs(nodes)
    outcome = Outcome(results, load.tally.counts, load.tally.contradictions)
    if not asked.outcome:
        return report(outcome, asked.settings)
    outcome.write(asked.outcome)
    return 0


def proves(settings: list[str]) -> bool:
    """Whether checks rest on proofs that the database is the primary."""
    return any(setting.startswith("proof_of_primacy=") for setting in settings)


def tell_proofs(nodes: list[str]) -> None:
    """Tells what the nodes' proofs rested on since each was last started: the answers of standbys, mostly."""
    proofs: Counter[str] = Counter()
    for node in nodes:
        metrics = request(f"{node.rpartition(':')[0]}:9464", "GET", "/metrics").body
        found = re.findall(r'rescind_database_proven_groups_total{kind="(\w+)"} (\d+)', metrics)
        proofs.update({kind: int(groups) for kind, groups in found})
    print(f"groups of checks by what proved the primary, since the nodes were last started: {dict(proofs)}")
    assert proofs["recovery"], "no standby was asked"


def report(outcome: Outcome, settings: list[str]) -> int:
    results, counts = outcome.results, outcome.counts
    print("\n".join(outcome.contradictions))
    recovery, away = ([getattr(result, name) for result in results] for name in ("recovery", "away"))
    accepted = f"ended tokens accepted after the answer, {' '.join(settings) or 'with default settings'}"
    strict = proves(settings)
    # A node on the wrong side of a fault may refuse what it has not seen, unless it has to prove that it has seen all;
    # what was refused is then compared once nothing is broken.
    lost = counts["lost"] + strict * (counts["refused"] + counts["ended before"])
    figure("faults in a cluster of three machines", len(results))
    figure("changes acknowledged meanwhile", counts["acknowledged"])
    figure("of these, compared with every node's answers after a fault", counts["facts looked after"])
    figure("acknowledged changes lost", lost, goal="0")
    figure("ended tokens presented after the answer, to each node", counts["checks of ended tokens"])
    figure(accepted, counts["ended token accepted"], goal="0" if strict else None)
    figure("no change acknowledged by any node during a fault, median", statistics.median(away), "s")
    figure("no change acknowledged by any node during a fault, the longest", max(away), "s")
    figure("from the end of a fault until every node answered, median", statistics.median(recovery), "s")
    figure("from the end of a fault until every node answered, the longest", max(recovery), "s")
    bad = lost + counts["failed"] + counts["not survived"] + strict * counts["ended token accepted"]
    print(f"FAILED: see above, and the logs in {LOGS}" if bad else "nothing acknowledged was lost")
    return 1 if bad else 0


def figure(what: str, value: float, unit: str = "", goal: str | None = None) -> None:
    """Prints a figure, and notes it for `cargo bench -- faults`."""
    print(f"{value:12.2f} {unit:2} {what}")
    if name := os.environ.get("RESCIND_TEST_FIGURES"):
        with open(name, "a", encoding="utf-8") as file:
            file.write(
                json.dumps({"what": what, "value": round(value, 2), "unit": unit, "goal": goal}) + "\n"
            )


if __name__ == "__main__":
    asked = arguments()
    if asked.possible:
        sys.exit(private.impossible())
    if asked.clusters > 1:
        sys.exit(several(asked))
    private.enter()
    try:
        status = test(asked)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    os._exit(status)
