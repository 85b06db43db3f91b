"""Tasks, results, retries, priorities, groups and chords, workers that are killed."""

import time
import unittest

from celery import chain, chord, group
from celery.exceptions import TimeoutError as NoResult
from celery.result import AsyncResult

from processes import until

from . import CLIENT, SERVER, Worker
from .tasks import (
    VISIBILITY_TIMEOUT,
    add,
    app,
    begin_and_wait,
    echo,
    fail,
    fail_at_first,
    never,
    note,
    total,
)

TIMEOUT = 60


class WithWorker(unittest.TestCase):
    """One worker for all tests."""

    @classmethod
    def setUpClass(cls):
        CLIENT.flushall()
        cls.worker = Worker("default").wait()

    @classmethod
    def tearDownClass(cls):
        cls.worker.stop()

    def test_a_result(self):
        result = add.delay(2, 3)
        self.assertEqual(result.get(timeout=TIMEOUT), 5)
        self.assertEqual((result.state, result.name), ("SUCCESS", "celery_site.tasks.add"))
        # Somebody else can ask, too.
        self.assertEqual(AsyncResult(result.id, app=app).get(timeout=TIMEOUT), 5)

    def test_results_of_all_kinds(self):
        for value in [None, True, -1.5, "text \u00e4\u4e16", [1, [2]], {"a": {"b": []}}, "x" * 1_000_000]:
            self.assertEqual(echo.delay(value).get(timeout=TIMEOUT), value)

    def test_many(self):
        results = group(add.s(number, 1) for number in range(200)).apply_async()
        self.assertEqual(results.get(timeout=TIMEOUT), [number + 1 for number in range(200)])

    def test_an_error_comes_back(self):
        result = fail.delay("no good")
        with self.assertRaisesRegex(ValueError, "no good"):
            result.get(timeout=TIMEOUT)
        self.assertEqual(result.state, "FAILURE")
        self.assertIn("ValueError", result.traceback)

    def test_countdown(self):
        begin = time.time()
        result = note.apply_async(["later"], countdown=1)
        self.assertGreaterEqual(result.get(timeout=TIMEOUT) - begin, 0.99)

    def test_a_deadline_that_has_passed(self):
        result = add.apply_async((1, 1), countdown=0.5, expires=0.1)
        until(lambda: result.state == "REVOKED", TIMEOUT)

    def test_retries(self):
        self.assertEqual(fail_at_first.delay(3).get(timeout=TIMEOUT), 3)
        CLIENT.delete("attempts")
        with self.assertRaises(ConnectionError):
            never.delay().get(timeout=TIMEOUT)
        self.assertEqual(CLIENT.get("attempts"), "4")

    def test_a_chain(self):
        result = chain(add.s(1, 2), add.s(10), add.s(100)).apply_async()
        self.assertEqual(result.get(timeout=TIMEOUT), 113)
        self.assertEqual(result.parent.get(timeout=TIMEOUT), 13)

    def test_a_chord(self):
        for size in [1, 2, 50]:
            result = chord((add.s(n, n) for n in range(size)), total.s()).apply_async()
            self.assertEqual(result.get(timeout=TIMEOUT), size * (size - 1))

    def test_a_chord_in_a_chain(self):
        result = (group(add.s(1, 1), add.s(2, 2)) | total.s() | add.s(100)).apply_async()
        self.assertEqual(result.get(timeout=TIMEOUT), 106)

    def test_a_chord_with_an_error(self):
        result = chord([add.s(1, 1), fail.s("broken")], total.s()).apply_async()
        with self.assertRaisesRegex(Exception, "broken"):
            result.get(timeout=TIMEOUT)

    def test_a_group_is_kept(self):
        results = group(add.s(number, 1) for number in range(3)).apply_async()
        results.save(backend=app.backend)
        found = app.GroupResult.restore(results.id)
        self.assertEqual(found.get(timeout=TIMEOUT), [1, 2, 3])
        found.delete(backend=app.backend)
        self.assertIsNone(app.GroupResult.restore(results.id))

    def test_results_expire_and_are_forgotten(self):
        result = add.delay(1, 1)
        result.get(timeout=TIMEOUT)
        key = app.backend.get_key_for_task(result.id)
        self.assertIn(app.backend.client.ttl(key), range(500, 601))
        result.forget()
        self.assertEqual(app.backend.client.exists(key), 0)

    def test_a_revoked_task(self):
        result = add.apply_async((1, 1), countdown=2)
        app.control.revoke(result.id, reply=True, timeout=10, destination=[self.worker.name])
        until(lambda: result.state == "REVOKED", TIMEOUT)

    def test_the_worker_is_asked(self):
        self.assertEqual(app.control.ping(timeout=2), [{self.worker.name: {"ok": "pong"}}])
        queues = app.control.inspect(timeout=10).active_queues()[self.worker.name]
        self.assertEqual([queue["name"] for queue in queues], ["default"])

    def test_nobody_waits_for_ever(self):
        result = add.apply_async((1, 1), queue="nobody")
        with self.assertRaises(NoResult):
            result.get(timeout=0.2)
        result.forget()
        with app.connection() as connection:
            self.assertEqual(connection.default_channel.queue_purge("nobody"), 1)


class Order(unittest.TestCase):
    def test_priorities(self):
        CLIENT.delete("notes")
        # All are there before anybody looks; 0 is the most urgent.
        for priority in [9, 3, 0, 6, 9, 0]:
            note.apply_async([f"{priority}"], priority=priority, queue="ordered")
        worker = Worker("ordered", concurrency=1, prefetch=1)
        self.addCleanup(worker.stop)
        until(lambda: CLIENT.llen("notes") == 6)
        self.assertEqual(CLIENT.lrange("notes", 0, -1), ["0", "0", "3", "6", "9", "9"])

    def test_a_queue_outlives_its_workers(self):
        results = [add.apply_async((number, 1), queue="later") for number in range(20)]
        self.assertEqual([result.state for result in results], ["PENDING"] * 20)
        worker = Worker("later").wait()
        self.addCleanup(worker.stop)
        self.assertEqual([result.get(timeout=TIMEOUT) for result in results], list(range(1, 21)))


class Trouble(unittest.TestCase):
    def test_a_killed_worker(self):
        CLIENT.delete("job:begun", "job:end")
        worker = Worker("fragile", concurrency=1).wait()
        self.addCleanup(worker.kill)
        result = begin_and_wait.apply_async(["job"], queue="fragile")
        until(lambda: CLIENT.llen("job:begun") == 1)
        worker.kill()
        self.assertNotEqual(result.state, "SUCCESS")
        # The message was not acknowledged in time, so the next worker gets it.
        with app.connection() as connection:
            broker = connection.default_channel.client
            ((_, taken),) = broker.zrange("unacked_index", 0, -1, withscores=True)
            until(lambda: taken + VISIBILITY_TIMEOUT + 0.5 < time.time())
        worker = Worker("fragile", concurrency=1).wait()
        self.addCleanup(worker.stop)
        until(lambda: CLIENT.llen("job:begun") == 2)
        CLIENT.rpush("job:end", "now")
        self.assertEqual(result.get(timeout=TIMEOUT), "job")
        with app.connection() as connection:
            broker = connection.default_channel.client
            until(lambda: not broker.exists("unacked", "unacked_index"))

    def test_a_worker_that_is_asked_to_end_finishes_first(self):
        CLIENT.delete("last:begun", "last:end")
        worker = Worker("warm", concurrency=1).wait()
        self.addCleanup(worker.kill)
        result = begin_and_wait.apply_async(["last"], queue="warm")
        until(lambda: CLIENT.llen("last:begun") == 1)
        worker.process.terminate()
        until(lambda: "Warm shutdown" in worker.output())
        CLIENT.rpush("last:end", "now")
        self.assertEqual(worker.process.wait(timeout=30), 0)
        self.assertEqual(result.get(timeout=TIMEOUT), "last")

    def test_a_server_that_comes_back(self):
        worker = Worker("again").wait()
        self.addCleanup(worker.stop)
        self.assertEqual(add.apply_async((1, 1), queue="again").get(timeout=TIMEOUT), 2)
        SERVER.stop()
        SERVER.start()
        result = add.apply_async((2, 2), queue="again")
        self.assertEqual(result.get(timeout=TIMEOUT), 4)
