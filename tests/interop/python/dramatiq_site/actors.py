"""What the workers do."""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits import ConcurrentRateLimiter
from dramatiq.rate_limits.backends import RedisBackend as RateLimits
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend as ResultBackend

from . import CLIENT, URL

LIMITS = RateLimits(url=URL)
RESULTS = ResultBackend(url=URL)
BROKER = RedisBroker(url=URL)
BROKER.add_middleware(Results(backend=RESULTS))
BROKER.add_middleware(GroupCallbacks(LIMITS))
dramatiq.set_broker(BROKER)

MUTEX = ConcurrentRateLimiter(LIMITS, "mutex", limit=1, ttl=30_000)


@dramatiq.actor(store_results=True)
def add(a, b):
    return a + b


@dramatiq.actor
def note(text):
    CLIENT.rpush("notes", text)


@dramatiq.actor(queue_name="urgent", priority=0)
def first(text):
    CLIENT.rpush("order", text)


@dramatiq.actor(queue_name="urgent", priority=10)
def last(text):
    CLIENT.rpush("order", text)


@dramatiq.actor(store_results=True, max_retries=5, min_backoff=10, max_backoff=20)
def fail_at_first(key, times):
    count = CLIENT.incr(key)
    if count <= times:
        raise ValueError(f"attempt {count}")
    return count


@dramatiq.actor(max_retries=1, min_backoff=10, max_backoff=10)
def fail(text):
    raise ValueError(text)


@dramatiq.actor(max_retries=1000, min_backoff=5, max_backoff=20)
def alone():
    """Only one at a time gets past the limiter; the others are tried again."""
    with MUTEX.acquire():
        count = CLIENT.incr("inside")
        CLIENT.rpush("seen inside", count)
        CLIENT.decr("inside")


@dramatiq.actor(queue_name="slow")
def wait_for_the_end():
    CLIENT.rpush("begun", "now")
    CLIENT.blpop("end", timeout=30)
    CLIENT.rpush("notes", "ended")
