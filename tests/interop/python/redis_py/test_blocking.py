"""Blocking calls by many clients at once: queues as workers use them."""

import random
import threading
import time
import unittest

import redis

from . import OPTIONS, SERVER, fresh

JOBS = 600
WORKERS = 8
PRODUCERS = 3


def blocked(client, count):
    """Waits until so many clients are blocked."""
    deadline = time.monotonic() + 20
    while client.info("clients")["blocked_clients"] != count:
        if deadline < time.monotonic():
            raise AssertionError(f"{count} clients were to be blocked")
        time.sleep(0.002)


def start(*bodies):
    threads = [threading.Thread(target=body, daemon=True) for body in bodies]
    for thread in threads:
        thread.start()
    return threads


class Blocking(unittest.TestCase):
    def setUp(self):
        self.client = fresh()

    def tearDown(self):
        self.client.close()

    def join(self, threads):
        for thread in threads:
            thread.join(30)
            self.assertFalse(thread.is_alive())

    def test_every_job_is_done_once(self):
        """Workers on many queues, as Celery's: short timeouts, jobs from everywhere."""
        queues = [f"queue{number}" for number in range(60)]
        done, lock = [], threading.Lock()

        def produce(number):
            client, choose = redis.Redis(**OPTIONS), random.Random(number)
            for job in range(JOBS):
                client.lpush(choose.choice(queues), f"{number}:{job}")
            client.close()

        def work(number):
            client, choose = redis.Redis(**OPTIONS), random.Random(100 + number)
            while True:
                order = choose.sample(queues, len(queues))
                job = client.brpop(order, timeout=choose.choice([0.01, 0.1, 1]))
                with lock:
                    if job is not None:
                        done.append(job[1])
                    if len(done) == JOBS * PRODUCERS:
                        break
            client.close()

        threads = start(*[lambda n=n: produce(n) for n in range(PRODUCERS)])
        threads += start(*[lambda n=n: work(n) for n in range(WORKERS)])
        self.join(threads)
        self.assertEqual(len(set(done)), JOBS * PRODUCERS)
        blocked(self.client, 0)

    def test_jobs_come_in_the_order_of_arrival(self):
        received, threads = [], []

        def work(number):
            client = redis.Redis(**OPTIONS)
            received.append((number, client.blpop("jobs")[1]))
            client.close()

        for number in range(5):
            threads += start(lambda n=number: work(n))
            blocked(self.client, number + 1)
        self.client.rpush("jobs", *range(5))
        self.join(threads)
        self.assertEqual(sorted(received), [(n, str(n).encode()) for n in range(5)])

    def test_many_waiters_of_every_kind(self):
        """Dozens of threads wait in all ways for lists, sorted sets and streams that they share."""
        lists, sets = ([f"{kind}{n}" for n in range(4)] for kind in ("list", "set"))
        for number in range(4):
            self.client.xgroup_create(f"stream{number}", "group", mkstream=True)

        def of_stream(replies):
            """The only entry is (id, fields), inside of what the protocol adds."""
            entry = list(replies.values()) if isinstance(replies, dict) else replies[0][1]
            while not isinstance(entry, tuple):
                entry = entry[0]
            return entry[1][b"job"]

        # Each way to wait, and where the job is in its reply.
        ways = [
            (lambda client, _: client.blpop(lists, timeout=0.2), lambda reply: reply[1]),
            (lambda client, _: client.brpop(lists[::-1], timeout=0.2), lambda reply: reply[1]),
            (
                lambda client, _: client.blmpop(0.2, 4, *lists, direction="LEFT"),
                lambda reply: reply[1][0],
            ),
            (
                lambda client, n: client.blmove(lists[n % 4], f"kept{n}", 0.2, "RIGHT", "LEFT"),
                lambda reply: reply,
            ),
            (lambda client, _: client.bzpopmin(sets, timeout=0.2), lambda reply: reply[1]),
            (
                lambda client, _: client.bzmpop(0.2, 4, sets[::-1], max=True),
                lambda reply: reply[1][0][0],
            ),
            (
                lambda client, n: client.xreadgroup(
                    "group", f"consumer{n}", {f"stream{n % 4}": ">"}, count=1, block=200, noack=True
                ),
                of_stream,
            ),
        ]
        expected = {f"{n}:{job}".encode() for n in range(PRODUCERS) for job in range(JOBS)}
        done, lock = [], threading.Lock()

        def produce(number):
            client, choose = redis.Redis(**OPTIONS), random.Random(number)
            for job in range(JOBS):
                name, place = f"{number}:{job}", choose.randrange(4)
                match choose.randrange(3):
                    case 0:
                        client.rpush(lists[place], name)
                    case 1:
                        client.zadd(sets[place], {name: job})
                    case 2:
                        client.xadd(f"stream{place}", {"job": name})
            client.close()

        def work(number):
            client, (wait, job_of) = redis.Redis(**OPTIONS), ways[number % len(ways)]
            while True:
                reply = wait(client, number)
                with lock:
                    if reply:
                        done.append(job_of(reply))
                    if len(done) == len(expected):
                        break
            client.close()

        threads = start(*[lambda n=n: work(n) for n in range(8 * len(ways))])
        threads += start(*[lambda n=n: produce(n) for n in range(PRODUCERS)])
        self.join(threads)
        self.assertEqual(len(done), len(expected))
        self.assertEqual(set(done), expected)
        blocked(self.client, 0)

    def test_a_reliable_queue(self):
        """Each worker moves jobs to a list of its own, and takes them off when they are done."""
        finished = []

        def work(number):
            client, own = redis.Redis(**OPTIONS), f"own{number}"
            while (job := client.blmove("jobs", own, 0, "LEFT", "RIGHT")) != b"stop":
                finished.append(job)
                assert client.lrem(own, 1, job) == 1
            client.close()

        threads = start(*[lambda n=n: work(n) for n in range(WORKERS)])
        for job in range(JOBS):
            self.client.rpush("jobs", job)
        self.client.rpush("jobs", *["stop"] * WORKERS)
        self.join(threads)
        self.assertEqual(sorted(map(int, finished)), list(range(JOBS)))
        self.assertEqual(self.client.llen("jobs"), 0)

    def test_nothing_is_lost_with_a_worker(self):
        """A worker that goes while it waits takes no job with it."""
        for _ in range(20):
            gone = redis.Redis(**OPTIONS)
            connection = gone.connection_pool.get_connection("BLPOP")
            connection.send_command("BLPOP", "jobs", 0)
            blocked(self.client, 1)
            connection.disconnect()
            blocked(self.client, 0)
            gone.close()
        self.client.rpush("jobs", "job")
        self.assertEqual(self.client.lpop("jobs"), b"job")

    def test_timeouts(self):
        started = time.monotonic()
        self.assertIsNone(self.client.blpop(["a", "b"], timeout=0.15))
        self.assertIsNone(self.client.brpoplpush("a", "b", timeout=0.1))
        passed = time.monotonic() - started
        self.assertGreaterEqual(passed, 0.25)
        self.assertLess(passed, 5)

    def test_others_unblock(self):
        results = []

        def wait():
            client = redis.Redis(**OPTIONS)
            results.append(client.blpop("never"))
            try:
                client.blpop("never")
            except redis.ResponseError as error:
                results.append(str(error))
            client.close()

        threads = start(wait)
        for with_error in [False, True]:
            blocked(self.client, 1)
            waiting = [c for c in self.client.client_list() if "b" in c["flags"]]
            self.assertTrue(self.client.client_unblock(waiting[0]["id"], error=with_error))
        self.join(threads)
        self.assertEqual(results, [None, "UNBLOCKED client unblocked via CLIENT UNBLOCK"])

    def test_a_pause_holds_pushes_and_no_timeouts(self):
        self.client.client_pause(300, all=False)
        other = redis.Redis(**OPTIONS)
        threads = start(lambda: other.rpush("jobs", "job"))
        self.assertIsNone(redis.Redis(**OPTIONS).blpop("other", timeout=0.4))
        self.join(threads)
        self.assertEqual(self.client.blpop("jobs", timeout=5), (b"jobs", b"job"))
        other.close()

    def test_the_server_stops_with_waiting_clients(self):
        threads = start(lambda: self.swallow(lambda: redis.Redis(**OPTIONS).blpop("never")))
        blocked(self.client, 1)
        SERVER.stop()
        self.join(threads)
        SERVER.start()

    def swallow(self, body):
        try:
            body()
        except redis.ConnectionError:
            pass


if __name__ == "__main__":
    unittest.main()
