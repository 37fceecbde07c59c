from django.urls import include, path

from .views import Orders, home

urlpatterns = [
    path("", home),
    path("accounts/", include("django.contrib.auth.urls")),
    path("api/orders/", Orders.as_view()),
]
