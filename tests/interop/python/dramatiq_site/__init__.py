"""Dramatiq with the server as its broker, for its results and for its rate limits."""

import os

import redis

from processes import Program, until
from server import Server

if "DRAMATIQ_SITE_URL" not in os.environ:
    # In the tests; a worker is told where they have started the server.
    SERVER = Server()
    os.environ["DRAMATIQ_SITE_URL"] = f"redis://127.0.0.1:{SERVER.port}/0"

URL = os.environ["DRAMATIQ_SITE_URL"]
CLIENT = redis.Redis.from_url(URL, decode_responses=True, socket_timeout=60)


class Worker(Program):
    """Dramatiq workers: a process with some threads."""

    def __init__(self, *queues: str, threads: int = 4):
        words = ["-m", "dramatiq", "dramatiq_site.actors", "--processes", "1"]
        words += ["--threads", str(threads), "--worker-shutdown-timeout", "1000"]
        if queues:
            words += ["--queues", *queues]
        super().__init__(words, {"dramatiq_queue_prefetch": "4"})

    def wait(self) -> "Worker":
        """Waits until it takes messages."""

        def is_ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the worker has ended:\n{self.output()}")
            return "is ready for action" in self.output()

        until(is_ready)
        return self
