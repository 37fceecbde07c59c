"""How a user proved who they are, as names of RFC 8176: the claim `amr`."""

from __future__ import annotations

from typing import Any

#: Where allauth keeps what it knows of it.
_ALLAUTH = "account_authentication_methods"

_NAMES = {
    "password": "pwd",
    "code": "otp",
    "totp": "otp",
    "recovery_codes": "otp",
    "webauthn": "hwk",
}


def authentication_methods(request: Any, user: Any) -> list[str]:
    """What is known of the sign-in of this request; nothing is guessed."""
    records = request.session.get(_ALLAUTH)
    if isinstance(records, list):
        names = [_name(record) for record in records if isinstance(record, dict)]
    elif (
        getattr(user, "backend", "").startswith("django.contrib.auth.backends.")
        and "password" in request.POST
    ):
        names = ["pwd"]
    else:
        names = []
    found = [name for name in dict.fromkeys(names) if name is not None]
    return [*found, "mfa"] if len(found) > 1 else found


def _name(record: dict[str, Any]) -> str | None:
    method = record.get("method")
    kind = record.get("type") if method == "mfa" else method
    return _NAMES.get(kind) if isinstance(kind, str) else None
