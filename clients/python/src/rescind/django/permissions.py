"""Permissions, by what an access token says. It carries no scopes and no roles: those are the site's own."""

from __future__ import annotations

import time
from typing import Any

from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import BasePermission

from ..claims import Claims, Identity


class IsSignedIn(BasePermission):
    """Whether the request acts for a user by an access token; 401 `token_missing` if it carries none."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """Raises the refusal, so that its body has a `code`."""
        if not isinstance(request.auth, Identity):
            detail = "sign in and send the access token as `Authorization: Bearer …`"
            raise NotAuthenticated({"detail": detail, "code": "token_missing"}, "token_missing")
        return True


class PasswordGivenWithin(IsSignedIn):
    """Whether a password was given on the device lately (`auth_time`); else 403 `step_up_required`.

    A subclass sets `seconds`. With MODE `guard` it is unknown when, so everybody is refused.
    """

    #: The longest time since the password was given.
    seconds = 300

    def has_permission(self, request: Any, view: Any) -> bool:
        """Raises the refusal, so that its body has a `code`."""
        super().has_permission(request, view)
        claims = request.auth
        if isinstance(claims, Claims) and time.time() - claims.authenticated <= self.seconds:
            return True
        detail = "give the password again"
        raise PermissionDenied({"detail": detail, "code": "step_up_required"}, "step_up_required")
