"""How many requests Django answers with this package's authentication class, beside SimpleJWT's: prints figures, asserts none.

Both authenticate by a token seen in each request, find the Django user in the same table, and answer through the same view.
Rounds of both alternate, so that what else the machine does meets both.

python benches/django_requests.py [--write FILE]
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import django
from django.conf import settings

from issuer import AUDIENCE, NAME, Issuer, IssuerServer

USERS, REQUESTS, ROUNDS = 200, 1000, 15


def configure(url: str) -> None:
    """Sets Django up, with a table of users in memory."""
    settings.configure(
        SECRET_KEY="a key of at least thirty-two bytes, for HS256",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="django_requests",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "rest_framework",
            "rescind.django",
        ],
        MIDDLEWARE=[],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        SIMPLE_JWT={"ACCESS_TOKEN_LIFETIME": timedelta(minutes=15)},
        RESCIND={
            "URL": url,
            "ISSUER": NAME,
            "AUDIENCE": AUDIENCE,
            "SERVICE_KEY": "rescind_sk_x",
            "EXTERNAL_ID_FIELD": "pk",
        },
    )
    django.setup()
    from django.core.management import call_command

    call_command("migrate", run_syncdb=True, verbosity=0)


urlpatterns: list[Any] = []


def routes() -> None:
    """The same view, once with each class."""
    from django.urls import path
    from rest_framework.response import Response
    from rest_framework.views import APIView
    from rest_framework_simplejwt.authentication import JWTAuthentication

    from rescind.django.authentication import RescindAuthentication

    class Answer(APIView):
        def get(self, request: Any) -> Response:
            return Response({"id": request.user.pk})

    for name, authentication in [("rescind", RescindAuthentication), ("simplejwt", JWTAuthentication)]:
        urlpatterns.append(path(name, Answer.as_view(authentication_classes=[authentication])))


def tokens(issuer: Issuer) -> dict[str, list[str]]:
    """A token of each user, of both kinds."""
    from django.contrib.auth import get_user_model
    from rest_framework_simplejwt.tokens import AccessToken

    from rescind.django.users import external_ids

    users = [get_user_model().objects.create(username=f"user-{number}") for number in range(USERS)]
    ids = [str(uuid.uuid4()) for _ in users]
    for user, subject in zip(users, ids, strict=True):
        # As after one request to the service for each user and minute.
        external_ids.remember(subject, str(user.pk), for_seconds=3600)
    return {
        "rescind": [issuer.token(sub=subject) for subject in ids],
        "simplejwt": [str(AccessToken.for_user(user)) for user in users],
    }


def requests_a_second(path: str, texts: list[str], get: Callable[[Any], Any]) -> float:
    """Sends requests through Django's handler, as a server does."""
    from django.test import RequestFactory

    make = RequestFactory().get
    requests = [
        make(f"/{path}", HTTP_AUTHORIZATION="Bearer " + texts[number % len(texts)].encode().decode())
        for number in range(REQUESTS)
    ]
    started = time.perf_counter()
    for request in requests:
        assert get(request).status_code == 200
    return REQUESTS / (time.perf_counter() - started)


def report(rates: dict[str, list[float]]) -> str:
    """The medians and their ratio, in words."""
    import rest_framework_simplejwt

    ours, theirs = statistics.median(rates["rescind"]), statistics.median(rates["simplejwt"])
    lines = [
        f"Rescind    {ours:7.0f} requests/s   (slowest round {min(rates['rescind']):.0f})",
        f"SimpleJWT  {theirs:7.0f} requests/s   (slowest round {min(rates['simplejwt']):.0f})",
        f"ratio      {ours / theirs:7.2f}",
        "",
        f"Medians of {ROUNDS} alternating rounds of {REQUESTS} requests in one process, {USERS} users in SQLite in memory;",
        f"Python {platform.python_version()}, Django {django.get_version()},"
        f" SimpleJWT {rest_framework_simplejwt.__version__} with HS256, {os.cpu_count()} processors.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures, prints, and writes with `--write`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", type=Path)
    target = parser.parse_args().write
    issuer = Issuer(time.time())
    server = IssuerServer(issuer)
    configure(server.url)
    routes()
    from django.core.handlers.base import BaseHandler

    from rescind.django.settings import rescind_settings

    rescind_settings().verifier.connect()
    handler = BaseHandler()
    handler.load_middleware()
    texts = tokens(issuer)
    for name, of_name in texts.items():
        requests_a_second(name, of_name, handler.get_response)
    rates: dict[str, list[float]] = {"rescind": [], "simplejwt": []}
    for _ in range(ROUNDS):
        for name, of_name in texts.items():
            rates[name].append(requests_a_second(name, of_name, handler.get_response))
    said = report(rates)
    print(said, end="")
    if target is not None:
        target.write_text(said, encoding="utf-8")
    rescind_settings().verifier.close()
    server.close()


if __name__ == "__main__":
    # Django finds the routes by the name of this module.
    sys.modules["django_requests"] = sys.modules["__main__"]
    main()
