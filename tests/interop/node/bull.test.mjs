// Bull: jobs with delays, retries, priorities and rate limits, over connections of its own making.

import assert from "node:assert/strict";

import Bull from "bull";
import { Redis } from "ioredis";

import { address as redis, open, queueSuite, told } from "./queues.mjs";

function queue(name, options = {}) {
  return open(new Bull(name, { redis, ...options }), (made) => made.close(true));
}

queueSuite("bull", (test) => {
  test("a job and its result", async () => {
    const jobs = queue("work");
    jobs.process(async (job) => {
      await job.progress(50);
      await job.log("half done");
      return { sum: job.data.a + job.data.b };
    });
    const progress = told(jobs, "progress");
    const job = await jobs.add({ a: 2, b: 3, text: "naïve ✓" });
    assert.deepEqual(await job.finished(), { sum: 5 });
    assert.equal((await progress)[0][1], 50);
    assert.equal(await job.getState(), "completed");
    assert.deepEqual((await jobs.getJobLogs(job.id)).logs, ["half done"]);
  });

  test("many, each once, by several", async () => {
    const producer = queue("many");
    const seen = new Set();
    await producer.addBulk(Array.from({ length: 200 }, (_, number) => ({ data: { number } })));
    assert.equal(await producer.count(), 200);
    const finished = [0, 1, 2].map(() => {
      const consumer = queue("many");
      consumer.process(5, async (job) => {
        assert.ok(!seen.has(job.id), `${job.id} comes twice`);
        seen.add(job.id);
      });
      return consumer;
    });
    let count = 0;
    await new Promise((resolve) => {
      for (const one of finished) one.on("completed", () => ++count === 200 && resolve());
    });
    assert.deepEqual(await producer.getJobCounts(), {
      active: 0, completed: 200, delayed: 0, failed: 0, paused: 0, waiting: 0,
    });
    assert.equal((await producer.clean(0, "completed")).length, 200);
  });

  test("delays and priorities", async () => {
    const jobs = queue("order");
    await jobs.pause();
    await jobs.add("low", {}, { priority: 9 });
    await jobs.add("high", {}, { priority: 1 });
    await jobs.add("later", {}, { delay: 400 });
    await jobs.add("soon", {}, { delay: 150 });
    await jobs.add("never", {}, { delay: 100_000 });
    assert.equal(await jobs.getDelayedCount(), 3);
    const order = [];
    jobs.process("*", async (job) => order.push(job.name));
    const finished = told(jobs, "completed", 4);
    await jobs.resume();
    await finished;
    assert.deepEqual(order, ["high", "low", "soon", "later"]);
    const [waiting] = await jobs.getDelayed();
    const promoted = told(jobs, "completed");
    await waiting.promote();
    await promoted;
    assert.equal(order.at(-1), "never");
  });

  test("retries and failures", async () => {
    const jobs = queue("flaky");
    jobs.process(async (job) => {
      if (job.attemptsMade < job.data.failures) throw new Error(`attempt ${job.attemptsMade}`);
      return job.attemptsMade;
    });
    const good = await jobs.add({ failures: 2 }, { attempts: 5, backoff: 30 });
    assert.equal(await good.finished(), 2);
    const bad = await jobs.add({ failures: 9 }, { attempts: 2, backoff: 10 });
    await assert.rejects(bad.finished(), /attempt 1/);
    assert.equal(await jobs.getFailedCount(), 1);
    const failed = await jobs.getJob(bad.id);
    assert.equal(failed.stacktrace.length, 2);
    await failed.update({ failures: 0 });
    const again = told(jobs, "completed");
    await failed.retry();
    assert.equal((await again)[0][0].id, bad.id);
  });

  test("a rate limit", async () => {
    const jobs = queue("limited", { limiter: { max: 2, duration: 300 } });
    const times = [];
    jobs.process(async () => times.push(Date.now()));
    const finished = told(jobs, "completed", 5);
    await jobs.addBulk(Array.from({ length: 5 }, () => ({ data: {} })));
    await finished;
    assert.ok(550 <= times[4] - times[0], `${times[4] - times[0]} ms`);
  });

  test("schedules", async () => {
    const jobs = queue("regular");
    jobs.process("tick", async () => {});
    const ticks = told(jobs, "completed", 2);
    await jobs.add("tick", {}, { repeat: { every: 200 } });
    await ticks;
    const [schedule] = await jobs.getRepeatableJobs();
    assert.equal(Number(schedule.every), 200);
    await jobs.removeRepeatableByKey(schedule.key);
    assert.deepEqual(await jobs.getRepeatableJobs(), []);
  });

  test("everything goes", async () => {
    const jobs = queue("gone");
    await jobs.addBulk(Array.from({ length: 20 }, () => ({ data: {} })));
    const [first] = await jobs.getWaiting(0, 0);
    await first.remove();
    await jobs.removeJobs("1*");
    assert.ok((await jobs.count()) < 19);
    await jobs.empty();
    assert.equal(await jobs.count(), 0);
    await jobs.obliterate({ force: true });
    const client = new Redis(redis);
    assert.deepEqual(await client.keys("bull:gone:*"), []);
    client.disconnect();
  });
});
