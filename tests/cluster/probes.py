"""When each node answered, asked all the time: a check and a change."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from itertools import pairwise

import client
from ledger import Device, of, refresh


@dataclass(frozen=True)
class Seen:
    node: str
    change: bool
    asked: float
    answered: float
    ok: bool


class Probes:
    """Two threads for each node, with a device that is never signed out."""

    def __init__(self, nodes: list[str]) -> None:
        self.nodes = nodes
        self.seen: list[Seen] = []
        self.lock = threading.Lock()
        credentials = {"username": "probe", "password": "correct horse battery"}
        answer = client.request(nodes[0], "POST", "/api/v1/auth/register", "", credentials)
        assert answer.status == 201, answer
        self.device: Device = of(answer)
        for node in nodes:
            for change in (False, True):
                threading.Thread(target=self._ask, args=[node, change], daemon=True).start()

    def _ask(self, node: str, change: bool) -> None:
        while True:
            asked = time.monotonic()
            device = self.device
            if change:
                path, body = f"/api/v1/devices/{device.id}", {"name": f"{asked:.3f}"}
                answer = client.request(node, "PATCH", path, device.access, body, timeout=3)
            else:
                answer = client.request(node, "GET", "/api/v1/auth/me", device.access, timeout=1)
            with self.lock:
                self.seen.append(Seen(node, change, asked, time.monotonic(), answer.status == 200))
            time.sleep(0.1 if change else 0.05)

    def renew(self) -> None:
        """Takes a new access token; between faults."""
        with self.lock:
            self.seen.clear()
        if time.monotonic() - self.device.issued < 300:
            return
        answer = refresh(self.nodes[0], self.device)
        if answer.status == 200:
            self.device = of(answer)

    def changed_since(self, moment: float) -> bool:
        """Whether a change that was asked for after this moment was acknowledged."""
        with self.lock:
            return any(seen.ok and seen.change and seen.asked > moment for seen in self.seen)

    def recovery(self, healed: float) -> float:
        """From this moment until the last answer that any node failed to give."""
        with self.lock:
            failed = [seen.answered - healed for seen in self.seen if not seen.ok and seen.answered > healed]
        return max(failed, default=0.0)

    def away(self, begun: float, end: float) -> float:
        """The longest time between these moments in which no node acknowledged a change."""
        with self.lock:
            done = sorted(
                seen.answered for seen in self.seen if seen.ok and seen.change and begun < seen.answered < end
            )
        moments = [begun, *done, end]
        return max(later - earlier for earlier, later in pairwise(moments))
