"""A small Django project, configured by the environment: `RESCIND_SETTINGS` is the setting `RESCIND` as JSON."""

from __future__ import annotations

import json
import os

SECRET_KEY = "of no use"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "site_under_test.urls"
WSGI_APPLICATION = "site_under_test.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "drf_spectacular",
    "rescind.django",
    "site_under_test",
]
MIDDLEWARE: list[str] = []
AUTH_USER_MODEL = "site_under_test.Person"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("SITE_DATABASE", ":memory:")}
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rescind.django.authentication.RescindAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rescind.django.permissions.IsSignedIn"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
RESCIND = json.loads(os.environ.get("RESCIND_SETTINGS", "{}"))
