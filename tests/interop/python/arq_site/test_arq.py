"""Jobs, delays, retries, jobs of one name, aborted jobs, and several workers at once."""

import asyncio
import contextlib
import time
import unittest
from datetime import timedelta

from arq import Retry, Worker, create_pool, cron, func
from arq.connections import RedisSettings
from arq.jobs import Job, JobStatus
from arq.worker import JobExecutionFailed

from . import SERVER

SETTINGS = RedisSettings(port=SERVER.port)
PATIENCE = 20


async def add(ctx, a, b):
    return a + b


async def retried(ctx, times):
    if ctx["job_try"] <= times:
        raise Retry(defer=0.02)
    return ctx["job_try"]


async def fail(ctx):
    raise ValueError("no good")


async def wait(ctx):
    await ctx["redis"].rpush("begun", "now")
    await asyncio.sleep(60)


async def tick(ctx):
    await ctx["redis"].rpush("ticks", "now")


class Jobs(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.pool = await create_pool(SETTINGS)
        await self.pool.flushall()
        self.running = []

    async def asyncTearDown(self):
        for worker, task in self.running:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            # It waits for its jobs, which have been cancelled too.
            with contextlib.suppress(asyncio.CancelledError):
                await worker.close()
        await self.pool.aclose()

    def work(self, **options) -> Worker:
        functions = [add, retried, func(fail, max_tries=1), func(wait, timeout=30)]
        worker = Worker(
            functions,
            redis_settings=SETTINGS,
            handle_signals=False,
            poll_delay=0.02,
            allow_abort_jobs=True,
            **options,
        )
        self.running.append((worker, asyncio.create_task(worker.async_run())))
        return worker

    async def result(self, job: Job):
        return await job.result(timeout=PATIENCE, poll_delay=0.01)

    async def test_a_result(self):
        job = await self.pool.enqueue_job("add", 2, 3)
        self.assertEqual(await job.status(), JobStatus.queued)
        self.assertEqual((await job.info()).args, (2, 3))
        self.work()
        self.assertEqual(await self.result(job), 5)
        self.assertEqual(await job.status(), JobStatus.complete)
        [done] = await self.pool.all_job_results()
        self.assertEqual((done.function, done.result), ("add", 5))

    async def test_many_by_several(self):
        # They get in each other's way a lot, so there are few of them.
        jobs = [await self.pool.enqueue_job("add", number, 1) for number in range(20)]
        self.assertEqual(len(await self.pool.queued_jobs()), 20)
        workers = [self.work() for _ in range(2)]
        results = await asyncio.gather(*(self.result(job) for job in jobs))
        self.assertEqual(results, list(range(1, 21)))
        # Each was done by one of them.
        self.assertEqual(sum(worker.jobs_complete for worker in workers), 20)

    async def test_later(self):
        self.work()
        begun = time.monotonic()
        late = await self.pool.enqueue_job("add", 1, 1, _defer_by=timedelta(milliseconds=400))
        soon = await self.pool.enqueue_job("add", 2, 2)
        self.assertEqual(await late.status(), JobStatus.deferred)
        self.assertEqual(await self.result(soon), 4)
        self.assertEqual(await self.result(late), 2)
        self.assertGreaterEqual(time.monotonic() - begun, 0.4)

    async def test_retries(self):
        self.work()
        job = await self.pool.enqueue_job("retried", 2)
        self.assertEqual(await self.result(job), 3)

    async def test_what_fails(self):
        self.work()
        job = await self.pool.enqueue_job("fail")
        with self.assertRaisesRegex(ValueError, "no good"):
            await self.result(job)
        self.assertFalse((await job.result_info()).success)

    async def test_one_of_a_name(self):
        # Several at once: one of them has it.
        tries = [self.pool.enqueue_job("add", number, 0, _job_id="mine") for number in range(10)]
        jobs = [job for job in await asyncio.gather(*tries) if job]
        self.assertEqual(len(jobs), 1)
        self.work()
        await self.result(jobs[0])
        self.assertIsNone(await self.pool.enqueue_job("add", 1, 1, _job_id="mine"))

    async def test_aborted(self):
        self.work()
        job = await self.pool.enqueue_job("wait")
        await self.pool.blpop("begun", timeout=PATIENCE)
        self.assertEqual(await job.status(), JobStatus.in_progress)
        self.assertTrue(await job.abort(timeout=PATIENCE, poll_delay=0.02))

    async def test_what_passes(self):
        job = await self.pool.enqueue_job("add", 1, 1, _expires=0.05)
        await asyncio.sleep(0.1)
        self.work()
        other = await self.pool.enqueue_job("add", 2, 2)
        self.assertEqual(await self.result(other), 4)
        with self.assertRaisesRegex(JobExecutionFailed, "expired"):
            await self.result(job)

    async def test_schedules(self):
        for _ in range(3):
            # All of them see each tick; one of them has it.
            self.work(cron_jobs=[cron(tick, second=set(range(60)), unique=True)])
        for _ in range(2):
            self.assertIsNotNone(await self.pool.blpop("ticks", timeout=PATIENCE))
        self.assertEqual(await self.pool.llen("ticks"), 0)
