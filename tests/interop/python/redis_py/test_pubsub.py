"""Messages: both protocols, both parsers, threads and asyncio."""

import asyncio
import threading
import unittest

import redis
import redis.asyncio

from . import OPTIONS, VERSION, fresh
from .test_sync import parsers

PATIENCE = 20


def take(pubsub, count):
    """The next messages, confirmations included, as (type, pattern, channel, data)."""
    taken = []
    while len(taken) < count:
        message = pubsub.get_message(timeout=PATIENCE)
        if message is None:
            raise AssertionError(f"only {taken} came")
        taken.append(tuple(message[part] for part in ("type", "pattern", "channel", "data")))
    return taken


class Sync(unittest.TestCase):
    def clients(self):
        for name, choice in parsers().items():
            # redis-py 5 prints pushes that it reads at the wrong moment, and waits for them for ever;
            # beside Redis 7.0 as well.
            if VERSION < (6, 0) and choice["protocol"] == 3:
                continue
            with self.subTest(name):
                pool = redis.ConnectionPool(
                    **OPTIONS, protocol=choice["protocol"], parser_class=choice["parser"]
                )
                yield redis.Redis(connection_pool=pool)
                pool.disconnect()

    def test_channels_and_patterns(self):
        for client in self.clients():
            with client.pubsub() as pubsub:
                pubsub.subscribe("news", "other")
                pubsub.psubscribe("n*")
                self.assertEqual(
                    take(pubsub, 3),
                    [
                        ("subscribe", None, b"news", 1),
                        ("subscribe", None, b"other", 2),
                        ("psubscribe", None, b"n*", 3),
                    ],
                )
                self.assertEqual(client.publish("news", "hello"), 2)
                self.assertEqual(
                    take(pubsub, 2),
                    [
                        ("message", None, b"news", b"hello"),
                        ("pmessage", b"n*", b"news", b"hello"),
                    ],
                )
                self.assertEqual(client.pubsub_numsub("news"), [(b"news", 1)])
                self.assertEqual(client.pubsub_numpat(), 1)
                self.assertEqual(set(client.pubsub_channels()), {b"news", b"other"})
                pubsub.unsubscribe()
                pubsub.punsubscribe()
                ends = take(pubsub, 3)
                self.assertEqual({end[0] for end in ends}, {"unsubscribe", "punsubscribe"})
                self.assertEqual(client.publish("news", "nobody"), 0)

    def test_shard_channels(self):
        for client in self.clients():
            with client.pubsub() as pubsub:
                if not hasattr(pubsub, "ssubscribe"):
                    self.skipTest("this version knows no shard channels")
                pubsub.ssubscribe("news")
                take(pubsub, 1)
                self.assertEqual(client.execute_command("SPUBLISH", "news", "x"), 1)
                self.assertEqual(take(pubsub, 1), [("smessage", None, b"news", b"x")])

    def test_health_checks_of_a_quiet_subscriber(self):
        for client in self.clients():
            with client.pubsub() as pubsub:
                pubsub.subscribe("news")
                take(pubsub, 1)
                pubsub.ping("still there?")
                self.assertEqual(take(pubsub, 1)[0][3], b"still there?")

    def test_many_messages_to_a_thread(self):
        for client in self.clients():
            received, done = [], threading.Event()

            def note(message):
                received.append(int(message["data"]))
                if len(received) == 200:
                    done.set()

            pubsub = client.pubsub()
            pubsub.subscribe(**{"numbers": note})
            thread = pubsub.run_in_thread(sleep_time=0.01, daemon=True)
            while client.pubsub_numsub("numbers")[0][1] == 0:
                pass
            with client.pipeline(transaction=False) as pipeline:
                for number in range(200):
                    pipeline.publish("numbers", number)
                self.assertEqual(pipeline.execute(), [1] * 200)
            self.assertTrue(done.wait(PATIENCE))
            self.assertEqual(received, list(range(200)))
            thread.stop()
            thread.join()

    def test_a_transaction_publishes_at_its_end(self):
        for client in self.clients():
            with client.pubsub() as pubsub:
                pubsub.subscribe("news")
                take(pubsub, 1)
                with client.pipeline() as pipeline:
                    pipeline.set("k", "v").publish("news", "set").get("k")
                    self.assertEqual(pipeline.execute(), [True, 1, b"v"])
                self.assertEqual(take(pubsub, 1)[0][3], b"set")


class Asyncio(unittest.IsolatedAsyncioTestCase):
    async def test_one_channel_to_many(self):
        for protocol in (2, 3):
            with self.subTest(protocol):
                fresh()
                client = redis.asyncio.Redis(**OPTIONS, protocol=protocol)
                subscribers = [client.pubsub() for _ in range(20)]
                for subscriber in subscribers:
                    await subscriber.subscribe("news")

                async def read(subscriber):
                    texts = []
                    async for message in subscriber.listen():
                        if message["type"] == "message":
                            texts.append(message["data"])
                        if len(texts) == 50:
                            return texts

                readers = [asyncio.create_task(read(one)) for one in subscribers]
                while (await client.pubsub_numsub("news"))[0][1] < 20:
                    pass
                for number in range(50):
                    self.assertEqual(await client.publish("news", number), 20)
                expected = [b"%d" % number for number in range(50)]
                for texts in await asyncio.wait_for(asyncio.gather(*readers), PATIENCE):
                    self.assertEqual(texts, expected)
                for subscriber in subscribers:
                    await subscriber.aclose()
                await client.aclose()
