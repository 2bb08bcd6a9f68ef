import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { EndpointHealth } from "../../../src/store/endpoint-health.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

/** Seconds for which a server that was just left is avoided. */
function avoidedFor(health: EndpointHealth): number {
  let seconds = 0;
  for (; health.isAvoided("a"); seconds++) vi.advanceTimersByTime(1_000);
  return seconds;
}

it("a server that was never left is not avoided", () => {
  expect(new EndpointHealth().isAvoided("a")).toBe(false);
});

it("a server that fails at once when it is taken again is avoided for twice as long, however late that is", () => {
  const health = new EndpointHealth();
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    health.left("a");
    waits.push(avoidedFor(health));
    vi.advanceTimersByTime(3_600_000);
    health.taken("a");
  }
  expect(waits).toEqual([30, 59, 118, 236, 472, 600, 600]);
});

it("several connections that leave a server for one fault count once", () => {
  const health = new EndpointHealth();
  for (let i = 0; i < 5; i++) health.left("a");
  expect(avoidedFor(health)).toBe(30);
});

it("a server that has served for as long as it was avoided has recovered", () => {
  const health = new EndpointHealth();
  health.left("a");
  avoidedFor(health);
  health.taken("a");
  vi.advanceTimersByTime(30_000);
  health.left("a");
  expect(avoidedFor(health)).toBe(30);
});
