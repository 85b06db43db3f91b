"""What the consumers do."""

import time

from huey import PriorityRedisExpireHuey, PriorityRedisHuey, RedisHuey

from . import CLIENT, URL

PLAIN = RedisHuey("plain", url=URL, notify_result=True)
URGENT = PriorityRedisHuey("urgent", url=URL)
PASSING = PriorityRedisExpireHuey("passing", url=URL, expire_time=100)


@PLAIN.task()
def add(a, b):
    return a + b


@PLAIN.task()
def total(numbers):
    return sum(numbers)


@PLAIN.task()
def note(text):
    CLIENT.rpush("notes", text)


@PLAIN.task(retries=3, retry_delay=0)
def fail_at_first(key, times):
    count = CLIENT.incr(key)
    if count <= times:
        raise ValueError(f"attempt {count}")
    return count


@PLAIN.task()
@PLAIN.lock_task("alone")
def alone():
    count = CLIENT.incr("inside")
    time.sleep(0.01)
    CLIENT.decr("inside")
    return count


@URGENT.task()
def order(text):
    CLIENT.rpush("order", text)


@PASSING.task()
def passing(text):
    return text
