from __future__ import annotations

import os
from typing import Any

from django.urls import path
from drf_spectacular.views import SpectacularAPIView
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


urlpatterns = [
    path("whoami", Whoami.as_view()),
    path("payment", Payment.as_view()),
    path("schema", SpectacularAPIView.as_view(authentication_classes=[], permission_classes=[])),
]
