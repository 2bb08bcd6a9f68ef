/** Each answer is counted once, with its status and reason. */
import { describe, expect, it } from "vitest";
import { conformanceMemoryStore, type MemoryFault } from "../../../fixtures/memory-store.ts";
import { testTexts as texts } from "../../../fixtures/test-server.ts";
import { conformanceRules, silentLog } from "../../../src/conformance/index.ts";
import { RecipientParser } from "../../../src/engine/recipient.ts";
import type { ReplyPolicy } from "../../../src/engine/verdict.ts";
import { total } from "../../../src/metrics/histogram.ts";
import { Tally } from "../../../src/metrics/tally.ts";
import { PolicyHandler } from "../../../src/requests/policy-handler.ts";
import { RecipientJudge } from "../../../src/requests/recipient-judge.ts";
import { SocketmapHandler } from "../../../src/requests/socketmap-handler.ts";
import { GuardedStore } from "../../../src/store/guarded.ts";
import { Lookup } from "../../../src/store/lookup.ts";

const temporary: ReplyPolicy = { overQuotaIsPermanent: false, failureIsAccepted: false };
const log = silentLog;

interface Situation {
  readonly promises?: boolean;
  readonly fault?: MemoryFault;
  readonly policy?: ReplyPolicy;
  readonly breakerFailures?: number;
}

function serve({ promises = false, fault, policy = temporary, breakerFailures = 0 }: Situation = {}) {
  const tally = new Tally();
  const village = conformanceMemoryStore({ promises });
  village.fault = fault ?? null;
  const breaker = { failures: breakerFailures, reset: 60_000 };
  const store = new GuardedStore(village, { timeout: 50, breaker, log, events: tally.store("village") });
  const recipients = new RecipientParser(conformanceRules);
  const judge = new RecipientJudge({ recipients, store, policy, log });
  const accessMaps = { names: new Set(["access"]), texts };
  const rest = { judge, policy, audit: null, tally };
  const responder = new SocketmapHandler({ value: "key", accessMaps, acceptCache: null, ...rest });
  const policyResponder = new PolicyHandler({ texts, countsSize: false, log, ...rest });
  const ask = async (payload: string) => void (await responder.respond(payload, new Lookup(), "test"));
  const askPolicy = async (lines: string) => void (await policyResponder.respond(lines, new Lookup(), "test"));
  const counted = () => tally.replies.list().map((row) => `${row.map} ${row.status} ${row.reason} ${row.count}`);
  return { tally, responder, ask, askPolicy, counted };
}

const failing = ["unavailable", "timeout", "denied", "invalid-data", "internal", "closed"] as const;

describe.each([false, true])("answers, promised: %s", (promises) => {
  it.each([
    ["anna@village.example", "OK accept"],
    ["nobody@village.example", "NOTFOUND absent"],
    ["@village.example", "NOTFOUND absent"],
    ["+Public/Look@village.example", "PERM denied"],
    ["dora@village.example", "TEMP over-quota"],
  ])("a request for %s is counted as %s", async (address, expected) => {
    const { tally, ask, counted } = serve({ promises });
    await ask(`cyrus ${address}`);
    await ask(`cyrus ${address}`);
    expect(counted()).toEqual([`cyrus ${expected} 2`]);
    expect(total(tally.requestTimes)).toBe(2);
    expect(total(tally.store("village").times)).toBe(address.startsWith("@") ? 0 : 2);
    expect(tally.inFlight).toBe(0);
  });

  it.each([
    ["down", "TEMP failed", "unavailable"],
    ["hang", "TIMEOUT timeout", "timeout"],
    ["garbage", "TEMP failed", "invalid-data"],
    ["denied", "TEMP failed", "denied"],
  ] as const)("of a store with the fault %s are counted as %s", async (fault, expected, code) => {
    const { tally, ask, counted } = serve({ promises, fault });
    await ask("cyrus anna@village.example");
    expect(counted()).toEqual([`cyrus ${expected} 1`]);
    expect(failing.filter((name) => tally.store("village").errors[name] > 0)).toEqual([code]);
    expect(total(tally.store("village").times)).toBe(0);
    expect(tally.inFlight).toBe(0);
  });
});

describe("answers", () => {
  it("are counted with the status of the reply, whatever the reason", async () => {
    const permanent = serve({ policy: { overQuotaIsPermanent: true, failureIsAccepted: false } });
    await permanent.ask("cyrus dora@village.example");
    expect(permanent.counted()).toEqual(["cyrus PERM over-quota 1"]);
    const lenient = serve({ fault: "down", policy: { overQuotaIsPermanent: false, failureIsAccepted: true } });
    await lenient.ask("cyrus dora@village.example");
    await lenient.ask("access dora@village.example");
    expect(lenient.counted().sort()).toEqual(["access DUNNO failed 1", "cyrus OK failed 1"]);
  });

  it("to an invalid request are counted without a map", async () => {
    const { responder, ask, counted } = serve();
    await ask("cyrus");
    responder.refuse("missing length", "test");
    expect(counted()).toEqual(["(none) PERM protocol 2"]);
  });

  it("of an access map are counted with the code of the action", async () => {
    const { tally, ask, counted } = serve();
    for (const user of ["anna", "nobody", "dora", "+Public/Look"]) await ask(`access ${user}@village.example`);
    expect(counted().sort()).toEqual([
      "access 452 over-quota 1",
      "access 550 absent 1",
      "access 550 denied 1",
      "access DUNNO accept 1",
    ]);
    expect(tally.inFlight).toBe(0);
  });

  it("of policy delegation are counted with the action", async () => {
    const { tally, askPolicy, counted } = serve();
    for (const user of ["anna", "nobody"]) {
      await askPolicy(`request=smtpd_access_policy\nrecipient=${user}@village.example`);
    }
    await askPolicy("request=smtpd_access_policy\nrecipient=");
    await askPolicy("junk");
    expect(counted().sort()).toEqual([
      "(policy) 550 absent 1",
      "(policy) DEFER_IF_PERMIT protocol 1",
      "(policy) DUNNO accept 1",
      "(policy) DUNNO none 1",
    ]);
    expect(tally.inFlight).toBe(0);
  });
});

describe("look-ups", () => {
  it("in flight are counted", async () => {
    const { tally, ask } = serve({ promises: true });
    const asked = [ask("cyrus anna@village.example"), ask("access anna@village.example")];
    expect(tally.inFlight).toBe(2);
    await Promise.all(asked);
    expect(tally.inFlight).toBe(0);
  });

  it("that the circuit breaker refused are counted apart from errors of the store", async () => {
    const { tally, ask } = serve({ fault: "down", breakerFailures: 2 });
    for (let i = 0; i < 5; i++) await ask("cyrus anna@village.example");
    expect(tally.store("village").errors.unavailable).toBe(2);
    expect(tally.store("village").shortCircuits).toBe(3);
    expect(tally.failureRate.perSecond(performance.now())).toBeGreaterThan(0);
  });

  it("that were slow are listed with their address", async () => {
    const { tally, ask } = serve({ fault: "hang" });
    await ask("cyrus anna@village.example");
    expect(tally.slowest.list(performance.now())).toEqual([
      expect.objectContaining({ key: "anna@village.example", map: "cyrus", reason: "timeout" }),
    ]);
  });
});

it("a mailbox of a store that cannot be named is an internal error, and the request is counted as failed", async () => {
  const tally = new Tally();
  const named = { exists: true, rights: null, quotas: [], mailbox: {} as never } as const;
  const capabilities = { folders: true, shared: true, quota: [] };
  const store = {
    name: "broken",
    capabilities,
    lookup: async () => named,
    ping: async () => {},
    close: async () => {},
  };
  const recipients = new RecipientParser(conformanceRules);
  const judge = new RecipientJudge({ recipients, store, policy: temporary, log });
  const none = { accessMaps: null, acceptCache: null, audit: null };
  const handler = new SocketmapHandler({ judge, policy: temporary, value: "mailbox", tally, ...none });
  expect(await handler.respond("cyrus anna", new Lookup(), "test")).toMatch(/:TEMP /);
  expect(tally.inFlight).toBe(0);
});
