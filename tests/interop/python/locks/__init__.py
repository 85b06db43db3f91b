"""Locks: redis-py's on one server, Redlock on a majority of several."""

import logging

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from server import Server

# What the clients say of servers that a test has stopped.
logging.disable(logging.ERROR)

SERVERS = [Server() for _ in range(5)]
# A server that is away stays away.
NO_RETRY = Retry(NoBackoff(), 0)


def client(server: Server = SERVERS[0], **options) -> redis.Redis:
    return redis.Redis(port=server.port, **options)


def clients(**options) -> list[redis.Redis]:
    """One client of each server, all of them empty and running."""
    for server in SERVERS:
        if server.process is None:
            server.start()
    made = [client(server, retry=NO_RETRY, **options) for server in SERVERS]
    for one in made:
        one.flushall()
    return made
