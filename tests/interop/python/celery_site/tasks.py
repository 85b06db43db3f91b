"""The tasks that the tests call."""

import os
import time

from celery import Celery

from . import CLIENT

# A message that nobody has acknowledged for so many seconds is given to another worker.
VISIBILITY_TIMEOUT = 3
URL = os.environ["CELERY_SITE_URL"]
app = Celery("site", broker=f"{URL}/0", backend=f"{URL}/1")
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_TIMEOUT,
        "priority_steps": list(range(10)),
        "queue_order_strategy": "priority",
    },
    result_expires=600,
    result_extended=True,
    task_default_queue="default",
    task_track_started=True,
    worker_cancel_long_running_tasks_on_connection_loss=True,
)


@app.task
def add(x, y):
    return x + y


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def fail(message):
    raise ValueError(message)


@app.task
def echo(value):
    return value


@app.task
def note(word):
    """Leaves a word in the order in which tasks run."""
    CLIENT.rpush("notes", word)
    return time.time()


@app.task(bind=True, max_retries=5)
def fail_at_first(self, times):
    if self.request.retries < times:
        raise self.retry(countdown=0.1)
    return self.request.retries


@app.task(bind=True, autoretry_for=(ConnectionError,), retry_backoff=False, default_retry_delay=0.1)
def never(self):
    CLIENT.incr("attempts")
    raise ConnectionError("always")


@app.task(acks_late=True)
def begin_and_wait(name):
    """Runs until somebody says that it may end."""
    CLIENT.rpush(f"{name}:begun", os.getpid())
    CLIENT.blpop(f"{name}:end", timeout=60)
    return name
