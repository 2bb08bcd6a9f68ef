/** A reload is all or nothing: after a failure the old service is in force, and the log says so. */
import { beforeEach, describe, expect, it } from "vitest";
import { ActiveService, type DaemonService } from "../../../src/daemon/active-service.ts";
import type { DaemonContext } from "../../../src/daemon/context.ts";
import { type ReloadOptions, reload } from "../../../src/daemon/reload.ts";
import type { Configuration } from "../../../src/daemon/service.ts";
import { Tally } from "../../../src/metrics/tally.ts";
import type { Log } from "../../../src/store/store.ts";

const events: string[] = [];
const write = (level: string) => (message: string) => void events.push(`${level}: ${message}`);
const log: Log = {
  error: write("error"),
  warning: write("warning"),
  notice: write("notice"),
  info: write("info"),
  debug: write("debug"),
};

/** A service that records what happens to its store. */
function service(name: string): DaemonService {
  const record = (event: string) => async () => void events.push(`${event} ${name}`);
  return { name, stack: { retire: record("retire"), close: record("close") } } as unknown as DaemonService;
}

const configuration = { settings: {}, process: { workers: 3 }, conf: {} } as unknown as Configuration;
const [old, next] = [service("old"), service("next")];
let active: ActiveService;
let tally: Tally;

beforeEach(() => {
  events.length = 0;
  active = new ActiveService(old);
  tally = new Tally();
});

interface Supervisor {
  prepare?(): Promise<void>;
  configure?(): Promise<void>;
}

function run(changes: Partial<ReloadOptions>, { prepare, configure }: Supervisor = {}): Promise<void> {
  const supervisor = {
    prepare: async (count: number) => {
      events.push(`prepare ${count}, ${active.current === old}`);
      await prepare?.();
    },
    configure: async (_: unknown, count: number) => {
      events.push(`configure ${count}`);
      await configure?.();
    },
  };
  const options = {
    active,
    startedWith: configuration,
    isStartedByRoot: false,
    supervisor: supervisor as unknown as ReloadOptions["supervisor"],
    readConfiguration: async () => configuration,
    openService: async () => next,
    ...changes,
  };
  const logLifecycle = write("lifecycle");
  return reload({ log, tally, launch: { by: "standalone" }, logLifecycle } as unknown as DaemonContext, options);
}

const fail = (problem: string) => async () => {
  throw new Error(problem);
};

describe("a reload", () => {
  it("prepares everything beside the running service, swaps, and then retires the old one", async () => {
    await run({});
    expect(active.current).toBe(next);
    expect(events).toEqual([
      "prepare 2, true",
      "retire old",
      "configure 2",
      "notice: 3 processes are serving",
      "lifecycle: configuration reloaded",
    ]);
    expect(tally.reloads).toEqual({ succeeded: 1, failed: 0 });
  });

  it.each([
    ["the configuration cannot be read", { readConfiguration: fail("no right") }, "no right"],
    ["the store cannot be opened", { openService: fail("no store") }, "no store"],
  ])("keeps the running service if %s", async (_what, changes, problem) => {
    await run(changes);
    expect(active.current).toBe(old);
    expect(events).toEqual([`error: reload failed, keeping the running configuration: ${problem}`]);
    expect(tally.reloads).toEqual({ succeeded: 0, failed: 1 });
  });

  it("keeps the running service and closes the new one if workers cannot be started", async () => {
    await run({}, { prepare: fail("EAGAIN") });
    expect(active.current).toBe(old);
    expect(events).toEqual([
      "prepare 2, true",
      "close next",
      "error: reload failed, keeping the running configuration: EAGAIN",
    ]);
    expect(tally.reloads).toEqual({ succeeded: 0, failed: 1 });
  });

  it("stays in force if a worker fails after the swap", async () => {
    await run({}, { configure: fail("EAGAIN") });
    expect(active.current).toBe(next);
    expect(events).toContain("error: smmap_workers: EAGAIN");
    expect(events.at(-1)).toBe("lifecycle: configuration reloaded");
    expect(tally.reloads).toEqual({ succeeded: 1, failed: 0 });
  });
});
