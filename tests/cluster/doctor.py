"""What `rescind doctor` says of the real Patroni, as it is set up and with settings that lose what was acknowledged."""

from __future__ import annotations

import json
import subprocess

from machines import ENVIRONMENT, NOBODY, PATRONI, RESCIND, Cluster, Machine, run, until

SAFE = "Patroni promotes only a standby that has what was acknowledged"


def findings(machine: Machine, about: str) -> list[tuple[str, str]]:
    """The grade and the text of each finding about one thing."""
    command, environment = machine.command("rescind")
    inside = command[: command.index(str(RESCIND))]
    # Its status says what it found, which is read here.
    done = subprocess.run(
        [*inside, str(RESCIND), "doctor", "--json", "--set", "listen=127.0.0.1:0"],
        env={**ENVIRONMENT, **environment},
        cwd=machine.folder / "rescind",
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout)["diagnoses"]
    return [(one["grade"], one["what"]) for one in told if one["about"] == about]


def set_patroni(machine: Machine, **settings: str) -> None:
    """Changes settings of the cluster, as an operator does."""
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    inside = ["nsenter", f"--net=/run/netns/{machine.name}", *NOBODY]
    control = [PATRONI.with_name("patronictl"), "-c", machine.folder / "patroni.yml"]
    run(*inside, *control, "edit-config", "rescind", *words, "--force", **machine.environment())


def test(cluster: Cluster) -> None:
    """Each setting of Patroni that the doctor warns of, off and on again."""
    machine = cluster.machines[0]
    everywhere = ", ".join(f"{one.address}:8008" for one in cluster.machines)
    good = [("good", f"{everywhere}: {SAFE}")]
    found = findings(machine, "patroni")
    assert found == good, found
    for setting in ("synchronous_mode_strict", "synchronous_mode"):
        set_patroni(machine, **{setting: "false"})
        found = findings(machine, "patroni")
        assert [(grade, setting + " is off" in what) for grade, what in found] == [("warning", True)], found
        set_patroni(machine, **{setting: "true"})
    found = findings(machine, "patroni")
    assert found == good, found
    until("the cluster is whole again", 60, cluster.complete)
    until("every node is ready again", 60, cluster.ready)
