from __future__ import annotations

import os
from typing import Any

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from rescind.django.permissions import PasswordGivenWithin


class Whoami(APIView):
    """Says who calls, and which process answers."""

    serializer_class = Serializer

    def get(self, request: Any) -> Response:
        return Response({"id": request.user.pk, "device": request.auth.device, "process": os.getpid()})


class Payment(Whoami):
    permission_classes = [PasswordGivenWithin]


class SessionApi(APIView):
    """An API for the site's own pages."""

    authentication_classes = [SessionAuthentication]
    permission_classes = [IsAuthenticated]

    def get(self, request: Any) -> Response:
        return Response({"id": request.user.pk})


@login_required
def page(request: Any) -> HttpResponse:
    """A page for people who are signed in."""
    device = request.rescind.device if getattr(request, "rescind", None) else ""
    return JsonResponse({"id": request.user.pk, "device": device})


def public(request: Any) -> HttpResponse:
    """A page for everybody, which does not look at the session."""
    return HttpResponse("public")


urlpatterns = [
    path("page", page),
    path("public", public),
    path("session-api", SessionApi.as_view()),
    path("accounts/", include("django.contrib.auth.urls")),
    path("admin/", admin.site.urls),
    path("allauth/", include("allauth.urls")),
    path("headless/", include("allauth.headless.urls")),
    path("whoami", Whoami.as_view()),
    path("payment", Payment.as_view()),
    path("schema", SpectacularAPIView.as_view(authentication_classes=[], permission_classes=[])),
]
