"""Starts programs beside the tests, and ends them and all that they started."""

import atexit
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Program:
    """A program in a session of its own; it ends with the tests at the latest."""

    def __init__(self, words: list[str], environment: dict[str, str]):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, *words],
            cwd=HERE,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        atexit.register(self.kill)

    def output(self) -> str:
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def stop(self) -> None:
        """Asks it to end, and waits until it has."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def kill(self) -> None:
        """Ends it and its children without a word."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def until(condition, seconds: float = 60):
    """Waits until a condition holds, and returns what it said."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if deadline < time.monotonic():
            raise AssertionError(f"not within {seconds} s")
        time.sleep(0.02)
