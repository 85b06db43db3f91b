"""Rate limiters: a counter per window, a log of the last calls, a bucket of tokens in a script."""

import threading
import time
import unittest

import redis

from . import OPTIONS, fresh

TAKE_TOKEN = """
local now = redis.call('TIME')
local now = now[1] * 1000 + math.floor(now[2] / 1000)
local state = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local capacity, per_second = tonumber(ARGV[1]), tonumber(ARGV[2])
local tokens = tonumber(state[1]) or capacity
local at = tonumber(state[2]) or now
tokens = math.min(capacity, tokens + (now - at) * per_second / 1000)
local is_allowed = tokens >= 1
if is_allowed then tokens = tokens - 1 end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil(capacity / per_second * 1000))
return is_allowed and 1 or 0
"""


def window(client: redis.Redis, who: str, limit: int) -> bool:
    """At most `limit` calls in a window of 100 s."""
    with client.pipeline() as pipe:
        count, _ = pipe.incr(f"window:{who}").expire(f"window:{who}", 100).execute()
    return count <= limit


def log(client: redis.Redis, who: str, limit: int, seconds: float, call: str) -> bool:
    """At most `limit` calls in any `seconds`."""
    now, key = time.time(), f"log:{who}"
    with client.pipeline() as pipe:
        pipe.zremrangebyscore(key, "-inf", now - seconds)
        pipe.zadd(key, {call: now})
        pipe.zrank(key, call)
        pipe.expire(key, 100)
        _, _, rank, _ = pipe.execute()
    return rank < limit


class Limiters(unittest.TestCase):
    def from_threads(self, allow) -> int:
        """How many of 8 × 25 calls are allowed."""
        allowed = []

        def work(number: int):
            client = redis.Redis(**OPTIONS)
            allowed.extend(1 for call in range(25) if allow(client, f"{number}:{call}"))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(allowed)

    def test_windows(self):
        client = fresh()
        self.assertEqual(self.from_threads(lambda own, _: window(own, "me", 60)), 60)
        self.assertTrue(window(client, "you", 60))
        self.assertIn(client.ttl("window:me"), (99, 100))

    def test_logs(self):
        client = fresh()
        self.assertTrue(all(log(client, "me", 3, 60, f"{call}") for call in range(3)))
        self.assertFalse(log(client, "me", 3, 60, "3"))
        self.assertEqual(client.zcard("log:me"), 4)
        # What is older than the time looked at no longer counts.
        client.zadd("log:me", {f"{call}": time.time() - 61 for call in range(4)})
        self.assertTrue(log(client, "me", 3, 60, "4"))
        self.assertEqual(client.zcard("log:me"), 1)

    def test_a_bucket(self):
        client = fresh()
        take = client.register_script(TAKE_TOKEN)

        def allow(own, _):
            return take(keys=["bucket"], args=[40, 0.01], client=own) == 1

        self.assertEqual(self.from_threads(allow), 40)
        client.delete("bucket")
        self.assertEqual([take(keys=["fast"], args=[1, 1000]) for _ in range(2)][0], 1)
        while take(keys=["fast"], args=[1, 1000]) != 1:
            pass
