"""RQ with the server as its queue."""

import os

import redis

from processes import Program, until
from server import Server

if "RQ_SITE_URL" not in os.environ:
    # In the tests; a worker is told where they have started the server.
    SERVER = Server()
    os.environ["RQ_SITE_URL"] = f"redis://127.0.0.1:{SERVER.port}/0"

URL = os.environ["RQ_SITE_URL"]
CLIENT = redis.Redis.from_url(URL)


class Worker(Program):
    """An RQ worker that listens to some queues, the first ones first."""

    count = 0

    def __init__(self, *queues: str, options: tuple[str, ...] = ()):
        Worker.count += 1
        self.name = f"worker{Worker.count}"
        words = ["-m", "rq.cli", "worker", "--url", URL, "--name", self.name, "--path", "."]
        super().__init__([*words, *options, *queues], {})

    def wait(self) -> "Worker":
        """Waits until it takes jobs."""

        def is_ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the worker has ended:\n{self.output()}")
            return f"*** Listening on {', '.join(self.queues())}" in self.output()

        until(is_ready)
        return self

    def queues(self) -> list[str]:
        names = self.process.args[self.process.args.index("--path") + 2 :]
        return [name for name in names if not name.startswith("-")]
