"""A user of the site under test, with browsers."""

from __future__ import annotations

import itertools
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client

from service import PASSWORD, Service

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
PAGE = {
    "HTTP_ACCEPT": "text/html,application/xhtml+xml",
    "HTTP_USER_AGENT": FIREFOX,
    "REMOTE_ADDR": "192.0.2.7",
}
_numbers = itertools.count(1)


class Person:
    """A user of the site, with browsers."""

    def __init__(self, service: Service, **fields: Any) -> None:
        self.service = service
        # Ids that no other test's user has: the service is shared, and a table gives the next user the next id.
        number = 1000 * next(_numbers)
        name = f"person-{number}-{id(self)}"
        self.user = get_user_model()(pk=number, username=name, **fields)
        self.user.set_password(PASSWORD)
        self.user.save(force_insert=True)
        self.address = f"external_id:{self.user.pk}"

    def browser(self, **headers: str) -> Client:
        """A browser that signs in on the site's own page."""
        client = Client(**{**PAGE, **headers})
        answer = client.post("/accounts/login/", {"username": self.user.username, "password": PASSWORD})
        assert answer.status_code == 302, answer.content
        return client

    def devices(self) -> list[dict[str, Any]]:
        return self.service.devices(self.address)

    def end_everything(self) -> None:
        self.service.admin("POST", f"users/{self.address}/logout-all")
