// node-redis: both protocols, transactions, scripts, scans, reconnecting.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { createClient, createClientPool, defineScript } from "redis";

import { Server } from "./server.mjs";

let server;

before(async () => {
  server = await Server.start();
});
after(async () => {
  await server.close();
});

const addTo = defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: "return redis.call('incrby', KEYS[1], ARGV[1])",
  parseCommand(parser, key, number) {
    parser.pushKey(key);
    parser.push(String(number));
  },
  transformReply: (reply) => reply,
});

for (const RESP of [2, 3]) {
  describe(`node-redis, RESP${RESP}`, () => {
    // Each test has a client of its own and an empty server.
    const test = (name, run, options = {}) =>
      it(name, async () => {
        const socket = { port: server.port, reconnectStrategy: () => 20 };
        const client = createClient({ socket, RESP, ...options });
        client.on("error", () => {});
        await client.connect();
        try {
          await client.flushAll();
          await run(client);
        } finally {
          client.destroy();
        }
      });

    test("strings and numbers", async (client) => {
      assert.equal(await client.set("k", "v"), "OK");
      assert.equal(await client.get("k"), "v");
      assert.equal(await client.get("missing"), null);
      assert.equal(await client.set("k", "w", { NX: true }), null);
      assert.equal(await client.set("k", "w", { EX: 100, GET: true }), "v");
      assert.ok((await client.ttl("k")) >= 99);
      assert.equal(await client.incrBy("n", 5), 5);
      assert.deepEqual(await client.mGet(["k", "n", "missing"]), ["w", "5", null]);
      assert.equal(await client.del(["k", "n", "missing"]), 2);
      assert.equal(await client.exists("k"), 0);
      await assert.rejects(client.sendCommand(["NOSUCH"]), /unknown command/);
    });

    test("many at once", async (client) => {
      const numbers = Array.from({ length: 1_000 }, (_, index) => index);
      await Promise.all(numbers.map((number) => client.set(`k${number}`, String(number))));
      const values = await Promise.all(numbers.map((number) => client.get(`k${number}`)));
      assert.deepEqual(values, numbers.map(String));
    });

    test("transactions", async (client) => {
      assert.deepEqual(await client.multi().set("k", "1").incr("k").get("k").exec(), ["OK", 2, "2"]);
      const other = client.duplicate();
      await other.connect();
      await client.watch("k");
      await other.set("k", "theirs");
      await assert.rejects(client.multi().set("k", "mine").exec());
      assert.equal(await client.get("k"), "theirs");
      other.destroy();
    });

    test(
      "scripts",
      async (client) => {
        assert.equal(await client.addTo("n", 5), 5);
        await client.scriptFlush();
        assert.equal(await client.addTo("n", 5), 10);
        const reply = await client.eval("return {KEYS[1], ARGV[1]}", { keys: ["k"], arguments: ["v"] });
        assert.deepEqual(reply, ["k", "v"]);
      },
      { scripts: { addTo } },
    );

    test("a scan", async (client) => {
      await client.mSet(Array.from({ length: 500 }, (_, index) => [`item:${index}`, "1"]));
      const found = new Set();
      for await (const keys of client.scanIterator({ MATCH: "item:*", COUNT: 50 })) {
        for (const key of [keys].flat()) found.add(key);
      }
      assert.equal(found.size, 500);
    });

    test("databases and settings", async (client) => {
      await client.select(3);
      await client.set("k", "three");
      await client.select(0);
      assert.equal(await client.get("k"), null);
      assert.match(await client.info("server"), /redis_version:/);
      assert.equal((await client.configGet("timeout")).timeout, "0");
      assert.ok((await client.clientId()) > 0);
    });

    test("a pool", async () => {
      const pool = createClientPool({ socket: { port: server.port }, RESP }, { maximum: 4 });
      await pool.connect();
      await Promise.all(Array.from({ length: 100 }, () => pool.incr("pooled")));
      assert.equal(await pool.get("pooled"), "100");
      await pool.close();
    });

    test("messages to channels and patterns", async (client) => {
      const subscriber = await client.duplicate().connect();
      try {
        const received = [];
        const note = (...words) => received.push(words);
        await subscriber.subscribe(["news", "other"], note);
        await subscriber.pSubscribe("n?ws", note);
        assert.equal(await client.publish("news", "hello"), 2);
        assert.equal(await client.publish("other", "you"), 1);
        assert.equal(await client.publish("nobody", "x"), 0);
        while (received.length < 3) await pause(1);
        assert.deepEqual(received, [
          ["hello", "news"],
          ["hello", "news"],
          ["you", "other"],
        ]);
        await subscriber.unsubscribe("news");
        assert.equal(await client.publish("news", "again"), 1);
        assert.match(await subscriber.ping(), /^pong$/i);
        await subscriber.pUnsubscribe();
        await subscriber.unsubscribe();
        assert.equal(await subscriber.get("k"), null);
        assert.equal(await client.publish("news", "once more"), 0);
      } finally {
        subscriber.destroy();
      }
    });

    test("messages to shard channels, and of bytes", async (client) => {
      const subscriber = await client.duplicate().connect();
      try {
        const received = [];
        const bytes = Buffer.from([0, 13, 10, 255]);
        await subscriber.sSubscribe("news", (message) => received.push(message), true);
        assert.equal(await client.sPublish("news", bytes), 1);
        while (received.length < 1) await pause(1);
        assert.deepEqual(received, [bytes]);
      } finally {
        subscriber.destroy();
      }
    });

    test("a subscriber returns after a restart of the server", async (client) => {
      const subscriber = client.duplicate();
      subscriber.on("error", () => {});
      await subscriber.connect();
      try {
        const received = [];
        await subscriber.subscribe("news", (message) => received.push(message));
        await server.stop();
        await server.run();
        while (received.length < 1) {
          await client.publish("news", "back").catch(() => {});
          await pause(5);
        }
        assert.equal(received[0], "back");
      } finally {
        subscriber.destroy();
      }
    });

    test("a restart of the server", async (client) => {
      await client.set("k", "v");
      await server.stop();
      const waiting = client.set("k", "afterwards");
      await server.run();
      // The command may have been cut off with the connection; the next one goes through.
      await waiting.catch(() => client.set("k", "afterwards"));
      assert.equal(await client.get("k"), "afterwards");
    });
  });
}

describe("node-redis", () => {
  it("a password", async () => {
    const locked = await Server.start("--requirepass", "secret");
    const url = `redis://default:secret@127.0.0.1:${locked.port}/1`;
    const client = await createClient({ url }).on("error", () => {}).connect();
    assert.equal(await client.ping(), "PONG");
    client.destroy();
    const stranger = createClient({ socket: { port: locked.port, reconnectStrategy: false } });
    stranger.on("error", () => {});
    await stranger.connect().catch(() => {});
    await assert.rejects(stranger.get("k"));
    if (stranger.isOpen) stranger.destroy();
    await locked.close();
  });
});
