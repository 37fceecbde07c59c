"""Three machines: network namespaces with etcd, PostgreSQL under Patroni and Rescind, set up as `deploy/patroni` says."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import client

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
DEPLOY = ROOT / "deploy/patroni"
#: Patroni starts itself again by the name it was started with, which has to stay.
PATRONI = Path(shutil.which("patroni") or ROOT / "target/tools/bin/patroni").resolve()
POSTGRES = Path(os.environ.get("TEST_POSTGRES_BIN", "/usr/lib/postgresql/15/bin"))
RESCIND = Path(os.environ.get("RESCIND", ROOT / "target/debug/rescind"))
#: Without the variables of these tests, which Rescind would take for settings it does not know.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("RESCIND_")}
#: What every process says, kept after the run.
LOGS = Path(os.environ.get("CLUSTER_LOGS", ROOT / "target/cluster"))
#: In our own mount namespace, gone with it.
FOLDER = Path("/run/rescind-cluster")
#: PostgreSQL refuses to be root. It may read what root may, wherever this repository lies.
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
NOBODY += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
PASSWORD = "rescind-in-tests"

SERVICES = ("etcd", "patroni", "rescind")
#: The names of a machine's processes. PostgreSQL is Patroni's to start.
PROCESSES = ("etcd", "patroni", "postgres", "rescind")


def run(*words: object, **environment: str) -> str:
    """Runs a command to its end, and returns what it said."""
    done = subprocess.run(
        [str(word) for word in words],
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(
            f"{' '.join(map(str, words))} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def until(what: str, seconds: float, holds: Callable[[], object]) -> None:
    """Waits until `holds` returns something true."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)


class Machine:
    """One machine. Two networks lead to it: that of the cluster, which faults cut, and the client's own."""

    def __init__(self, number: int, settings: list[str]) -> None:
        self.number = number
        self.name = f"db-{number}"
        self.address = f"10.0.0.{number}"
        #: Where the client and these tests reach it, whatever happens to the other.
        self.outside = f"10.0.1.{number}"
        self.folder = FOLDER / self.name
        self.disk = self.folder / "disk"
        self.settings = settings
        self.wanted: set[str] = set()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.restarts = 0
        self.lock = threading.Lock()

    def prepare(self) -> None:
        run("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")
        for bridge, device, address in [("cluster", "eth0", self.address), ("outside", "eth1", self.outside)]:
            port = f"{bridge}-{self.number}"
            run("ip", "link", "add", port, "type", "veth", "peer", "name", device, "netns", self.name)
            run("ip", "link", "set", port, "master", bridge, "up")
            self.ip("address", "add", f"{address}/24", "dev", device)
            self.ip("link", "set", device, "up")
        (self.folder / "rescind").mkdir(parents=True)
        self.disk.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=1g", "rescind", self.disk)
        (LOGS / self.name).mkdir()
        config = (DEPLOY / "patroni.yml").read_text()
        # Other paths, a smaller disk, and no watchdog: this machine's would restart it.
        for theirs, ours in [
            ("/etc/patroni/", f"{self.folder}/"),
            ("max_wal_size: 1GB", "max_wal_size: 64MB"),
            ("mode: automatic", "mode: 'off'"),
        ]:
            assert theirs in config, f"{theirs} is no longer in patroni.yml"
            config = config.replace(theirs, ours)
        (self.folder / "patroni.yml").write_text(config)
        certify(self)
        run("chown", "-R", "65534:65534", self.folder)

    def ip(self, *words: str) -> None:
        run("ip", "-n", self.name, *words)

    def environment(self) -> dict[str, str]:
        """`machine.env` with this machine's name and address; a line that names all machines stays as it is."""
        found = {}
        for line in (DEPLOY / "machine.env").read_text().splitlines():
            if line and not line.startswith("#"):
                key, _, value = line.partition("=")
                if "10.0.0.2" not in value:
                    value = value.replace("10.0.0.1", self.address).replace("db-1", self.name)
                found[key] = value
        return found

    def command(self, service: str) -> tuple[list[str], dict[str, str]]:
        inside = ["nsenter", f"--net=/run/netns/{self.name}"]
        if service == "etcd":
            return [*inside, "etcd"], {**self.environment(), "ETCD_DATA_DIR": f"{self.folder}/etcd"}
        if service == "patroni":
            return [*inside, *NOBODY, str(PATRONI), f"{self.folder}/patroni.yml"], {
                **self.environment(),
                "PATRONI_POSTGRESQL_DATA_DIR": f"{self.disk}/data",
                "PATRONI_POSTGRESQL_BIN_DIR": str(POSTGRES),
                "PYTHONDONTWRITEBYTECODE": "1",
                "HOME": str(self.folder),
            }
        listen = ["--listen", "0.0.0.0:8080", "--metrics-listen", "0.0.0.0:9464", "--set", "log_level=warn"]
        more = [word for setting in self.settings for word in ("--set", setting)]
        return [*inside, str(RESCIND), "serve", *listen, *more], {
            "RESCIND_STORE": f"postgres://rescind:{PASSWORD}@10.0.0.1,10.0.0.2,10.0.0.3/rescind",
            "RESCIND_STORE_CA_FILE": f"{FOLDER}/ca.crt",
            "RESCIND_MASTER_KEY_FILE": f"{FOLDER}/master.key",
            "RESCIND_PUBLIC_URL": "http://cluster.example",
        }

    def start(self, *services: str) -> None:
        with self.lock:
            self.wanted.update(services)
            self._start_wanted()

    def _start_wanted(self) -> None:
        for service in SERVICES:
            running = self.processes.get(service)
            if service not in self.wanted or (running is not None and running.poll() is None):
                continue
            self.restarts += running is not None
            command, environment = self.command(service)
            with (LOGS / self.name / service).open("ab") as log:
                log.write(f"==== {time.strftime('%T')} started\n".encode())
                log.flush()
                self.processes[service] = subprocess.Popen(
                    command,
                    env={**ENVIRONMENT, **environment},
                    cwd=self.folder / "rescind",
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def supervise(self) -> None:
        """Starts again what ended by itself, as systemd would."""
        with self.lock:
            self._start_wanted()

    def pids(self, process: str) -> list[int]:
        found = []
        for pid in run("ip", "netns", "pids", self.name).split():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == process:
                    found.append(int(pid))
        return found

    def signal(self, number: signal.Signals, *processes: str) -> None:
        """Sends a signal to all processes of these names. What is killed stays away until [`Cluster.heal`]."""
        with self.lock:
            if number == signal.SIGKILL:
                self.wanted.difference_update(processes)
            for process in processes:
                for pid in self.pids(process):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)

    def patroni(self, path: str) -> client.Answer:
        return client.request(f"{self.outside}:8008", "GET", path, timeout=2)

    @property
    def node(self) -> str:
        return f"{self.outside}:8080"


class Cluster:
    """All machines, and what can be asked of them together."""

    def __init__(self, settings: list[str]) -> None:
        self.machines = [Machine(number, settings) for number in (1, 2, 3)]
        self.over = threading.Event()

    def start(self) -> None:
        shutil.rmtree(LOGS, ignore_errors=True)
        LOGS.mkdir(parents=True)
        run("mount", "-t", "tmpfs", "rescind", "/run")
        for folder in (FOLDER, Path("/run/netns")):
            folder.mkdir()
        run("ip", "link", "set", "lo", "up")
        for bridge in ("cluster", "outside"):
            run("ip", "link", "add", bridge, "type", "bridge")
            run("ip", "link", "set", bridge, "up")
        run("ip", "address", "add", "10.0.1.254/24", "dev", "outside")
        authority()
        run(RESCIND, "key", "master", FOLDER / "master.key")
        for machine in self.machines:
            machine.prepare()
            machine.start("etcd")
        self.machines[0].start("patroni")
        until("Patroni has made a cluster", 90, self.leader)
        for machine in self.machines[1:]:
            machine.start("patroni")
        until("both standbys stream", 90, self.complete)
        self.sql(
            f"create role rescind login password '{PASSWORD}'",
            "grant pg_read_all_stats to rescind",
            "create database rescind owner rescind",
        )
        for machine in self.machines:
            machine.start("rescind")
        # A node that starts while Patroni names another standby has no proof, and ends.
        threading.Thread(target=self._supervise, daemon=True).start()
        until("every node is ready", 60, self.ready)

    def _supervise(self) -> None:
        while not self.over.wait(1):
            for machine in self.machines:
                machine.supervise()

    def sql(self, *statements: str) -> None:
        leader = self.leader()
        assert leader is not None
        environment = leader.environment()
        for statement in statements:
            psql = [
                POSTGRES / "psql",
                "-h",
                leader.address,
                "-U",
                environment["PATRONI_SUPERUSER_USERNAME"],
                "postgres",
            ]
            command = [
                "nsenter",
                f"--net=/run/netns/{leader.name}",
                *psql,
                "-v",
                "ON_ERROR_STOP=1",
                "-qc",
                statement,
            ]
            run(*command, PGPASSWORD=environment["PATRONI_SUPERUSER_PASSWORD"], PGSSLMODE="require")

    def leader(self) -> Machine | None:
        return next((machine for machine in self.machines if machine.patroni("/primary").status == 200), None)

    def synchronous(self) -> Machine | None:
        return next(
            (machine for machine in self.machines if machine.patroni("/synchronous").status == 200), None
        )

    def members(self) -> list[tuple[str, str, str]]:
        for machine in self.machines:
            answer = machine.patroni("/cluster")
            if answer.status == 200:
                return [(one["name"], one["role"], one["state"]) for one in answer.json()["members"]]
        return []

    def complete(self) -> bool:
        """Whether there is one primary with its synchronous standby and another standby, both streaming."""
        states = sorted((role, state) for _, role, state in self.members())
        return states == [("leader", "running"), ("replica", "streaming"), ("sync_standby", "streaming")]

    def ready(self) -> bool:
        return all(
            client.request(machine.node, "GET", "/readyz", timeout=2).status == 200
            for machine in self.machines
        )

    def heal(self) -> None:
        """Takes back every fault."""
        for machine in self.machines:
            machine.ip("link", "set", "eth0", "up")
            run("ip", "link", "set", f"cluster-{machine.number}", "up")
            run("ip", "-n", machine.name, "neigh", "flush", "dev", "eth0", "nud", "permanent")
            with contextlib.suppress(FileNotFoundError):
                (machine.disk / "ballast").unlink()
            machine.signal(signal.SIGCONT, *PROCESSES)
            machine.start(*SERVICES)

    def mend(self) -> None:
        """Waits until the cluster is whole again."""
        try:
            until("the cluster is whole", 150, self.complete)
            until("every node is ready", 60, self.ready)
        except AssertionError as error:
            states = [
                f"Patroni on {machine.name}: {machine.patroni('/patroni').body}" for machine in self.machines
            ]
            for machine in self.machines:
                states.append(
                    f"Rescind on {machine.name}: {client.request(machine.node, 'GET', '/readyz').body}"
                )
            raise AssertionError("\n".join([str(error), str(self.members()), *states])) from error


KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]


def authority() -> None:
    """Makes the certificate authority of the database's connections."""
    files = ["-keyout", FOLDER / "ca.key", "-out", FOLDER / "ca.crt"]
    run("openssl", "req", "-x509", *KEY, "-subj", "/CN=tests", *files)


def certify(machine: Machine) -> None:
    files = ["-keyout", machine.folder / "server.key", "-out", machine.folder / "server.crt"]
    names = [
        "-addext",
        f"subjectAltName=IP:{machine.address}",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ]
    signed = ["-CA", FOLDER / "ca.crt", "-CAkey", FOLDER / "ca.key"]
    run("openssl", "req", "-x509", *KEY, "-subj", f"/CN={machine.name}", *names, *signed, *files)
