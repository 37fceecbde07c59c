"""The site for servers that fork: with `SITE_CONNECTS` the verifier is connected before they do."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from rescind.django.settings import rescind_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_under_test.settings")
application = get_wsgi_application()

if os.environ.get("SITE_CONNECTS"):
    rescind_settings().verifier.connect()
