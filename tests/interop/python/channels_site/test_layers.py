"""Both layers of channels_redis: lists with scripts over them, and pub/sub."""

import asyncio
import time
import unittest

import redis
from channels.exceptions import ChannelFull
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer

from . import SERVERS, HOSTS

PATIENCE = 20


async def receive(layer, channel: str) -> dict:
    return await asyncio.wait_for(layer.receive(channel), PATIENCE)


class Shared:
    """What holds for both."""

    kind: type
    options: dict = {}
    hosts = HOSTS[:1]

    def layer(self, **options):
        made = self.kind(hosts=self.hosts, **{**self.options, **options})
        self.layers.append(made)
        return made

    async def asyncSetUp(self):
        self.layers = []
        for server in SERVERS:
            with redis.Redis(port=server.port) as client:
                client.flushall()

    async def asyncTearDown(self):
        for layer in self.layers:
            await layer.flush()

    async def nothing_comes(self, layer, channel: str):
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(layer.receive(channel), 0.2)

    async def test_a_message(self):
        sender, layer = self.layer(), self.layer()
        channel = await layer.new_channel()
        message = {"type": "chat", "text": "naïve ✓", "n": 1, "list": [1, [2]], "bytes": b"\x00"}
        await sender.send(channel, message)
        self.assertEqual(await receive(layer, channel), message)
        await self.nothing_comes(layer, channel)

    async def test_many_in_order(self):
        layer = self.layer(capacity=500)
        channel = await layer.new_channel()
        for number in range(200):
            await layer.send(channel, {"n": number})
        got = [(await receive(layer, channel))["n"] for _ in range(200)]
        self.assertEqual(got, list(range(200)))

    async def test_several_that_wait(self):
        layer, sender = self.layer(), self.layer()
        channels = [await layer.new_channel() for _ in range(20)]
        waiting = [asyncio.create_task(receive(layer, channel)) for channel in channels]
        await asyncio.sleep(0)
        for number, channel in enumerate(channels):
            await sender.send(channel, {"n": number})
        self.assertEqual([(await one)["n"] for one in waiting], list(range(20)))

    async def test_groups(self):
        layer, other = self.layer(), self.layer()
        members = [(one, await one.new_channel()) for one in [layer, other] * 10]
        stranger = await layer.new_channel()
        for one, channel in members:
            await one.group_add("room", channel)
        await layer.group_send("room", {"type": "hello"})
        for one, channel in members:
            self.assertEqual(await receive(one, channel), {"type": "hello"})
        await self.nothing_comes(layer, stranger)
        one, gone = members[3]
        await one.group_discard("room", gone)
        await other.group_send("room", {"type": "again"})
        for place, (one, channel) in enumerate(members):
            if place != 3:
                self.assertEqual((await receive(one, channel))["type"], "again")
        await self.nothing_comes(one, gone)

    async def test_a_crowd_talks(self):
        layer = self.layer(capacity=1000)
        channels = [await layer.new_channel() for _ in range(10)]
        for channel in channels:
            await layer.group_add("room", channel)
        await asyncio.gather(*(layer.group_send("room", {"n": n}) for n in range(50)))
        for channel in channels:
            got = {(await receive(layer, channel))["n"] for _ in range(50)}
            self.assertEqual(got, set(range(50)))


class Lists(Shared, unittest.IsolatedAsyncioTestCase):
    kind = RedisChannelLayer

    async def test_a_channel_that_is_full(self):
        layer = self.layer(capacity=3)
        channel = await layer.new_channel()
        for number in range(3):
            await layer.send(channel, {"n": number})
        with self.assertRaises(ChannelFull):
            await layer.send(channel, {"n": 3})
        # A group goes on without those who are full.
        free = self.layer(capacity=3)
        other = await free.new_channel()
        for one in [channel, other]:
            await layer.group_add("room", one)
        await layer.group_send("room", {"n": 4})
        self.assertEqual(await receive(free, other), {"n": 4})
        self.assertEqual([(await receive(layer, channel))["n"] for _ in range(3)], [0, 1, 2])

    async def test_what_is_too_old(self):
        layer = self.layer(expiry=1, group_expiry=1)
        channel = await layer.new_channel()
        await layer.group_add("room", channel)
        await layer.send(channel, {"n": 1})
        await asyncio.sleep(1.2)
        await self.nothing_comes(layer, channel)
        await layer.group_send("room", {"n": 2})
        await self.nothing_comes(layer, channel)

    async def test_a_receiver_that_gives_up_loses_nothing(self):
        layer = self.layer()
        for number in range(20):
            waiting = asyncio.create_task(layer.receive("work"))
            await asyncio.sleep(0.002)
            sending = asyncio.create_task(layer.send("work", {"n": number}))
            await asyncio.sleep(0)
            waiting.cancel()
            await sending
            [outcome] = await asyncio.gather(waiting, return_exceptions=True)
            if isinstance(outcome, asyncio.CancelledError):
                outcome = await receive(layer, "work")
            self.assertEqual(outcome, {"n": number})

    async def test_everything_goes(self):
        layer = self.layer()
        for number in range(50):
            await layer.send(f"channel{number}", {})
            await layer.group_add("room", f"channel{number}")
        await layer.flush()
        with redis.Redis(port=SERVERS[0].port) as client:
            self.assertEqual(client.keys("asgi*"), [])


class ListsOnTwoServers(unittest.IsolatedAsyncioTestCase):
    """Each channel and each group has its server."""

    async def test_groups(self):
        sender, layer = (RedisChannelLayer(hosts=HOSTS) for _ in range(2))
        await sender.flush()
        channel = await layer.new_channel()
        for number in range(20):
            await layer.group_add(f"room{number}", channel)
        counts = []
        for server in SERVERS:
            with redis.Redis(port=server.port) as client:
                counts.append(len(client.keys("asgi:group:*")))
        self.assertEqual(sum(counts), 20)
        self.assertNotIn(0, counts)
        for number in range(20):
            await sender.group_send(f"room{number}", {"n": number})
        got = [(await receive(layer, channel))["n"] for _ in range(20)]
        self.assertEqual(sorted(got), list(range(20)))
        await layer.flush()
        await sender.close_pools()


class JsonLists(Shared, unittest.IsolatedAsyncioTestCase):
    kind = RedisChannelLayer
    options = {"serializer_format": "json"}

    async def test_a_message(self):
        layer = self.layer()
        await layer.send("work", {"type": "chat", "text": "✓", "none": None})
        self.assertEqual((await receive(layer, "work"))["text"], "✓")


class PubSub(Shared, unittest.IsolatedAsyncioTestCase):
    kind = RedisPubSubChannelLayer

    async def test_a_channel_that_is_full(self):
        # Nobody waits for it: what comes beyond its capacity is dropped.
        layer = self.layer(capacity=2)
        channel = await layer.new_channel()
        for number in range(5):
            await layer.send(channel, {"n": number})
        await asyncio.sleep(0.3)
        self.assertEqual((await receive(layer, channel))["n"], 0)
        self.assertEqual((await receive(layer, channel))["n"], 1)

    async def subscribed(self, counts: list[int]):
        """Waits until the servers have so many subscriptions: nobody waits for their confirmations."""
        clients = [redis.Redis(port=server.port) for server in SERVERS]
        deadline = time.monotonic() + PATIENCE
        while counts != (seen := [len(client.pubsub_channels("asgi*")) for client in clients]):
            if deadline < time.monotonic():
                self.fail(f"{seen} subscriptions, not {counts}")
            await asyncio.sleep(0.01)
        for client in clients:
            client.close()

    async def test_subscriptions_end(self):
        layer = self.layer()
        await self.subscribed([0, 0])
        channel = await layer.new_channel()
        await layer.group_add("room", channel)
        await self.subscribed([2, 0])
        await layer.group_discard("room", channel)
        await self.subscribed([1, 0])
        await layer.flush()
        await self.subscribed([0, 0])


class PubSubOnTwoServers(Shared, unittest.IsolatedAsyncioTestCase):
    kind = RedisPubSubChannelLayer
    hosts = HOSTS
