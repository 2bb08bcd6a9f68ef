/** The control socket, and its commands `smmapd status` and `smmapd purge`. */
import { existsSync, linkSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { ObservedServer } from "../../fixtures/observed-server.ts";
import { main } from "../../src/commands/main.ts";
import type { Status } from "../../src/metrics/report.ts";

const started: ObservedServer[] = [];

async function start(config = "", pid = 4711, folder?: string): Promise<ObservedServer> {
  const observed = await ObservedServer.start({ config, pid, ...(folder === undefined ? {} : { folder }) });
  started.push(observed);
  return observed;
}

afterEach(async () => {
  for (const observed of started.splice(0)) await observed.close();
});

/** Sends a text and returns the whole reply. */
async function say(observed: ObservedServer, words: string): Promise<string> {
  const socket = connect(observed.at("socket/smmap-control.4711"));
  socket.on("error", () => {});
  socket.end(words);
  return await text(socket).catch(() => "");
}

async function run(observed: ObservedServer, command: string, ...args: readonly string[]) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const io = { stdin: Readable.from([]), stdout, stderr, env: {} };
  const status = await main([command, "-C", observed.configFile, ...args], io);
  for (const stream of [stdout, stderr]) stream.end();
  return { status, out: await text(stdout), err: await text(stderr) };
}

describe("the socket", () => {
  it("is accessible to root and the user of the daemon only", async () => {
    const observed = await start();
    expect(statSync(observed.at("socket/smmap-control.4711")).mode & 0o7777).toBe(0o600);
  });

  it("is removed when the daemon shuts down", async () => {
    const observed = await start("smmap_control_socket: {configdirectory}/elsewhere");
    expect(readdirSync(observed.folder)).toContain("elsewhere.4711");
    const socket = connect(observed.at("elsewhere.4711"));
    socket.on("error", () => {});
    await new Promise((resolve) => socket.once("connect", resolve));
    const closed = new Promise((resolve) => socket.once("close", resolve));
    await observed.close();
    await closed;
    expect(existsSync(observed.at("elsewhere.4711"))).toBe(false);
  });

  it("does not exist if it is disabled", async () => {
    const observed = await start("smmap_control_socket: disabled");
    expect(readdirSync(observed.at("socket"))).toEqual([]);
    const { status, err } = await run(observed, "status");
    expect([status, err]).toEqual([78, "smmapd: smmap_control_socket is disabled, so no daemon can be reached\n"]);
  });

  it("does not keep the daemon from starting if it cannot be opened", async () => {
    const observed = await start("smmap_control_socket: {configdirectory}/missing/control");
    const missing = observed.at("missing");
    const advice = `there is no folder ${missing}; create it (install -d -o wilma -m 755 ${missing}) and restart smmapd`;
    expect(observed.lines).toContainEqual(`warning: smmap_control_socket: ${advice}`);
    expect(await observed.ask("anna@village.example")).toEqual(["OK anna@village.example"]);
  });

  it("replaces the socket of a dead process with the same id, and removes those of other dead processes", async () => {
    const observed = new ObservedServer();
    started.push(observed);
    const beginning = observed.at("socket/smmap-control");
    for (const number of [4711, 4712]) await leaveDead(`${beginning}.${number}`);
    for (const name of ["x", "4713x", ""]) writeFileSync(`${beginning}.${name}`, "somebody's");
    writeFileSync(`${beginning}.4714`, "no socket at all");
    await observed.observe();
    const left = ["", "4711", "4713x", "4714", "x"].map((end) => `smmap-control.${end}`);
    // Privileges may be dropped next, and then the files could not be removed.
    expect(readdirSync(observed.at("socket")).sort()).toEqual(left);
    expect(await say(observed, '{"command":"status"}\n')).toContain('"problem":"not open yet"');
  });

  /** The file of a socket on which no process listens any more. */
  async function leaveDead(path: string): Promise<void> {
    const server = createServer();
    const aside = `${path}.aside`;
    await new Promise<void>((resolve) => server.listen(aside, resolve));
    linkSync(aside, path);
    await new Promise((resolve) => server.close(resolve));
    expect(statSync(path).isSocket()).toBe(true);
  }
});

describe("the protocol", () => {
  it("answers each line with one line", async () => {
    const observed = await start();
    const replies = await say(
      observed,
      '{"command":"purge"}\n{"command":"status"}\n{"command":"purge","addresses":[]}\n',
    );
    const parsed = replies
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(parsed).toEqual([{ purged: true }, { status: expect.anything() }, { purged: true }]);
  });

  it("joins the parts of a line", async () => {
    const observed = await start();
    const socket = connect(observed.at("socket/smmap-control.4711"));
    const words = Buffer.from('{"command":"purge","addresses":["ännä@village.example"]}\n');
    for (const byte of words) await new Promise((resolve) => socket.write(Buffer.of(byte), resolve));
    socket.end();
    expect(await text(socket)).toBe('{"purged":true}\n');
  });

  it.each([
    ["junk", "the request is not JSON"],
    ["", "the request is not JSON"],
    ["null", 'the command is neither "status" nor "purge"'],
    ["[]", 'the command is neither "status" nor "purge"'],
    ['{"command":"stop"}', 'the command is neither "status" nor "purge"'],
    ['{"command":"purge","addresses":"anna"}', "the addresses are not a list of strings"],
    ['{"command":"purge","addresses":[1]}', "the addresses are not a list of strings"],
    ['{"command":"purge","addresses":null}', "the addresses are not a list of strings"],
  ])("answers %j with an error, and purges nothing", async (line, error) => {
    const observed = await start();
    await observed.ask("anna@village.example");
    expect(JSON.parse(await say(observed, `${line}\n`))).toEqual({ error });
    await observed.ask("anna@village.example");
    expect(observed.village.lookups).toBe(1);
  });

  it("closes a connection whose line is too long", async () => {
    const observed = await start();
    expect(await say(observed, `${"x".repeat(10_000_000)}\n`)).toBe("");
    expect(JSON.parse(await say(observed, '{"command":"purge"}\n'))).toEqual({ purged: true });
  });

  it("refuses too many connections, and accepts again once some are closed", async () => {
    const observed = await start();
    const sockets = Array.from({ length: 40 }, () => connect(observed.at("socket/smmap-control.4711")));
    let closed = 0;
    for (const socket of sockets) {
      socket.on("error", () => {});
      socket.once("close", () => closed++);
    }
    await expect.poll(() => closed).toBe(24);
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => say(observed, '{"command":"purge"}\n')).toBe('{"purged":true}\n');
  });
});

describe("smmapd status", () => {
  it("shows the state of the daemon", async () => {
    const observed = await start();
    await observed.ask("anna@village.example", "anna@village.example", "nobody@village.example");
    observed.tally.reloaded("succeeded");
    const { status, out, err } = await run(observed, "status");
    expect([status, err]).toEqual([0, ""]);
    expect(out).toMatch(/^smmapd 0\.1\.0, service smmap, process 4711, up .*, 64 MiB$/m);
    expect(out).toMatch(new RegExp(`^listening +${observed.at("smmap4711")}$`, "m"));
    expect(out).toMatch(/^store +memory \(.*\): answers$/m);
    expect(out).toMatch(/^look-ups +2 answered, half of them within [\d.]+ ms, 99 % within [\d.]+ ms$/m);
    expect(out).toMatch(/^requests +\d+\.\d a second, 0\.0 a second failing; 0 in flight$/m);
    expect(out).toMatch(/^ +2 {2}cyrus OK \(accept\)$/m);
    expect(out).toMatch(/^ +1 {2}cyrus NOTFOUND \(absent\)$/m);
    expect(out).toMatch(/^connections +[01] open, 0 waiting, 1 so far, 0 refused, 0 dropped as too slow$/m);
    expect(out).toMatch(/^cache +\d answers kept; 1 hits \(33\.3 %\), 2 misses, 0 coalesced, 0 served stale$/m);
    expect(out).toMatch(/^reloads +1, the last one \d+ s ago$/m);
    expect(out).toMatch(/^ +[\d.]+ ms {2}absent {6}cyrus nobody@village\.example {2}\(\d+ s ago\)$/m);
    expect(out).not.toContain("last errors");
  });

  it("shows a failure of the store, also in its exit status", async () => {
    const observed = await start("smmap_breaker_failures: 2\nsmmap_breaker_reset: 1h\nsmmap_cache_size: 0");
    observed.village.fault = "down";
    await observed.ask("anna@village.example", "bert@village.example", "carla@village.example");
    const { status, out } = await run(observed, "status");
    expect(status).toBe(75);
    expect(out).toMatch(/^store +memory \(.*\): memory: the backend is down \[unavailable\]$/m);
    expect(out).toMatch(/^ +circuit breaker open after repeated failures \(smmap_breaker_failures\)$/m);
    expect(out).toMatch(/^ +failed: 2 unavailable$/m);
    expect(out).toMatch(/^ +1 not made while the circuit breaker was open$/m);
    expect(out).toMatch(/^cache +none$/m);
    expect(out).toMatch(/^ +\d+ s ago {2}error: memory: the backend is down \[unavailable\]$/m);
  });

  it("waits for a store that hangs no longer than the time-out of a look-up", async () => {
    const observed = await start("smmap_query_timeout: 1s");
    observed.village.fault = "hang";
    const { status, out } = await run(observed, "status");
    expect(status).toBe(75);
    expect(out).toMatch(/^store +memory \(.*\): memory: no answer within 1000 ms \[timeout\]$/m);
  });

  it("writes JSON with --json", async () => {
    const observed = await start();
    await observed.ask("anna@village.example");
    const { status, out } = await run(observed, "status", "--json");
    expect(status).toBe(0);
    const [first, ...more] = JSON.parse(out) as Status[];
    expect(more).toEqual([]);
    expect(first).toMatchObject({
      version: "0.1.0",
      pid: 4711,
      addresses: [observed.at("smmap4711")],
      problem: null,
      store: { name: "memory", isResting: false, errors: { unavailable: 0 } },
      requests: { inFlight: 0, replies: [{ map: "cyrus", status: "OK", reason: "accept", count: 1 }] },
      cache: { hits: 0, misses: 1 },
      slowest: [{ address: "anna@village.example", map: "cyrus", reason: "accept" }],
      complaints: [],
    });
  });

  it("writes no control characters from outside to a terminal", async () => {
    const observed = await start();
    const hostile = "\x1b]0;gotcha\x07\n\u202efred\r@village.example";
    await observed.ask(Buffer.from(hostile).toString("latin1"));
    observed.village.fault = "down";
    observed.tally.recentProblems
      .record({ error() {}, warning() {}, notice() {}, info() {}, debug() {} })
      .error(hostile);
    const { out } = await run(observed, "status");
    const json = await run(observed, "status", "--json");
    expect(out).toContain("\\x1b]0;gotcha\\x07\\x0a\\u202efred\\x0d@village.example");
    for (const shown of [out, json.out]) expect(shown).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f\u202e]/);
  });

  it("shows all processes of the service, without those that have exited", async () => {
    const first = await start();
    const second = await start("", 900, first.folder);
    const { out } = await run(first, "status");
    expect([...out.matchAll(/process (\d+)/g)].map(([, pid]) => pid)).toEqual(["900", "4711"]);
    expect(JSON.parse((await run(first, "status", "--json")).out)).toHaveLength(2);
    expect(second.folder).toBe(first.folder);
  });

  it("reports that no daemon is running", async () => {
    const observed = new ObservedServer();
    started.push(observed);
    const nobody = `smmapd: no smmapd is listening on ${observed.at("socket/smmap-control")}.*\n`;
    expect(await run(observed, "status")).toEqual({ status: 69, out: "", err: nobody });
    expect(await run(observed, "purge")).toEqual({ status: 69, out: "", err: nobody });
  });

  it("reports which folder is missing, and its required owner", async () => {
    const observed = new ObservedServer({ config: "smmap_user: wilma" });
    started.push(observed);
    const folder = observed.at("socket");
    rmSync(folder, { recursive: true });
    const advice = `create it (install -d -o wilma -m 755 ${folder}) and restart smmapd`;
    const err = `smmapd: smmap_control_socket: there is no folder ${folder}; ${advice}\n`;
    for (const command of ["status", "purge"]) {
      expect(await run(observed, command)).toEqual({ status: 69, out: "", err });
    }
  });

  it("takes no arguments", async () => {
    const observed = await start();
    const { status, err } = await run(observed, "status", "anna");
    expect(status).toBe(64);
    expect(err).toContain("status takes no argument: anna");
  });
});

describe("smmapd purge", () => {
  const everybody = ["anna@village.example", "bert@village.example", "anna+Lists@village.example"];

  it("clears the cache", async () => {
    const observed = await start();
    await observed.ask(...everybody, ...everybody);
    expect(observed.village.lookups).toBe(3);
    expect(await run(observed, "purge")).toEqual({ status: 0, out: "purged: one process\n", err: "" });
    await observed.ask(...everybody);
    expect(observed.village.lookups).toBe(6);
  });

  it("removes single addresses in any spelling; those without a detail with all their folders", async () => {
    const observed = await start("smmap_cache_negative_ttl: 1h");
    await observed.ask(...everybody, "nobody@village.example");
    const before = observed.village.lookups;
    await run(observed, "purge", "anna@village.example");
    await observed.ask(...everybody, "nobody@village.example");
    expect(observed.village.lookups).toBe(before + 2);
    await run(observed, "purge", "BERT@Village.Example", "nobody@village.example", "@", "anna+Lists@village.example");
    await observed.ask(...everybody, "nobody@village.example");
    expect(observed.village.lookups).toBe(before + 5);
  });

  it("accepts thousands of addresses", async () => {
    const observed = await start();
    await observed.ask("anna@village.example");
    const many = Array.from({ length: 5000 }, (_, i) => `user${i}@${"x".repeat(200)}.village.example`);
    const { status } = await run(observed, "purge", ...many, "anna@village.example");
    expect(status).toBe(0);
    await observed.ask("anna@village.example");
    expect(observed.village.lookups).toBe(2);
  });

  it("reaches all processes", async () => {
    const first = await start();
    const second = await start("", 900, first.folder);
    for (const observed of [first, second]) await observed.ask("anna@village.example");
    expect((await run(first, "purge")).out).toBe("purged: 2 processes\n");
    for (const observed of [first, second]) await observed.ask("anna@village.example");
    expect([first.village.lookups, second.village.lookups]).toEqual([2, 2]);
  });

  it("reports that there is no cache", async () => {
    const observed = await start("smmap_cache_size: 0");
    expect(await run(observed, "purge")).toEqual({
      status: 0,
      out: "there is no cache to purge (one process)\n",
      err: "",
    });
  });
});
