"""How long `verify` takes for a token seen before, for a new one, and for one that ended: prints figures, asserts none.

python benches/verify.py
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from issuer import AUDIENCE, NAME, Issuer, IssuerServer, new_id
from rescind import Rejected, Verifier

TOKENS, ROUNDS = 1000, 20


def measure(name: str, tokens: list[str], verify: Callable[[str], object], rounds: int = ROUNDS) -> None:
    """Prints the median and the slowest of some rounds over all tokens."""
    times = []
    for _ in range(rounds):
        # As they come from a request: new texts, whose hash is not known yet.
        texts = [token.encode().decode() for token in tokens]
        started = time.perf_counter()
        for text in texts:
            verify(text)
        times.append((time.perf_counter() - started) / len(texts) * 1e6)
    print(
        f"{name:30} {statistics.median(times):8.2f} µs  (of {rounds} rounds the slowest {max(times):.2f} µs)"
    )


def main() -> None:
    """Follows an issuer in this process."""
    issuer = Issuer(time.time())
    server = IssuerServer(issuer)
    with Verifier(server.url, issuer=NAME, audience=AUDIENCE, service_key="rescind_sk_x") as verifier:
        verifier.connect()

        def refused(token: str) -> None:
            try:
                verifier.verify(token)
            except Rejected:
                return
            raise AssertionError("it was to be refused")

        tokens = [issuer.token() for _ in range(TOKENS)]
        measure("a new token", tokens, verifier.verify, rounds=1)
        measure("a token seen before", tokens, verifier.verify)
        user = new_id()
        ended = [issuer.token(sub=user) for _ in range(TOKENS)]
        server.end([{"type": "generation", "user": user, "generation": 2}])
        while verifier.entries == 0:
            time.sleep(0.01)
        measure("an ended token, seen before", ended, refused)
        measure("garbage", [f"v4.public.{token[:9]}.x" for token in ended], refused)
    server.close()


if __name__ == "__main__":
    main()
