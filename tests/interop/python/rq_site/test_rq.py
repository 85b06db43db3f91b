"""Jobs, results, retries, dependencies, schedules, and workers that are told to stop."""

import os
import signal
import unittest
from datetime import timedelta

from rq import Callback, Queue, Retry
from rq.command import send_shutdown_command, send_stop_job_command
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry
from rq.worker import Worker as WorkerRecord

from processes import until

from . import CLIENT, Worker, jobs


def status_is(job: Job, *wanted: JobStatus) -> Job:
    until(lambda: job.get_status(refresh=True) in wanted)
    return job


class WithWorker(unittest.TestCase):
    """One worker for all tests."""

    @classmethod
    def setUpClass(cls):
        CLIENT.flushall()
        cls.worker = Worker("high", "default", options=("--with-scheduler",)).wait()
        cls.queue = Queue("default", connection=CLIENT)

    @classmethod
    def tearDownClass(cls):
        cls.worker.stop()

    def test_a_result(self):
        job = status_is(self.queue.enqueue(jobs.add, 2, 3), JobStatus.FINISHED)
        self.assertEqual(job.return_value(), 5)
        self.assertEqual(Job.fetch(job.id, connection=CLIENT).latest_result().return_value, 5)
        self.assertIn(job.id, FinishedJobRegistry(queue=self.queue).get_job_ids())
        self.assertIn(CLIENT.ttl(job.key), range(1, 501))

    def test_many(self):
        with CLIENT.pipeline() as pipe:
            prepared = [Queue.prepare_data(jobs.add, (number, 1)) for number in range(20)]
            many = self.queue.enqueue_many(prepared, pipeline=pipe)
            pipe.execute()
        for number, job in enumerate(many):
            self.assertEqual(status_is(job, JobStatus.FINISHED).return_value(), number + 1)

    def test_an_error_comes_back(self):
        job = status_is(self.queue.enqueue(jobs.fail, "no good"), JobStatus.FAILED)
        self.assertIn("ValueError: no good", job.latest_result().exc_string)
        registry = FailedJobRegistry(queue=self.queue)
        self.assertIn(job.id, registry.get_job_ids())
        registry.requeue(job)
        until(lambda: len(job.results()) == 2)
        status_is(job, JobStatus.FAILED)

    def test_retries(self):
        job = self.queue.enqueue(jobs.fail_at_first, 2, retry=Retry(max=3))
        self.assertEqual(status_is(job, JobStatus.FINISHED).return_value(), 3)

    def test_dependencies(self):
        first = self.queue.enqueue(jobs.begin_and_wait, "first")
        second = self.queue.enqueue(jobs.add, 1, 2, depends_on=first)
        third = self.queue.enqueue(jobs.add, 3, 4, depends_on=[first, second])
        until(lambda: CLIENT.llen("first:begun") == 1)
        for waiting in [second, third]:
            self.assertEqual(waiting.get_status(refresh=True), JobStatus.DEFERRED)
        CLIENT.rpush("first:end", "now")
        self.assertEqual(status_is(third, JobStatus.FINISHED).return_value(), 7)
        self.assertEqual(status_is(second, JobStatus.FINISHED).return_value(), 3)

    def test_later(self):
        job = self.queue.enqueue_in(timedelta(seconds=1), jobs.add, 1, 1)
        self.assertEqual(job.get_status(), JobStatus.SCHEDULED)
        self.assertIn(job.id, ScheduledJobRegistry(queue=self.queue).get_job_ids())
        self.assertEqual(status_is(job, JobStatus.FINISHED).return_value(), 2)

    def test_callbacks_and_progress(self):
        good = self.queue.enqueue(jobs.progress, on_success=Callback(jobs.on_success))
        bad = self.queue.enqueue(jobs.fail, "broken", on_failure=Callback(jobs.on_failure))
        status_is(good, JobStatus.FINISHED)
        status_is(bad, JobStatus.FAILED)
        self.assertEqual(good.get_meta(refresh=True), {"done": 42})
        until(lambda: CLIENT.lrange("successes", 0, -1) == [f"{good.id}={good.id}".encode()])
        until(lambda: CLIENT.lrange("failures", 0, -1) == [bad.id.encode()])

    def test_a_job_is_stopped(self):
        job = self.queue.enqueue(jobs.begin_and_wait, "endless")
        until(lambda: CLIENT.llen("endless:begun") == 1)
        send_stop_job_command(CLIENT, job.id)
        status_is(job, JobStatus.STOPPED)
        # The worker goes on.
        self.assertEqual(
            status_is(self.queue.enqueue(jobs.add, 1, 1), JobStatus.FINISHED).return_value(), 2
        )

    def test_a_job_is_cancelled(self):
        first = self.queue.enqueue(jobs.begin_and_wait, "holder")
        second = self.queue.enqueue(jobs.note, "never")
        until(lambda: CLIENT.llen("holder:begun") == 1)
        second.cancel()
        CLIENT.rpush("holder:end", "now")
        status_is(first, JobStatus.FINISHED)
        self.assertEqual(second.get_status(refresh=True), JobStatus.CANCELED)
        self.assertNotIn(second.id, self.queue.get_job_ids())

    def test_workers_are_known(self):
        records = WorkerRecord.all(connection=CLIENT)
        self.assertIn(self.worker.name, [record.name for record in records])
        self.assertEqual(WorkerRecord.count(queue=self.queue), 1)


class Alone(unittest.TestCase):
    def test_the_first_queue_first(self):
        CLIENT.delete("notes")
        for name in ["low", "high", "middle", "high"]:
            Queue(name, connection=CLIENT).enqueue(jobs.note, name)
        worker = Worker("high", "middle", "low", options=("--burst",))
        self.addCleanup(worker.kill)
        self.assertEqual(worker.process.wait(timeout=60), 0)
        self.assertEqual(CLIENT.lrange("notes", 0, -1), [b"high", b"high", b"middle", b"low"])

    def test_a_worker_is_told_to_end(self):
        worker = Worker("quiet").wait()
        self.addCleanup(worker.kill)
        # It waits for jobs in BLMOVE or BLPOP while another thread listens to its channel.
        until(lambda: CLIENT.pubsub_numsub(f"rq:pubsub:{worker.name}")[0][1] == 1)
        send_shutdown_command(CLIENT, worker.name)
        self.assertEqual(worker.process.wait(timeout=60), 0)
        self.assertNotIn(worker.name, [one.name for one in WorkerRecord.all(connection=CLIENT)])

    def test_a_killed_worker(self):
        queue = Queue("fragile", connection=CLIENT)
        worker = Worker("fragile").wait()
        self.addCleanup(worker.kill)
        lost = queue.enqueue(jobs.begin_and_wait, "lost")
        kept = queue.enqueue(jobs.add, 1, 1)
        until(lambda: CLIENT.llen("lost:begun") == 1)
        # The process of the job is in a group of its own.
        self.addCleanup(os.kill, int(CLIENT.lindex("lost:begun", 0)), signal.SIGKILL)
        worker.kill()
        self.assertEqual(queue.get_job_ids(), [kept.id])
        another = Worker("fragile").wait()
        self.addCleanup(another.stop)
        self.assertEqual(status_is(kept, JobStatus.FINISHED).return_value(), 2)
        self.assertEqual(lost.get_status(refresh=True), JobStatus.STARTED)
