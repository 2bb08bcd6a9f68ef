/** Control socket and metrics of the program as a process. */
import { execFile } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Daemon, DaemonFolder, program } from "../../fixtures/daemon.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";
import type { Status } from "../../src/metrics/report.ts";

const NOBODY = 65534;
let folder: DaemonFolder;
let daemon: Daemon | null = null;

beforeEach(() => {
  folder = new DaemonFolder();
});

afterEach(async () => {
  await daemon?.kill();
  daemon = null;
  folder.remove();
});

async function start(lines: string): Promise<void> {
  folder.configure(lines);
  daemon = await Daemon.start(folder);
}

async function run(...args: readonly string[]): Promise<string> {
  const [command = "", ...rest] = args;
  return (await promisify(execFile)(program, [command, "-C", folder.configFile, ...rest])).stdout;
}

async function status(): Promise<Status> {
  const [first] = JSON.parse(await run("status", "--json")) as Status[];
  if (first === undefined) throw new Error("no process has answered");
  return first;
}

async function ask(address: string): Promise<string> {
  const client = await SocketmapClient.connect(folder.socket);
  const reply = await client.ask(address);
  client.close();
  return reply;
}

describe("a running daemon", () => {
  it("shows its status, and clears its cache on request", async () => {
    await start("");
    expect(await ask("anna")).toBe("OK anna");
    expect(await ask("anna")).toBe("OK anna");
    expect(await status()).toMatchObject({ pid: daemon?.pid, problem: null, cache: { hits: 1, misses: 1 } });
    expect(await run("purge")).toBe("purged: one process\n");
    expect(await ask("anna")).toBe("OK anna");
    expect(await status()).toMatchObject({ cache: { hits: 1, misses: 2 } });
    expect(await run("status")).toContain(`process ${daemon?.pid}, up `);
  });

  it("counts reloads that succeed and reloads that fail", async () => {
    await start("");
    daemon?.signal("SIGHUP");
    await daemon?.says(/configuration reloaded/);
    expect((await status()).reloads).toMatchObject({ succeeded: 1, failed: 0 });
    folder.configure("smmap_request_max: many");
    daemon?.signal("SIGHUP");
    await daemon?.says(/reload failed, keeping the running configuration/);
    const { reloads, recentProblems } = await status();
    expect(reloads).toMatchObject({ succeeded: 1, failed: 1 });
    expect(recentProblems[0]?.message).toMatch(
      /^reload failed, keeping the running configuration: .*smmap_request_max/,
    );
  });

  it("serves metrics, and logs their address", async () => {
    await start("smmap_metrics_listen: 127.0.0.1:0");
    await ask("anna");
    const [, address = ""] = /serving metrics on (\S+)/.exec(daemon?.text ?? "") ?? [];
    const response = await fetch(`http://${address}/metrics`);
    expect(await response.text()).toContain(
      'smmapd_requests_total{process="0",map="cyrus",status="OK",reason="accept"} 1\n',
    );
    expect((await fetch(`http://${address}/readyz`)).status).toBe(200);
  });

  it("includes its workers in metrics and status, and purges their caches", async () => {
    await start("smmap_workers: 3\nsmmap_metrics_listen: 127.0.0.1:0");
    await daemon?.says(/3 processes are serving/);
    const [, address = ""] = /serving metrics on (\S+)/.exec(daemon?.text ?? "") ?? [];
    const scrape = async () => await (await fetch(`http://${address}/metrics`)).text();
    const sum = async (series: RegExp) =>
      [...(await scrape()).matchAll(series)].reduce((all, [, value]) => all + Number(value), 0);
    for (let i = 0; i < 60; i++) await ask("anna");
    expect(await sum(/^smmapd_requests_total\{.*\} (\d+)$/gm)).toBe(60);
    expect(await sum(/^smmapd_request_duration_seconds_count\{.*\} (\d+)$/gm)).toBe(60);
    const processes = [...(await scrape()).matchAll(/^smmapd_build_info\{process="(\d)".*\} 1$/gm)];
    expect(processes.map(([, slot]) => slot)).toEqual(["0", "1", "2"]);
    expect(await run("purge")).toBe("purged: 3 processes\n");
    const statuses = JSON.parse(await run("status", "--json")) as Status[];
    expect(statuses.map(({ pid }) => pid)).toContain(daemon?.pid);
    const answered = statuses.flatMap(({ requests }) => requests.replies).reduce((all, { count }) => all + count, 0);
    expect([statuses.length, answered]).toEqual([3, 60]);
    const worker = statuses.find(({ pid }) => pid !== daemon?.pid);
    process.kill(worker?.pid ?? 0, "SIGKILL");
    await daemon?.says(/will be replaced/);
    await expect.poll(async () => JSON.parse(await run("status", "--json")).length, { timeout: 20_000 }).toBe(3);
    expect(await sum(/^smmapd_build_info\{.*\} (1)$/gm)).toBe(3);
  });

  it("warns that new addresses require a restart", async () => {
    await start("");
    folder.configure("smmap_metrics_listen: 0\nsmmap_control_socket: disabled");
    daemon?.signal("SIGHUP");
    await daemon?.says(/smmap_metrics_listen has changed: restart smmapd to apply it/);
    await daemon?.says(/smmap_control_socket has changed: restart smmapd to apply it/);
  });

  it("removes its control socket at shutdown", async () => {
    await start("");
    expect(readdirSync(folder.at("socket"))).toEqual([`smmap-control.${daemon?.pid}`]);
    daemon?.signal("SIGTERM");
    await daemon?.exited;
    expect(readdirSync(folder.at("socket"))).toEqual([]);
  });

  it("gives its control socket to the user that it becomes", async () => {
    await start("smmap_user: nobody");
    const { uid, mode } = statSync(folder.at(`socket/smmap-control.${daemon?.pid}`));
    expect([uid, mode & 0o777]).toEqual([NOBODY, 0o600]);
    await ask("anna");
    expect(await status()).toMatchObject({ requests: { replies: [{ count: 1 }] } });
    const asNobody = { uid: NOBODY, gid: NOBODY };
    const { stdout } = await promisify(execFile)(program, ["status", "-C", folder.configFile], asNobody);
    expect(stdout).toContain(": answers");
    const asOther = promisify(execFile)(program, ["status", "-C", folder.configFile], { uid: 2, gid: 2 });
    await expect(asOther).rejects.toMatchObject({
      code: 69,
      stderr: expect.stringContaining("only root and the user that the daemon runs as may connect"),
    });
  });

  it("starts even if its control socket cannot be opened", async () => {
    await start("smmap_control_socket: {configdirectory}/missing/control");
    expect(daemon?.text).toMatch(
      /warning: smmap_control_socket: there is no folder .*; create it \(install -d -o \w+ -m 755 /,
    );
    expect(await ask("anna")).toBe("OK anna");
  });
});
