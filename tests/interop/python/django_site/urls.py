"""The addresses of the site."""

from django.urls import path
from django.views.decorators.cache import cache_page

from . import views

urlpatterns = [
    path("login/", views.log_in),
    path("logout/", views.log_out),
    path("whoami/", views.who_am_i),
    path("basket/add/<int:item>/", views.basket_add),
    path("basket/", views.basket),
    path("page/", cache_page(60 * 15)(views.page)),
    path("page/short/", cache_page(1)(views.page)),
    path("page/own/", cache_page(60 * 15, cache="pages", key_prefix="own")(views.page)),
    path("plain/", views.page),
    path("fragment/<str:user>/", views.fragment),
    path("visits/", views.visits),
]
