"""Step 3, switch the API: it takes Rescind's access tokens, and still those of SimpleJWT."""

from .step2 import *
from .step2 import REST_FRAMEWORK

REST_FRAMEWORK = {
    **REST_FRAMEWORK,
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "shop.tokens.RescindOrSimpleJWT",
        "rest_framework.authentication.SessionAuthentication",
    ],
}
