"""Celery with the server as its broker and for its results."""

import os

import redis

from processes import Program, until
from server import Server

if "CELERY_SITE_URL" not in os.environ:
    # In the tests; a worker is told where they have started the server.
    SERVER = Server()
    os.environ["CELERY_SITE_URL"] = f"redis://127.0.0.1:{SERVER.port}"

CLIENT = redis.Redis.from_url(os.environ["CELERY_SITE_URL"] + "/2", decode_responses=True)


class Worker(Program):
    """A Celery worker that consumes some queues."""

    count = 0

    def __init__(self, queues: str, concurrency: int = 2, prefetch: int = 4):
        Worker.count += 1
        self.name = f"worker{Worker.count}@test"
        words = ["-m", "celery", "--app", "celery_site.tasks", "worker", "--queues", queues]
        words += ["--concurrency", str(concurrency), "--prefetch-multiplier", str(prefetch)]
        words += ["--hostname", self.name, "--loglevel", "INFO"]
        super().__init__(words, {})

    def wait(self) -> "Worker":
        """Waits until it takes messages."""

        def is_ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the worker has ended:\n{self.output()}")
            return f"{self.name} ready." in self.output()

        until(is_ready)
        return self
