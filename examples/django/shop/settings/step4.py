"""Step 4, make web sessions devices: each of them is a device in Rescind. Who is signed in stays signed in."""

from .step3 import *
from .step3 import MIDDLEWARE, RESCIND

MIDDLEWARE = [*MIDDLEWARE, "rescind.django.sessions.DeviceSessionMiddleware"]
# Sessions of before become devices at their next request.
RESCIND = {**RESCIND, "EXISTING_SESSIONS": "adopt"}
