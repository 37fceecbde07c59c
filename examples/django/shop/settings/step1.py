"""Step 1, side by side: Rescind runs and is known here. Nobody uses it yet."""

import os

from .start import *
from .start import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "rescind.django"]
# Not RESCIND_…: such variables are the service's settings, and its commands refuse names that they do not know.
RESCIND = {
    "URL": os.environ.get("SHOP_RESCIND_URL", "http://127.0.0.1:8080"),
    "AUDIENCE": "rescind",
    "SERVICE_KEY_FILE": os.environ.get("SHOP_SERVICE_KEY_FILE", "/run/secrets/rescind-service-key"),
    # A user's external id in Rescind is the primary key here.
    "EXTERNAL_ID_FIELD": "pk",
}
