"""Starts the server under test on a free port in a folder of its own, and stops it again."""

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time


def binary() -> str:
    return os.environ.get("OCHRE_TEST_SERVER", "redis-server")


class Server:
    """A running server; it ends with the program at the latest."""

    def __init__(self, *options: str):
        self.folder = tempfile.mkdtemp(prefix="ochre-test-")
        self.unix_socket = os.path.join(self.folder, "socket")
        self.options = options
        self.process = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        atexit.register(self.close)
        self.start()

    def start(self) -> None:
        words = [binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        words += ["--unixsocket", self.unix_socket, "--dir", self.folder, *self.options]
        log = open(os.path.join(self.folder, "log"), "ab")
        with log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                    connection.sendall(b"PING\r\n")
                    # With a password the answer is an error, which is an answer.
                    answer = connection.recv(64)
                    if answer and not answer.startswith(b"-LOADING"):
                        return
            except OSError:
                time.sleep(0.01)
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as text:
            raise RuntimeError(f"{words[0]} does not answer:\n{text.read()}")

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
