import { describe, expect, it } from "vitest";
import { testLimits } from "../../../fixtures/test-server.ts";
import { fitOpenFiles, openFilesMax } from "../../../src/daemon/fd-limit.ts";
import type { Log } from "../../../src/store/store.ts";

describe("the limit of open files", () => {
  it("is read from the system", () => {
    expect(openFilesMax()).toBeGreaterThan(0);
  });

  it.each([
    [Number.POSITIVE_INFINITY, 12_000, 1024],
    [13_408, 12_000, 1024],
    [13_407, 11_999, 1024],
    [1024, 560, 80],
    [200, 88, 12],
    [20, 9, 1],
  ])("of %d allows %d connections and %d waiting ones", (files, served, waiting) => {
    const warnings: string[] = [];
    const log: Log = { error() {}, warning: (text) => void warnings.push(text), notice() {}, info() {}, debug() {} };
    const limits = fitOpenFiles(testLimits, files, log);
    expect(limits).toEqual({ ...testLimits, connectionsMax: served, connectionsWaiting: waiting });
    const problem = `smmap_connections_max: the limit of ${files} open files leaves room for ${served} connections and ${waiting} waiting ones; raise it (ulimit -n, or LimitNOFILE= of systemd)`;
    expect(warnings).toEqual(served === 12_000 ? [] : [problem]);
  });
});
