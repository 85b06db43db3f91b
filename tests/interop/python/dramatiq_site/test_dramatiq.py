"""Messages, delays, retries, priorities, results, compositions, and rate limits."""

import threading
import time
import unittest

from dramatiq import Message, group, pipeline
from dramatiq.rate_limits import (
    Barrier,
    BucketRateLimiter,
    ConcurrentRateLimiter,
    WindowRateLimiter,
)
from dramatiq.results import ResultMissing

from processes import until

from . import CLIENT, Worker, actors
from .actors import BROKER, LIMITS


def notes() -> list[str]:
    return CLIENT.lrange("notes", 0, -1)


class WithWorker(unittest.TestCase):
    """One worker for all tests."""

    @classmethod
    def setUpClass(cls):
        CLIENT.flushall()
        cls.worker = Worker("default").wait()

    @classmethod
    def tearDownClass(cls):
        cls.worker.stop()

    def setUp(self):
        CLIENT.delete("notes")

    def test_a_result(self):
        self.assertEqual(actors.add.send(2, 3).get_result(block=True, timeout=20_000), 5)

    def test_many(self):
        for number in range(200):
            actors.note.send(str(number))
        until(lambda: CLIENT.llen("notes") == 200)
        self.assertEqual(sorted(notes(), key=int), [str(number) for number in range(200)])

    def test_later(self):
        begun = time.monotonic()
        actors.note.send_with_options(args=("late",), delay=600)
        actors.note.send_with_options(args=("later",), delay=900)
        actors.note.send("now")
        until(lambda: CLIENT.llen("notes") == 3)
        self.assertGreaterEqual(time.monotonic() - begun, 0.9)
        self.assertEqual(notes(), ["now", "late", "later"])

    def test_retries(self):
        message = actors.fail_at_first.send("attempts", 3)
        self.assertEqual(message.get_result(block=True, timeout=20_000), 4)

    def test_dead_letters(self):
        message = actors.fail.send("no good")
        until(lambda: CLIENT.hlen("dramatiq:default.XQ.msgs"))
        [data] = CLIENT.hvals("dramatiq:default.XQ.msgs")
        dead = Message.decode(data.encode())
        self.assertEqual(dead.message_id, message.message_id)
        self.assertIn("ValueError: no good", dead.options["traceback"])

    def test_one_after_the_other(self):
        work = pipeline([actors.add.message(1, 2), actors.add.message(10), actors.add.message(100)])
        self.assertEqual(work.run().get_result(block=True, timeout=20_000), 113)

    def test_side_by_side(self):
        work = group(actors.add.message(number, 1) for number in range(10))
        work.add_completion_callback(actors.note.message("all done"))
        results = work.run().get_results(block=True, timeout=20_000)
        self.assertEqual(list(results), list(range(1, 11)))
        until(lambda: notes() == ["all done"])

    def test_one_at_a_time(self):
        for _ in range(30):
            actors.alone.send()
        until(lambda: CLIENT.llen("seen inside") == 30)
        self.assertEqual(set(CLIENT.lrange("seen inside", 0, -1)), {"1"})


class WithoutWorker(unittest.TestCase):
    def setUp(self):
        CLIENT.flushall()

    def test_priorities(self):
        for number in range(3):
            actors.last.send(f"last {number}")
        for number in range(3):
            actors.first.send(f"first {number}")
        # One thread takes what it has fetched by priority.
        worker = Worker("urgent", threads=1).wait()
        until(lambda: CLIENT.llen("order") == 6)
        worker.stop()
        order = CLIENT.lrange("order", 0, -1)
        self.assertEqual(sorted(order), sorted(f"{w} {n}" for w in ("first", "last") for n in "012"))

    def test_a_worker_that_dies(self):
        actors.wait_for_the_end.send()
        worker = Worker("slow").wait()
        until(lambda: CLIENT.llen("begun") == 1)
        until(lambda: CLIENT.info("clients")["blocked_clients"] == 1)
        worker.kill()
        until(lambda: CLIENT.info("clients")["blocked_clients"] == 0)
        # Its message is taken from it once its heartbeat is old.
        [acks] = CLIENT.keys("dramatiq:__acks__.*")
        self.assertEqual(CLIENT.scard(acks), 1)
        for name in CLIENT.zrange("dramatiq:__heartbeats__", 0, -1):
            CLIENT.zadd("dramatiq:__heartbeats__", {name: 1})
        chance, BROKER.maintenance_chance = BROKER.maintenance_chance, 1_000_000
        try:
            until(lambda: BROKER.do_qsize("slow") and not CLIENT.exists(acks))
        finally:
            BROKER.maintenance_chance = chance
        CLIENT.rpush("end", "now")
        other = Worker("slow").wait()
        until(lambda: notes() == ["ended"])
        other.stop()

    def test_a_queue_is_emptied(self):
        for number in range(20):
            actors.note.send(str(number))
        self.assertEqual(BROKER.do_qsize("default"), 20)
        BROKER.flush("default")
        self.assertEqual(BROKER.do_qsize("default"), 0)

    def test_no_result_yet(self):
        message = actors.add.send(1, 1)
        with self.assertRaises(ResultMissing):
            message.get_result()


class Limits(unittest.TestCase):
    """The limiters alone, by many threads."""

    def setUp(self):
        CLIENT.flushall()

    def passed(self, limiter, tries: int) -> int:
        count = 0
        for _ in range(tries):
            with limiter.acquire(raise_on_failure=False) as is_in:
                count += is_in
        return count

    def test_a_bucket(self):
        limiter = BucketRateLimiter(LIMITS, "bucket", limit=5, bucket=3_600_000)
        self.assertEqual(self.passed(limiter, 20), 5)

    def test_a_window(self):
        limiter = WindowRateLimiter(LIMITS, "window", limit=5, window=60)
        self.assertEqual(self.passed(limiter, 20), 5)
        [key] = CLIENT.keys("window@*")
        self.assertIn(CLIENT.pttl(key), range(50_000, 60_001))

    def test_at_the_same_time(self):
        limiter = ConcurrentRateLimiter(LIMITS, "same", limit=3)
        inside, most, lock = 0, 0, threading.Lock()

        def work():
            nonlocal inside, most
            for _ in range(30):
                with limiter.acquire(raise_on_failure=False) as is_in:
                    if is_in:
                        with lock:
                            inside += 1
                            most = max(most, inside)
                        with lock:
                            inside -= 1

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertIn(most, (1, 2, 3))
        self.assertEqual(CLIENT.get("same"), "0")

    def test_a_barrier(self):
        barrier = Barrier(LIMITS, "barrier")
        self.assertTrue(barrier.create(parties=3))
        self.assertFalse(barrier.create(parties=3))
        passed = []
        wait = lambda: passed.append(barrier.wait(timeout=20_000))
        threads = [threading.Thread(target=wait) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(passed, [True] * 3)
