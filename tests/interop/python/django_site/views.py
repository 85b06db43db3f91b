"""The pages of the site. Each counts how often it was really made."""

import itertools

from django.contrib.auth import authenticate, login, logout
from django.core.cache import cache
from django.http import HttpResponse, HttpResponseForbidden, JsonResponse
from django.shortcuts import render

MADE = itertools.count(1)


def log_in(request):
    user = authenticate(
        request, username=request.POST["username"], password=request.POST["password"]
    )
    if user is None:
        return HttpResponseForbidden()
    login(request, user)
    return HttpResponse(user.username)


def log_out(request):
    logout(request)
    return HttpResponse("bye")


def who_am_i(request):
    return HttpResponse(request.user.username or "nobody")


def basket_add(request, item):
    request.session.setdefault("basket", []).append(item)
    request.session.modified = True
    return JsonResponse(request.session["basket"], safe=False)


def basket(request):
    return JsonResponse(request.session.get("basket", []), safe=False)


def page(request):
    return HttpResponse(f"made {next(MADE)}, asked {request.GET.get('q', 'nothing')}")


def fragment(request, user):
    return render(request, "fragment.html", {"user_name": user, "made": lambda: next(MADE)})


def visits(request):
    cache.add("visits", 0)
    return HttpResponse(cache.incr("visits"))
