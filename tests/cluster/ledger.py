"""Users who note what was acknowledged to them, and compare every later answer with it.

A fact counts from the moment its answer has arrived. A request without an answer may have been done, or be done later:
a device that was to be signed out is left alone from then on, and one that was to be refreshed is uncertain, so that a
refusal of it contradicts nothing until it has been refreshed with nothing broken. A refusal of any other live device does.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import client

ENDED_CODES = {"signed_out", "signed_out_everywhere"}
#: The most live devices of a user, and the most ended ones whose tokens are still presented.
LIVE, ENDED = 5, 20
PASSWORD = "correct horse battery"


@dataclass
class Device:
    id: str
    access: str
    refresh: str
    #: When the access token was issued, on the clock of `time.monotonic`.
    issued: float
    #: Whether every request that may change it was answered.
    certain: bool = True

    def young(self) -> bool:
        return time.monotonic() - self.issued < 800


class Tally:
    """What was counted, by all users together."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.contradictions: list[str] = []
        self.lock = threading.Lock()

    def add(self, what: str, number: int = 1) -> None:
        with self.lock:
            self.counts[what] += number

    def contradict(self, what: str, said: str) -> None:
        with self.lock:
            self.counts[what] += 1
            self.contradictions.append(f"{time.strftime('%T')} {what}: {said}")


class User:
    """A user with several devices, which act one after the other."""

    def __init__(self, number: int, nodes: list[str], key: str, seed: int, tally: Tally) -> None:
        self.number, self.nodes, self.key, self.tally = number, nodes, key, tally
        self.chance = random.Random(seed * 1000 + number)
        self.lives = 0
        self.name = ""
        self.live: list[Device] = []
        self.ended: list[Device] = []
        self._replace()

    def _replace(self) -> None:
        """Goes on as a new user, who is registered with the first sign-in."""
        self.lives += 1
        self.name = f"user-{self.number}-{self.lives}"
        self.live = []
        self.registered = False

    def act(self) -> None:
        """Does the next step, chosen at random, on a node chosen at random."""
        node = self.chance.choice(self.nodes)
        choice = self.chance.randrange(20)
        if choice < 5 and self.live:
            self._check_live(node)
        elif choice < 10 and self.ended:
            self._check_ended(node, self.chance.choice(self.ended))
        elif choice < 13 and self.live:
            self._refresh(node)
        elif choice < 16 and len(self.live) > 1:
            self._sign_out(node)
        elif choice == 16 and len(self.live) > 1:
            self._sign_out_everywhere(node)
        elif len(self.live) < LIVE:
            self._sign_in(node)
        elif self.live:
            self._check_live(node)

    def _acknowledged(self, answer: client.Answer, devices: list[Device]) -> bool:
        """Whether a change was acknowledged, to a user with these devices."""
        done = 200 <= answer.status < 300
        self.tally.add("acknowledged" if done else "unanswered" if answer.status in (0, 503) else "not done")
        if not done:
            self._compare(answer, devices)
        return done

    def _compare(self, answer: client.Answer, devices: list[Device]) -> None:
        """Notes an answer that must not be given to a user with these devices."""
        about = f"{self.name}, {', '.join(device.id for device in devices)}: {answer}"
        if answer.status >= 500 and answer.status != 503:
            self.tally.contradict("failed", about)
        elif 400 <= answer.status < 500:
            certain = all(device.certain for device in devices)
            self.tally.contradict("refused" if certain else "refused, uncertain", about)

    def _sign_in(self, node: str) -> None:
        device = {"device": {"name": "Phone", "kind": "mobile"}}
        if self.registered:
            path = f"/api/v1/admin/users/{self.name}/sessions"
            answer = client.request(node, "POST", path, self.key, device)
        else:
            credentials = {"username": self.name, "password": PASSWORD, **device}
            answer = client.request(node, "POST", "/api/v1/auth/register", "", credentials)
        if self._acknowledged(answer, []):
            self.registered = True
            self.live.append(of(answer))
        elif not self.registered:
            self._replace()

    def _refresh(self, node: str) -> None:
        device = self.chance.choice(self.live)
        answer = refresh(node, device)
        if self._acknowledged(answer, [device]):
            fresh = of(answer)
            # What was not answered before may still be done.
            fresh.certain = device.certain
            self.live[self.live.index(device)] = fresh
        elif answer.status in (0, 503):
            device.certain = False
        elif not device.certain:
            self.live.remove(device)

    def _sign_out(self, node: str) -> None:
        device = self.chance.choice(self.live)
        answer = client.request(node, "POST", "/api/v1/auth/logout", "", {"refresh": device.refresh})
        self.live.remove(device)
        if self._acknowledged(answer, [device]):
            if answer.json().get("signed_out") != 1:
                what = "ended before" if device.certain else "ended before, uncertain"
                self.tally.contradict(what, f"{device.id} on {node}: {answer.body}")
            self._end([device])

    def _sign_out_everywhere(self, node: str) -> None:
        device = self.chance.choice(self.live)
        if not device.young():
            return
        answer = client.request(node, "POST", "/api/v1/auth/logout-all", device.access, {})
        if self._acknowledged(answer, [device]):
            devices, self.live = self.live, []
            self._end(devices)
        else:
            self._replace()

    def _end(self, devices: list[Device]) -> None:
        self.ended = [*self.ended, *devices][-ENDED:]
        # Whoever stole the token would try it everywhere, at once.
        for node in self.nodes:
            for device in devices:
                self._check_ended(node, device)

    def _check_live(self, node: str) -> None:
        device = self.chance.choice(self.live)
        answer = me(node, device)
        self.tally.add("checks")
        if device.young():
            self._compare(answer, [device])

    def _check_ended(self, node: str, device: Device) -> None:
        answer = me(node, device)
        self.tally.add("checks of ended tokens")
        if answer.status == 200:
            self.tally.contradict("ended token accepted", f"{device.id} on {node}")
        elif answer.status != 401:
            self._compare(answer, [device])

    def settle(self) -> None:
        """Compares everything that was acknowledged with what every node says now that nothing is broken."""
        for device in list(self.live):
            answer = answered(refresh, self.nodes[0], device)
            if answer.status != 200:
                self.live.remove(device)
                if not device.certain and answer.status == 401:
                    self.tally.add("ended, uncertain")
                    continue
                self.tally.contradict("lost", f"the sign-in or refresh of {device.id}: {answer}")
                continue
            fresh = of(answer)
            self.live[self.live.index(device)] = fresh
            for node in self.nodes:
                if (answer := answered(me, node, fresh)).status != 200:
                    self.tally.contradict("lost", f"the sign-in of {device.id}, on {node}: {answer}")
            self.tally.add("facts looked after")
        for device in self.ended:
            answers = [(node, answered(me, node, device)) for node in self.nodes]
            chosen = self.chance.choice(self.nodes)
            for node, answer in [*answers, (chosen, answered(refresh, chosen, device))]:
                if answer.status != 401:
                    self.tally.contradict("lost", f"the end of {device.id}, on {node}: {answer}")
            self.tally.add("facts looked after")


class Load:
    """Several users at once, for as long as something is broken."""

    def __init__(self, nodes: list[str], key: str, seed: int, users: int = 6) -> None:
        self.tally = Tally()
        self.users = [User(number, nodes, key, seed, self.tally) for number in range(users)]
        self.stop = threading.Event()
        self.threads: list[threading.Thread] = []

    def begin(self) -> None:
        self.stop.clear()

        def act(user: User) -> None:
            while not self.stop.is_set():
                user.act()
                time.sleep(0.02)

        self.threads = [threading.Thread(target=act, args=[user], daemon=True) for user in self.users]
        for thread in self.threads:
            thread.start()

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def settle(self) -> None:
        threads = [threading.Thread(target=user.settle) for user in self.users]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def of(answer: client.Answer) -> Device:
    told = answer.json()
    return Device(told["device"]["id"], told["access"], told["refresh"], time.monotonic())


def me(node: str, device: Device) -> client.Answer:
    return client.request(node, "GET", "/api/v1/auth/me", device.access, timeout=3)


def refresh(node: str, device: Device) -> client.Answer:
    return client.request(node, "POST", "/api/v1/auth/refresh", "", {"refresh": device.refresh})


def answered(ask: Callable[[str, Device], client.Answer], node: str, device: Device) -> client.Answer:
    """Repeats a request until it is answered, or for half a minute."""
    end = time.monotonic() + 30
    while (answer := ask(node, device)).status in (0, 503) and time.monotonic() < end:
        time.sleep(0.2)
    return answer
