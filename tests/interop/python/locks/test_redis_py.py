"""redis-py's Lock: three scripts over one key, by many threads and tasks."""

import asyncio
import threading
import time
import unittest

import redis
import redis.asyncio
from redis.exceptions import LockError, LockNotOwnedError
from redis.lock import Lock

from . import SERVERS, client


class OneServer(unittest.TestCase):
    def setUp(self):
        self.client = client()
        self.client.flushall()

    def tearDown(self):
        self.client.close()

    def test_one_at_a_time(self):
        first, second = (self.client.lock("resource", timeout=100) for _ in range(2))
        self.assertTrue(first.acquire())
        self.assertFalse(second.acquire(blocking=False))
        self.assertTrue(second.locked())
        self.assertEqual((first.owned(), second.owned()), (True, False))
        with self.assertRaises(LockError):
            second.release()
        first.release()
        self.assertFalse(first.locked())
        self.assertTrue(second.acquire(blocking=False))

    def test_somebody_elses(self):
        lock = self.client.lock("resource", timeout=100)
        lock.acquire()
        self.client.set("resource", "stolen")
        for call in [lock.release, lock.reacquire, lambda: lock.extend(5)]:
            with self.assertRaises(LockNotOwnedError):
                call()
            lock.local.token = lock.local.token or b"again"
        self.assertEqual(self.client.get("resource"), b"stolen")

    def test_deadlines(self):
        lock = self.client.lock("resource", timeout=10)
        self.assertTrue(lock.acquire())
        self.assertTrue(lock.extend(20))
        self.assertIn(self.client.ttl("resource"), range(29, 31))
        self.assertTrue(lock.extend(5, replace_ttl=True))
        self.assertIn(self.client.ttl("resource"), range(4, 6))
        self.assertTrue(lock.reacquire())
        self.assertIn(self.client.ttl("resource"), range(9, 11))

    def test_one_that_runs_out(self):
        lock = self.client.lock("resource", timeout=0.1)
        lock.acquire()
        begun = time.monotonic()
        with self.client.lock("resource", timeout=10, sleep=0.01, blocking_timeout=10):
            self.assertLess(time.monotonic() - begun, 5)
        with self.assertRaises(LockNotOwnedError):
            lock.release()

    def test_waiting_ends(self):
        self.client.lock("resource", timeout=100).acquire()
        waiting = self.client.lock("resource", sleep=0.01, blocking_timeout=0.1)
        self.assertFalse(waiting.acquire())

    def test_forgotten_scripts_come_back(self):
        lock = self.client.lock("resource", timeout=100)
        lock.acquire()
        self.client.script_flush()
        lock.extend(1)
        self.client.script_flush()
        lock.release()

    def test_protocols(self):
        for protocol in (2, 3):
            for decodes in (False, True):
                with self.subTest(protocol=protocol, decodes=decodes):
                    one = client(protocol=protocol, decode_responses=decodes)
                    with Lock(one, f"r{protocol}{decodes}", timeout=10) as lock:
                        self.assertTrue(lock.owned())
                    one.close()

    def test_many_threads_count(self):
        def work():
            mine = client()
            for _ in range(20):
                with mine.lock("guard", timeout=20, sleep=0.001):
                    # Without the lock these two would lose counts.
                    count = int(mine.get("n") or 0)
                    mine.set("n", count + 1)
            mine.close()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.client.get("n"), b"160")
        self.assertFalse(self.client.exists("guard"))


class Tasks(unittest.IsolatedAsyncioTestCase):
    async def test_many_tasks_count(self):
        mine = redis.asyncio.Redis(port=SERVERS[0].port)
        await mine.flushall()

        async def work():
            for _ in range(10):
                async with mine.lock("guard", timeout=20, sleep=0.001):
                    count = int(await mine.get("n") or 0)
                    await mine.set("n", count + 1)

        await asyncio.gather(*(work() for _ in range(10)))
        self.assertEqual(await mine.get("n"), b"100")
        await mine.aclose()
