"""The setting `RESCIND`, a dict, checked as a whole."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed

from ..claims import Claims
from ..errors import ConfigurationError
from ..guard import GuardHeaders
from ..introspection import Introspector
from ..link import Link, ServiceKey
from ..sessions import Sessions
from ..verifier import Verifier

_MODES = ("feed", "introspection", "guard")

_KINDS: dict[str, tuple[type, ...]] = {
    "MODE": (str,),
    "URL": (str,),
    "AUDIENCE": (str,),
    "ISSUER": (str,),
    "SERVICE_KEY": (str, ServiceKey),
    "SERVICE_KEY_FILE": (str, Path),
    "MAX_STALENESS": (int, float),
    "WHEN_STALE": (str,),
    "MAX_ENTRIES": (int,),
    "REMEMBERED_TOKENS": (int,),
    "TIMEOUT": (int, float),
    "TRUSTED_PROXIES": (list, tuple),
    "USER_ID_FIELD": (str,),
    "USERNAME_FIELD": (str,),
    "EXTERNAL_ID_FIELD": (str,),
    "CREATE_USERS": (bool,),
    "WHEN_UNREACHABLE": (str,),
    "EXISTING_SESSIONS": (str,),
    "SHARE_PASSWORDS": (bool,),
    "FOLLOW_USERS": (bool,),
}

#: How the user of a token is found.
USER_FIELDS = ("USER_ID_FIELD", "USERNAME_FIELD", "EXTERNAL_ID_FIELD")

_FEED_ONLY = (
    "AUDIENCE",
    "ISSUER",
    "MAX_STALENESS",
    "WHEN_STALE",
    "MAX_ENTRIES",
    "REMEMBERED_TOKENS",
    "TIMEOUT",
)


@dataclass(frozen=True)
class RescindSettings:
    """The checked settings, and what is made from them, once for each process."""

    values: Mapping[str, Any]

    @classmethod
    def read(cls, values: object) -> RescindSettings:
        """Checks the setting; raises `ConfigurationError` with what to write."""
        if not isinstance(values, dict):
            raise ConfigurationError(
                "the setting RESCIND is missing: write RESCIND = {'URL': 'https://HOST', …}"
            )
        for name, value in values.items():
            kinds = _KINDS.get(name)
            if kinds is None:
                near = difflib.get_close_matches(str(name).upper(), _KINDS, n=1)
                hint = f": is it {near[0]!r}?" if near else f"; there are {', '.join(_KINDS)}"
                raise ConfigurationError(f"RESCIND has an unknown setting {name!r}{hint}")
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                expected = " or ".join(kind.__name__ for kind in kinds)
                raise ConfigurationError(
                    f"RESCIND[{name!r}] has to be {expected}, not {type(value).__name__}"
                )
        read = cls(dict(values))
        read._check()
        return read

    def _check(self) -> None:
        values, mode = self.values, self.mode
        if mode not in _MODES:
            raise ConfigurationError(f"RESCIND['MODE'] is {mode!r}: write one of {', '.join(_MODES)}")
        if sum(name in values for name in USER_FIELDS) != 1:
            raise ConfigurationError(
                "RESCIND has to say how the user of a token is found, with one of: EXTERNAL_ID_FIELD, the field of the user"
                " model whose value is the user's external id in Rescind; USER_ID_FIELD, the field that holds the user's id"
                " in Rescind; USERNAME_FIELD, the field that holds the username in Rescind"
            )
        if "EXTERNAL_ID_FIELD" in values and self.creates_users:
            raise ConfigurationError(
                "RESCIND['CREATE_USERS'] has no use with EXTERNAL_ID_FIELD: the users are this site's own"
            )
        for name, words in (
            ("WHEN_UNREACHABLE", ("refuse", "accept")),
            ("EXISTING_SESSIONS", ("adopt", "ignore", "end")),
        ):
            if values.get(name, words[0]) not in words:
                raise ConfigurationError(
                    f"RESCIND[{name!r}] is {values[name]!r}: write one of {', '.join(words)}"
                )
        if mode == "guard":
            for name in (
                "URL",
                "SERVICE_KEY",
                "SERVICE_KEY_FILE",
                *_FEED_ONLY,
                "USERNAME_FIELD",
                "EXTERNAL_ID_FIELD",
                "WHEN_UNREACHABLE",
                "EXISTING_SESSIONS",
                "SHARE_PASSWORDS",
                "FOLLOW_USERS",
            ):
                if name in values:
                    raise ConfigurationError(
                        f"RESCIND[{name!r}] has no use with MODE 'guard', which asks nobody"
                    )
            _ = self.guard
            return
        if "TRUSTED_PROXIES" in values:
            raise ConfigurationError("RESCIND['TRUSTED_PROXIES'] is of use with MODE 'guard' only")
        if "URL" not in values:
            raise ConfigurationError(
                "RESCIND['URL'] is missing: write where the service answers, https://HOST"
            )
        if mode == "introspection":
            for name in _FEED_ONLY:
                if name in values:
                    raise ConfigurationError(f"RESCIND[{name!r}] is of use with MODE 'feed' only")
        elif "AUDIENCE" not in values:
            raise ConfigurationError(
                "RESCIND['AUDIENCE'] is missing: write the audience of the service's tokens"
            )
        Link(values["URL"], self.service_key)
        if mode == "feed":
            _ = self.verifier

    @property
    def mode(self) -> str:
        """Where the truth about a token comes from: `feed`, `introspection` or `guard`."""
        return str(self.values.get("MODE", "feed"))

    @property
    def user_field(self) -> str:
        """The setting that says how the user of a token is found."""
        return next(name for name in USER_FIELDS if name in self.values)

    @property
    def creates_users(self) -> bool:
        """Whether a user is created whom this site does not know yet."""
        return bool(self.values.get("CREATE_USERS", False))

    @property
    def goes_on_unchecked(self) -> bool:
        """Whether sessions go on while the service cannot be reached."""
        return bool(self.values.get("WHEN_UNREACHABLE") == "accept")

    @property
    def shares_passwords(self) -> bool:
        """Whether a user's password here is the one in Rescind, too."""
        return bool(self.values.get("SHARE_PASSWORDS", False))

    @property
    def follows_users(self) -> bool:
        """Whether a user who is deactivated, renamed or deleted here is so in Rescind, too."""
        return bool(self.values.get("FOLLOW_USERS", False))

    @cached_property
    def service_key(self) -> ServiceKey:
        values = self.values
        if ("SERVICE_KEY" in values) == ("SERVICE_KEY_FILE" in values):
            raise ConfigurationError(
                "RESCIND needs one of SERVICE_KEY and SERVICE_KEY_FILE: `rescind service-key add NAME --scope feed` makes a key"
            )
        key = values.get("SERVICE_KEY")
        if isinstance(key, ServiceKey):
            return key
        if key is None:
            path = values["SERVICE_KEY_FILE"]
            try:
                key = Path(path).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "it is no text"
                raise ConfigurationError(f"RESCIND['SERVICE_KEY_FILE'], {path}: {reason}") from None
        return ServiceKey(str(key))

    @cached_property
    def verifier(self) -> Verifier:
        """The verifier of MODE `feed`."""
        names = {name: name.lower() for name in _FEED_ONLY}
        given = {names[name]: self.values[name] for name in _FEED_ONLY if name in self.values}
        return Verifier(self.values["URL"], service_key=self.service_key, **given)

    @cached_property
    def introspector(self) -> Introspector:
        """Asks the issuer: about tokens with MODE `introspection`, about usernames with `USERNAME_FIELD`."""
        return Introspector(self.values["URL"], service_key=self.service_key)

    @cached_property
    def sessions(self) -> Sessions:
        """Opens, refreshes and ends the devices of this site's own sessions."""
        return Sessions(self.values["URL"], service_key=self.service_key)

    def verify(self, token: str) -> Claims:
        """The claims of an access token that acts for its user, by the `MODE`; else raises `Rejected`."""
        return (self.introspector if self.mode == "introspection" else self.verifier).verify(token)

    @cached_property
    def guard(self) -> GuardHeaders:
        """The headers of MODE `guard`."""
        proxies = self.values.get("TRUSTED_PROXIES")
        return GuardHeaders() if proxies is None else GuardHeaders(proxies)


_read: RescindSettings | None = None


def rescind_settings() -> RescindSettings:
    """The checked setting `RESCIND`."""
    global _read
    if _read is None:
        _read = RescindSettings.read(getattr(django_settings, "RESCIND", None))
    return _read


def _forget(*, setting: str, **_: object) -> None:
    global _read
    if setting == "RESCIND":
        _read = None


# Tests change settings while Django runs.
setting_changed.connect(_forget, dispatch_uid="rescind.django.settings")
