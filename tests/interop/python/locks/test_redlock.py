"""Redlock over five servers: a majority decides, and a minority may be away."""

import asyncio
import threading
import time
import unittest

import redis.asyncio
from pottery import (
    AIORedlock,
    NextID,
    QuorumIsImpossible,
    Redlock,
    ReleaseUnlockedLock,
    synchronize,
)
from redlock import MultipleRedlockException
from redlock import Redlock as RedlockPy

from . import NO_RETRY, SERVERS, clients


class Pottery(unittest.TestCase):
    def setUp(self):
        self.masters = set(clients(socket_timeout=5))

    def tearDown(self):
        for master in self.masters:
            master.close()

    def lock(self, **options) -> Redlock:
        return Redlock(key="resource", masters=self.masters, auto_release_time=10, **options)

    def test_one_at_a_time(self):
        first, second = self.lock(), self.lock()
        self.assertTrue(first.acquire())
        self.assertGreater(first.locked(), 5)
        self.assertFalse(second.acquire(blocking=False))
        self.assertEqual(second.locked(), 0)
        first.extend()
        with self.assertRaises(ReleaseUnlockedLock):
            second.release()
        first.release()
        self.assertTrue(second.acquire(blocking=False))
        second.release()

    def test_it_runs_out(self):
        first = Redlock(key="resource", masters=self.masters, auto_release_time=0.2)
        self.assertTrue(first.acquire())
        self.assertTrue(self.lock().acquire(timeout=5))
        self.assertEqual(first.locked(), 0)

    def test_a_minority_may_be_away(self):
        for server in SERVERS[:2]:
            server.stop()
        lock = self.lock()
        self.assertTrue(lock.acquire())
        self.assertFalse(self.lock().acquire(blocking=False))
        lock.release()

    def test_a_majority_may_not(self):
        lock = self.lock(raise_on_redis_errors=True)
        for server in SERVERS[:3]:
            server.stop()
        with self.assertRaises(QuorumIsImpossible):
            lock.acquire(blocking=False)

    def test_many_threads_count(self):
        done = []

        @synchronize(key="count", masters=self.masters, auto_release_time=20)
        def work():
            count = len(done)
            time.sleep(0.002)
            done.append(count)

        threads = [threading.Thread(target=lambda: [work() for _ in range(2)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(done, list(range(8)))

    def test_ids_that_grow(self):
        ids = NextID(key="ids", masters=self.masters)
        seen = [next(ids) for _ in range(10)]
        self.assertEqual(seen, sorted(set(seen)))


class Tasks(unittest.IsolatedAsyncioTestCase):
    async def test_one_at_a_time(self):
        for one in clients():
            one.close()
        masters = {redis.asyncio.Redis(port=server.port) for server in SERVERS}

        def lock() -> AIORedlock:
            return AIORedlock(key="resource", masters=masters, auto_release_time=10)

        first = lock()
        self.assertTrue(await first.acquire())
        self.assertFalse(await lock().acquire(blocking=False))
        await first.extend()
        waiting = asyncio.create_task(lock().acquire(timeout=10))
        await first.release()
        self.assertTrue(await waiting)
        for master in masters:
            await master.aclose()


class RedlockPackage(unittest.TestCase):
    """redlock-py, which evaluates its script anew each time."""

    def setUp(self):
        self.clients = clients()
        places = [{"port": server.port, "retry": NO_RETRY} for server in SERVERS]
        self.manager = RedlockPy(places, retry_count=2, retry_delay=0.05)

    def tearDown(self):
        for one in [*self.clients, *self.manager.servers]:
            one.close()

    def test_one_at_a_time(self):
        lock = self.manager.lock("resource", 10_000)
        self.assertGreater(lock.validity, 5000)
        self.assertFalse(self.manager.lock("resource", 10_000))
        # The lock of somebody else stays.
        self.manager.unlock(lock._replace(key=b"another"))
        self.assertFalse(self.manager.lock("resource", 10_000))
        self.manager.unlock(lock)
        self.assertTrue(self.manager.lock("resource", 10_000))

    def test_servers_that_are_away(self):
        SERVERS[0].stop()
        # It has its majority, and says who was missing.
        with self.assertRaises(MultipleRedlockException):
            self.manager.lock("resource", 10_000)
        self.assertEqual(len({one.get("resource") for one in self.clients[1:]}), 1)
