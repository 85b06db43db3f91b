"""Pipelines, transactions, scripts and locks."""

import threading
import unittest

import redis
from redis.exceptions import LockError, LockNotOwnedError, NoScriptError, WatchError

from . import OPTIONS, fresh


class Pipelines(unittest.TestCase):
    def test_transaction(self):
        for protocol in (2, 3):
            client = fresh(protocol=protocol)
            with client.pipeline() as pipe:
                pipe.set("k", 1).incr("k").get("k").expire("k", 100).get("missing")
                self.assertEqual(pipe.execute(), [True, 2, b"2", True, None])

    def test_without_transaction(self):
        client = fresh()
        with client.pipeline(transaction=False) as pipe:
            for index in range(10_000):
                pipe.set(f"k{index}", index)
            self.assertEqual(pipe.execute(), [True] * 10_000)
            for index in range(10_000):
                pipe.get(f"k{index}")
            self.assertEqual(pipe.execute(), [str(index).encode() for index in range(10_000)])

    def test_errors(self):
        client = fresh()
        client.set("text", "abc")
        with client.pipeline() as pipe:
            pipe.set("a", 1).incr("text").set("b", 2)
            with self.assertRaisesRegex(redis.ResponseError, "not an integer"):
                pipe.execute()
        self.assertEqual(client.mget("a", "b"), [b"1", b"2"])
        with client.pipeline() as pipe:
            pipe.incr("text").get("a")
            first, second = pipe.execute(raise_on_error=False)
            self.assertIsInstance(first, redis.ResponseError)
            self.assertEqual(second, b"1")
        with client.pipeline() as pipe:
            pipe.set("a", 5).execute_command("NOSUCH")
            with self.assertRaises(redis.ResponseError):
                pipe.execute()
        self.assertEqual(client.get("a"), b"1")

    def test_watch(self):
        client, other = fresh(), redis.Redis(**OPTIONS)
        client.set("k", 1)
        with client.pipeline() as pipe:
            pipe.watch("k")
            value = int(pipe.get("k"))
            other.set("k", 10)
            pipe.multi()
            pipe.set("k", value + 1)
            with self.assertRaises(WatchError):
                pipe.execute()
        self.assertEqual(client.get("k"), b"10")
        with client.pipeline() as pipe:
            pipe.watch("k")
            pipe.unwatch()
            other.set("k", 20)
            pipe.multi()
            pipe.incr("k")
            self.assertEqual(pipe.execute(), [21])

    def test_watch_retry_from_many_threads(self):
        client = fresh()
        client.set("k", 0)

        def increment(pipe):
            value = int(pipe.get("k"))
            pipe.multi()
            pipe.set("k", value + 1)

        def work():
            mine = redis.Redis(**OPTIONS)
            for _ in range(50):
                mine.transaction(increment, "k")

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(client.get("k"), b"400")


class Scripts(unittest.TestCase):
    def test_eval(self):
        for protocol in (2, 3):
            client = fresh(protocol=protocol)
            self.assertEqual(client.eval("return {KEYS[1], ARGV[1], 5}", 1, "k", "v"), [b"k", b"v", 5])
            self.assertEqual(client.eval("return redis.status_reply('fine')", 0), b"fine")
            with self.assertRaisesRegex(redis.ResponseError, "mine"):
                client.eval("return redis.error_reply('ERR mine')", 0)

    def test_registered(self):
        client = fresh()
        client.script_flush()
        add = client.register_script("return redis.call('incrby', KEYS[1], ARGV[1])")
        self.assertEqual(add(keys=["n"], args=[5]), 5)
        self.assertEqual(add(keys=["n"], args=[5]), 10)
        # The server forgets it: the client loads it again.
        client.script_flush()
        self.assertEqual(client.script_exists(add.sha), [False])
        self.assertEqual(add(keys=["n"], args=[5]), 15)
        self.assertEqual(client.script_exists(add.sha), [True])
        with client.pipeline() as pipe:
            add(keys=["n"], args=[1], client=pipe)
            add(keys=["n"], args=[1], client=pipe)
            self.assertEqual(pipe.execute(), [16, 17])
        with self.assertRaises(NoScriptError):
            client.evalsha("f" * 40, 0)


class Locks(unittest.TestCase):
    def test_lock(self):
        client = fresh()
        lock = client.lock("resource", timeout=100)
        self.assertTrue(lock.acquire())
        self.assertTrue(lock.locked())
        self.assertTrue(lock.owned())
        self.assertFalse(client.lock("resource").acquire(blocking=False))
        self.assertTrue(lock.extend(100))
        self.assertGreater(client.ttl("resource"), 150)
        self.assertTrue(lock.reacquire())
        lock.release()
        self.assertFalse(client.exists("resource"))
        with self.assertRaises(LockError):
            lock.release()

    def test_lost(self):
        client = fresh()
        lock = client.lock("resource", timeout=100)
        lock.acquire()
        client.set("resource", "somebody else")
        with self.assertRaises(LockNotOwnedError):
            lock.extend(5)
        with self.assertRaises(LockNotOwnedError):
            lock.release()
        self.assertEqual(client.get("resource"), b"somebody else")

    def test_only_one_at_a_time(self):
        client = fresh()
        inside, most = [], []

        def work():
            mine = redis.Redis(**OPTIONS)
            for _ in range(10):
                with mine.lock("resource", timeout=100, sleep=0.001):
                    inside.append(1)
                    most.append(len(inside))
                    mine.incr("count")
                    inside.pop()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(max(most), 1)
        self.assertEqual(client.get("count"), b"80")
