"""Rescind's access tokens, verified in Python and refused as soon as they are taken back.

Modules: `verifier` (follows the feed), `introspection` (asks the issuer), `guard` (believes the guard in front), `claims`
and `errors` (the results), `sessions` (opens and ends sessions), `django` (Django, and Django REST framework). Inside: `state`
with `revoked` and `keys` with `names` (what `verify` reads), `replica` with `pings`, `feed` and `wire` (the only writer, without
I/O), `replica_task`, `link`, `process_link`, `stream` and `background` (the only ones with I/O).
"""

from .claims import Claims, Identity
from .errors import (
    ConfigurationError,
    ConnectError,
    Doubt,
    IssuerError,
    NotFresh,
    Reason,
    Refused,
    Rejected,
    RescindError,
    SessionEnded,
    TokenEnded,
    TokenInvalid,
)
from .event import Event
from .guard import GuardHeaders
from .introspection import Introspector
from .link import ServiceKey
from .sessions import EndUser, Session, Sessions
from .verifier import Verifier

__all__ = [
    "Claims",
    "ConfigurationError",
    "ConnectError",
    "Doubt",
    "EndUser",
    "Event",
    "GuardHeaders",
    "Identity",
    "Introspector",
    "IssuerError",
    "NotFresh",
    "Reason",
    "Refused",
    "Rejected",
    "RescindError",
    "ServiceKey",
    "Session",
    "SessionEnded",
    "Sessions",
    "TokenEnded",
    "TokenInvalid",
    "Verifier",
]
