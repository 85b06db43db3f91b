"""What django-redis has beyond Django's own backend."""

import threading
import unittest

from django.core.cache import cache, caches
from django.test import override_settings
from django_redis import get_redis_connection

from . import BACKENDS
from . import caches as all_caches


class Extras(unittest.TestCase):
    def setUp(self):
        self.settings = override_settings(CACHES=all_caches(BACKENDS["django-redis"]))
        self.settings.enable()
        cache.clear()

    def tearDown(self):
        self.settings.disable()

    def test_deadlines(self):
        cache.set("k", "v", timeout=100)
        self.assertIn(cache.ttl("k"), (99, 100))
        self.assertGreater(cache.pttl("k"), 90_000)
        self.assertTrue(cache.persist("k"))
        self.assertIsNone(cache.ttl("k"))
        self.assertTrue(cache.expire("k", timeout=50))
        self.assertIn(cache.ttl("k"), (49, 50))
        self.assertTrue(cache.pexpire("k", timeout=70_000))
        self.assertIn(cache.ttl("k"), (69, 70))
        self.assertEqual(cache.ttl("missing"), 0)
        self.assertFalse(cache.expire("missing", timeout=5))

    def test_names(self):
        cache.set_many({f"user:{number}": number for number in range(100)})
        cache.set("other", 1)
        self.assertEqual(len(cache.keys("user:*")), 100)
        self.assertEqual(set(cache.iter_keys("user:1?")), {f"user:1{digit}" for digit in range(10)})
        self.assertEqual(cache.delete_pattern("user:1*"), 11)
        self.assertEqual(len(cache.keys("*")), 90)
        self.assertEqual(cache.delete_pattern("user:*", itersize=10), 89)
        self.assertEqual(cache.keys("*"), ["other"])

    def test_conditions(self):
        self.assertTrue(cache.set("k", "a", nx=True))
        self.assertFalse(cache.set("k", "b", nx=True))
        self.assertTrue(cache.set("k", "c", xx=True))
        self.assertFalse(cache.set("new", "c", xx=True))

    def test_lock(self):
        with cache.lock("resource", timeout=100):
            self.assertFalse(cache.lock("resource").acquire(blocking=False))
        self.assertTrue(cache.lock("resource").acquire(blocking=False))

    def test_counting_from_many_threads(self):
        cache.set("n", 0)

        def work():
            for _ in range(50):
                cache.incr("n")

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(cache.get("n"), 400)

    def test_big_numbers(self):
        # django-redis counts in a script, whose numbers are exact up to here.
        cache.set("n", 2**53 - 2)
        self.assertEqual(cache.incr("n"), 2**53 - 1)
        cache.set("f", 1.5)
        self.assertEqual(cache.get("f"), 1.5)

    def test_the_client_below(self):
        client = get_redis_connection("default")
        self.assertTrue(client.set("raw", b"\x00\x01"))
        self.assertEqual(client.get("raw"), b"\x00\x01")
        with client.pipeline() as pipe:
            pipe.incr("n").expire("n", 10)
            self.assertEqual(pipe.execute(), [1, True])

    def test_compressed_values_are_smaller(self):
        caches["default"].set("k", "x" * 100_000)
        plain = get_redis_connection("default").strlen(cache.make_key("k"))
        with override_settings(CACHES=all_caches(BACKENDS["django-redis, zlib"])):
            cache.set("k", "x" * 100_000)
            packed = get_redis_connection("default").strlen(cache.make_key("k"))
            self.assertEqual(cache.get("k"), "x" * 100_000)
        self.assertLess(packed * 10, plain)

    def test_herd(self):
        with override_settings(CACHES=all_caches(BACKENDS["django-redis, herd"])):
            cache.set("k", "v", timeout=100)
            self.assertEqual(cache.get("k"), "v")
            self.assertEqual(cache.get_many(["k", "missing"]), {"k": "v"})
            cache.set_many({"a": 1, "b": 2}, timeout=50)
            self.assertEqual(cache.get_many(["a", "b"]), {"a": 1, "b": 2})
