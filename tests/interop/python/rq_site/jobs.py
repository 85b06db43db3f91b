"""The jobs that the tests put into queues."""

import os

from rq import get_current_job

from . import CLIENT


def add(x, y):
    return x + y


def fail(message):
    raise ValueError(message)


def fail_at_first(times):
    attempt = CLIENT.incr(f"attempts:{get_current_job().id}")
    if attempt <= times:
        raise RuntimeError("not yet")
    return attempt


def note(word):
    """Leaves a word in the order in which jobs run."""
    CLIENT.rpush("notes", word)


def begin_and_wait(name):
    """Runs until somebody says that it may end."""
    CLIENT.rpush(f"{name}:begun", os.getpid())
    CLIENT.blpop(f"{name}:end", timeout=60)
    return name


def progress():
    job = get_current_job()
    job.meta["done"] = 42
    job.save_meta()
    return job.id


def on_success(job, connection, result, *_):
    connection.rpush("successes", f"{job.id}={result}")


def on_failure(job, connection, *_):
    connection.rpush("failures", job.id)
