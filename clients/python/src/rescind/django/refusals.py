"""What a person or a program is answered whose session has ended, or cannot be checked."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.conf import settings as django_settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpResponse, JsonResponse
from django.shortcuts import resolve_url
from django.template import TemplateDoesNotExist, loader
from django.urls import Resolver404, resolve, reverse
from django.utils.translation import gettext

#: The query parameter of the sign-in page that has the reason.
PARAMETER = "ended"

_RETRY_AFTER = 2

_SENTENCES = {
    "signed_out": "You were signed out of this device. Please sign in again.",
    "signed_out_everywhere": "You were signed out of all your devices. Please sign in again.",
    "password_changed": "Your password was changed. Please sign in again.",
    "user_disabled": "This account is disabled.",
    "token_expired": "You have not been here for a long time. Please sign in again.",
    "reset": "All sessions were ended. Please sign in again.",
}
_OTHER = "Your session has ended. Please sign in again."


def sentence(code: str) -> str:
    """The reason for a person, in the language of the request if the site translates it."""
    return str(gettext(_SENTENCES.get(code, _OTHER)))


def is_page(request: Any) -> bool:
    """Whether a browser wants to show the answer: not a script, nor an app."""
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return bool(mode == "navigate")
    if request.headers.get("X-Requested-With") == "XMLHttpRequest":
        return False
    return "text/html" in request.headers.get("Accept", "")


def signed_out(request: Any, code: str) -> HttpResponse | None:
    """The answer to a request whose session has ended, as of `refused`.

    `None` if the request goes on without a session: one for the sign-in page itself, or with a token of its own.
    """
    if request.headers.get("Authorization", "").lower().startswith("bearer "):
        return None
    if is_page(request) and urlsplit(_login_url(request)).path == request.path:
        _tell(request, code)
        return None
    return refused(request, code)


def refused(request: Any, code: str) -> HttpResponse:
    """The sign-in page with the reason, or JSON for what is not a page."""
    if not is_page(request):
        body = {"detail": sentence(code), "code": code}
        return JsonResponse(body, status=401, headers={"WWW-Authenticate": 'Bearer realm="rescind"'})
    _tell(request, code)
    added = {PARAMETER: code}
    if request.method in ("GET", "HEAD"):
        added = {REDIRECT_FIELD_NAME: request.get_full_path(), **added}
    parts = urlsplit(_login_url(request))
    query = "&".join(filter(None, [parts.query, urlencode(added)]))
    return HttpResponse(status=302, headers={"Location": urlunsplit(parts._replace(query=query))})


def _tell(request: Any, code: str) -> None:
    if hasattr(request, "_messages"):
        messages.warning(request, sentence(code))


def unavailable(request: Any) -> HttpResponse:
    """503 to a request whose session cannot be checked now: with the site's template `503.html`, if there is one."""
    headers = {"Retry-After": str(_RETRY_AFTER)}
    said = gettext("Your session cannot be checked at the moment. Please try again.")
    if not is_page(request):
        return JsonResponse({"detail": said, "code": "stale"}, status=503, headers=headers)
    try:
        template = loader.get_template("503.html")
    except TemplateDoesNotExist:
        return HttpResponse(said, content_type="text/plain; charset=utf-8", status=503, headers=headers)
    return HttpResponse(template.render({"detail": said}, request), status=503, headers=headers)


def is_sign_out(request: Any) -> bool:
    """Whether a request is for a view that signs out: of Django, of its administration, or of allauth."""
    found = _match(request)
    return found is not None and found.url_name in ("logout", "account_logout")


def _login_url(request: Any) -> str:
    """The sign-in page: Django's administration has one of its own."""
    found = _match(request)
    if found is not None and found.app_names[:1] == ["admin"]:
        return str(reverse("admin:login", current_app=found.namespace))
    return str(resolve_url(django_settings.LOGIN_URL))


def _match(request: Any) -> Any | None:
    try:
        return resolve(request.path_info, getattr(request, "urlconf", None))
    except Resolver404:
        return None
