"""How long `verify` takes for a token seen before, for a new one, and for one that ended: prints figures, asserts none.

python benches/verify.py [--write FILE]
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from issuer import AUDIENCE, NAME, Issuer, IssuerServer, new_id
from rescind import Rejected, Verifier

TOKENS, ROUNDS = 1000, 20


def measured(name: str, tokens: list[str], verify: Callable[[str], object], rounds: int = ROUNDS) -> str:
    """The median and the slowest of some rounds over all tokens, in words."""
    times = []
    for _ in range(rounds):
        # As they come from a request: new texts, whose hash is not known yet.
        texts = [token.encode().decode() for token in tokens]
        started = time.perf_counter()
        for text in texts:
            verify(text)
        times.append((time.perf_counter() - started) / len(texts) * 1e6)
    slowest = f"of {rounds} rounds the slowest {max(times):.2f} µs"
    return f"{name:30} {statistics.median(times):8.2f} µs  ({slowest})\n"


def main() -> None:
    """Follows an issuer in this process, prints, and writes with `--write`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", type=Path)
    target = parser.parse_args().write
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
        said = measured("a new token", tokens, verifier.verify, rounds=1)
        said += measured("a token seen before", tokens, verifier.verify)
        user = new_id()
        ended = [issuer.token(sub=user) for _ in range(TOKENS)]
        server.end([{"type": "generation", "user": user, "generation": 2}])
        while verifier.entries == 0:
            time.sleep(0.01)
        said += measured("an ended token, seen before", ended, refused)
        said += measured("garbage", [f"v4.public.{token[:9]}.x" for token in ended], refused)
    server.close()
    said += f"\nMedians of rounds over {TOKENS} tokens; Python {platform.python_version()}, {os.cpu_count()} processors.\n"
    print(said, end="")
    if target is not None:
        target.write_text(said, encoding="utf-8")


if __name__ == "__main__":
    main()
