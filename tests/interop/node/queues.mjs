// What the suites of job queues share: a server of their own, empty before each test, and an end for what a
// test opens.

import { after, before, beforeEach, describe, it } from "node:test";

import { Redis } from "ioredis";

import { Server } from "./server.mjs";

// Where the server is, as queues want to be told; BullMQ's insist on the last.
export const address = { host: "127.0.0.1", port: 0, maxRetriesPerRequest: null };

let opened = [];

// What a test opens is closed after it, the last one first.
export function open(thing, close = (made) => made.close()) {
  opened.push(() => close(thing));
  return thing;
}

// Waits for what somebody tells `count` times.
export function told(teller, event, count = 1) {
  return new Promise((resolve) => {
    const all = [];
    teller.on(event, (...facts) => {
      all.push(facts);
      if (all.length === count) resolve(all);
    });
  });
}

// Tests made by `define`, which is given what makes one.
export function queueSuite(name, define) {
  describe(name, () => {
    let server;
    before(async () => {
      server = await Server.start();
      address.port = server.port;
    });
    after(() => server.close());
    beforeEach(async () => {
      opened = [];
      const client = new Redis(address);
      await client.flushall();
      client.disconnect();
    });
    define((title, run) =>
      it(title, { timeout: 30_000 }, async () => {
        try {
          await run();
        } finally {
          for (const close of opened.reverse()) await close();
        }
      }),
    );
  });
}
