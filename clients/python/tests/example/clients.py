"""What people use the shop with: a browser, the app as it was built for SimpleJWT, and its new version."""

from __future__ import annotations

import re
from typing import Any

import httpx

from service import PASSWORD, PATIENCE, Service, until

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
OLD_APP = "Shop/1.0 (Android 15)"
NEW_APP = "Shop/2.0 (Android 15)"


def _client(agent: str, url: str, **headers: str) -> httpx.Client:
    headers["User-Agent"] = agent
    return httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=PATIENCE)


class Browser:
    """A browser on a desktop, which follows no redirect by itself."""

    def __init__(self, url: str) -> None:
        headers = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
        self._http = _client(FIREFOX, url, **headers)

    def close(self) -> None:
        self._http.close()

    def post(self, path: str, **fields: str) -> httpx.Response:
        page = self._http.get("/accounts/login/" if path.startswith("/accounts/log") else path)
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert found is not None, page.text
        return self._http.post(path, data={**fields, "csrfmiddlewaretoken": found.group(1)})

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        answer = self.post("/accounts/login/", username=name, password=password, next="/")
        assert answer.status_code == 302, answer.text

    @property
    def is_signed_in(self) -> bool:
        """Whether the page comes, and not the one for signing in."""
        answer = self._http.get("/")
        assert answer.status_code in (200, 302), f"{answer.status_code} {answer.text}"
        return answer.status_code == 200

    def sent_away(self) -> str:
        """The code that the sign-in page is given at the first click that leads there."""
        answer: httpx.Response = until(
            lambda: (found := self._http.get("/")).status_code == 302 and found, "the browser is signed out"
        )
        return answer.headers["Location"].partition("ended=")[2]


class OldApp:
    """The app as it was: it knows SimpleJWT's routes, and keeps the refresh token of its sign-in."""

    def __init__(self, url: str) -> None:
        self._http = _client(OLD_APP, url)
        self.access = self.refresh_token = ""

    def close(self) -> None:
        self._http.close()

    def post(self, path: str, **fields: str) -> httpx.Response:
        return self._http.post(f"/api/token/{path}", data=fields)

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        answer = self.post("", username=name, password=password)
        assert answer.status_code == 200, answer.text
        self.access, self.refresh_token = answer.json()["access"], answer.json()["refresh"]

    def refresh(self) -> httpx.Response:
        answer = self.post("refresh/", refresh=self.refresh_token)
        if answer.is_success:
            self.access = answer.json()["access"]
        return answer

    def sign_out(self) -> None:
        answer = self.post("blacklist/", refresh=self.refresh_token)
        assert answer.status_code == 200, answer.text

    def orders(self, token: str | None = None) -> httpx.Response:
        token = self.access if token is None else token
        return self._http.get("/api/orders/", headers={"Authorization": f"Bearer {token}"})


class NewApp:
    """The app's new version: it signs in at the service, and calls the shop's API."""

    def __init__(self, service: Service, url: str) -> None:
        self._service = _client(NEW_APP, f"{service.url}/api/v1")
        self._shop = _client(NEW_APP, url)
        self.session: dict[str, Any] = {}

    def close(self) -> None:
        self._service.close()
        self._shop.close()

    def ask(self, path: str, **body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.session['access']}"} if self.session else {}
        return self._service.post(f"/auth/{path}", json=body, headers=headers)

    def end(self, device: str) -> None:
        headers = {"Authorization": f"Bearer {self.session['access']}"}
        assert self._service.delete(f"/devices/{device}", headers=headers).is_success

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        answer = self.ask("login", username=name, password=password)
        assert answer.status_code == 200, answer.text
        self.session = answer.json()

    def orders(self) -> httpx.Response:
        return self._shop.get("/api/orders/", headers={"Authorization": f"Bearer {self.session['access']}"})
