"""The authentication class of Django REST framework."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

from rest_framework import status
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed

from ..claims import Identity
from ..errors import NotFresh, Rejected
from .settings import RescindSettings, rescind_settings
from .users import find_user, user_of_token

_CHALLENGE = 'Bearer realm="rescind"'
_REFUSED = f'{_CHALLENGE}, error="invalid_token"'


class TokenRefused(AuthenticationFailed):
    """401 with `{"detail": …, "code": …}`, where `code` is one of Rescind's."""

    def __init__(self, detail: str, code: str) -> None:
        super().__init__({"detail": detail, "code": code}, code)


class FreshnessUnproven(APIException):
    """503 with `Retry-After`: the token may be valid or not."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE

    def __init__(self, rejected: NotFresh) -> None:
        super().__init__({"detail": f"{rejected}; try again", "code": rejected.code}, rejected.code)
        self.wait = rejected.retry_after


class RescindAuthentication(BaseAuthentication):
    """Authenticates by an access token: `request.user` is the Django user, `request.auth` the token's claims.

    A request without a bearer token is left to the next class. With MODE `guard` the headers of the guard count, and
    `request.auth` is an `Identity`.
    """

    def authenticate(self, request: Any) -> tuple[Any, Identity] | None:
        settings = rescind_settings()
        try:
            found = (
                _from_guard(settings, request) if settings.mode == "guard" else _from_token(settings, request)
            )
        except NotFresh as rejected:
            raise FreshnessUnproven(rejected) from None
        except Rejected as rejected:
            raise TokenRefused(str(rejected), rejected.code) from None
        if found is None:
            return None
        user, identity = found
        if user is None:
            raise TokenRefused("there is no account for this user here", "user_disabled")
        if not user.is_active:
            raise TokenRefused("the account is disabled", "user_disabled")
        return user, identity

    def authenticate_header(self, request: Any) -> str:
        """`WWW-Authenticate` of a 401 (RFC 6750, section 3)."""
        return _REFUSED if request.META.get("HTTP_AUTHORIZATION") else _CHALLENGE


def _from_guard(settings: RescindSettings, request: Any) -> tuple[Any, Identity] | None:
    identity = settings.guard.identify(request.headers, request.META.get("REMOTE_ADDR"))
    return None if identity is None else (find_user(settings, identity.user), identity)


def _from_token(settings: RescindSettings, request: Any) -> tuple[Any, Identity] | None:
    token = _bearer(request.META.get("HTTP_AUTHORIZATION", ""))
    if token is None:
        return None
    if settings.mode == "introspection" and settings.user_field == "USERNAME_FIELD":
        introspected = settings.introspector.introspect(token)
        return find_user(settings, introspected.username), introspected.claims
    claims = settings.verify(token)
    return user_of_token(settings, claims, token), claims


def _bearer(authorization: str) -> str | None:
    """The token; `None` if the header is of another scheme, or absent."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return None
    # Two headers of one name arrive as one text with a comma, which is no token.
    return token.strip(" ")


# drf-spectacular knows of an extension once its class exists.
with contextlib.suppress(ImportError):
    importlib.import_module("rescind.django.schema")
