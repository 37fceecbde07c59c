"""An issuer in Python, to make what the real one never says: it signs any claims, frames and pongs."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rescind.feed import IMPLICIT_ASSERTION
from rescind.keys import PublicKey, PublishedKeys, encode_pieces
from rescind.wire import write_base64

NAME, AUDIENCE = "https://id.example", "rescind"
STORE = "019aaa3c-52f0-7a31-9d0e-6c1f4b7a8e20"


def new_id() -> str:
    return str(uuid.uuid4())


def rfc3339(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class SigningKey:
    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.line = "k4.public." + write_base64(self._key.public_key().public_bytes_raw())
        self.public = PublicKey(self.line)
        self.kid = self.public.kid

    def sign(self, payload: str, assertion: bytes = b"") -> str:
        footer = f'{{"kid":"{self.kid}"}}'.encode()
        body = payload.encode()
        signature = self._key.sign(encode_pieces(b"v4.public.", body, footer, assertion))
        return f"v4.public.{write_base64(body + signature)}.{write_base64(footer)}"


class Issuer:
    """The claims of an issuer at a time, and the key that signs them."""

    def __init__(self, now: float) -> None:
        self.key = SigningKey()
        self.now = now
        self.store = STORE
        self.name = NAME
        self.era = 7
        self.version = 1
        self.entries: list[dict[str, Any]] = []
        self.states: dict[SigningKey, tuple[str, str | None]] = {self.key: ("active", None)}
        self.names = [{"issuer": NAME, "audience": AUDIENCE}]
        self.distrusted: list[str] = []

    @property
    def head(self) -> int:
        return len(self.entries)

    def document(self) -> dict[str, Any]:
        keys = [
            {"kid": key.kid, "state": state, "public": key.line, "not_after": end}
            for key, (state, end) in self.states.items()
        ]
        return {
            "issuer": self.name,
            "audience": AUDIENCE,
            "names": self.names,
            "version": self.version,
            "keys": keys,
            "distrusted": self.distrusted,
        }

    def published(self) -> PublishedKeys:
        return PublishedKeys.read(self.document())

    def claims(self, **changed: Any) -> dict[str, Any]:
        claims = {
            "iss": NAME,
            "sub": new_id(),
            "aud": AUDIENCE,
            "iat": rfc3339(self.now),
            "exp": rfc3339(self.now + 900),
            "sid": new_id(),
            "gen": 1,
            "era": self.era,
            "auth_time": rfc3339(self.now),
        }
        return {**claims, **changed}

    def token(self, **changed: Any) -> str:
        return self.key.sign(json.dumps(self.claims(**changed)))

    def end(self, **entry: Any) -> dict[str, Any]:
        """Adds an entry to the log."""
        self.entries.append({"at": rfc3339(self.now), **entry})
        return self.entries[-1]

    def statement(self, kind: str) -> dict[str, Any]:
        return {
            "type": kind,
            "iss": self.name,
            "store": self.store,
            "time": rfc3339(self.now),
            "head": self.head,
            "era": self.era,
            "keys_version": self.version,
        }

    def sign(self, claims: dict[str, Any]) -> str:
        return self.key.sign(json.dumps(claims), IMPLICIT_ASSERTION)

    def frame(self, after: int = 0, *, start: bool = False, **changed: Any) -> str:
        entries = self.entries[after : after + 200]
        return self.sign(
            {**self.statement("frame"), "start": start, "after": after, "entries": entries, **changed}
        )

    def pong(self, nonce: str, **changed: Any) -> str:
        return self.sign({**self.statement("pong"), "nonce": nonce, **changed})


class IssuerServer:
    """The issuer behind HTTP, for followers that only know an address."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.changed = threading.Condition()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/.well-known/paserk":
                    return self._json(server.issuer.document())
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                with contextlib.suppress(OSError):
                    self._stream()
                return None

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.issuer.now = time.time()
                self._json({"pong": server.issuer.pong(body["nonce"])})

            def _stream(self) -> None:
                self.wfile.write(b'event: hello\ndata: {"follower":"%s"}\n\n' % new_id().encode())
                sent, first = 0, True
                with server.changed:
                    while not server.closed:
                        while first or sent < server.issuer.head:
                            text = server.issuer.frame(sent, start=first)
                            sent, first = min(sent + 200, server.issuer.head), False
                            self.wfile.write(f"event: frame\nid: {sent}\ndata: {text}\n\n".encode())
                        server.changed.wait(1)

            def _json(self, answer: dict[str, Any]) -> None:
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.closed = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def end(self, entries: Iterable[dict[str, Any]]) -> None:
        with self.changed:
            for entry in entries:
                self.issuer.end(**entry)
            self.changed.notify_all()

    def close(self) -> None:
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
