"""A page for people, and an API for the app."""

from django.contrib.auth.decorators import login_required
from django.shortcuts import render
from rest_framework.response import Response
from rest_framework.views import APIView


@login_required
def home(request):
    return render(request, "home.html")


class Orders(APIView):
    def get(self, request):
        return Response({"user": request.user.get_username(), "orders": []})
