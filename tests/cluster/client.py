"""A small HTTP client: one connection for each request. No answer is an answer too, with status 0."""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    status: int
    body: str

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem."""
        try:
            return str(self.json().get("code", ""))
        except (ValueError, AttributeError):
            return ""


def request(
    address: str,
    method: str,
    path: str,
    bearer: str = "",
    body: Any = None,
    timeout: float = 8,
    basic: tuple[str, str] | None = None,
) -> Answer:
    """Sends a request and reads its answer."""
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    if basic is not None:
        headers["Authorization"] = f"Basic {base64.b64encode(':'.join(basic).encode()).decode()}"
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode())
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, str(error))
    finally:
        connection.close()
