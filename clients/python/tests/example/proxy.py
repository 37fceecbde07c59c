"""The reverse proxy through which people reach the shop."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

#: The address of its clients, as the proxy passes it on.
ADDRESS = "203.0.113.7"

#: Headers that are each connection's own.
_OWN = ("connection", "content-length", "date", "server", "transfer-encoding")


class Proxy:
    """A reverse proxy: a request goes to the server of the longest path that it begins with."""

    def __init__(self, default: str) -> None:
        self.routes = {"/": default}
        # Not a client, which would keep the cookies of one person and send them for another.
        self._transport = httpx.HTTPTransport(trust_env=False)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.do_POST()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = proxy.forward(self.command, self.path, dict(self.headers), body)
                self.send_response(answer.status_code)
                for name, value in answer.headers.multi_items():
                    if name not in _OWN:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        """The answer of the server that a request goes to."""
        route = max((route for route in self.routes if path.startswith(route)), key=len)
        headers = {**headers, "X-Forwarded-For": ADDRESS, "Accept-Encoding": "identity"}
        request = httpx.Request(method, self.routes[route] + path, headers=headers, content=body)
        answer = self._transport.handle_request(request)
        answer.read()
        return answer

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._transport.close()
