/** The server over real sockets, in front of a store whose answers the tests control. */
import { statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  ControllableServer,
  netstring,
  type Pending,
  present,
  RecordingClient,
  until,
} from "../../fixtures/controllable-server.ts";
import type { RecipientParser } from "../../src/engine/recipient.ts";
import { AcceptBatch } from "../../src/net/accept-batch.ts";
import { RecipientJudge } from "../../src/requests/recipient-judge.ts";
import { SocketmapHandler } from "../../src/requests/socketmap-handler.ts";

const ok = (...keys: readonly string[]) => keys.map((key) => netstring(`OK ${key}`)).join("");
const NOT_FOUND = netstring("NOTFOUND Mailbox does not exist");
const TEMP = netstring("TEMP Mailbox look-up failed, try again later");

let rig: ControllableServer;
const start: ControllableServer["start"] = (...options) => rig.start(...options);
const client: ControllableServer["client"] = (index) => rig.client(index);

beforeEach(() => {
  rig = new ControllableServer();
});

afterEach(() => rig.close());

describe("requests", () => {
  it("are answered on UNIX sockets and TCP", async () => {
    await start({}, { path: join(rig.folder, "smmap") }, { host: "127.0.0.1", port: 0 });
    expect(rig.server.addresses[1]).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
    await client(0).ask("fred").reads(ok("fred"));
    await client(1).ask("nobody").reads(NOT_FOUND);
  });

  it("are answered in their order while their look-ups overlap", async () => {
    await start();
    const asking = client().ask("slow1", "fred", "slow2", "nobody");
    await until(() => rig.backend.pending.length === 2);
    rig.backend.pending[1]?.answer(present);
    await client().ask("fred").reads(ok("fred"));
    expect(asking.text).toBe("");
    rig.backend.pending[0]?.answer({ exists: false });
    await asking.reads(NOT_FOUND + ok("fred", "slow2") + NOT_FOUND);
  });

  it("whose look-up fails get a temporary failure, and the connection stays open", async () => {
    await start();
    await client()
      .ask("bad", "fred")
      .reads(TEMP + ok("fred"));
    expect(rig.lines[0]).toContain("controllable: a deliberate failure [internal]: TypeError: a deliberate failure");
    const asking = client().ask("slow", "fred");
    await until(() => rig.backend.pending.length === 1);
    rig.backend.pending[0]?.fail(new Error("gone"));
    await asking.reads(TEMP + ok("fred"));
  });

  it("whose look-up takes too long get TIMEOUT, and the late answer is discarded", async () => {
    await start({ timeout: 30 });
    const asking = client().ask("slow", "fred");
    const expected = netstring("TIMEOUT Mailbox look-up took too long, try again later") + ok("fred");
    await asking.reads(expected);
    expect(rig.backend.pending[0]?.options.signal.aborted).toBe(true);
    rig.backend.pending[0]?.answer(present);
    asking.ask("barney");
    await asking.reads(expected + ok("barney"));
  });

  it("that arrive in pieces are answered, whatever other clients send in between", async () => {
    await start();
    const [one, other] = [client(), client()];
    const request = netstring("cyrus fred");
    for (let cut = 1; cut < request.length; cut++) {
      one.send(request.slice(0, cut));
      for (let i = 0; i < 2; i++) await other.ask("barney").reads(ok(...Array(2 * cut - 1 + i).fill("barney")));
      one.send(request.slice(cut));
      await one.reads(ok("fred").repeat(cut));
    }
  });

  it("without a space get a reply about the missing key, and the connection stays open", async () => {
    await start();
    await client()
      .send("5:cyrus,0:,")
      .ask("fred")
      .reads(netstring("PERM Bad protocol (missing key)").repeat(2) + ok("fred"));
  });

  it("on which the engine throws get a temporary failure, and the stack is logged", async () => {
    await start();
    const broken = { split: () => JSON.parse("{") } as unknown as RecipientParser;
    const { store, log } = rig;
    const policy = { overQuotaIsPermanent: false, failureIsAccepted: false };
    const judge = new RecipientJudge({ recipients: broken, store, policy, log });
    const none = { accessMaps: null, acceptCache: null, audit: null };
    const socketmap = new SocketmapHandler({ judge, policy, value: "key", ...none });
    rig.active.swap({ ...rig.settings, socketmap });
    await client().ask("fred").reads(TEMP);
    expect(rig.lines[0]).toMatch(/^internal error: SyntaxError/);
  });
});

describe("a protocol error", () => {
  const fault = (reason: string) => netstring(`PERM Bad protocol (${reason})`);
  it.each([
    ["no digits", "x", "missing length"],
    ["no colon", "10;cyrus fred,", "missing length"],
    ["a wrong terminator", "10:cyrus fred;", "missing terminator"],
    ["a length over the bound", "16385:", "request size doesn't match length"],
  ])(
    "such as %s gets one reply, after those to earlier requests, and ends the connection",
    async (_name, text, reason) => {
      await start();
      const asking = client().ask("fred", "slow").send(text).ask("barney");
      await until(() => rig.backend.pending.length === 1);
      rig.backend.pending[0]?.answer(present);
      await asking.ended();
      expect(asking.text).toBe(ok("fred", "slow") + fault(reason));
      asking.socket.end();
      await asking.closed;
    },
  );

  it.each([
    ["in the length", "10", "missing length"],
    ["in the payload", "10:cyrus", "request size doesn't match length"],
    ["before the terminator", "10:cyrus fred", "missing terminator"],
  ])("by an end of input %s gets a reply", async (_name, text, reason) => {
    await start();
    const asking = client().send(text);
    asking.socket.end();
    await asking.closed;
    expect(asking.text).toBe(fault(reason));
  });

  it("ends the connection of a client that goes on sending", async () => {
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

describe("a half-closed connection", () => {
  it("is closed after the replies to all pending requests", async () => {
    await start();
    const asking = client().ask("slow", "fred");
    asking.socket.end();
    await until(() => rig.backend.pending.length === 1);
    rig.backend.pending[0]?.answer(present);
    await asking.closed;
    expect(asking.text).toBe(ok("slow", "fred"));
  });

  it("without a request is closed", async () => {
    await start();
    const asking = client();
    asking.socket.end();
    await asking.closed;
    expect(asking.text).toBe("");
  });
});

describe("a client", () => {
  it("that closes its connection aborts its look-ups", async () => {
    await start({}, { host: "127.0.0.1", port: 0 });
    const asking = client().ask("slow");
    await until(() => rig.backend.pending.length === 1);
    const { signal } = (rig.backend.pending[0] as Pending).options;
    asking.socket.resetAndDestroy();
    await until(() => signal.aborted);
    expect(signal.reason).toMatchObject({ code: "closed", message: "the client has closed the connection" });
    rig.backend.pending[0]?.answer(present);
    await client().ask("fred").reads(ok("fred"));
  });

  it("that sends no request is disconnected after the idle time-out", async () => {
    await start({ idleTimeout: 40 });
    const asking = client();
    await asking.ask("fred").reads(ok("fred"));
    await asking.ended();
  });
});

describe("the limit", () => {
  it("of requests in flight pauses reading, which resumes as replies are sent", async () => {
    await start();
    const keys = Array.from({ length: 200 }, (_, i) => `slow${i}`);
    const asking = client().ask(...keys);
    await until(() => rig.backend.pending.length === 64);
    await client().ask("fred").reads(ok("fred"));
    expect(rig.backend.pending.length).toBe(64);
    for (let answered = 0; answered < keys.length; answered++) {
      await until(() => rig.backend.pending.length > answered);
      rig.backend.pending[answered]?.answer(present);
    }
    await asking.reads(ok(...keys));
  });

  it("of unread replies pauses reading until the client reads them", async () => {
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

  it("of connections makes further ones wait until one is closed or the limit is raised", async () => {
    await start({ connectionsMax: 2 });
    const first = client();
    await first.ask("fred").reads(ok("fred"));
    await client().ask("fred").reads(ok("fred"));
    const third = client().ask("barney");
    await until(() => rig.lines.length > 0);
    expect(rig.lines).toEqual(["smmap_connections_max: all 2 connections are in use"]);
    expect(third.text).toBe("");
    first.socket.destroy();
    await third.reads(ok("barney"));
    const fourth = client().ask("fred");
    rig.active.swap({ ...rig.settings, limits: { ...rig.settings.limits, connectionsMax: 3 } });
    await fourth.reads(ok("fred"));
  });
});

describe("closing the server", () => {
  describe("in the tick in which a client is accepted", () => {
    /** Sends a request, and calls `then` when the client is accepted, before any of it is read. */
    async function accepted(then: () => void): Promise<RecordingClient> {
      await start();
      const { add } = AcceptBatch.prototype;
      const done = new Promise<void>((resolve) => {
        vi.spyOn(AcceptBatch.prototype, "add").mockImplementationOnce(function (this: AcceptBatch<object>, client) {
          // Then the batch expects another client and holds this one back.
          for (let i = 0; i < 2; i++) this.onClose();
          add.call(this, client);
          then();
          resolve();
        });
      });
      const asking = client().ask("fred");
      await done;
      return asking;
    }

    afterEach(() => vi.restoreAllMocks());

    it("serves that client while the server drains", async () => {
      let isDrained = false;
      const asking = await accepted(() => {
        void rig.server.drain(60_000, Number.POSITIVE_INFINITY).then(() => {
          isDrained = true;
        });
      });
      await asking.reads(ok("fred"));
      expect(isDrained).toBe(false);
      asking.socket.end();
      await until(() => isDrained);
    });

    it("ends that connection without a reset", async () => {
      let closing: Promise<void> | undefined;
      const asking = await accepted(() => {
        closing = rig.server.close();
      });
      await asking.ended();
      expect(asking.isClosed).toBe(false);
      asking.socket.end();
      await closing;
    });
  });

  it("answers requests that were read and refuses later connections", async () => {
    await start();
    const asking = client().ask("slow", "fred");
    await until(() => rig.backend.pending.length === 1);
    const closed = rig.server.close();
    expect(rig.server.addresses).toEqual([]);
    rig.backend.pending[0]?.answer(present);
    await asking.ended();
    expect(asking.text).toBe(ok("slow", "fred"));
    asking.socket.end();
    await closed;
    const late = new RecordingClient(join(rig.folder, "smmap"));
    await late.closed;
    expect(late.text).toBe("");
  });

  it("answers requests that were read, also those beyond the limit of requests in flight", async () => {
    await start();
    const keys = Array.from({ length: 200 }, (_, i) => `slow${i}`);
    const asking = client().ask(...keys);
    await until(() => rig.backend.pending.length === 64);
    const closed = rig.server.close();
    for (let answered = 0; answered < keys.length; answered++) {
      await until(() => rig.backend.pending.length > answered);
      rig.backend.pending[answered]?.answer(present);
    }
    await asking.ended();
    expect(asking.text).toBe(ok(...keys));
    asking.socket.end();
    await closed;
  });

  it("is not delayed by a half-closed client that never reads its replies", async () => {
    await start();
    const asking = client();
    asking.socket.pause();
    // More than the buffer of the socket holds, so that some replies stay in the process.
    asking.ask(...Array.from({ length: 60 }, (_, i) => `slow${i}${"x".repeat(15_000)}`));
    asking.socket.end();
    await until(() => rig.backend.pending.length === 60 && asking.socket.writableFinished);
    // A later connection is read later, so by now the end of the first one has been read, too.
    await client().ask("fred").reads(ok("fred"));
    for (const { answer } of rig.backend.pending) answer(present);
    await rig.server.close();
    expect(rig.server.connectionCounts.open).toBe(0);
  });
});

describe("UNIX sockets", () => {
  it("have the mode that the configuration gives", async () => {
    const path = join(rig.folder, "rights");
    rig.server = rig.unstarted();
    await rig.server.listen([{ path }], { mode: 0o640, uid: null, gid: null });
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  it("on which no process listens are replaced", async () => {
    const path = join(rig.folder, "stale");
    const dead = createServer().listen(path);
    await until(() => dead.listening);
    // As after a crash: the descriptor is closed, and the file exists.
    const { renameSync } = await import("node:fs");
    renameSync(path, `${path}.kept`);
    await new Promise((resolve) => dead.close(resolve));
    renameSync(`${path}.kept`, path);
    await start({}, { path });
    await client().ask("fred").reads(ok("fred"));
  });

  it("on which a process listens are not replaced", async () => {
    const path = join(rig.folder, "smmap");
    await start({}, { path });
    const second = rig.unstarted();
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
  ])("that cannot be created because of %s are reported", async (_name, path, problem) => {
    rig.server = rig.unstarted();
    await expect(
      rig.server.listen([{ path: path(rig.folder) }], { mode: 0o666, uid: null, gid: null }),
    ).rejects.toThrow(problem);
  });

  it("and TCP addresses that the machine does not have are reported", async () => {
    rig.server = rig.unstarted();
    await expect(
      rig.server.listen([{ host: "192.0.2.1", port: 0 }], { mode: 0o666, uid: null, gid: null }),
    ).rejects.toThrow("cannot listen on 192.0.2.1:0: this machine does not have that address");
  });
});
