// ioredis: single commands, auto-pipelining, transactions, scripts, reconnecting.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";

import { Redis } from "ioredis";

import { Server } from "./server.mjs";

let server;
let redis;

before(async () => {
  server = await Server.start();
});
after(async () => {
  await server.close();
});

describe("ioredis", () => {
  beforeEach(async () => {
    redis = new Redis(server.port, "127.0.0.1");
    await redis.flushall();
  });

  // Each test closes what it opened, so that the program ends.
  const test = (name, run) =>
    it(name, async () => {
      try {
        await run();
      } finally {
        redis.disconnect();
      }
    });

  test("strings and numbers", async () => {
    assert.equal(await redis.set("k", "v"), "OK");
    assert.equal(await redis.get("k"), "v");
    assert.equal(await redis.get("missing"), null);
    assert.equal(await redis.set("k", "w", "NX"), null);
    assert.equal(await redis.set("k", "w", "EX", 100, "GET"), "v");
    assert.ok((await redis.ttl("k")) >= 99);
    assert.equal(await redis.incr("n"), 1);
    assert.equal(await redis.incrbyfloat("n", 0.5), "1.5");
    assert.deepEqual(await redis.mget("k", "n", "missing"), ["w", "1.5", null]);
    assert.equal(await redis.mset(new Map([["a", "1"], ["b", "2"]])), "OK");
    assert.equal(await redis.del("a", "b", "c"), 2);
    const binary = Buffer.from([0, 255, 13, 10]);
    await redis.set("binary", binary);
    assert.deepEqual(await redis.getBuffer("binary"), binary);
    await assert.rejects(redis.incr("k"), /not an integer/);
    await assert.rejects(redis.call("NOSUCH"), /unknown command/);
  });

  test("a database, a name, a prefix", async () => {
    const other = new Redis({ port: server.port, db: 3, connectionName: "me", keyPrefix: "p:" });
    await other.set("k", "v");
    assert.equal(await other.client("GETNAME"), "me");
    other.disconnect();
    assert.equal(await redis.get("p:k"), null);
    await redis.select(3);
    assert.equal(await redis.get("p:k"), "v");
  });

  test("a pipeline", async () => {
    const replies = await redis.pipeline().set("k", 1).incr("k").get("k").call("NOSUCH").exec();
    assert.deepEqual(replies.slice(0, 3), [[null, "OK"], [null, 2], [null, "2"]]);
    assert.match(replies[3][0].message, /unknown command/);
  });

  test("a transaction, and one that is refused", async () => {
    assert.deepEqual(await redis.multi().set("k", "1").incr("k").exec(), [[null, "OK"], [null, 2]]);
    await assert.rejects(redis.multi().set("k", "5").call("NOSUCH").exec(), /EXECABORT/);
    assert.equal(await redis.get("k"), "2");
    await redis.multi({ pipeline: false });
    assert.equal(await redis.set("k", "7"), "QUEUED");
    assert.deepEqual(await redis.exec(), [[null, "OK"]]);
  });

  test("a watched key that changes", async () => {
    const other = redis.duplicate();
    await redis.watch("k");
    await other.set("k", "theirs");
    assert.equal(await redis.multi().set("k", "mine").exec(), null);
    assert.equal(await redis.get("k"), "theirs");
    other.disconnect();
  });

  test("auto-pipelining", async () => {
    const client = new Redis({ port: server.port, enableAutoPipelining: true });
    const numbers = Array.from({ length: 1_000 }, (_, index) => index);
    await Promise.all(numbers.map((number) => client.set(`k${number}`, number)));
    const values = await Promise.all(numbers.map((number) => client.get(`k${number}`)));
    assert.deepEqual(values, numbers.map(String));
    await Promise.all(numbers.map(() => client.incr("total")));
    assert.equal(await client.get("total"), "1000");
    client.disconnect();
  });

  test("a script as a command", async () => {
    redis.defineCommand("addTo", {
      numberOfKeys: 1,
      lua: "return redis.call('incrby', KEYS[1], ARGV[1])",
    });
    assert.equal(await redis.addTo("n", 5), 5);
    await redis.script("FLUSH");
    assert.equal(await redis.addTo("n", 5), 10);
    assert.deepEqual(await redis.pipeline().addTo("n", 1).addTo("n", 1).exec(), [[null, 11], [null, 12]]);
    assert.deepEqual(await redis.eval("return {KEYS[1], ARGV[1]}", 1, "k", "v"), ["k", "v"]);
  });

  test("a scan", async () => {
    await redis.mset(Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`item:${index}`, "1"])));
    const found = new Set();
    for await (const keys of redis.scanStream({ match: "item:*", count: 50 })) {
      for (const key of keys) found.add(key);
    }
    assert.equal(found.size, 500);
  });

  test("what INFO and CONFIG say", async () => {
    assert.match(await redis.info(), /redis_version:/);
    assert.deepEqual(await redis.config("GET", "timeout"), ["timeout", "0"]);
    assert.ok((await redis.command("COUNT")) > 50);
  });

  test("a restart of the server", async () => {
    const client = new Redis({
      port: server.port,
      maxRetriesPerRequest: null,
      retryStrategy: () => 20,
    });
    client.on("error", () => {});
    await client.set("k", "v");
    await server.stop();
    const waiting = client.set("k", "afterwards");
    await server.run();
    assert.equal(await waiting, "OK");
    assert.equal(await client.get("k"), "afterwards");
    client.disconnect();
  });

  test("a password", async () => {
    const locked = await Server.start("--requirepass", "secret");
    const client = new Redis({ port: locked.port, password: "secret" });
    assert.equal(await client.ping(), "PONG");
    client.disconnect();
    const named = new Redis(`redis://default:secret@127.0.0.1:${locked.port}/1`);
    assert.equal(await named.ping(), "PONG");
    named.disconnect();
    const stranger = new Redis({ port: locked.port, retryStrategy: null, enableReadyCheck: false });
    stranger.on("error", () => {});
    await assert.rejects(stranger.get("k"), /NOAUTH/);
    stranger.disconnect();
    await locked.close();
  });
});
