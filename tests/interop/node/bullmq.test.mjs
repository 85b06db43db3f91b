// BullMQ: jobs with delays, retries, priorities, rate limits and deduplication; flows; schedules.

import assert from "node:assert/strict";

import { FlowProducer, Queue, QueueEvents, UnrecoverableError, Worker } from "bullmq";
import { Redis } from "ioredis";

import { address as connection, open, queueSuite, told } from "./queues.mjs";

const queue = (name, options = {}) => open(new Queue(name, { connection, ...options }));
const worker = (name, run, options = {}) =>
  open(new Worker(name, run, { connection, ...options }));

async function events(name, options = {}) {
  const listener = open(new QueueEvents(name, { connection, ...options }));
  await listener.waitUntilReady();
  return listener;
}

queueSuite("bullmq", (test) => {
  test("a job and its result", async () => {
    const jobs = queue("work");
    const listener = await events("work");
    worker("work", async (job) => {
      await job.log(`working on ${job.name}`);
      await job.updateProgress(50);
      return { sum: job.data.a + job.data.b };
    });
    const progress = new Promise((resolve) => listener.on("progress", resolve));
    const job = await jobs.add("sum", { a: 2, b: 3, text: "naïve ✓", nested: [1, { x: null }] });
    assert.deepEqual(await job.waitUntilFinished(listener), { sum: 5 });
    assert.equal((await progress).data, 50);
    const done = await jobs.getJob(job.id);
    assert.deepEqual(done.data.nested, [1, { x: null }]);
    assert.equal(await done.getState(), "completed");
    assert.deepEqual((await jobs.getJobLogs(job.id)).logs, ["working on sum"]);
    assert.deepEqual(
      await jobs.getJobCounts("completed", "failed", "waiting"),
      { completed: 1, failed: 0, waiting: 0 },
    );
  });

  test("many at once, by several workers", async () => {
    const jobs = queue("many");
    const seen = new Set();
    const run = async (job) => {
      assert.ok(!seen.has(job.id), `${job.id} comes twice`);
      seen.add(job.id);
    };
    const names = Array.from({ length: 300 }, (_, number) => ({ name: "n", data: { number } }));
    await jobs.addBulk(names);
    assert.equal(await jobs.getWaitingCount(), 300);
    const workers = [worker("many", run, { concurrency: 10 }), worker("many", run)];
    let done = 0;
    await new Promise((resolve) => {
      for (const one of workers) one.on("completed", () => ++done === 300 && resolve());
    });
    assert.equal(seen.size, 300);
    assert.equal(await jobs.getCompletedCount(), 300);
    const page = await jobs.getJobs(["completed"], 0, 9, true);
    assert.equal(page.length, 10);
    assert.equal((await jobs.clean(0, 100, "completed")).length, 100);
    assert.equal(await jobs.getCompletedCount(), 200);
  });

  test("delays", async () => {
    const jobs = queue("later");
    const order = [];
    const runner = worker("later", async (job) => order.push(job.name));
    await runner.waitUntilReady();
    const begun = Date.now();
    await jobs.add("third", {}, { delay: 600 });
    await jobs.add("second", {}, { delay: 300 });
    await jobs.add("first", {});
    const moved = await jobs.add("changed", {}, { delay: 100_000 });
    const promoted = await jobs.add("promoted", {}, { delay: 100_000 });
    assert.equal(await moved.getState(), "delayed");
    assert.equal(await jobs.getDelayedCount(), 4);
    await moved.changeDelay(900);
    const finished = told(runner, "completed", 4);
    await promoted.promote();
    await finished;
    if (order.length < 5) await told(runner, "completed", 5 - order.length);
    assert.ok(890 <= Date.now() - begun);
    assert.deepEqual(order.filter((name) => name !== "promoted"), [
      "first", "second", "third", "changed",
    ]);
  });

  test("retries, and what fails for good", async () => {
    const jobs = queue("flaky");
    const runner = worker("flaky", async (job) => {
      if (job.name === "never") throw new UnrecoverableError("no use");
      if (job.attemptsMade < job.data.failures) throw new Error(`attempt ${job.attemptsMade}`);
      return job.attemptsMade;
    });
    const listener = await events("flaky");
    const backoff = { type: "exponential", delay: 50 };
    const good = await jobs.add("later", { failures: 3 }, { attempts: 5, backoff });
    assert.equal(await good.waitUntilFinished(listener), 3);
    const bad = await jobs.add("bad", { failures: 10 }, { attempts: 3, backoff: 10 });
    await assert.rejects(bad.waitUntilFinished(listener), /attempt 2/);
    const never = await jobs.add("never", {}, { attempts: 5 });
    await assert.rejects(never.waitUntilFinished(listener), /no use/);
    const failed = await jobs.getFailed();
    assert.deepEqual(failed.map((job) => [job.name, job.attemptsMade]).sort(), [
      ["bad", 3], ["never", 1],
    ]);
    assert.equal((await jobs.getJob(bad.id)).stacktrace.length, 3);
    // By hand.
    const retried = told(runner, "completed");
    await (await jobs.getJob(bad.id)).updateData({ failures: 0 });
    await (await jobs.getJob(bad.id)).retry();
    assert.equal((await retried)[0][0].id, bad.id);
  });

  test("priorities", async () => {
    const jobs = queue("urgent");
    for (const [name, priority] of [["low", 30], ["high", 1], ["middle", 5], ["high too", 1]]) {
      await jobs.add(name, {}, { priority });
    }
    await jobs.add("before all", {});
    const late = await jobs.add("changed", {}, { priority: 40 });
    await late.changePriority({ priority: 2 });
    assert.deepEqual(await jobs.getCountsPerPriority([0, 1, 2, 5]), { 0: 1, 1: 2, 2: 1, 5: 1 });
    const order = [];
    const runner = worker("urgent", async (job) => order.push(job.name));
    await told(runner, "completed", 6);
    assert.deepEqual(order, ["before all", "high", "high too", "changed", "middle", "low"]);
  });

  test("last in, first out", async () => {
    const jobs = queue("stack");
    for (const name of ["a", "b", "c"]) await jobs.add(name, {}, { lifo: true });
    const order = [];
    const runner = worker("stack", async (job) => order.push(job.name));
    await told(runner, "completed", 3);
    assert.deepEqual(order, ["c", "b", "a"]);
  });

  test("rate limits", async () => {
    const jobs = queue("limited");
    const times = [];
    await jobs.addBulk(Array.from({ length: 6 }, () => ({ name: "n", data: {} })));
    const limiter = { max: 2, duration: 300 };
    const runner = worker("limited", async () => times.push(Date.now()), { limiter });
    await told(runner, "completed", 6);
    const first = times[0];
    assert.ok(550 <= times[5] - first, `${times[5] - first} ms`);
    // A worker can set a limit itself.
    let limits = 0;
    const other = queue("manual");
    const slow = worker("manual", async () => {
      if (limits++ === 0) {
        await slow.rateLimit(200);
        throw Worker.RateLimitError();
      }
    }, { limiter: { max: 10, duration: 1000 } });
    const begun = Date.now();
    const finished = told(slow, "completed");
    await other.add("n", {});
    await finished;
    assert.ok(190 <= Date.now() - begun);
  });

  test("pause, drain and obliterate", async () => {
    const jobs = queue("paused");
    await jobs.pause();
    const runner = worker("paused", async () => {});
    await runner.waitUntilReady();
    const job = await jobs.add("n", {});
    assert.equal(await jobs.isPaused(), true);
    assert.equal(await job.getState(), "waiting");
    assert.equal(await jobs.getWaitingCount(), 1);
    const finished = told(runner, "completed");
    await jobs.resume();
    assert.equal((await finished)[0][0].id, job.id);
    await jobs.pause();
    await jobs.addBulk(Array.from({ length: 20 }, () => ({ name: "n", data: {} })));
    await jobs.drain();
    assert.equal(await jobs.getWaitingCount(), 0);
    await jobs.obliterate({ force: true });
    const client = open(new Redis(connection));
    client.close = () => client.disconnect();
    assert.deepEqual(await client.keys("bull:paused:*"), []);
  });

  test("each only once", async () => {
    const jobs = queue("once");
    const first = await jobs.add("n", { number: 1 }, { deduplication: { id: "same" } });
    const again = await jobs.add("n", { number: 2 }, { deduplication: { id: "same" } });
    assert.equal(again.id, first.id);
    const named = await jobs.add("n", { number: 3 }, { jobId: "mine" });
    await jobs.add("n", { number: 4 }, { jobId: "mine" });
    assert.equal(await jobs.getWaitingCount(), 2);
    assert.equal((await jobs.getJob(named.id)).data.number, 3);
    const runner = worker("once", async () => {});
    await told(runner, "completed", 2);
    const later = await jobs.add("n", {}, { deduplication: { id: "same", ttl: 100 } });
    assert.notEqual(later.id, first.id);
  });

  test("parents and children", async () => {
    const flow = open(new FlowProducer({ connection }));
    const order = [];
    const child = worker("children", async (job) => {
      order.push(job.name);
      return job.data.value;
    });
    const parent = worker("parents", async (job) => {
      order.push(job.name);
      const values = Object.values(await job.getChildrenValues());
      return values.reduce((sum, value) => sum + value, 0);
    });
    const listener = await events("parents");
    const step = (name, value) => ({ name, queueName: "children", data: { value } });
    const tree = await flow.add({
      name: "root",
      queueName: "parents",
      children: [
        { name: "middle", queueName: "parents", children: [step("x", 1), step("y", 2)] },
        step("z", 40),
      ],
    });
    assert.equal(tree.children.length, 2);
    assert.equal(await tree.job.waitUntilFinished(listener), 43);
    assert.equal(order.at(-1), "root");
    assert.ok(order.indexOf("x") < order.indexOf("middle"));
    assert.ok(order.indexOf("y") < order.indexOf("middle"));
    const read = await flow.getFlow({ id: tree.job.id, queueName: "parents" });
    assert.equal(read.children.length, 2);
    const counts = await tree.job.getDependenciesCount();
    assert.deepEqual([counts.processed, counts.unprocessed], [2, 0]);
    assert.ok(child.isRunning() && parent.isRunning());
  });

  test("a parent fails with its child", async () => {
    const flow = open(new FlowProducer({ connection }));
    worker("children", async () => {
      throw new Error("broken");
    });
    worker("parents", async () => "never");
    const listener = await events("parents");
    const tree = await flow.add({
      name: "root",
      queueName: "parents",
      children: [{ name: "c", queueName: "children", opts: { failParentOnFailure: true } }],
    });
    await assert.rejects(tree.job.waitUntilFinished(listener), /child .* failed/);
  });

  test("schedules", async () => {
    const jobs = queue("regular");
    const runner = worker("regular", async (job) => job.name);
    const ticks = told(runner, "completed", 3);
    await jobs.upsertJobScheduler("tick", { every: 200 }, { name: "tick", data: { n: 1 } });
    await jobs.upsertJobScheduler("daily", { pattern: "0 15 3 * * *" }, { name: "daily" });
    assert.equal(await jobs.getJobSchedulersCount(), 2);
    for (const [job] of await ticks) assert.equal(job.name, "tick");
    assert.equal(await jobs.removeJobScheduler("tick"), true);
    const left = await jobs.getJobSchedulers(0, 9, true);
    assert.deepEqual(left.map((scheduler) => scheduler.key), ["daily"]);
    assert.ok(Date.now() < left[0].next);
  });

  test("a worker that died loses its job to another", async () => {
    const jobs = queue("stalled");
    const options = { lockDuration: 500, stalledInterval: 300, maxStalledCount: 2 };
    // It never answers: its lock is not renewed, and runs out.
    let taken;
    const isTaken = new Promise((resolve) => (taken = resolve));
    const dead = worker("stalled", () => new Promise(taken), {
      ...options, skipLockRenewal: true, skipStalledCheck: true,
    });
    dead.on("error", () => {});
    const job = await jobs.add("n", {});
    await isTaken;
    await dead.close(true);
    const alive = worker("stalled", async () => "rescued", options);
    const [[done, result]] = await told(alive, "completed");
    assert.deepEqual([done.id, result], [job.id, "rescued"]);
  });

  test("what happened, in order", async () => {
    const jobs = queue("stories");
    // From the beginning, whenever it gets there.
    const listener = await events("stories", { lastEventId: "0-0" });
    const story = [];
    for (const event of ["added", "waiting", "active", "completed", "failed", "retries-exhausted"]) {
      listener.on(event, ({ jobId }) => story.push(`${jobId} ${event}`));
    }
    worker("stories", async (job) => {
      if (job.name === "bad") throw new Error("no");
    });
    const good = await jobs.add("good", {}, { jobId: "g" });
    await good.waitUntilFinished(listener);
    const bad = await jobs.add("bad", {}, { jobId: "b", removeOnFail: true });
    await assert.rejects(bad.waitUntilFinished(listener));
    const wanted = ["g added", "g waiting", "g active", "g completed", "b added", "b waiting",
      "b active", "b failed"];
    assert.deepEqual(story.filter((line) => !line.endsWith("exhausted")), wanted);
    assert.equal(await jobs.getJob("b"), undefined);
    assert.equal(await jobs.getJob("g").then((job) => job.isCompleted()), true);
  });
});
