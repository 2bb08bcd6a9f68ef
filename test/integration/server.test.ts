/** The server over real sockets, in front of a store that does as it is told. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { testTexts } from "../../fixtures/test-server.ts";
import type { ListenAddress } from "../../src/config/settings.ts";
import { RecipientParser, type RecipientRules } from "../../src/engine/recipient.ts";
import { PolicyResponder } from "../../src/server/policy-responder.ts";
import { RecipientCheck } from "../../src/server/recipient-check.ts";
import { Responder } from "../../src/server/responder.ts";
import { Server, type ServerSettings } from "../../src/server/server.ts";
import { GuardedStore } from "../../src/store/guarded.ts";
import type { Log, LookupOptions, MailboxFacts, MailboxId, MailboxStore } from "../../src/store/store.ts";

const lines: string[] = [];
const line = (message: string) => void lines.push(message);
const log: Log = { error: line, warning: line, notice: line, info: line, debug() {} };

const rules: RecipientRules = {
  virtualDomains: false,
  defaultDomain: "internal",
  separator: "/",
  downcase: true,
  postuser: "",
  skipPlus: false,
};

interface Pending {
  readonly user: string;
  readonly options: LookupOptions;
  readonly answer: (facts: MailboxFacts) => void;
  readonly fail: (error: unknown) => void;
}

/** Users whose name begins with "slow" are answered by the test; "bad" is a mistake; others exist unless "no…". */
class Puppet implements MailboxStore {
  readonly name = "puppet";
  readonly capabilities = { folders: true, shared: true, quota: [] };
  readonly pending: Pending[] = [];
  isClosed = false;

  lookup(mailbox: MailboxId, options: LookupOptions): MailboxFacts | Promise<MailboxFacts> {
    const user = mailbox.kind === "user" ? mailbox.user : "";
    if (user === "bad") throw new TypeError("a mistake");
    if (user.startsWith("slow")) {
      return new Promise((answer, fail) => this.pending.push({ user, options, answer, fail }));
    }
    return user.startsWith("no") ? { exists: false } : present;
  }

  async ping(): Promise<void> {}

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

const present: MailboxFacts = { exists: true, rights: null, quotas: [] };

/** A client that keeps all it reads. */
class Client {
  readonly socket: Socket;
  text = "";
  readonly closed: Promise<void>;
  #ended = false;

  constructor(where: string) {
    const [host = "", port = ""] = where.split(":");
    this.socket = where.startsWith("/") ? connect({ path: where, allowHalfOpen: true }) : connect(Number(port), host);
    this.socket.setEncoding("latin1");
    this.socket.on("data", (text: string) => {
      this.text += text;
    });
    this.socket.on("end", () => {
      this.#ended = true;
    });
    this.socket.on("error", () => {});
    this.closed = new Promise((resolve) => this.socket.once("close", () => resolve()));
  }

  send(text: string): this {
    this.socket.write(text, "latin1");
    return this;
  }

  ask(...keys: readonly string[]): this {
    return this.send(keys.map((key) => netstring(`cyrus ${key}`)).join(""));
  }

  /** Waits until all that was read so far is this. */
  async reads(expected: string): Promise<void> {
    await until(() => this.text.length >= expected.length);
    expect(this.text).toBe(expected);
  }

  async ended(): Promise<void> {
    await until(() => this.#ended);
  }
}

function netstring(payload: string): string {
  return `${payload.length}:${payload},`;
}

const ok = (...keys: readonly string[]) => keys.map((key) => netstring(`OK ${key}`)).join("");
const NOT_FOUND = netstring("NOTFOUND Mailbox does not exist");
const TEMP = netstring("TEMP Mailbox look-up failed, try again later");

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

let folder: string;
let puppet: Puppet;
let server: Server;
const clients: Client[] = [];

function settings(changes: Partial<ServerSettings> & { readonly timeout?: number } = {}): ServerSettings {
  puppet = new Puppet();
  const { timeout = 60_000, ...rest } = changes;
  const store = new GuardedStore(puppet, { timeout, breaker: { failures: 0, reset: 0 }, log });
  const policy = { overQuotaIsPermanent: false, failureIsAccepted: false };
  const recipients = new RecipientParser(rules);
  const responder = new Responder({ recipients, store, policy, value: "key", accessMaps: null, audit: null, log });
  const check = new RecipientCheck({ recipients, store, policy, log });
  const policyResponder = new PolicyResponder({ check, texts: testTexts, policy, audit: null, log });
  return { responder, policyResponder, requestMax: 16_384, idleTimeout: 0, connectionsMax: 100, ...rest };
}

async function start(changes: Parameters<typeof settings>[0] = {}, ...addresses: readonly ListenAddress[]) {
  server = new Server(settings(changes), log);
  await server.listen(addresses.length > 0 ? addresses : [{ path: join(folder, "smmap") }], {
    mode: 0o666,
    uid: null,
    gid: null,
  });
}

function client(index = 0): Client {
  const made = new Client(server.addresses[index] ?? "");
  clients.push(made);
  return made;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "smmapd-server-"));
  lines.length = 0;
});

afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy();
  await server?.close();
  rmSync(folder, { recursive: true });
});

describe("requests", () => {
  it("are answered on unix sockets and TCP", async () => {
    await start({}, { path: join(folder, "smmap") }, { host: "127.0.0.1", port: 0 });
    expect(server.addresses[1]).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
    await client(0).ask("fred").reads(ok("fred"));
    await client(1).ask("nobody").reads(NOT_FOUND);
  });

  it("are answered in order, however long each takes, the look-ups overlapping", async () => {
    await start();
    const asking = client().ask("slow1", "fred", "slow2", "nobody");
    await until(() => puppet.pending.length === 2);
    puppet.pending[1]?.answer(present);
    await client().ask("fred").reads(ok("fred"));
    expect(asking.text).toBe("");
    puppet.pending[0]?.answer({ exists: false });
    await asking.reads(NOT_FOUND + ok("fred", "slow2") + NOT_FOUND);
  });

  it("that fail are temporary, and the connection goes on", async () => {
    await start();
    await client()
      .ask("bad", "fred")
      .reads(TEMP + ok("fred"));
    expect(lines[0]).toContain("puppet: a mistake [internal]: TypeError: a mistake");
    const asking = client().ask("slow", "fred");
    await until(() => puppet.pending.length === 1);
    puppet.pending[0]?.fail(new Error("gone"));
    await asking.reads(TEMP + ok("fred"));
  });

  it("that take too long are TIMEOUT, once, and nothing comes late", async () => {
    await start({ timeout: 30 });
    const asking = client().ask("slow", "fred");
    const expected = netstring("TIMEOUT Mailbox look-up took too long, try again later") + ok("fred");
    await asking.reads(expected);
    expect(puppet.pending[0]?.options.signal.aborted).toBe(true);
    puppet.pending[0]?.answer(present);
    asking.ask("barney");
    await asking.reads(expected + ok("barney"));
  });

  it("without a space miss their key, and the connection goes on", async () => {
    await start();
    await client()
      .send("5:cyrus,0:,")
      .ask("fred")
      .reads(netstring("PERM Bad protocol (missing key)").repeat(2) + ok("fred"));
  });

  it("of a mistaken engine are temporary and told with a stack", async () => {
    await start();
    const broken = { parse: () => JSON.parse("{") } as unknown as RecipientParser;
    const { store } = server.settings.responder;
    const responder = new Responder({
      recipients: broken,
      store,
      policy: { overQuotaIsPermanent: false, failureIsAccepted: false },
      value: "key",
      accessMaps: null,
      audit: null,
      log,
    });
    server.settings = { ...server.settings, responder };
    await client().ask("fred").reads(TEMP);
    expect(lines[0]).toMatch(/^a mistake in smmapd: SyntaxError/);
  });
});

describe("broken protocol", () => {
  const fault = (words: string) => netstring(`PERM Bad protocol (${words})`);
  it.each([
    ["no digits", "x", "missing length"],
    ["no colon", "10;cyrus fred,", "missing length"],
    ["a wrong terminator", "10:cyrus fred;", "missing terminator"],
    ["a length over the bound", "16385:", "request size doesn't match length"],
  ])("by %s gets one reply, after those before it, and the end", async (_name, text, words) => {
    await start();
    const asking = client().ask("fred", "slow").send(text).ask("barney");
    await until(() => puppet.pending.length === 1);
    puppet.pending[0]?.answer(present);
    await asking.ended();
    expect(asking.text).toBe(ok("fred", "slow") + fault(words));
    asking.socket.end();
    await asking.closed;
  });

  it.each([
    ["in the length", "10", "missing length"],
    ["in the payload", "10:cyrus", "request size doesn't match length"],
    ["before the terminator", "10:cyrus fred", "missing terminator"],
  ])("by an end %s is told too", async (_name, text, words) => {
    await start();
    const asking = client().send(text);
    asking.socket.end();
    await asking.closed;
    expect(asking.text).toBe(fault(words));
  });

  it("does not let a client stay that goes on sending", async () => {
    await start();
    const asking = client().send("x");
    let isClosed = false;
    void asking.closed.then(() => {
      isClosed = true;
    });
    await until(() => {
      if (!isClosed) asking.send("y");
      return isClosed;
    });
    expect(asking.text).toBe(fault("missing length"));
  });
});

describe("half-close", () => {
  it("is answered: all that is pending, then the end", async () => {
    await start();
    const asking = client().ask("slow", "fred");
    asking.socket.end();
    await until(() => puppet.pending.length === 1);
    puppet.pending[0]?.answer(present);
    await asking.closed;
    expect(asking.text).toBe(ok("slow", "fred"));
  });

  it("without any request ends the connection", async () => {
    await start();
    const asking = client();
    asking.socket.end();
    await asking.closed;
    expect(asking.text).toBe("");
  });
});

describe("a client that is gone", () => {
  it("takes its look-ups with it", async () => {
    await start({}, { host: "127.0.0.1", port: 0 });
    const asking = client().ask("slow");
    await until(() => puppet.pending.length === 1);
    const { signal } = (puppet.pending[0] as Pending).options;
    asking.socket.resetAndDestroy();
    await until(() => signal.aborted);
    expect(signal.reason).toMatchObject({ code: "closed", message: "the client is gone" });
    puppet.pending[0]?.answer(present);
    await client().ask("fred").reads(ok("fred"));
  });

  it("by silence is dropped after the idle time-out", async () => {
    await start({ idleTimeout: 40 });
    const asking = client();
    await asking.ask("fred").reads(ok("fred"));
    await asking.ended();
  });
});

describe("bounds", () => {
  it("of the queue: reading pauses, and goes on as replies leave", async () => {
    await start();
    const keys = Array.from({ length: 200 }, (_, i) => `slow${i}`);
    const asking = client().ask(...keys);
    await until(() => puppet.pending.length === 64);
    await client().ask("fred").reads(ok("fred"));
    expect(puppet.pending.length).toBe(64);
    for (let answered = 0; answered < keys.length; answered++) {
      await until(() => puppet.pending.length > answered);
      puppet.pending[answered]?.answer(present);
    }
    await asking.reads(ok(...keys));
  });

  it("of the replies: a client that does not read is not read from", async () => {
    await start();
    const asking = client();
    await asking.ask("fred").reads(ok("fred"));
    asking.socket.pause();
    const chunk = netstring(`cyrus ${"x".repeat(10_000)}`).repeat(100);
    let isFull = false;
    for (let sent = 0; sent < 64 && !isFull; sent++) {
      isFull = !(await new Promise<boolean>((resolve) => {
        const late = setTimeout(() => resolve(false), 1_000);
        asking.socket.write(chunk, "latin1", () => {
          clearTimeout(late);
          resolve(true);
        });
      }));
    }
    expect(isFull).toBe(true);
    asking.socket.resume();
    await until(() => asking.text.endsWith(ok("x".repeat(10_000))) && asking.socket.writableLength === 0);
  });

  it("of the connections: more of them wait for their turn", async () => {
    await start({ connectionsMax: 2 });
    const first = client();
    await first.ask("fred").reads(ok("fred"));
    await client().ask("fred").reads(ok("fred"));
    const third = client().ask("barney");
    await until(() => lines.length > 0);
    expect(lines).toEqual(["smmap_connections_max: all 2 connections are in use"]);
    expect(third.text).toBe("");
    first.socket.destroy();
    await third.reads(ok("barney"));
    const fourth = client().ask("fred");
    server.settings = { ...server.settings, connectionsMax: 3 };
    await fourth.reads(ok("fred"));
  });
});

describe("the end", () => {
  it("answers what was read and refuses what comes after", async () => {
    await start();
    const asking = client().ask("slow", "fred");
    await until(() => puppet.pending.length === 1);
    const closed = server.close();
    expect(server.addresses).toEqual([]);
    puppet.pending[0]?.answer(present);
    await asking.ended();
    expect(asking.text).toBe(ok("slow", "fred"));
    asking.socket.end();
    await closed;
    const late = new Client(join(folder, "smmap"));
    await late.closed;
    expect(late.text).toBe("");
  });

  it("answers what was read, also where it waits for a place in the queue", async () => {
    await start();
    const keys = Array.from({ length: 200 }, (_, i) => `slow${i}`);
    const asking = client().ask(...keys);
    await until(() => puppet.pending.length === 64);
    const closed = server.close();
    for (let answered = 0; answered < keys.length; answered++) {
      await until(() => puppet.pending.length > answered);
      puppet.pending[answered]?.answer(present);
    }
    await asking.ended();
    expect(asking.text).toBe(ok(...keys));
    asking.socket.end();
    await closed;
  });

  it("is not held up by a client that has ended and never reads its replies", async () => {
    await start();
    const asking = client();
    asking.socket.pause();
    // More than the socket takes in, so that some of it stays with us.
    asking.ask(...Array.from({ length: 60 }, (_, i) => `slow${i}${"x".repeat(15_000)}`));
    asking.socket.end();
    await until(() => puppet.pending.length === 60 && asking.socket.writableFinished);
    // Whoever comes later is read later, so by now the end has been read too.
    await client().ask("fred").reads(ok("fred"));
    for (const { answer } of puppet.pending) answer(present);
    await server.close();
    expect(server.connectionCounts.open).toBe(0);
  });
});

describe("unix sockets", () => {
  it("have the rights that the configuration gives", async () => {
    const path = join(folder, "rights");
    server = new Server(settings(), log);
    await server.listen([{ path }], { mode: 0o640, uid: null, gid: null });
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  it("that a dead process left are replaced", async () => {
    const path = join(folder, "stale");
    const dead = createServer().listen(path);
    await until(() => dead.listening);
    // As a crash would leave it: the descriptor is gone, the file stays.
    const { renameSync } = await import("node:fs");
    renameSync(path, `${path}.kept`);
    await new Promise((resolve) => dead.close(resolve));
    renameSync(`${path}.kept`, path);
    await start({}, { path });
    await client().ask("fred").reads(ok("fred"));
  });

  it("of a living process are not stolen", async () => {
    const path = join(folder, "smmap");
    await start({}, { path });
    const second = new Server(settings(), log);
    await expect(second.listen([{ path }], { mode: 0o666, uid: null, gid: null })).rejects.toThrow(
      `smmap_listen: cannot listen on ${path}: another program listens there`,
    );
    await client().ask("fred").reads(ok("fred"));
  });

  it.each([
    ["a missing folder", (at: string) => join(at, "none", "smmap"), /there is no folder .*none; create it/],
    [
      "a file in their place",
      (at: string) => {
        writeFileSync(join(at, "file"), "");
        return join(at, "file");
      },
      /another program listens there/,
    ],
  ])("explain %s", async (_name, path, problem) => {
    server = new Server(settings(), log);
    await expect(server.listen([{ path: path(folder) }], { mode: 0o666, uid: null, gid: null })).rejects.toThrow(
      problem,
    );
  });

  it("explain an address that the machine does not have", async () => {
    server = new Server(settings(), log);
    await expect(
      server.listen([{ host: "192.0.2.1", port: 0 }], { mode: 0o666, uid: null, gid: null }),
    ).rejects.toThrow("cannot listen on 192.0.2.1:0: this machine does not have that address");
  });
});
