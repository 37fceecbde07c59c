"""The middleware that makes each of Django's sessions a device of its user in Rescind.

A session is opened as a device at the sign-in (`signals`), and here each request of it is checked: from memory, while its
access token lives. A device that was ended from anywhere ends the session at its next request.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings as django_settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.http import HttpResponse

from ..errors import NotFresh, Rejected
from .devices import (
    SignInRefused,
    Unreachable,
    end_device,
    end_user_of,
    needs_refresh,
    open_device,
    refresh_device,
    verify_new,
)
from .held import NAME, Held, primary_key
from .refusals import is_sign_out, refused, signed_out, unavailable
from .settings import RescindSettings, rescind_settings

PATH = "rescind.django.sessions.DeviceSessionMiddleware"

#: The request that is being answered, for signals that know only the user.
current_request: ContextVar[Any] = ContextVar("rescind_request", default=None)


def are_devices() -> bool:
    """Whether this site's sessions are devices: whether the middleware is installed."""
    return PATH in django_settings.MIDDLEWARE


class DeviceSessionMiddleware:
    """Checks the device of the request's session. Its place is after Django's `AuthenticationMiddleware` and messages.

    `request.rescind` has the claims of the device, or is `None`.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Answers a request."""
        if self._is_async:
            return self._answer(request)
        token = current_request.set(request)
        try:
            response = _before(request) or self.get_response(request)
            _after(request)
            return response
        finally:
            current_request.reset(token)

    async def _answer(self, request: Any) -> Any:
        token = current_request.set(request)
        try:
            response = await sync_to_async(_before)(request) or await self.get_response(request)
            await sync_to_async(_after)(request)
            return response
        finally:
            current_request.reset(token)

    def process_exception(self, request: Any, exception: Exception) -> HttpResponse | None:
        """Answers a sign-in that the service refused."""
        if isinstance(exception, Unreachable):
            return unavailable(request)
        if isinstance(exception, SignInRefused):
            return refused(request, exception.code)
        return None


def _before(request: Any) -> HttpResponse | None:
    """Checks the session; returns the answer if the request does not go on."""
    request.rescind = None
    request.rescind_held = None
    # A request without a session is left alone: to look into it would have its answer vary by the cookie.
    if django_settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    settings, session = rescind_settings(), request.session
    held, user = Held.of(session), session.get(SESSION_KEY)
    if held is not None and held.user != user:
        # The user was replaced without a sign-in.
        del session[NAME]
        end_device(settings, held)
        held = None
    request.rescind_held = held
    if user is None:
        return None
    try:
        if held is None or not held.device:
            return _adopt(settings, request, held)
        return _check(settings, request, held)
    except (NotFresh, Unreachable):
        return None if settings.goes_on_unchecked or is_sign_out(request) else unavailable(request)
    except SignInRefused as refused:
        return _end(request, refused.code)
    except Rejected as rejected:
        return _end(request, rejected.code)


def _check(settings: RescindSettings, request: Any, held: Held) -> HttpResponse | None:
    """Checks a device. Reads only memory while its access token lives and freshness is proven."""
    try:
        request.rescind = settings.verify(held.access)
        return None
    except Rejected as rejected:
        if not needs_refresh(rejected):
            raise
    held = refresh_device(settings, held, end_user_of(request))
    # Before anything else: the tokens of before are used up.
    answer = _keep(request, held)
    if answer is None:
        request.rescind = verify_new(settings, held)
    return answer


def _adopt(settings: RescindSettings, request: Any, held: Held | None) -> HttpResponse | None:
    """Opens a device for a session that has none: of before the middleware was installed, or of an outage."""
    existing = settings.values.get("EXISTING_SESSIONS", "adopt")
    if held is None and existing == "ignore":
        return None
    if held is None and existing == "end":
        return _end(request, "signed_out")
    user, session = request.user, request.session
    if not user.is_authenticated:
        return None
    opened = open_device(settings, user, end_user_of(request), [])
    # Another request of the same session may have been faster.
    other = Held.of(type(session)(session.session_key))
    if other is not None and other.device and other.user == primary_key(user):
        end_device(settings, opened)
        opened = other
    answer = _keep(request, opened)
    if answer is None:
        request.rescind = verify_new(settings, opened)
    return answer


def _keep(request: Any, held: Held) -> HttpResponse | None:
    """Writes the device's new tokens into the session at once: its request may fail, or take long."""
    session = request.session
    was_modified = session.modified
    held.put_into(session)
    request.rescind_held = held
    if _is_in_cookie(session):
        return None
    try:
        session.save()
    except UpdateError:
        # It was signed out meanwhile, and does not come back to life.
        end_device(rescind_settings(), held)
        return _end(request, "signed_out")
    # To save it again at the end would undo what other requests of this session write until then.
    session.modified = was_modified
    return None


def _is_in_cookie(session: Any) -> bool:
    return type(session).__module__ == "django.contrib.sessions.backends.signed_cookies"


def _end(request: Any, code: str) -> HttpResponse | None:
    """Ends the session here, and answers with the reason."""
    from django.contrib.auth.models import AnonymousUser  # noqa: PLC0415 - models are not there when apps are loaded

    request.session.flush()
    request.user = AnonymousUser()
    request.rescind = request.rescind_held = None
    return signed_out(request, code)


def _after(request: Any) -> None:
    """Ends the device that the session came with, if it has left the session: by a sign-out or another sign-in."""
    before: Held | None = request.rescind_held
    if before is None or not before.device:
        return
    now = Held.of(request.session)
    if now is None or now.device != before.device:
        end_device(rescind_settings(), before)
