from __future__ import annotations

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class QuickHasher(PBKDF2PasswordHasher):
    """A hash that the service takes, and that costs a test no time."""

    iterations = 1000
