/** One connection, against a server that violates the protocol, closes, or does not respond. */
import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { LdapConnection } from "../../../adapters/ldap/connection.ts";
import { openConnection } from "../../../adapters/ldap/login.ts";
import { rootQuery } from "../../../adapters/ldap/search-query.ts";
import { ldapEntry, ldapResult, ScriptedLdap, type ScriptedRequest } from "../../../fixtures/servers/ldap-script.ts";
import { parseLdapConf } from "../../../fixtures/servers/ldap-store.ts";
import type { StoreError } from "../../../src/store/store.ts";

const SEARCH = 0x63;
const SEARCH_DONE = 0x65;
const ABANDON = 0x50;
const UNBIND = 0x42;
/** Milliseconds that no test waits for. */
const AGES = 60_000;

let server: ScriptedLdap | null = null;
const connections: LdapConnection[] = [];

afterEach(async () => {
  vi.useRealTimers();
  for (const connection of connections.splice(0)) connection.end();
  await server?.close();
});

async function connected(script: (request: ScriptedRequest) => void, timeout = AGES): Promise<LdapConnection> {
  server = await ScriptedLdap.start(script);
  const socket = connect({ host: "127.0.0.1", port: server.port });
  await once(socket, "connect");
  const connection = new LdapConnection(socket, "ldap://test", timeout);
  connections.push(connection);
  return connection;
}

/** The outcome of a promise: "ok", or the code and message of its error. */
const outcome = (promise: Promise<unknown>) =>
  promise.then(
    () => "ok",
    (error: StoreError) => `${error.code}: ${error.message}`,
  );

const nothing = () => {};
const answer = ({ id, operation, socket }: ScriptedRequest) => {
  if (operation === SEARCH) socket.write(ldapResult(id, SEARCH_DONE));
};

describe("a connection", () => {
  it("gives each search its own answer, in whatever order they come", async () => {
    const waiting: ScriptedRequest[] = [];
    const connection = await connected((request) => {
      waiting.push(request);
      if (waiting.length < 3) return;
      for (const { id, socket } of waiting.reverse()) {
        socket.write(Buffer.concat([ldapEntry(id, `cn=${id}`), ldapResult(id, SEARCH_DONE, id)]));
      }
    });
    const answers = await Promise.all([1, 2, 3].map(() => connection.search(rootQuery)));
    expect(answers.map(({ result, entries }) => [result.id, result.code, entries[0]?.dn])).toEqual([
      [1, 1, "cn=1"],
      [2, 2, "cn=2"],
      [3, 3, "cn=3"],
    ]);
  });

  it("has at most 64 operations in flight", async () => {
    const connection = await connected(nothing);
    const searches = Array.from({ length: 70 }, () => outcome(connection.search(rootQuery)));
    const requests = [...((await server?.received(64)) ?? [])];
    expect(connection.load).toBe(70);
    expect(requests.length).toBe(64);
    for (const request of requests.slice(0, 6)) answer(request);
    const all = (await server?.received(70)) ?? [];
    for (const request of all.slice(6)) answer(request);
    expect(new Set(await Promise.all(searches))).toEqual(new Set(["ok"]));
    expect(connection.load).toBe(0);
  });

  it("ends with all its operations if the server does not respond", async () => {
    const connection = await connected(nothing, 100);
    const ended = new Promise<void>((resolve) => {
      connection.onEnd = resolve;
    });
    const searches = Array.from({ length: 66 }, () => outcome(connection.search(rootQuery)));
    await ended;
    const outcomes = await Promise.all(searches);
    expect(outcomes[0]).toBe("timeout: ldap://test: no answer within 100 ms");
    expect(new Set(outcomes.slice(1))).toEqual(new Set(["unavailable: ldap://test: no response, connection closed"]));
    expect(await outcome(connection.search(rootQuery))).toContain("no response, connection closed");
    expect(connection.hasEnded).toBe(true);
  });

  it("gives up a search alone where the server answers others", async () => {
    const connection = await connected((request) => {
      if (request.id > 1) answer(request);
    }, 500);
    const first = outcome(connection.search(rootQuery));
    let isOver = false;
    void first.then(() => {
      isOver = true;
    });
    while (!isOver) await connection.search(rootQuery);
    expect(await first).toBe("timeout: ldap://test: no answer within 500 ms");
    expect(connection.hasEnded).toBe(false);
    expect(await outcome(connection.search(rootQuery))).toBe("ok");
    expect(server?.requests.filter(({ operation }) => operation === ABANDON).length).toBe(1);
    // The late response to the abandoned search is ignored.
    server?.requests[0]?.socket.write(ldapResult(1, SEARCH_DONE));
    expect(await outcome(connection.search(rootQuery))).toBe("ok");
  });

  it.each<[string, (request: ScriptedRequest) => void, string]>([
    [
      "sends something other than an LDAP message",
      ({ socket }) => socket.write("220 mail.example ESMTP\r\n"),
      "invalid-data: .* not an LDAP message",
    ],
    [
      "answers a search with a bind",
      ({ id, socket }) => socket.write(ldapResult(id, 0x61)),
      "invalid-data: .*unexpected response of type result",
    ],
    [
      "sends a response with an unknown message id",
      ({ id, socket }) => {
        if (id === 1) socket.write(Buffer.concat([ldapEntry(257, "cn=a"), ldapResult(1, SEARCH_DONE)]));
      },
      "invalid-data: .* response with unknown message id 257",
    ],
    [
      "sends Notice of Disconnection",
      ({ socket }) => socket.write(ldapResult(0, 0x78, 52, "shutting down")),
      "unavailable: .* the server sent Notice of Disconnection: shutting down",
    ],
    [
      "sends Notice of Disconnection without a message",
      ({ socket }) => socket.write(ldapResult(0, 0x78, 52)),
      "unavailable: .* Notice of Disconnection$",
    ],
    ["closes", ({ socket }) => socket.end(), "unavailable: .* the connection was closed"],
    ["resets", ({ socket }) => socket.resetAndDestroy(), "unavailable: .*ECONNRESET"],
  ])("ends with all its operations if the server %s", async (_, script, words) => {
    const connection = await connected(script);
    const outcomes = await Promise.all([connection.search(rootQuery), connection.search(rootQuery)].map(outcome));
    expect(outcomes[0]).toMatch(new RegExp(words));
    expect(outcomes[1]).toBe(outcomes[0]);
    expect(connection.hasEnded).toBe(true);
  });

  it("settles a search at the first entry more than asked for, abandons it, and goes on", async () => {
    const connection = await connected(({ id, operation, socket }) => {
      if (operation !== SEARCH) return;
      const entries = id === 1 ? ["cn=a", "cn=b"] : ["cn=c"];
      // Of the first search no result ever comes.
      socket.write(Buffer.concat(entries.map((dn) => ldapEntry(id, dn))));
      if (id > 1) socket.write(ldapResult(id, SEARCH_DONE));
    });
    const { result, entries } = await connection.search(rootQuery);
    expect(entries.map(({ dn }) => dn)).toEqual(["cn=a", "cn=b"]);
    expect(result).toMatchObject({ code: 4, message: "the server sent more entries than requested" });
    expect(connection.load).toBe(0);
    // What is still sent of it is no protocol error.
    const [first] = server?.requests ?? [];
    first?.socket.write(Buffer.concat([ldapEntry(1, "cn=d"), ldapResult(1, SEARCH_DONE)]));
    expect((await connection.search(rootQuery)).entries.map(({ dn }) => dn)).toEqual(["cn=c"]);
    expect(server?.requests.filter(({ operation }) => operation === ABANDON).length).toBe(1);
    expect(connection.hasEnded).toBe(false);
  });

  it("does not take an entry for the answer to a bind", async () => {
    const connection = await connected(({ id, socket }) => void socket.write(ldapEntry(id, "cn=a")));
    expect(await outcome(connection.extend("1.2.3"))).toContain("unexpected response of type entry");
  });

  it("is retired when all operations have finished", async () => {
    const connection = await connected(nothing);
    const search = outcome(connection.search(rootQuery));
    const [request] = (await server?.received(1)) ?? [];
    connection.retire();
    expect(connection.hasEnded).toBe(false);
    if (request !== undefined) answer(request);
    expect(await search).toBe("ok");
    expect(connection.hasEnded).toBe(true);
    expect((await server?.received(2))?.[1]?.operation).toBe(UNBIND);
  });

  it("is retired at once without operations, and ends once", async () => {
    const connection = await connected(nothing);
    let ends = 0;
    connection.onEnd = () => ends++;
    connection.retire();
    connection.end();
    expect(ends).toBe(1);
    expect(await outcome(connection.search(rootQuery))).toBe("closed: ldap: the store is closed");
  });

  it("is kept alive by a search at intervals", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
    const connection = await connected(answer);
    vi.advanceTimersByTime(60_000);
    expect((await server?.received(1))?.[0]?.operation).toBe(SEARCH);
    connection.end();
    vi.advanceTimersByTime(600_000);
    expect((await server?.received(2))?.[1]?.operation).toBe(UNBIND);
    expect(server?.requests.length).toBe(2);
  });

  it("ends at once if the socket is already destroyed", async () => {
    server = await ScriptedLdap.start(nothing);
    const socket = connect({ host: "127.0.0.1", port: server.port });
    await once(socket, "connect");
    socket.destroy();
    const connection = new LdapConnection(socket, "ldap://test", AGES);
    expect(await outcome(connection.search(rootQuery))).toContain("the connection was closed");
  });
});

describe("logging in", () => {
  const open = (conf: Record<string, string> = {}, signal = new AbortController().signal) => {
    const { options } = parseLdapConf({ ldap_uri: `ldap://127.0.0.1:${server?.port}`, ldap_base: "dc=x", ...conf });
    const [endpoint] = options.connection.endpoints;
    if (endpoint === undefined) throw new Error("there is an endpoint");
    return openConnection(endpoint, options.connection, signal);
  };

  it("has a deadline as a whole", async () => {
    server = await ScriptedLdap.start(nothing);
    const login = { ldap_bind_dn: "cn=a", ldap_password: "b", ldap_timeout: "1s" };
    expect(await outcome(open(login))).toMatch(
      /^(?:timeout: ldap: not connected within|timeout: .*no answer within) 1000 ms/,
    );
    expect(await outcome(open({ ldap_start_tls: "yes", ldap_timeout: "1s" }))).toMatch(/^timeout: /);
  });

  it("is cancelled by its signal", async () => {
    server = await ScriptedLdap.start(() => stop.abort(new Error("enough")));
    const stop = new AbortController();
    expect(await outcome(open({ ldap_bind_dn: "cn=a", ldap_password: "b" }, stop.signal))).toContain("enough");
    expect(await outcome(open({}, stop.signal))).toContain("enough");
  });

  it("rejects data in clear text after the StartTLS response", async () => {
    server = await ScriptedLdap.start(({ id, socket }) => {
      socket.write(Buffer.concat([ldapResult(id, 0x78), Buffer.from([0x30, 0x05])]));
    });
    expect(await outcome(open({ ldap_start_tls: "yes" }))).toMatch(
      /^invalid-data: .*data after the StartTLS response and before TLS/,
    );
  });

  it("fails if the server accepts StartTLS and then does not send TLS", async () => {
    server = await ScriptedLdap.start(({ id, operation, socket }) => {
      socket.write(operation === 0 ? "not TLS at all" : ldapResult(id, 0x78));
    });
    expect(await outcome(open({ ldap_start_tls: "yes", ldap_timeout: "2s" }))).toMatch(
      /^(?:unavailable: ldap: TLS|timeout)/,
    );
  });
});
