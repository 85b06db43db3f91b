"""The asyncio client: both protocols, both parsers."""

import asyncio
import unittest

import redis
import redis._parsers as parsers
import redis.asyncio

from . import OPTIONS


class Tests:
    """What each of the classes below runs with its own protocol and parser."""

    protocol = 2
    parser = None

    async def asyncSetUp(self):
        self.pool = redis.asyncio.ConnectionPool(
            **OPTIONS, protocol=self.protocol, parser_class=self.parser
        )
        self.client = redis.asyncio.Redis(connection_pool=self.pool)
        await self.client.flushall()

    async def asyncTearDown(self):
        await self.client.aclose()
        await self.pool.disconnect()

    async def test_basics(self):
        client = self.client
        self.assertTrue(await client.set("k", "v", ex=100))
        self.assertEqual(await client.get("k"), b"v")
        self.assertEqual(await client.mget("k", "none"), [b"v", None])
        self.assertEqual(await client.incr("n"), 1)
        self.assertEqual({key async for key in client.scan_iter("*")}, {b"k", b"n"})
        with self.assertRaises(redis.ResponseError):
            await client.incr("k")

    async def test_many_at_once(self):
        await asyncio.gather(*(self.client.incr("n") for _ in range(50)))
        self.assertEqual(await self.client.get("n"), b"50")

    async def test_pipeline_and_watch(self):
        client = self.client
        async with client.pipeline(transaction=True) as pipe:
            self.assertEqual(await pipe.set("k", 1).incr("k").get("k").execute(), [True, 2, b"2"])

        async def increment(pipe):
            value = int(await pipe.get("k"))
            pipe.multi()
            pipe.set("k", value + 1)

        await asyncio.gather(*(client.transaction(increment, "k") for _ in range(10)))
        self.assertEqual(await client.get("k"), b"12")

    async def test_script_and_lock(self):
        client = self.client
        add = client.register_script("return redis.call('incrby', KEYS[1], ARGV[1])")
        self.assertEqual(await add(keys=["n"], args=[5]), 5)
        lock = client.lock("resource", timeout=100)
        self.assertTrue(await lock.acquire())
        self.assertTrue(await lock.extend(10))
        await lock.release()
        self.assertEqual(await client.exists("resource"), 0)


class Resp2(Tests, unittest.IsolatedAsyncioTestCase):
    parser = parsers._AsyncRESP2Parser


class Resp3(Tests, unittest.IsolatedAsyncioTestCase):
    protocol = 3
    parser = parsers._AsyncRESP3Parser


class Hiredis2(Tests, unittest.IsolatedAsyncioTestCase):
    parser = parsers._AsyncHiredisParser


class Hiredis3(Tests, unittest.IsolatedAsyncioTestCase):
    protocol = 3
    parser = parsers._AsyncHiredisParser
