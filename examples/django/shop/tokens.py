"""Both kinds of access tokens, for as long as both are in use."""

from rest_framework_simplejwt.authentication import JWTAuthentication

from rescind.django.authentication import RescindAuthentication


class RescindOrSimpleJWT(RescindAuthentication):
    """Takes Rescind's tokens, which begin with `v4.public.`, and leaves every other one to SimpleJWT."""

    def authenticate(self, request):
        if request.META.get("HTTP_AUTHORIZATION", "").partition(" ")[2].startswith("v4.public."):
            return super().authenticate(request)
        return JWTAuthentication().authenticate(request)
