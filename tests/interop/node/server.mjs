// Starts the server under test on a free port in a folder of its own, and stops it again.

import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

export const binary = process.env.OCHRE_TEST_SERVER ?? "redis-server";

export class Server {
  static async start(...options) {
    const server = new Server();
    server.options = options;
    server.folder = mkdtempSync(path.join(tmpdir(), "ochre-test-"));
    server.port = await freePort();
    await server.run();
    return server;
  }

  async run() {
    const log = openSync(path.join(this.folder, "log"), "a");
    const words = ["--port", String(this.port), "--bind", "127.0.0.1", "--save", ""];
    words.push("--dir", this.folder, ...this.options);
    this.process = spawn(binary, words, { stdio: ["ignore", log, log] });
    this.ended = new Promise((resolve) => this.process.once("exit", resolve));
    for (let tries = 0; tries < 1000; tries++) {
      if (await answers(this.port)) return;
      await pause(20);
    }
    throw new Error(readFileSync(path.join(this.folder, "log"), "utf8"));
  }

  async stop() {
    this.process.kill("SIGTERM");
    await this.ended;
  }

  async close() {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

function answers(port) {
  return new Promise((resolve) => {
    const connection = net.connect(port, "127.0.0.1", () => connection.write("PING\r\n"));
    connection.once("data", () => {
      connection.destroy();
      resolve(true);
    });
    connection.once("error", () => resolve(false));
  });
}
