"""Django's low-level cache API on every backend."""

import threading
import time
import unittest

from django.core.cache import cache, caches
from django.test import override_settings

from . import BACKENDS
from . import caches as all_caches


def on(backend):
    """Runs a test with that backend as the default cache, empty."""

    def decorate(test):
        def run(self):
            with override_settings(CACHES=all_caches(BACKENDS[backend])):
                cache.clear()
                test(self)
                caches.close_all()

        return run

    return decorate


class CacheTests(unittest.TestCase):
    """Each method below becomes a test for each backend."""


def every_backend(test):
    for backend in BACKENDS:
        if backend in getattr(test, "not_on", ()):
            continue
        name = f"test_{test.__name__} ({backend})"
        setattr(CacheTests, name, on(backend)(test))
    return test


def not_on(*backends):
    def mark(test):
        test.not_on = backends
        return test

    return mark


# The herd client keeps a moment beside each value: it cannot count.
HERD = "django-redis, herd"


@every_backend
def set_get_delete(self):
    self.assertIsNone(cache.get("k"))
    self.assertEqual(cache.get("k", "default"), "default")
    cache.set("k", "v")
    self.assertEqual(cache.get("k"), "v")
    self.assertTrue(cache.has_key("k"))
    self.assertIn("k", cache)
    self.assertTrue(cache.delete("k"))
    self.assertFalse(cache.delete("k"))
    self.assertNotIn("k", cache)
    cache.set("none", None)
    self.assertIsNone(cache.get("none", "default"))


@every_backend
def values_of_every_kind(self):
    for value in [0, -5, 2**40, 1.5, True, "", "text", "é\u2028", [1, [2]], {"a": {"b": [1]}}, "x" * 100_000]:
        cache.set("k", value, 60)
        self.assertEqual(cache.get("k"), value)


@every_backend
def add(self):
    self.assertTrue(cache.add("k", "first"))
    self.assertFalse(cache.add("k", "second"))
    self.assertEqual(cache.get("k"), "first")
    self.assertTrue(cache.add("t", "v", timeout=60))


@every_backend
def timeouts(self):
    cache.set("forever", 1, timeout=None)
    cache.set("long", 1, timeout=3600)
    cache.set("never", 1, timeout=0)
    cache.set("negative", 1, timeout=-1)
    self.assertEqual(cache.get("forever"), 1)
    self.assertEqual(cache.get("long"), 1)
    self.assertIsNone(cache.get("never"))
    self.assertIsNone(cache.get("negative"))
    self.assertFalse(cache.add("zero", 1, timeout=0) and cache.get("zero"))


@every_backend
@not_on(*(name for name in BACKENDS if name not in ("django", "django-redis")))
def a_value_that_expires(self):
    cache.set("short", 1, timeout=1)
    self.assertEqual(cache.get("short"), 1)
    deadline = time.monotonic() + 10
    while cache.get("short") is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    self.assertIsNone(cache.get("short"))


@every_backend
@not_on(HERD)
def touch(self):
    cache.set("k", "v", timeout=1000)
    self.assertTrue(cache.touch("k", 2000))
    self.assertTrue(cache.touch("k", None))
    self.assertTrue(cache.touch("k"))
    self.assertFalse(cache.touch("missing", 100))
    self.assertTrue(cache.touch("k", 0))
    self.assertIsNone(cache.get("k"))


@every_backend
def get_or_set(self):
    self.assertEqual(cache.get_or_set("k", "v", 100), "v")
    self.assertEqual(cache.get_or_set("k", "w", 100), "v")
    self.assertEqual(cache.get_or_set("called", lambda: 5, 100), 5)


@every_backend
@not_on(HERD)
def incr_and_decr(self):
    cache.set("n", 10)
    self.assertEqual(cache.incr("n"), 11)
    self.assertEqual(cache.incr("n", 5), 16)
    self.assertEqual(cache.decr("n"), 15)
    self.assertEqual(cache.decr("n", 20), -5)
    self.assertEqual(cache.get("n"), -5)
    with self.assertRaises(ValueError):
        cache.incr("missing")
    with self.assertRaises(ValueError):
        cache.decr("missing")


@every_backend
def many(self):
    values = {f"k{number}": number for number in range(200)}
    # Django's backend returns the list of failures, django-redis nothing.
    self.assertFalse(cache.set_many(values, timeout=100))
    self.assertEqual(cache.get_many([*values, "missing"]), values)
    cache.delete_many(["k0", "k1", "missing"])
    self.assertEqual(cache.get_many(["k0", "k1", "k2"]), {"k2": 2})
    self.assertEqual(cache.get_many([]), {})
    cache.delete_many([])
    cache.clear()
    self.assertEqual(cache.get_many(list(values)), {})


@every_backend
def versions(self):
    cache.set("k", "one", version=1)
    cache.set("k", "two", version=2)
    self.assertEqual(cache.get("k"), "one")
    self.assertEqual(cache.get("k", version=2), "two")
    self.assertTrue(cache.delete("k", version=2))
    self.assertIsNone(cache.get("k", version=2))


@every_backend
@not_on(HERD)
def version_steps(self):
    cache.set("k", "v", version=1)
    self.assertEqual(cache.incr_version("k"), 2)
    self.assertIsNone(cache.get("k"))
    self.assertEqual(cache.get("k", version=2), "v")
    self.assertEqual(cache.decr_version("k", version=2), 1)
    self.assertEqual(cache.get("k"), "v")
    with self.assertRaises(ValueError):
        cache.incr_version("missing")


@every_backend
@not_on(HERD)
def from_eight_threads(self):
    cache.set("total", 0, timeout=None)
    failures = []

    def work(number):
        try:
            for step in range(100):
                cache.set(f"k{number}", step)
                if cache.get(f"k{number}") != step:
                    failures.append((number, step))
                cache.incr("total")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    self.assertEqual(failures, [])
    self.assertEqual(cache.get("total"), 800)


class SeveralCaches(unittest.TestCase):
    """Named caches in databases of their own do not see each other."""

    def test_apart(self):
        names = ["default", "sessions", "pages", "more"]
        for name in names:
            caches[name].clear()
            caches[name].set("k", name)
        for name in names:
            self.assertEqual(caches[name].get("k"), name)
        caches["more"].clear()
        self.assertIsNone(caches["more"].get("k"))
        self.assertEqual(caches["pages"].get("k"), "pages")

    def test_asynchronous_methods(self):
        import asyncio

        async def work():
            await cache.aset("k", 1)
            await cache.aincr("k")
            return await cache.aget("k")

        self.assertEqual(asyncio.run(work()), 2)
