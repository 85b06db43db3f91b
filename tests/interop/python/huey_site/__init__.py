"""Huey with the server as its queue, once as a list and once by priority."""

import os

import redis

from processes import Program, until
from server import Server

if "HUEY_SITE_URL" not in os.environ:
    # In the tests; a consumer is told where they have started the server.
    SERVER = Server()
    os.environ["HUEY_SITE_URL"] = f"redis://127.0.0.1:{SERVER.port}/0"

URL = os.environ["HUEY_SITE_URL"]
CLIENT = redis.Redis.from_url(URL, decode_responses=True)


class Consumer(Program):
    """A Huey consumer with some threads."""

    def __init__(self, name: str, workers: int = 4):
        words = ["-m", "huey.bin.huey_consumer", f"huey_site.tasks.{name}"]
        # It looks every second, at full ones, what has become due.
        super().__init__([*words, "--workers", str(workers), "--delay", "0.05"], {})

    def wait(self) -> "Consumer":
        """Waits until it takes tasks."""

        def is_ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the consumer has ended:\n{self.output()}")
            return "The following commands are available" in self.output()

        until(is_ready)
        return self
