import { EventEmitter } from "node:events";
import { beforeEach, describe, expect, it } from "vitest";
import type { ImapdConf } from "../../../src/config/imapd-conf.ts";
import { Primary, type WorkerChannel, workerEnvironment } from "../../../src/daemon/workers/primary-channel.ts";

const conf = (file: string): ImapdConf => ({ file, options: [], warnings: [], worldReadable: new Set() });

/** The side of the first process. */
class Channel extends EventEmitter implements WorkerChannel {
  readonly sent: unknown[] = [];
  isOpen = true;

  send(message: unknown): void {
    this.sent.push(message);
  }

  disconnect(): void {
    this.isOpen = false;
  }
}

const sockets = [
  { fd: 17, name: "/run/smmap", protocol: "socketmap" as const },
  { fd: 12, name: "127.0.0.1:25", protocol: "policy" as const },
];
const env = workerEnvironment(
  { PATH: "/bin", NOTIFY_SOCKET: "/run/n", WATCHDOG_USEC: "1", WATCHDOG_PID: "4" },
  42,
  sockets,
);

let channel: Channel;
let primary: Primary;
const heard: string[] = [];

beforeEach(() => {
  heard.length = 0;
  channel = new Channel();
  primary = Primary.find(env, 42, channel) as Primary;
  primary.serve({
    configure: () => void heard.push("configure"),
    end: (reason, haste) => void heard.push(`end: ${reason}, ${haste}`),
    report: () => null,
  });
});

describe("a worker", () => {
  it("gets its sockets from descriptor 3 on, and nothing to say to systemd", () => {
    expect(Object.keys(env).sort()).toEqual(["PATH", "SMMAPD_PRIMARY", "SMMAPD_SOCKETS"]);
    expect(primary.sockets).toEqual([
      { fd: 3, name: "/run/smmap", protocol: "socketmap" },
      { fd: 4, name: "127.0.0.1:25", protocol: "policy" },
    ]);
  });

  it("is none of another process's", () => {
    expect(Primary.find(env, 43, channel)).toBeNull();
    expect(Primary.find({}, 42, channel)).toBeNull();
    expect(Primary.find({ SMMAPD_PRIMARY: "42" }, 42, channel)?.sockets).toEqual([]);
  });

  it("waits for its configuration, and is told of each further one", async () => {
    const first = primary.conf();
    channel.emit("message", { order: "configure", conf: conf("one") });
    expect((await first).file).toBe("one");
    expect(heard).toEqual([]);
    channel.emit("message", { order: "configure", conf: conf("two") });
    expect(heard).toEqual(["configure"]);
    expect((await primary.conf()).file).toBe("two");
  });

  it("is told to end, and ends if the first process is gone", () => {
    channel.emit("message", { order: "end", haste: "at once" });
    channel.emit("disconnect");
    expect(heard).toEqual(["end: told by the first process, at once", "end: the first process is gone, drain"]);
  });

  it("reports, says nothing where there is nothing to say, and leaves", () => {
    primary.report("serving");
    primary.report("refused");
    channel.emit("message", { order: "report" });
    expect(channel.sent).toEqual(["serving", "refused"]);
    primary.leave();
    expect(channel.isOpen).toBe(false);
  });
});
