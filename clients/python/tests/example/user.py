"""Somebody who uses the shop."""

from __future__ import annotations

from typing import NamedTuple

from example.clients import Browser, NewApp, OldApp
from service import PASSWORD

NEW = "correct horse battery 2"


class User(NamedTuple):
    """A user of the shop, with a desktop, a phone with the app as it was, and one with its new version."""

    name: str
    #: How the service is told of the user.
    address: str
    browser: Browser
    old_app: OldApp
    new_app: NewApp

    def sign_in(self) -> None:
        """Signs in as one did before Rescind: on the desktop and on the phone with the app as it was."""
        self.browser.sign_in(self.name)
        self.old_app.sign_in(self.name)

    @property
    def is_signed_in(self) -> bool:
        """Whether both of them are."""
        answer = self.old_app.orders()
        return self.browser.is_signed_in and answer.is_success and answer.json()["user"] == self.name

    def change_password(self, old: str, new: str) -> int:
        """Changes the password on its page, and returns the answer's status."""
        fields = {"old_password": old, "new_password1": new, "new_password2": new}
        return self.browser.post("/accounts/password_change/", **fields).status_code

    def signs_in_at_rescind(self, password: str = PASSWORD) -> bool:
        """Whether the service takes the password."""
        return self.new_app.ask("login", username=self.name, password=password).is_success
