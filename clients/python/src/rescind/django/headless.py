"""allauth's headless API for apps: allauth signs people in, and Rescind holds their sessions.

`HEADLESS_TOKEN_STRATEGY = "rescind.django.headless.RescindTokenStrategy"`. An app is given Rescind's access and refresh tokens.
Before the sign-in it has allauth's session token (`X-Session-Token`), after it only `Authorization: Bearer …`.
"""

from __future__ import annotations

import hashlib
from importlib import import_module
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.headless.tokens.strategies.base import AbstractTokenStrategy
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac

from ..errors import IssuerError, NotFresh, Refused, Rejected, SessionEnded
from .devices import log
from .held import Held
from .refusals import unavailable
from .sessions import are_devices, current_request
from .settings import rescind_settings

_ACCESS = "v4.public."


class RescindTokenStrategy(AbstractTokenStrategy):
    """Gives apps Rescind's tokens. Django's session of an app is found by the device that its access token names."""

    def get_session_token(self, request: Any) -> str | None:
        """The access token, else allauth's own session token."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip().startswith(_ACCESS):
            return token.strip()
        return super().get_session_token(request)

    def create_session_token(self, request: Any) -> str:
        """allauth's session token, which is of use until the sign-in; none from then on."""
        session = request.session
        held = Held.of(session)
        if held is not None and held.is_apps:
            # A sign-in and a new password give the session another key.
            _move(session, _key_of(held.device))
            return ""
        if not session.session_key:
            session.save()
        return str(session.session_key)

    def create_access_token_payload(self, request: Any) -> dict[str, Any] | None:
        """The tokens of the device that the sign-in has opened."""
        held = Held.of(request.session)
        if held is None or not held.is_apps:
            if not are_devices():
                raise ImproperlyConfigured(
                    "RescindTokenStrategy needs rescind.django.sessions.DeviceSessionMiddleware in MIDDLEWARE and"
                    " rescind.django in INSTALLED_APPS"
                )
            return None
        return {
            "access_token": held.access,
            "refresh_token": held.refresh,
            "expires_in": held.expires_in,
        }

    def lookup_session(self, session_token: str) -> Any | None:
        """Django's session: of the device of an access token, or from before a sign-in."""
        if not session_token.startswith(_ACCESS):
            session = _store(session_token)
            # Who is signed in has to show an access token, which ends when the device does.
            return session if session.keys() and session.session_key and Held.of(session) is None else None
        try:
            claims = rescind_settings().verify(session_token)
        except NotFresh:
            raise ImmediateHttpResponse(unavailable(current_request.get())) from None
        except Rejected:
            return None
        session = _store(_key_of(claims.device))
        held = Held.of(session)
        return session if held is not None and held.device == claims.device else None

    def refresh_token(self, refresh_token: str) -> tuple[str, str] | None:
        """The next tokens; `None` if the session has ended."""
        try:
            session = rescind_settings().sessions.refresh(refresh_token)
        except SessionEnded:
            return None
        except (IssuerError, Refused) as error:
            log.error("a refresh failed: %s", error)
            raise ImmediateHttpResponse(unavailable(current_request.get())) from None
        return session.access, session.refresh

    @classmethod
    def openapi_spec(cls) -> dict[str, Any]:
        """The security schemes in allauth's document."""
        spec = super().openapi_spec()
        spec["securitySchemes"]["rescind"] = {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "PASETO v4.public",
            "description": "An access token of Rescind, for apps that are signed in.",
        }
        spec["security"].insert(-1, {"rescind": []})
        return spec


def _key_of(device: str) -> str:
    """The session key of a device, which nobody can tell from the device's id."""
    digest = salted_hmac("rescind.django.headless", device, algorithm="sha256").digest()
    return hashlib.blake2b(digest, digest_size=16).hexdigest()


def _store(key: str | None = None) -> Any:
    return import_module(django_settings.SESSION_ENGINE).SessionStore(key)


def _move(session: Any, key: str) -> None:
    """Gives a session another key, as `cycle_key` does."""
    data, before = session._session, session.session_key
    if before == key:
        return
    session.delete(key)
    session._session_key = key
    session._session_cache = data
    session.save(must_create=True)
    if before:
        session.delete(before)
