/** The log through a real logger(1) to a real syslog daemon, and failures of either. */
import { PassThrough } from "node:stream";
import { setTimeout as delay, setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type SyslogMessage, SyslogServer } from "../../fixtures/servers/syslog.ts";
import { type LogOptions, ProcessLog } from "../../src/log/log.ts";

const { PATH } = process.env;
const NOTICE_OF_MAIL = 21;

let server: SyslogServer;
let stderr: PassThrough;
const logs: ProcessLog[] = [];

beforeEach(async () => {
  server = await SyslogServer.start();
  process.env.PATH = server.path;
  stderr = new PassThrough();
});

afterEach(async () => {
  vi.useRealTimers();
  process.env.PATH = PATH;
  server.resume();
  for (const pid of server.loggers) signal(pid, "SIGCONT");
  await Promise.all(logs.splice(0).map((log) => log.close()));
  await server.stop();
});

function signal(pid: number | undefined, name: NodeJS.Signals): void {
  try {
    process.kill(pid ?? 0, name);
  } catch {
    // It has exited already.
  }
}

function openLog(options: Partial<LogOptions> = {}): ProcessLog {
  const defaults: LogOptions = { place: "syslog", ident: "cyrus/smmap", facility: 2, lowest: "info" };
  const log = new ProcessLog({ ...defaults, ...options }, { pid: 4711, stderr, env: {} });
  logs.push(log);
  return log;
}

async function arrived(count: number): Promise<readonly SyslogMessage[]> {
  while (server.messages.length < count) await delay(5);
  return server.messages;
}

async function told(pattern: RegExp): Promise<string> {
  let text = "";
  while (!pattern.test(text)) {
    text += String(stderr.read() ?? "");
    await delay(5);
  }
  return text;
}

const texts = (messages: readonly SyslogMessage[]) => messages.map(({ text }) => text);

describe("a message", () => {
  it("has facility, severity, prefix, service and process", async () => {
    const log = openLog({ lowest: "debug" });
    log.error("one");
    log.warning("two");
    log.notice("three");
    log.info("four");
    log.debug("five");
    const tag = "cyrus/smmap[4711]";
    expect(await arrived(5)).toEqual([
      { priority: 19, tag, text: "one" },
      { priority: 20, tag, text: "two" },
      { priority: 21, tag, text: "three" },
      { priority: 22, tag, text: "four" },
      { priority: 23, tag, text: "five" },
    ]);
  });

  it("goes to another destination after a change of options, without losing earlier ones", async () => {
    const log = openLog({ ident: "smmap" });
    log.notice("before");
    log.adjust({ place: "syslog", ident: "other/smmap", facility: 22, lowest: "info" });
    log.notice("after");
    const messages = await arrived(2);
    expect(messages).toContainEqual({ priority: NOTICE_OF_MAIL, tag: "smmap[4711]", text: "before" });
    expect(messages).toContainEqual({ priority: 22 * 8 + 5, tag: "other/smmap[4711]", text: "after" });
  });

  it("is one message, whatever it contains", async () => {
    const log = openLog();
    const nasty = ["a\n<8>forged\r\n", "<8>forged", "", "\0\x1b[2J", `${"x".repeat(32_000)}<8>forged`, "Grüße, 日本"];
    for (const message of [...nasty, "\n".repeat(9_000), "end"]) log.notice(message);
    const messages = await arrived(8);
    expect(messages.every(({ priority }) => priority === NOTICE_OF_MAIL)).toBe(true);
    const [first, second, third, fourth, fifth = "", sixth, seventh = "", ...rest] = texts(messages);
    expect([first, second, third]).toEqual(["a\\x0a<8>forged\\x0d\\x0a", "<8>forged", ""]);
    expect([fourth, sixth, rest]).toEqual(["\\x00\\x1b[2J", "Grüße, 日本", ["end"]]);
    expect(fifth).toMatch(/^x{7900,8000}… \(cut\)$/);
    expect(seventh).toMatch(/^(\\x0a){7900,8000}… \(cut\)$/);
  });
});

describe("two thousand messages", () => {
  const all = Array.from({ length: 2_000 }, (_, i) => `message ${i} of fred@example.org`);

  it("all arrive in order, through one logger", async () => {
    const log = openLog();
    for (const message of all) log.notice(message);
    expect(texts(await arrived(2_000))).toEqual(all);
    expect(server.loggers.length).toBe(1);
  });

  it("arrive also when the process exits immediately", async () => {
    const log = openLog();
    for (const message of all) log.notice(message);
    expect(await log.close()).toBe(true);
    expect(texts(await arrived(2_000))).toEqual(all);
  });
});

describe("a logger", () => {
  it("that hangs does not block the process, has bounded memory, and later reports how many lines were lost", async () => {
    const log = openLog();
    log.notice("first");
    await arrived(1);
    signal(server.loggers[0], "SIGSTOP");
    const sent = 100_000;
    const started = performance.now();
    for (let i = 0; i < sent; i++) {
      log.notice(`message ${i}`);
      if (i % 1_000 === 0) await turn();
    }
    // No write blocks: a hundred thousand writes to a pipe would take longer than this.
    expect(performance.now() - started).toBeLessThan(5_000);
    signal(server.loggers[0], "SIGCONT");
    let last = "";
    while (!last.includes("lost")) {
      await delay(20);
      last = server.messages.at(-1)?.text ?? "";
    }
    const kept = server.messages.length - 2;
    expect(kept).toBeGreaterThan(10_000);
    expect(last).toBe(`${sent - kept} log lines were lost, because they could not be written in time`);
    expect(texts(server.messages).slice(1, -1)).toEqual(Array.from({ length: kept }, (_, i) => `message ${i}`));
  });

  it("that hangs does not keep the process from exiting, and is killed with it", async () => {
    const log = openLog();
    log.notice("first");
    await arrived(1);
    const [pid] = server.loggers;
    signal(pid, "SIGSTOP");
    log.notice("last");
    await log.close();
    expect(() => process.kill(pid ?? 0, 0)).toThrow("ESRCH");
  });

  it("that exits is replaced, and the next lines arrive", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const log = openLog();
    log.notice("first");
    await arrived(1);
    vi.advanceTimersByTime(1_000);
    signal(server.loggers[0], "SIGKILL");
    await arrived(2);
    log.notice("second");
    expect(texts(await arrived(3))).toEqual([
      "first",
      "syslog: logger ended with SIGKILL; lines may be lost",
      "second",
    ]);
    expect(server.loggers.length).toBe(2);
  });

  it("that is missing leaves all lines to standard error", async () => {
    process.env.PATH = "/nowhere";
    const log = openLog();
    log.notice("first");
    log.warning("second");
    const text = await told(/second/);
    const head = "cyrus/smmap[4711]: ";
    expect(text.split("\n").slice(0, -1)).toEqual([
      `${head}error: syslog: spawn logger ENOENT; log lines go to standard error until it works`,
      `${head}notice: first`,
      `${head}warning: second`,
    ]);
    log.notice("third");
    expect(await told(/third/)).toBe(`${head}notice: third\n`);
  });
});

describe("a syslog daemon", () => {
  it("that hangs does not block the process, neither in operation nor at shutdown", async () => {
    const log = openLog();
    log.notice("first");
    await arrived(1);
    server.suspend();
    for (let i = 0; i < 5_000; i++) log.notice(`message ${i}`);
    await turn();
    const [pid] = server.loggers;
    await log.close();
    expect(() => process.kill(pid ?? 0, 0)).toThrow("ESRCH");
  });

  it("that is restarted receives the next lines", async () => {
    const log = openLog();
    log.notice("first");
    await arrived(1);
    await server.silence();
    await server.listen();
    log.notice("second");
    expect(texts(await arrived(2))).toEqual(["first", "second"]);
  });

  it("that is not running leaves all lines to standard error until it is", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    await server.silence();
    const log = openLog();
    log.notice("first");
    const problem = `logger ended with status 1: logger: socket ${server.directory}/log: No such file or directory`;
    expect(await told(/first/)).toBe(
      `cyrus/smmap[4711]: error: syslog: ${problem}; log lines go to standard error until it works\n` +
        "cyrus/smmap[4711]: notice: first\n",
    );
    log.notice("second");
    expect(await told(/second/)).toBe("cyrus/smmap[4711]: notice: second\n");
    await server.listen();
    vi.advanceTimersByTime(10_000);
    log.notice("third");
    await arrived(1);
    vi.advanceTimersByTime(1_000);
    expect(texts(await arrived(2))).toEqual(["third", "syslog: logger is working again"]);
  });
});
