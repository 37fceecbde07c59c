"""Step 5, switch the app: its new version signs in at Rescind. Nothing here changes."""

from .step4 import *
