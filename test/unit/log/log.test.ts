import { PassThrough, Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { type LogOptions, ProcessLog, plainLog } from "../../../src/log/log.ts";
import type { LogLevel } from "../../../src/store/store.ts";

const levels: readonly LogLevel[] = ["error", "warning", "notice", "info", "debug"];

function openLog(stderr: Writable, options: Partial<LogOptions> = {}): ProcessLog {
  const defaults: LogOptions = { place: null, ident: "cyrus/smmap", facility: 2, lowest: "info" };
  return new ProcessLog({ ...defaults, ...options }, { pid: 1, stderr, env: {} });
}

function linesOf(stream: PassThrough): string[] {
  return String(stream.read() ?? "")
    .split("\n")
    .slice(0, -1);
}

/** A stream whose reader takes a chunk only when `release` is called. */
class Stuck extends Writable {
  #release: () => void = () => {};
  text = "";

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    this.#release = done;
  }

  release(): void {
    this.#release();
  }
}

describe("the log", () => {
  it("writes the name of the process and the level, and leaves out lower levels", async () => {
    const stream = new PassThrough();
    const log = openLog(stream);
    for (const level of levels) log[level](`of ${level}`);
    expect(await log.close()).toBe(true);
    expect(linesOf(stream)).toEqual([
      "cyrus/smmap[1]: error: of error",
      "cyrus/smmap[1]: warning: of warning",
      "cyrus/smmap[1]: notice: of notice",
      "cyrus/smmap[1]: info: of info",
    ]);
  });

  it("is adjusted when the configuration is read", async () => {
    const stream = new PassThrough();
    const log = openLog(stream);
    log.adjust({ place: "json", ident: "x", facility: 2, lowest: "debug" });
    log.debug("why");
    await log.close();
    const [line = ""] = linesOf(stream);
    expect(JSON.parse(line)).toEqual({ time: expect.any(String), level: "debug", message: "why" });
  });

  it("queues lines for a reader that hangs, reports how many were lost, and does not block", async () => {
    const stream = new Stuck({ highWaterMark: 1 });
    const log = openLog(stream);
    const message = "x".repeat(2_000);
    const sent = 10_000;
    for (let i = 0; i < sent; i++) log.info(message);
    expect(await log.close()).toBe(false);
    const closing = log.close();
    const emptied = new Promise((resolve) => {
      stream.on("drain", () => setImmediate(() => stream.release()));
      closing.then(resolve);
    });
    stream.release();
    await emptied;
    const lines = stream.text.split("\n").slice(0, -1);
    const kept = lines.filter((line) => line === `cyrus/smmap[1]: info: ${message}`).length;
    expect(kept).toBeGreaterThan(1_000);
    expect(kept).toBeLessThan(5_000);
    expect(lines.at(-1)).toBe(
      `cyrus/smmap[1]: warning: ${sent - kept} log lines were lost, because they could not be written in time`,
    );
    expect(lines.length).toBe(kept + 1);
  });

  it("continues without its reader", async () => {
    const stream = new PassThrough();
    const log = openLog(stream);
    stream.destroy(new Error("EPIPE"));
    await new Promise((resolve) => stream.once("close", resolve));
    for (let i = 0; i < 10_000; i++) log.error("x".repeat(2_000));
    expect(await log.close()).toBe(true);
  });
});

describe("the log of a command", () => {
  it("is written immediately, as text", () => {
    const stream = new PassThrough();
    const log = plainLog(stream, "smmapd", "warning");
    for (const level of levels) log[level]("a\nb");
    expect(linesOf(stream)).toEqual(["smmapd: error: a\\x0ab", "smmapd: warning: a\\x0ab"]);
  });
});
