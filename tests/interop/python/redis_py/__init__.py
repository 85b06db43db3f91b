"""redis-py against the server: the same tests with the newest version and with 5.x."""

import redis

from server import Server

SERVER = Server()
OPTIONS = {"host": "127.0.0.1", "port": SERVER.port}
VERSION = tuple(int(part) for part in redis.__version__.split(".")[:2])


def fresh(**options) -> redis.Redis:
    """A client of an empty server."""
    client = redis.Redis(**OPTIONS, **options)
    client.flushall()
    return client
