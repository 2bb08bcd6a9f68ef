/** Postfix' policy delegation and access maps, over real sockets, in front of the village. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { conformanceMemoryStore, type MemoryStore } from "../../fixtures/memory-store.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";
import { testLimits, testTexts as texts } from "../../fixtures/test-server.ts";
import { conformanceRules, silentLog } from "../../src/conformance/index.ts";
import { ActiveService } from "../../src/daemon/active-service.ts";
import { RecipientParser } from "../../src/engine/recipient.ts";
import type { ReplyPolicy } from "../../src/engine/verdict.ts";
import { Server, type ServerSettings } from "../../src/net/server.ts";
import { PolicyHandler } from "../../src/requests/policy-handler.ts";
import { RecipientJudge } from "../../src/requests/recipient-judge.ts";
import { SocketmapHandler } from "../../src/requests/socketmap-handler.ts";
import { GuardedStore } from "../../src/store/guarded.ts";
import type { Log } from "../../src/store/store.ts";

const warnings: string[] = [];
const log: Log = { ...silentLog, warning: (message) => void warnings.push(message) };
let village: MemoryStore;
let active: ActiveService<ServerSettings>;
let server: Server;
const clients: Client[] = [];

function settings(
  policy: ReplyPolicy,
  value: "key" | "mailbox" = "key",
  { countsSize = true }: { readonly countsSize?: boolean } = {},
): ServerSettings {
  const store = new GuardedStore(village, { timeout: 60_000, breaker: { failures: 0, reset: 0 }, log });
  const recipients = new RecipientParser(conformanceRules);
  const judge = new RecipientJudge({ recipients, store, policy, log });
  const accessMaps = { names: new Set(["access", "zugang"]), texts };
  const rest = { judge, policy, audit: null };
  return {
    socketmap: new SocketmapHandler({ value, accessMaps, acceptCache: null, ...rest }),
    policy: new PolicyHandler({ texts, countsSize, log, ...rest }),
    limits: { ...testLimits, requestMax: 1024 },
  };
}

const temporary: ReplyPolicy = { overQuotaIsPermanent: false, failureIsAccepted: false };
const permanent: ReplyPolicy = { overQuotaIsPermanent: true, failureIsAccepted: false };
const anywhere = [{ host: "127.0.0.1", port: 0 }];
const rights = { mode: 0o600, uid: null, gid: null };

beforeAll(async () => {
  village = conformanceMemoryStore({ promises: true });
  active = new ActiveService(settings(temporary));
  server = new Server(active, log);
  await server.listen(anywhere, rights);
  await server.listen(anywhere, rights, "policy");
});

afterAll(async () => {
  for (const client of clients) client.socket.destroy();
  await server.close();
});

/** Speaks to the policy service, or whatever listens there. */
class Client {
  readonly socket: Socket;
  text = "";
  #read = 0;

  constructor() {
    this.socket = connect({ port: Number(server.addresses[1]?.split(":")[1]), host: "127.0.0.1", allowHalfOpen: true });
    this.socket.setEncoding("latin1");
    this.socket.on("data", (text: string) => {
      this.text += text;
    });
    this.socket.on("error", () => {});
    clients.push(this);
  }

  send(text: string): this {
    this.socket.write(text, "latin1");
    return this;
  }

  /** The next action. */
  async action(): Promise<string> {
    for (;;) {
      const end = this.text.indexOf("\n\n", this.#read);
      if (end >= 0) {
        const reply = this.text.slice(this.#read, end);
        this.#read = end + 2;
        expect(reply).toMatch(/^action=[ -~]+$/);
        return reply.slice("action=".length);
      }
      if (this.socket.readableEnded) throw new Error("the server closed the connection");
      await Promise.race([once(this.socket, "data"), once(this.socket, "end")]);
    }
  }

  async ended(): Promise<void> {
    if (!this.socket.readableEnded) await once(this.socket, "end");
  }
}

function request(recipient: string, size = "0", state = "RCPT"): string {
  const octets = Buffer.from(recipient).toString("latin1");
  const lines = ["request=smtpd_access_policy", `protocol_state=${state}`, "sender=x@y.example"];
  return [...lines, `recipient=${octets}`, `size=${size}`, "stress=", "", ""].join("\n");
}

const actions: [recipient: string, size: string, action: string, permanentAction?: string][] = [
  ["anna@village.example", "0", "DUNNO"],
  ["ANNA@Village.Example", "0", "DUNNO"],
  ["anna+Lists@village.example", "0", "DUNNO"],
  ["anna+Entwürfe@village.example", "0", "DUNNO"],
  ['"anna+My Team"@village.example', "0", "DUNNO"],
  ["anna+My Team@village.example", "0", "DUNNO"],
  ["+Public@village.example", "0", "DUNNO"],
  ["nobody@village.example", "0", "550 5.1.1 Unknown"],
  ['"no body"@village.example', "0", "550 5.1.1 Unknown"],
  ["anna+Nope@village.example", "0", "550 5.1.1 Unknown"],
  ["+Public/Look@village.example", "0", "550 5.7.1 Denied"],
  ["dora@village.example", "0", "452 4.2.2 Full", "552 5.2.2 Full"],
  ['"dora"@village.example', "0", "452 4.2.2 Full", "552 5.2.2 Full"],
  // 8 of 64 KiB are used: a message must fit.
  ["bert@village.example", `${56 * 1024}`, "DUNNO"],
  ["bert@village.example", `${56 * 1024 + 1}`, "452 4.2.2 Full", "552 5.2.2 Full"],
  ["anna@village.example", "999999999999", "DUNNO"],
];

describe("policy delegation", () => {
  it.each(actions)("for %s and %s octets: %s", async (recipient, size, action, permanentAction = action) => {
    expect(await new Client().send(request(recipient, size)).action()).toBe(action);
    active.swap(settings(permanent));
    expect(await new Client().send(request(recipient, size)).action()).toBe(permanentAction);
    active.swap(settings(temporary));
  });

  it.each([
    ["bert@village.example", `${56 * 1024 + 1}`, "DUNNO"],
    ["bert@village.example", "999999999999", "DUNNO"],
    ["dora@village.example", "0", "452 4.2.2 Full"],
  ])(
    "without lmtp_strict_quota takes no account of the size: for %s and %s octets: %s",
    async (recipient, size, action) => {
      active.swap(settings(temporary, "key", { countsSize: false }));
      expect(await new Client().send(request(recipient, size)).action()).toBe(action);
      active.swap(settings(temporary));
    },
  );

  it("says nothing about requests without a recipient", async () => {
    const client = new Client().send(request("", "0", "DATA")).send("request=smtpd_access_policy\n\n");
    expect([await client.action(), await client.action()]).toEqual(["DUNNO", "DUNNO"]);
  });

  it("answers many requests of a connection in their order, however they come", async () => {
    const expected = Array.from({ length: 200 }, (_, i) => actions[i % actions.length] as (typeof actions)[number]);
    const stream = expected.map(([recipient, size]) => request(recipient, size)).join("");
    for (const chunk of [stream.length, 777]) {
      const client = new Client();
      for (let at = 0; at < stream.length; at += chunk) client.send(stream.slice(at, at + chunk));
      for (const [, , action] of expected) expect(await client.action()).toBe(action);
    }
  });

  it("answers a client that has closed its half", async () => {
    const client = new Client();
    client.socket.end(request("anna@village.example"));
    await client.ended();
    expect(client.text).toBe("action=DUNNO\n\n");
  });

  it.each(["down", "denied", "garbage"] as const)("defers while the store is %s", async (fault) => {
    village.fault = fault;
    const client = new Client().send(request("anna@village.example")).send(request("nobody@village.example"));
    const expected = "DEFER_IF_PERMIT 4.3.0 Failed";
    expect([await client.action(), await client.action()]).toEqual([expected, expected]);
    village.fault = null;
    expect(await client.send(request("anna@village.example")).action()).toBe("DUNNO");
  });

  it.each([
    ["another protocol", "EHLO client.example\r\n\n"],
    ["another kind of request", "request=junk\nrecipient=anna@village.example\n\n"],
  ])("defers for %s, and goes on", async (_what, text) => {
    warnings.length = 0;
    const client = new Client().send(text).send(request("anna@village.example"));
    expect(await client.action()).toBe("DEFER_IF_PERMIT 4.3.0 Failed");
    expect(await client.action()).toBe("DUNNO");
    expect(warnings).toEqual([expect.stringContaining("sent no request of Postfix' policy delegation")]);
  });

  it.each([
    ["that is too long", `request=smtpd_access_policy\nsender=${"x".repeat(1024)}`],
    ["that is cut off", "request=smtpd_access_policy\nrecipient=anna@village.example\n"],
  ])("defers for a request %s, and hangs up", async (_what, text) => {
    const client = new Client();
    client.socket.end(text);
    await client.ended();
    expect(client.text).toBe("action=DEFER_IF_PERMIT 4.3.0 Failed\n\n");
  });
});

describe("an access map", () => {
  async function ask(map: string, recipient: string): Promise<string> {
    const client = await SocketmapClient.connect(server.addresses[0] ?? "");
    const reply = await client.ask(Buffer.from(recipient).toString("latin1"), map);
    client.close();
    return reply;
  }

  it.each(actions.filter(([, size]) => size === "0"))(
    "says of %s: %s",
    async (recipient, _size, action, permanentAction = action) => {
      expect(await ask("access", recipient)).toBe(`OK ${action}`);
      active.swap(settings(permanent));
      expect(await ask("zugang", recipient)).toBe(`OK ${permanentAction}`);
      active.swap(settings(temporary));
    },
  );

  it.each(["", "Access", "access2", "cyrus"])("is not %j", async (map) => {
    expect(await ask(map, "anna@village.example")).toBe("OK anna@village.example");
    expect(await ask(map, "dora@village.example")).toBe("TEMP Over quota");
    expect(await ask(map, '"anna"@village.example')).toBe("NOTFOUND Mailbox does not exist");
  });

  it("leaves OK's value to other maps, which give the mailbox's name where that is wanted", async () => {
    active.swap(settings(temporary, "mailbox"));
    expect(await ask("access", "anna@village.example")).toBe("OK DUNNO");
    expect(await ask("cyrus", "anna+Lists@village.example")).toBe("OK user.anna.Lists");
    expect(await ask("cyrus", "hugo@hill.example")).toBe("OK hill.example!user.hugo");
    expect(await ask("cyrus", "nobody@village.example")).toBe("NOTFOUND Mailbox does not exist");
    expect(await ask("cyrus", "dora@village.example")).toBe("TEMP Over quota");
    active.swap(settings(temporary));
  });

  it("fails like any other", async () => {
    village.fault = "down";
    expect(await ask("access", "anna@village.example")).toBe("TEMP Mailbox look-up failed, try again later");
    expect(await ask("access", '"anna"@village.example')).toBe("TEMP Mailbox look-up failed, try again later");
    village.fault = null;
  });
});
