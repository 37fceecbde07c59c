"""Step 2, import: the users are in Rescind too, with their passwords, and a new password here is one there."""

from .step1 import *
from .step1 import RESCIND

RESCIND = {
    **RESCIND,
    "SHARE_PASSWORDS": True,
    # While Rescind cannot be reached no password is changed (the page answers 500, from step 4 on 503), and from step 4 on
    # nobody is signed in: "accept" would go on unchecked.
    "WHEN_UNREACHABLE": "refuse",
}
