from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models


class Person(AbstractUser):
    """A user with room for the id in Rescind."""

    rescind_id = models.UUIDField(null=True, unique=True)
    nickname = models.CharField(max_length=50, default="")
