"""The project with sessions that are devices."""

from __future__ import annotations

from .settings import *  # noqa: F403 - a settings module says only what it changes
from .settings import MIDDLEWARE

MIDDLEWARE = [*MIDDLEWARE, "rescind.django.sessions.DeviceSessionMiddleware"]
