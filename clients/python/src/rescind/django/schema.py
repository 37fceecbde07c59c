"""The security scheme in the OpenAPI document of drf-spectacular."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class RescindScheme(OpenApiAuthenticationExtension):
    """Describes `RescindAuthentication` as a bearer token."""

    target_class = "rescind.django.authentication.RescindAuthentication"
    name = "rescind"
    match_subclasses = True

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """The security scheme object."""
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "PASETO v4.public",
            "description": "An access token of Rescind. A 401 has a `code` that says what the app should do.",
        }
