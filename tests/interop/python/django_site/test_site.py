"""The site through django.test.Client: pages, fragments, sessions, from eight threads."""

import threading
import unittest

from django.core.cache import cache, caches
from django.db import connection
from django.test import Client, override_settings

from . import BACKENDS, prepare_users
from . import caches as all_caches

THREADS = 8
CHOICES = ["django", "django, unix socket", "django, password", "django-redis", "django-redis, herd"]
SESSION_ENGINES = ["cache", "cached_db"]


def setUpModule():
    prepare_users(THREADS)


class Site(unittest.TestCase):
    def backends(self):
        for name in CHOICES:
            with self.subTest(name), override_settings(CACHES=all_caches(BACKENDS[name])):
                cache.clear()
                caches["pages"].clear()
                yield name

    def text(self, client, path, **headers):
        response = client.get(path, **headers)
        self.assertEqual(response.status_code, 200)
        return response.content.decode()

    def test_cached_pages(self):
        for _ in self.backends():
            client = Client()
            first = self.text(client, "/page/?q=a")
            self.assertEqual(self.text(client, "/page/?q=a"), first)
            self.assertEqual(self.text(Client(), "/page/?q=a"), first)
            self.assertNotEqual(self.text(client, "/page/?q=b"), first)
            self.assertNotEqual(self.text(client, "/plain/"), self.text(client, "/plain/"))
            response = client.get("/page/?q=a")
            self.assertIn("max-age=", response["Cache-Control"])
            cache.clear()
            self.assertNotEqual(self.text(client, "/page/?q=a"), first)

    def test_pages_in_a_cache_of_their_own(self):
        for _ in self.backends():
            client = Client()
            first = self.text(client, "/page/own/")
            cache.clear()
            self.assertEqual(self.text(client, "/page/own/"), first)
            caches["pages"].clear()
            self.assertNotEqual(self.text(client, "/page/own/"), first)

    def test_fragments(self):
        for _ in self.backends():
            client = Client()
            ann, bob = self.text(client, "/fragment/ann/"), self.text(client, "/fragment/bob/")
            self.assertNotEqual(ann, bob)
            self.assertEqual(self.text(client, "/fragment/ann/"), ann)
            self.assertEqual(self.text(client, "/fragment/bob/"), bob)
            from django.core.cache.utils import make_template_fragment_key

            cache.delete(make_template_fragment_key("sidebar", ["ann"]))
            self.assertNotEqual(self.text(client, "/fragment/ann/"), ann)
            self.assertEqual(self.text(client, "/fragment/bob/"), bob)

    def test_the_whole_site_cached(self):
        middleware = [
            "django.middleware.cache.UpdateCacheMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.cache.FetchFromCacheMiddleware",
        ]
        for _ in self.backends():
            with override_settings(MIDDLEWARE=middleware, CACHE_MIDDLEWARE_SECONDS=600):
                client = Client()
                first = self.text(client, "/plain/?q=x")
                self.assertEqual(self.text(Client(), "/plain/?q=x"), first)
                self.assertNotEqual(self.text(client, "/plain/?q=y"), first)

    def test_sessions(self):
        for _ in self.backends():
            for engine in SESSION_ENGINES:
                setting = f"django.contrib.sessions.backends.{engine}"
                with self.subTest(engine), override_settings(SESSION_ENGINE=setting):
                    self.one_visitor("user0")

    def test_sessions_in_a_cache_of_their_own(self):
        for _ in self.backends():
            with override_settings(SESSION_CACHE_ALIAS="sessions"):
                self.one_visitor("user1")
                client = Client()
                client.post("/login/", {"username": "user0", "password": "user0"})
                cache.clear()
                self.assertEqual(self.text(client, "/whoami/"), "user0")
                caches["sessions"].clear()
                self.assertEqual(self.text(client, "/whoami/"), "nobody")

    def one_visitor(self, name):
        """Log in, fill a basket, log out; another visitor sees nothing of it."""
        client, other = Client(), Client()
        self.assertEqual(self.text(client, "/whoami/"), "nobody")
        wrong = client.post("/login/", {"username": name, "password": "wrong"})
        self.assertEqual(wrong.status_code, 403)
        right = client.post("/login/", {"username": name, "password": name})
        self.assertEqual(right.content.decode(), name)
        self.assertEqual(self.text(client, "/whoami/"), name)
        self.assertEqual(self.text(other, "/whoami/"), "nobody")
        for item in (3, 1, 2):
            client.get(f"/basket/add/{item}/")
        self.assertEqual(client.get("/basket/").json(), [3, 1, 2])
        self.assertEqual(other.get("/basket/").json(), [])
        key = client.session.session_key
        self.assertEqual(self.text(client, "/logout/"), "bye")
        self.assertEqual(self.text(client, "/whoami/"), "nobody")
        self.assertFalse(client.session.exists(key))

    def test_from_eight_threads(self):
        for _ in self.backends():
            for engine in SESSION_ENGINES:
                setting = f"django.contrib.sessions.backends.{engine}"
                with self.subTest(engine), override_settings(SESSION_ENGINE=setting):
                    self.eight_threads()

    def eight_threads(self):
        failures = []

        def work(number):
            try:
                for _ in range(2):
                    self.one_visitor(f"user{number}")
                    self.text(Client(), f"/page/?q={number}")
                    self.text(Client(), f"/fragment/user{number}/")
            except BaseException as error:
                failures.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def test_visits_from_eight_threads(self):
        for name in self.backends():
            if "herd" in name:
                continue

            def work():
                for _ in range(20):
                    Client().get("/visits/")

            threads = [threading.Thread(target=work) for _ in range(THREADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(cache.get("visits"), THREADS * 20)
