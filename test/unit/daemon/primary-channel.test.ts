import { EventEmitter } from "node:events";
import { beforeEach, describe, expect, it } from "vitest";
import type { ImapdConf } from "../../../src/config/imapd-conf.ts";
import { PrimaryChannel, type WorkerChannel, workerEnvironment } from "../../../src/daemon/workers/primary-channel.ts";
import type { Report } from "../../../src/metrics/report.ts";

const conf = (file: string): ImapdConf => ({ file, options: [], warnings: [], worldReadable: new Set() });

/** The channel of a worker, with what it has sent. */
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
let primary: PrimaryChannel;
const received: string[] = [];

beforeEach(() => {
  received.length = 0;
  channel = new Channel();
  primary = PrimaryChannel.detect(env, 42, channel) as PrimaryChannel;
  primary.onCommand({
    configure: () => void received.push("configure"),
    shutdown: (reason, mode) => void received.push(`shutdown: ${reason}, ${mode}`),
  });
});

describe("a worker", () => {
  it("gets its sockets from descriptor 3 on, and no variables of systemd", () => {
    expect(Object.keys(env).sort()).toEqual(["PATH", "SMMAPD_PRIMARY", "SMMAPD_SOCKETS"]);
    expect(primary.sockets).toEqual([
      { fd: 3, name: "/run/smmap", protocol: "socketmap" },
      { fd: 4, name: "127.0.0.1:25", protocol: "policy" },
    ]);
  });

  it("is detected only below its own primary process", () => {
    expect(PrimaryChannel.detect(env, 43, channel)).toBeNull();
    expect(PrimaryChannel.detect({}, 42, channel)).toBeNull();
    expect(PrimaryChannel.detect({ SMMAPD_PRIMARY: "42" }, 42, channel)?.sockets).toEqual([]);
  });

  it("waits for its first configuration, and is notified of each further one", async () => {
    const first = primary.configuration();
    channel.emit("message", { command: "configure", conf: conf("one") });
    expect((await first).file).toBe("one");
    expect(received).toEqual([]);
    channel.emit("message", { command: "configure", conf: conf("two") });
    expect(received).toEqual(["configure"]);
    expect((await primary.configuration()).file).toBe("two");
  });

  it("shuts down on command, and when the primary process has exited", () => {
    channel.emit("message", { command: "shutdown", mode: "immediate" });
    channel.emit("disconnect");
    expect(received).toEqual([
      "shutdown: requested by the primary process, immediate",
      "shutdown: the primary process has exited, drain",
    ]);
  });

  it("sends its status, its report once there is one, and disconnects", () => {
    primary.sendStatus("serving");
    primary.sendStatus("refused");
    channel.emit("message", { command: "report" });
    expect(channel.sent).toEqual(["serving", "refused"]);
    const report = { pid: 42 } as Report;
    primary.onReport(() => report);
    channel.emit("message", { command: "report" });
    expect(channel.sent.at(-1)).toBe(report);
    primary.disconnect();
    expect(channel.isOpen).toBe(false);
  });
});
