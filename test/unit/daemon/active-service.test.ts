import { expect, it } from "vitest";
import { testLimits } from "../../../fixtures/test-server.ts";
import { ActiveService } from "../../../src/daemon/active-service.ts";
import type { RequestHandler } from "../../../src/net/request-handler.ts";
import type { ServerSettings } from "../../../src/net/server.ts";

const handler: RequestHandler = { respond: () => "", refuse: () => "" };
const service = (): ServerSettings => ({ socketmap: handler, policy: handler, limits: testLimits });

it("there is no service before the first swap", () => {
  expect(new ActiveService().current).toBeNull();
});

it("a swap replaces the service, notifies each listener, and returns the previous service", () => {
  const [first, second] = [service(), service()];
  const active = new ActiveService<ServerSettings>();
  const seen: unknown[] = [];
  active.onSwap((next) => seen.push(next, active.current));
  active.onSwap((next) => seen.push(next));
  expect(active.swap(first)).toBeNull();
  expect(active.swap(second)).toBe(first);
  expect(active.current).toBe(second);
  expect(seen).toEqual([first, first, first, second, second, second]);
  expect(seen[3]).toBe(second);
});
