"""The synchronous client: both protocols, both parsers."""

import threading
import time
import unittest

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from . import OPTIONS, SERVER, fresh


def parsers():
    """The parsers that this version has, by name."""
    import redis._parsers as module

    return {
        "RESP2": {"protocol": 2, "parser": module._RESP2Parser},
        "RESP3": {"protocol": 3, "parser": module._RESP3Parser},
        "hiredis 2": {"protocol": 2, "parser": module._HiredisParser},
        "hiredis 3": {"protocol": 3, "parser": module._HiredisParser},
    }


class Basics(unittest.TestCase):
    def clients(self):
        for name, choice in parsers().items():
            with self.subTest(name):
                pool = redis.ConnectionPool(
                    **OPTIONS,
                    protocol=choice["protocol"],
                    parser_class=choice["parser"],
                )
                client = redis.Redis(connection_pool=pool)
                client.flushall()
                yield client
                pool.disconnect()

    def test_strings(self):
        for client in self.clients():
            self.assertTrue(client.set("k", "v"))
            self.assertEqual(client.get("k"), b"v")
            self.assertIsNone(client.get("missing"))
            self.assertIsNone(client.set("k", "w", nx=True))
            self.assertEqual(client.set("k", "w", get=True), b"v")
            self.assertTrue(client.set("t", "v", ex=100))
            self.assertIn(client.ttl("t"), (99, 100))
            self.assertTrue(client.set("t", "w", keepttl=True))
            self.assertGreater(client.pttl("t"), 90_000)
            self.assertEqual(client.getex("t", persist=True), b"w")
            self.assertEqual(client.ttl("t"), -1)
            self.assertEqual(client.getdel("t"), b"w")
            self.assertEqual(client.append("k", "!"), 2)
            self.assertEqual(client.getrange("k", 0, 0), b"w")
            self.assertEqual(client.setrange("k", 1, "?"), 2)
            self.assertEqual(client.strlen("k"), 2)
            binary = bytes(range(256))
            client.set(binary, binary)
            self.assertEqual(client.get(binary), binary)

    def test_numbers(self):
        for client in self.clients():
            self.assertEqual(client.incr("n"), 1)
            self.assertEqual(client.incr("n", 10), 11)
            self.assertEqual(client.decr("n"), 10)
            self.assertEqual(client.decrby("n", 5), 5)
            self.assertAlmostEqual(client.incrbyfloat("n", 0.5), 5.5)
            with self.assertRaisesRegex(redis.ResponseError, "not an integer"):
                client.incr("n")

    def test_many_keys(self):
        for client in self.clients():
            client.mset({f"k{index}": index for index in range(100)})
            self.assertEqual(client.mget("k0", "k99", "none"), [b"0", b"99", None])
            self.assertEqual(client.dbsize(), 100)
            self.assertEqual(client.exists("k0", "k1", "none"), 2)
            self.assertEqual(client.delete("k0", "k1", "none"), 2)
            self.assertEqual(client.unlink("k2"), 1)
            self.assertFalse(client.msetnx({"k3": 1, "new": 2}))
            self.assertEqual(len(client.keys("k1*")), 10)
            self.assertEqual(client.type("k3"), b"string")
            self.assertTrue(client.rename("k3", "renamed"))
            self.assertTrue(client.copy("renamed", "copied"))
            self.assertEqual(client.touch("renamed", "copied"), 2)
            with self.assertRaisesRegex(redis.ResponseError, "no such key"):
                client.rename("none", "x")

    def test_deadlines(self):
        for client in self.clients():
            client.set("k", "v")
            self.assertTrue(client.expire("k", 100))
            self.assertFalse(client.expire("k", 50, gt=True))
            self.assertTrue(client.expire("k", 200, gt=True))
            self.assertTrue(client.pexpireat("k", 33177117420000))
            self.assertEqual(client.expiretime("k"), 33177117420)
            self.assertTrue(client.persist("k"))
            self.assertEqual(client.ttl("k"), -1)
            self.assertEqual(client.ttl("none"), -2)
            client.psetex("short", 1, "v")
            deadline = time.monotonic() + 10
            while client.exists("short") and time.monotonic() < deadline:
                pass
            self.assertFalse(client.exists("short"))

    def test_scan_iter(self):
        for client in self.clients():
            names = {f"item:{index}".encode() for index in range(1_000)}
            client.mset({name: 1 for name in names})
            client.set("other", 1)
            self.assertEqual(set(client.scan_iter("item:*", count=50)), names)
            self.assertEqual(set(client.scan_iter(_type="string")), names | {b"other"})
            self.assertEqual(list(client.scan_iter("none*")), [])

    def test_databases(self):
        for client in self.clients():
            client.set("k", "zero")
            self.assertTrue(client.select(3))
            self.assertIsNone(client.get("k"))
            client.set("k", "three")
            self.assertTrue(client.swapdb(0, 3))
            self.assertEqual(client.get("k"), b"zero")
            self.assertTrue(client.flushdb())
            client.select(0)
            self.assertEqual(client.get("k"), b"three")
            self.assertTrue(client.move("k", 5))
            self.assertEqual(client.dbsize(), 0)

    def test_lcs(self):
        for client in self.clients():
            client.mset({"a": "ohmytext", "b": "mynewtext"})
            self.assertEqual(client.lcs("a", "b"), b"mytext")
            self.assertEqual(client.lcs("a", "b", len=True), 6)


class Server(unittest.TestCase):
    def test_identity(self):
        client = fresh()
        info = client.info()
        self.assertGreaterEqual(int(info["redis_version"].split(".")[0]), 7)
        self.assertEqual(info["redis_mode"] if "redis_mode" in info else "standalone", "standalone")
        self.assertGreater(info["used_memory"], 0)
        self.assertEqual(info["role"], "master")
        self.assertIn("maxmemory", client.config_get("maxmemory"))
        client.set("k", "v", ex=100)
        self.assertEqual(client.info("keyspace")["db0"]["keys"], 1)
        self.assertEqual(client.info("keyspace")["db0"]["expires"], 1)

    def test_settings(self):
        client = fresh()
        self.assertTrue(client.config_set("timeout", 300))
        self.assertEqual(client.config_get("timeout"), {"timeout": "300"})
        self.assertTrue(client.config_set("timeout", 0))
        self.assertTrue(client.config_resetstat())
        with self.assertRaises(redis.ResponseError):
            client.config_set("nosuch", 1)

    def test_commands(self):
        client = fresh()
        self.assertGreater(client.command_count(), 50)
        self.assertEqual(client.command_getkeys("MSET", "a", 1, "b", 2), ["a", "b"])
        commands = client.command()
        self.assertEqual(commands["get"]["arity"], 2)
        self.assertIn("readonly", commands["get"]["flags"])
        seconds, microseconds = client.time()
        self.assertAlmostEqual(seconds, time.time(), delta=5)
        self.assertLess(microseconds, 1_000_000)

    def test_clients(self):
        client = fresh(client_name="me")
        self.assertEqual(client.client_getname(), "me")
        mine = client.client_id()
        self.assertIn(mine, [int(entry["id"]) for entry in client.client_list()])
        self.assertEqual(client.client_info()["name"], "me")
        self.assertTrue(client.client_setname("you"))
        self.assertEqual(client.client_kill_filter(_id="99999999"), 0)
        other = redis.Redis(**OPTIONS)
        other.ping()
        self.assertEqual(client.client_kill_filter(_id=str(other.client_id())), 1)
        # The client finds its connection gone and makes another.
        self.assertTrue(other.ping())

    def test_errors(self):
        client = fresh()
        with self.assertRaisesRegex(redis.ResponseError, "unknown command"):
            client.execute_command("NOSUCH", "a")
        with self.assertRaisesRegex(redis.ResponseError, "wrong number of arguments"):
            client.execute_command("GET")
        with self.assertRaises(redis.ResponseError):
            redis.Redis(**OPTIONS, db=99).get("k")

    def test_restart(self):
        client = fresh(retry=Retry(NoBackoff(), 0))
        client.set("k", "v")
        SERVER.stop()
        with self.assertRaises(redis.ConnectionError):
            client.get("k")
        SERVER.start()
        self.assertIsNone(client.get("k"))

    def test_unix_socket(self):
        client = redis.Redis(unix_socket_path=SERVER.unix_socket)
        self.assertTrue(client.ping())
        client = redis.from_url(f"unix://{SERVER.unix_socket}?db=2")
        client.set("k", "v")
        self.assertEqual(redis.from_url(f"redis://127.0.0.1:{SERVER.port}/2").get("k"), b"v")


class Password(unittest.TestCase):
    def setUp(self):
        self.admin = fresh()
        self.admin.config_set("requirepass", "secret")

    def tearDown(self):
        redis.Redis(**OPTIONS, password="secret").config_set("requirepass", "")

    def test_with_and_without(self):
        for protocol in (2, 3):
            client = redis.Redis(**OPTIONS, password="secret", protocol=protocol)
            self.assertTrue(client.ping())
            url = f"redis://:secret@127.0.0.1:{SERVER.port}/0?protocol={protocol}"
            self.assertTrue(redis.from_url(url).ping())
            url = f"redis://default:secret@127.0.0.1:{SERVER.port}/0?protocol={protocol}"
            self.assertTrue(redis.from_url(url).ping())
            once = {"protocol": protocol, "retry": Retry(NoBackoff(), 0)}
            with self.assertRaises(redis.AuthenticationError):
                redis.Redis(**OPTIONS, password="wrong", **once).ping()
            with self.assertRaises(redis.AuthenticationError):
                redis.Redis(**OPTIONS, **once).ping()


class Pool(unittest.TestCase):
    def test_threads_share_a_pool(self):
        fresh()
        pool = redis.ConnectionPool(**OPTIONS, max_connections=20, decode_responses=True)
        client = redis.Redis(connection_pool=pool)
        failures = []

        def work(number):
            try:
                for step in range(200):
                    client.set(f"k{number}", step)
                    if client.get(f"k{number}") != str(step):
                        failures.append((number, step))
                    client.incr("total")
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(client.get("total"), "1600")

    def test_blocking_pool(self):
        pool = redis.BlockingConnectionPool(**OPTIONS, max_connections=2, timeout=20)
        client = redis.Redis(connection_pool=pool)
        threads = [threading.Thread(target=client.ping) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertTrue(client.ping())
