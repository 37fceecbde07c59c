"""An app that uses allauth's headless API."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

API = "/headless/app/v1"


class App:
    """An app on a phone: it keeps what it is given and has no cookies."""

    def __init__(self) -> None:
        self.tokens: dict[str, str] = {}
        self.session_token = ""

    def send(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        headers = {"HTTP_ACCEPT": "application/json", "HTTP_USER_AGENT": "Shop/1.0 (Android 15)"}
        token = self.tokens.get("access_token") if token is None else token
        if token:
            headers["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        elif self.session_token:
            headers["HTTP_X_SESSION_TOKEN"] = self.session_token
        answer = Client().generic(
            method, f"{API}/{path}", _json(body), content_type="application/json", **headers
        )
        meta = answer.json().get("meta", {})
        self.session_token = meta.get("session_token", self.session_token)
        if "access_token" in meta:
            # From now on allauth's own token is of no use.
            self.tokens, self.session_token = meta, ""
        return answer


def _json(body: Any) -> str:
    return "" if body is None else json.dumps(body)
