"""A site whose server is restarted, as a container is: with the append-only file its data is still there."""

import time
import unittest

from django.core.cache import cache, caches
from django.test import Client, override_settings

from server import Server

from . import DJANGO, django_redis, prepare_users


def setUpModule():
    prepare_users(2)


class Restart(unittest.TestCase):
    """One server for each test, with a folder of its own."""

    def site(self, *options):
        server = Server("--appendonly", "yes", *options)
        self.addCleanup(server.close)
        url = f"redis://127.0.0.1:{server.port}"
        settings = override_settings(
            CACHES={
                "default": {"BACKEND": DJANGO, "LOCATION": f"{url}/0"},
                "sessions": django_redis(f"{url}/1"),
            },
            SESSION_CACHE_ALIAS="sessions",
        )
        settings.enable()
        self.addCleanup(settings.disable)
        self.addCleanup(caches.close_all)
        return server

    def fill(self):
        """A visitor logs in and fills a basket, another one only looks."""
        client, other = Client(), Client()
        self.assertEqual(client.post("/login/", {"username": "user0", "password": "user0"}).status_code, 200)
        for item in (3, 1, 2):
            client.get(f"/basket/add/{item}/")
        cache.set("greeting", "välkommen", 1000)
        cache.set("forever", [1, {"a": 2}], None)
        cache.set("short", "gone soon", 1)
        cache.set("counter", 40)
        self.assertEqual(cache.incr("counter", 2), 42)
        cache.set("deleted", 1)
        cache.delete("deleted")
        return client, other, client.get("/page/").content

    def check(self, client, other, page):
        self.assertEqual(client.get("/whoami/").content, b"user0")
        self.assertEqual(other.get("/whoami/").content, b"nobody")
        self.assertEqual(client.get("/basket/").json(), [3, 1, 2])
        self.assertEqual(client.get("/page/").content, page)
        self.assertEqual(cache.get("greeting"), "välkommen")
        self.assertEqual(cache.get("forever"), [1, {"a": 2}])
        self.assertEqual(cache.get("counter"), 42)
        self.assertIsNone(cache.get("deleted"))
        ttl = cache._cache.get_client("greeting").ttl(cache.make_key("greeting"))
        self.assertTrue(980 < ttl <= 1000, ttl)

    def test_stopped_and_started(self):
        server = self.site()
        visitors = self.fill()
        for _ in range(2):
            server.stop()
            server.start()
            self.check(*visitors)
        time.sleep(1.1)
        self.assertIsNone(cache.get("short"))
        # And it goes on.
        visitors[0].get("/basket/add/9/")
        server.stop()
        server.start()
        self.assertEqual(visitors[0].get("/basket/").json(), [3, 1, 2, 9])

    def test_killed_and_started(self):
        for policy in ("always", "everysec"):
            with self.subTest(policy):
                server = self.site("--appendfsync", policy)
                visitors = self.fill()
                if policy == "everysec":
                    # It promises two seconds, and keeps some milliseconds.
                    time.sleep(0.2)
                server.process.kill()
                server.process.wait()
                server.start()
                self.check(*visitors)

    def test_rewritten_and_killed(self):
        server = self.site("--appendfsync", "always")
        visitors = self.fill()
        client = cache._cache.get_client("greeting", write=True)
        client.bgrewriteaof()
        while client.info("persistence")["aof_rewrite_in_progress"]:
            time.sleep(0.01)
        cache.set("after", "the rewrite", None)
        server.process.kill()
        server.process.wait()
        server.start()
        self.check(*visitors)
        self.assertEqual(cache.get("after"), "the rewrite")
