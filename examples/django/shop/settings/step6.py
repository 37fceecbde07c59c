"""Step 6, switch off the old: SimpleJWT's routes are gone, and a session that is no device ends."""

from .step5 import *
from .step5 import RESCIND, REST_FRAMEWORK

ROOT_URLCONF = "shop.urls_without_simplejwt"
REST_FRAMEWORK = {
    **REST_FRAMEWORK,
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rescind.django.authentication.RescindAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
}
RESCIND = {**RESCIND, "EXISTING_SESSIONS": "end"}
