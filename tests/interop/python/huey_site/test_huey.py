"""Results, schedules, retries, priorities, locks, limits, and what is revoked."""

import datetime
import time
import unittest

from huey import group
from huey.exceptions import RateLimitExceeded, TaskException, TaskLockedException

from processes import until

from . import CLIENT, Consumer, tasks
from .tasks import PLAIN, URGENT

PATIENCE = 20


def result(handle):
    return handle.get(blocking=True, timeout=PATIENCE)


class WithConsumer(unittest.TestCase):
    """One consumer for all tests."""

    @classmethod
    def setUpClass(cls):
        CLIENT.flushall()
        cls.consumer = Consumer("PLAIN").wait()

    @classmethod
    def tearDownClass(cls):
        cls.consumer.stop()

    def setUp(self):
        CLIENT.delete("notes", "attempts")

    def test_a_result(self):
        handle = tasks.add(2, 3)
        self.assertEqual(result(handle), 5)
        # It was taken.
        self.assertEqual(PLAIN.result_count(), 0)

    def test_many(self):
        handles = tasks.add.map((number, 1) for number in range(100))
        numbers = handles.get(blocking=True, timeout=PATIENCE)
        self.assertEqual(numbers, list(range(1, 101)))

    def test_later(self):
        begun = time.monotonic()
        # Times of schedules are in whole seconds.
        tasks.note.schedule(("later",), delay=2)
        tasks.note.schedule(("earlier",), eta=datetime.datetime.now())
        tasks.note("now")
        gone = tasks.note.schedule(("never",), delay=1)
        gone.revoke()
        until(lambda: CLIENT.llen("notes") == 3)
        self.assertGreaterEqual(time.monotonic() - begun, 1)
        self.assertEqual(CLIENT.lrange("notes", -1, -1), ["later"])
        until(lambda: PLAIN.scheduled_count() == 0)
        self.assertNotIn("never", CLIENT.lrange("notes", 0, -1))

    def test_retries(self):
        # The results of attempts that failed come first.
        handle = tasks.fail_at_first("attempts", 2)
        until(lambda: CLIENT.get("attempts") == "3")

        def finished():
            try:
                return handle.get()
            except TaskException:
                handle.reset()
                return None

        self.assertEqual(until(finished), 3)

    def test_what_fails_for_good(self):
        handle = tasks.fail_at_first("attempts", 100)
        with self.assertRaises(TaskException) as raised:
            result(handle)
        self.assertIn("ValueError", raised.exception.metadata["error"])
        until(lambda: CLIENT.get("attempts") == "4")

    def test_one_after_the_other(self):
        pipeline = tasks.add.s(1, 2).then(tasks.add, 10).then(tasks.add, 100)
        handles = PLAIN.enqueue(pipeline)
        self.assertEqual(handles.get(blocking=True, timeout=PATIENCE), [3, 13, 113])

    def test_side_by_side(self):
        work = group([tasks.add.s(number, 1) for number in range(10)]).then(tasks.total)
        handle = PLAIN.enqueue(work)
        self.assertEqual(result(handle.callback), sum(range(1, 11)))

    def test_one_at_a_time(self):
        handles = [tasks.alone() for _ in range(20)]
        counts, locked = [], 0
        for handle in handles:
            try:
                counts.append(result(handle))
            except TaskException:
                locked += 1
        self.assertEqual(set(counts), {1})
        self.assertEqual(len(counts) + locked, 20)
        self.assertFalse(PLAIN.is_locked("alone"))


class WithoutConsumer(unittest.TestCase):
    def setUp(self):
        CLIENT.flushall()

    def test_priorities(self):
        for text, priority in [("low", 1), ("high", 9), ("none", None), ("high too", 9)]:
            tasks.order(text, priority=priority)
        self.assertEqual(URGENT.pending_count(), 4)
        consumer = Consumer("URGENT", workers=1).wait()
        until(lambda: CLIENT.llen("order") == 4)
        consumer.stop()
        self.assertEqual(CLIENT.lrange("order", 0, -1), ["high", "high too", "low", "none"])

    def test_results_that_pass(self):
        handle = tasks.passing("text")
        consumer = Consumer("PASSING", workers=1).wait()
        until(handle.is_ready)
        [key] = CLIENT.keys("huey.r.passing*")
        self.assertIn(CLIENT.ttl(key), range(1, 101))
        self.assertEqual(handle.get(), "text")
        consumer.stop()

    def test_what_waits(self):
        handles = [tasks.note(str(number)) for number in range(5)]
        self.assertEqual(len(PLAIN.pending()), 5)
        self.assertEqual(PLAIN.pending(limit=1)[0].id, handles[0].id)
        PLAIN.storage.flush_queue()
        self.assertEqual(PLAIN.pending_count(), 0)

    def test_locks_that_run_out(self):
        with PLAIN.lock_task("short", ttl=1) as lock:
            self.assertTrue(lock.is_locked())
            with self.assertRaises(TaskLockedException):
                PLAIN.lock_task("short").acquire()
            until(lambda: not lock.is_locked())
            self.assertTrue(PLAIN.lock_task("short").acquire())

    def test_a_rate_limit(self):
        passed = 0
        limit = PLAIN.rate_limit("limit", limit=3, per=86_400)
        for _ in range(10):
            try:
                with limit:
                    passed += 1
            except RateLimitExceeded:
                pass
        self.assertEqual(passed, 3)

    def test_revoked_and_restored(self):
        tasks.note.revoke()
        self.assertTrue(tasks.note.is_revoked())
        tasks.note.restore()
        self.assertFalse(tasks.note.is_revoked())
