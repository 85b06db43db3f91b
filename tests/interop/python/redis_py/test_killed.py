"""A server that is killed while clients write: what is there when it is started again."""

import os
import shutil
import threading
import time
import unittest

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from processes import until
from server import Server

FIELDS = 7
WRITERS = 4
# Of each writer, before the server is killed.
STEPS_MIN = 10
KEYS = 10_000
# What a process may keep to itself before it hands it to the system, but under `always`. The two seconds that
# may be lost besides are the machine's, and that goes on.
UNWRITTEN = 0.5
# How a server lives until it is killed: what it is doing then, by the field of INFO that says so.
REWRITING, SAVING = ("bgrewriteaof", "aof_rewrite_in_progress"), ("bgsave", "rdb_bgsave_in_progress")
LIVES = (REWRITING, SAVING, REWRITING)


def connect(server, **options):
    # Nothing is sent twice: what fails is not there, or is there without a reply.
    return redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0), socket_timeout=20, **options)


class Writer(threading.Thread):
    """Takes numbered steps until the server is gone, and notes when each was sent and replied to."""

    def __init__(self, server, name, is_transaction, protocol):
        super().__init__(daemon=True)
        self.client = connect(server, protocol=protocol)
        self.name = name
        self.is_transaction = is_transaction
        self.sent = []
        self.replied = []
        self.problem = None

    def run(self):
        try:
            while True:
                self.sent.append(time.monotonic())
                self.step(len(self.sent))
                self.replied.append(time.monotonic())
        except redis.ConnectionError:
            pass
        except Exception as error:
            self.problem = error

    def step(self, number):
        if self.is_transaction:
            with self.client.pipeline() as pipeline:
                self.parts(pipeline, number)
                pipeline.mset({f"{self.name}:one": number, f"{self.name}:two": number})
                pipeline.execute()
            return
        self.parts(self.client, number)
        with self.client.pipeline() as pipeline:
            pipeline.set(f"{self.name}:one", number)
            pipeline.set(f"{self.name}:two", number)
            pipeline.execute()

    def parts(self, client, number):
        client.incr(f"{self.name}:counter")
        client.rpush(f"{self.name}:list", number)
        client.hset(f"{self.name}:hash", number % FIELDS, number)


class Killed(unittest.TestCase):
    """One folder for each policy, on which one server after the other lives."""

    def found(self, client, name):
        """How many steps have left their parts, in the order of the parts; each part is whole in itself."""
        items = [int(item) for item in client.lrange(f"{name}:list", 0, -1)]
        self.assertEqual(items, list(range(1, len(items) + 1)), name)
        fields = {int(field): int(number) for field, number in client.hgetall(f"{name}:hash").items()}
        newest = max(fields.values(), default=0)
        expected = range(max(1, newest - FIELDS + 1), newest + 1)
        self.assertEqual(fields, {number % FIELDS: number for number in expected}, name)
        one, two = client.mget(f"{name}:one", f"{name}:two")
        self.assertEqual(one, two, f"{name}: half a transaction")
        return int(client.get(f"{name}:counter") or 0), len(items), newest, int(one or 0)

    def check_moment(self, writer, found):
        """What was found is what was there once."""
        about = f"{writer.name}: {found} of {len(writer.sent)}"
        self.assertEqual(sorted(found, reverse=True), list(found), about)
        self.assertLessEqual(found[0], found[-1] + (0 if writer.is_transaction else 1), about)
        self.assertLessEqual(found[0], len(writer.sent), about)

    def check_kept(self, writers, found, killed, policy):
        """Nothing is missing that was promised, and nothing from the middle."""
        taken = [writer.sent[counts[0] - 1] for writer, counts in zip(writers, found) if counts[0]]
        newest = max(taken, default=0)
        for writer, counts in zip(writers, found):
            self.check_moment(writer, counts)
            whole = counts[-1]
            # What was replied to before something that is there was sent is there too.
            before = sum(replied < newest for replied in writer.replied)
            self.assertLessEqual(before, whole, f"{writer.name}: something in the middle is missing")
            end = killed if policy == "always" else killed - UNWRITTEN
            due = sum(replied <= end for replied in writer.replied)
            self.assertLessEqual(due, whole, f"{writer.name}: of {len(writer.replied)} steps with replies")

    def begin(self, client, task, field):
        """Has the server begin something long, and sees it going on."""

        def is_seen():
            try:
                getattr(client, task)()
            except redis.ResponseError as error:
                # The one before is at its end.
                self.assertIn("already in progress", str(error))
            return client.info("persistence")[field]

        until(is_seen)

    def live(self, server, number, life, policy):
        """Clients write to a server until it is killed. Returns them, and when that was."""
        client = connect(server)
        client.save()
        writers = [Writer(server, f"{number}:{writer}", writer % 2 == 1, 2 + writer // 2) for writer in range(WRITERS)]
        for writer in writers:
            writer.start()
        time.sleep(0.1 if policy == "always" else UNWRITTEN + 0.1)
        until(lambda: all(STEPS_MIN <= len(writer.replied) or writer.problem for writer in writers))
        self.begin(client, *life)
        # What is replied to later was perhaps not in time.
        killed = time.monotonic()
        server.process.kill()
        server.process.wait()
        for writer in writers:
            writer.join(20)
            self.assertFalse(writer.is_alive())
            self.assertIsNone(writer.problem)
        return writers, killed

    def check_snapshot(self, folder, settled, writers):
        """The snapshot that was being replaced is whole: that before, or the next."""
        other = Server("--appendonly", "no")
        self.addCleanup(other.close)
        other.stop()
        shutil.copy(os.path.join(folder, "dump.rdb"), other.folder)
        other.start()
        client = connect(other)
        self.assertGreaterEqual(client.dbsize(), KEYS)
        for name, counts in settled.items():
            self.assertEqual(self.found(client, name), counts, name)
        for writer in writers:
            self.check_moment(writer, self.found(client, writer.name))
        other.close()

    def check(self, policy):
        server = Server("--appendonly", "yes", "--appendfsync", policy)
        self.addCleanup(server.close)
        pipeline = connect(server).pipeline(transaction=False)
        for key in range(KEYS):
            pipeline.set(f"key:{key}", f"{key} " * 20)
        pipeline.execute()
        settled = {}
        for number, life in enumerate(LIVES):
            writers, killed = self.live(server, number, life, policy)
            if life is SAVING:
                self.check_snapshot(server.folder, settled, writers)
            server.start()
            client = connect(server)
            # What the lives before have left was read from the file, so it stays.
            for name, counts in settled.items():
                self.assertEqual(self.found(client, name), counts, f"{name} has changed")
            found = [self.found(client, writer.name) for writer in writers]
            self.check_kept(writers, found, killed, policy)
            settled.update((writer.name, counts) for writer, counts in zip(writers, found))
            self.assertEqual(client.get("key:77"), b"77 " * 20)
            self.assertEqual(sum(1 for _ in client.scan_iter("key:*", 5000)), KEYS)

    def test_always(self):
        self.check("always")

    def test_everysec(self):
        self.check("everysec")

    def test_no(self):
        self.check("no")
