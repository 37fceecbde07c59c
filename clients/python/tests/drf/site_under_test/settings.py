"""A small Django project, configured by the environment: `RESCIND_SETTINGS` is the setting `RESCIND` as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

SECRET_KEY = "of no use"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "site_under_test.urls"
WSGI_APPLICATION = "site_under_test.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "allauth.mfa",
    "rest_framework",
    "drf_spectacular",
    "rescind.django",
    "site_under_test",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
# As fast as tests want it.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_REDIRECT_URL = "/page"
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
# As often as tests want it.
ACCOUNT_RATE_LIMITS = False
# A code that was made at the end of its 30 seconds is one.
MFA_TOTP_TOLERANCE = 1
HEADLESS_TOKEN_STRATEGY = "rescind.django.headless.RescindTokenStrategy"
AUTH_USER_MODEL = "site_under_test.Person"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("SITE_DATABASE", ":memory:")},
    # Made by the tests that need a second one.
    "other": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rescind.django.authentication.RescindAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rescind.django.permissions.IsSignedIn"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
RESCIND = json.loads(os.environ.get("RESCIND_SETTINGS", "{}"))
