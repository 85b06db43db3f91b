"""redis-py's own cache of what it has read: hits stay with the client, and nothing stays that has changed."""

import threading
import time
import unittest

import redis

from . import OPTIONS, VERSION, fresh

PATIENCE = 20
PARSERS = ["_RESP3Parser", "_HiredisParser"]


def parsers():
    """The parsers of RESP3, as far as this version has them."""
    modules = [redis._parsers] if hasattr(redis, "_parsers") else []
    names = {name for module in modules for name in dir(module)}
    return [getattr(redis._parsers, name) for name in PARSERS if name in names]


@unittest.skipIf(VERSION < (6, 0), "redis-py 5 has a cache that is not for use yet")
class ClientCache(unittest.TestCase):
    def setUp(self):
        self.other = fresh()

    def clients(self):
        from redis.cache import CacheConfig

        for parser in parsers():
            with self.subTest(parser.__name__):
                self.other.flushall()
                client = redis.Redis(
                    connection_pool=redis.ConnectionPool(
                        **OPTIONS, protocol=3, parser_class=parser, cache_config=CacheConfig()
                    )
                )
                yield client
                client.connection_pool.disconnect()

    def calls(self, command):
        """How many calls of a command the server has seen."""
        return self.other.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]

    def eventually(self, read, expected):
        deadline = time.monotonic() + PATIENCE
        while (value := read()) != expected:
            self.assertLess(time.monotonic(), deadline, f"still {value}")

    def test_what_was_read_is_not_asked_for_again(self):
        for client in self.clients():
            self.other.set("key", "one")
            self.assertEqual(client.get("key"), b"one")
            before = self.calls("get")
            for _ in range(100):
                self.assertEqual(client.get("key"), b"one")
            self.assertEqual(self.calls("get"), before)
            self.eventually(lambda: self.other.info("clients")["tracking_clients"], 1)

    def test_what_others_change_is_asked_for_again(self):
        for client in self.clients():
            self.other.mset({"key": "one", "other": "two"})
            self.other.hset("hash", "field", "value")
            self.assertEqual(client.mget("key", "other"), [b"one", b"two"])
            self.assertEqual(client.get("key"), b"one")
            self.assertEqual(client.hget("hash", "field"), b"value")
            self.other.set("key", "three")
            self.eventually(lambda: client.get("key"), b"three")
            self.assertEqual(client.mget("key", "other"), [b"three", b"two"])
            self.other.delete("hash")
            self.eventually(lambda: client.hget("hash", "field"), None)

    def test_what_it_changes_itself_is_asked_for_again(self):
        for client in self.clients():
            for number in range(100):
                client.set("key", number)
                self.assertEqual(int(client.get("key")), number)
            self.assertEqual(client.incr("key"), 100)
            self.assertEqual(client.get("key"), b"100")

    def test_expiry_and_flush(self):
        for client in self.clients():
            self.other.set("key", "short", px=1000)
            self.assertEqual(client.get("key"), b"short")
            self.eventually(lambda: client.get("key"), None)
            self.other.set("key", "long")
            self.eventually(lambda: client.get("key"), b"long")
            self.other.flushall()
            self.eventually(lambda: client.get("key"), None)

    def test_a_cache_beside_a_busy_writer(self):
        for client in self.clients():
            self.other.set("key", 0)

            def write():
                for number in range(1, 2000):
                    self.other.set("key", number)

            writer = threading.Thread(target=write)
            writer.start()
            newest = 0
            while newest < 1999:
                value = int(client.get("key"))
                # Values only grow, and a cache never goes back.
                self.assertGreaterEqual(value, newest)
                newest = value
            writer.join(PATIENCE)
