/** How often an IMAP server sees a login that it refuses. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { openImapStore } from "../../../fixtures/servers/cyrus-store.ts";
import { type Script, ScriptedImap } from "../../../fixtures/servers/scripted-imap.ts";
import { Lookup } from "../../../src/store/lookup.ts";
import type { Log, MailboxFacts, MailboxId, MailboxStore } from "../../../src/store/store.ts";

const fred: MailboxId = { kind: "user", user: "fred", domain: null, folders: [], address: "fred", detail: null };
const logged: string[] = [];
const line = (message: string) => void logged.push(message);
const log: Log = { error: line, warning: line, notice: line, info() {}, debug() {} };
const stores: MailboxStore[] = [];
const servers: ScriptedImap[] = [];
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "imap-logins-"));
  logged.length = 0;
  vi.useFakeTimers({ toFake: ["performance"] });
});

afterEach(async () => {
  vi.useRealTimers();
  for (const store of stores.splice(0)) await store.close();
  for (const server of servers.splice(0)) await server.close();
  rmSync(directory, { recursive: true });
});

function refusing(words: string): Script {
  return (command) => (command.startsWith("AUTHENTICATE") ? `+ \r\nTAG NO ${words}\r\n` : null);
}

async function start(script: Script): Promise<ScriptedImap> {
  const server = await ScriptedImap.start(script);
  servers.push(server);
  return server;
}

function open(): MailboxStore {
  const list = servers.map(({ port }) => `127.0.0.1:${port}/complete`).join(" ");
  const port = servers[0]?.port ?? 0;
  const store = openImapStore({ directory, port }, { smmap_pool_size: "4", smmap_imap_server: list }, log);
  stores.push(store);
  return store;
}

async function find(store: MailboxStore): Promise<MailboxFacts> {
  return await store.lookup(fred, new Lookup());
}

function loginsAt({ received }: ScriptedImap): number {
  return received.filter((command) => command.startsWith("AUTHENTICATE")).length;
}

const absent: MailboxFacts = { exists: false };

it.each(["authentication failure", "[AUTHENTICATIONFAILED] no", "[AUTHORIZATIONFAILED] no", "[EXPIRED] no"])(
  "NO %s is asked for once by all connections, and then not for 30 s",
  async (words) => {
    const server = await start(refusing(words));
    const store = open();
    for (let second = 0; second < 30; second++) {
      const failures = await Promise.allSettled(Array.from({ length: 20 }, () => find(store)));
      for (const failure of failures) {
        expect(failure).toMatchObject({
          reason: { code: "denied", message: expect.stringMatching(/login of .* refused: .*no login before .*SIGHUP/) },
        });
      }
      if (second < 29) vi.advanceTimersByTime(1_000);
    }
    expect(loginsAt(server)).toBe(1);
    expect(logged).toEqual([
      expect.stringMatching(
        /check smmap_imap_authname and smmap_imap_password; next login in 30 s, or at once after a /,
      ),
    ]);
    // A status or a health check says the same, without a login.
    await expect(store.ping(new Lookup())).rejects.toThrow("no login before");
    expect(loginsAt(server)).toBe(1);
    server.script = () => null;
    vi.advanceTimersByTime(5_000);
    expect(await find(store)).toEqual(absent);
  },
);

it.each(["Too many open connections (3 of 3 for cyrus)", "[UNAVAILABLE] later", "[LIMIT] later", "[INUSE] later"])(
  "NO %s is no wrong password: the login is tried again after a pause of up to 3 s",
  async (words) => {
    const server = await start(refusing(words));
    const store = open();
    await expect(find(store)).rejects.toMatchObject({ code: "denied" });
    server.script = () => null;
    vi.advanceTimersByTime(3_000);
    expect(await find(store)).toEqual(absent);
    expect(loginsAt(server)).toBeGreaterThanOrEqual(2);
  },
);

it("a store that is opened anew, as a reload does, tries at once", async () => {
  const server = await start(refusing("authentication failure"));
  await expect(find(open())).rejects.toMatchObject({ code: "denied" });
  server.script = () => null;
  expect(await find(open())).toEqual(absent);
});

it("a second server is asked where the first one refuses the login, which the first one then sees once", async () => {
  const first = await start(refusing("authentication failure"));
  await start(() => null);
  const store = open();
  for (let i = 0; i < 10; i++) {
    expect(await find(store)).toEqual(absent);
    servers[1]?.cut();
    await vi.waitFor(() => expect(servers[1]?.connections).toBe(0));
  }
  expect(loginsAt(first)).toBe(1);
});
