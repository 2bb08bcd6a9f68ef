/**
 * The short form of `npm run soak`: every store under a mixed load, its mailboxes changing and faults injected, and each
 * reply compared with what was true at its time. SOAK_SEED and SOAK_SECONDS in the environment ask for another one.
 */
import { expect, it } from "vitest";
import { findingsOf, reportOf } from "../../fixtures/soak/report.ts";
import { stores } from "../../fixtures/soak/stores.ts";
import { soak, soakTogether } from "../../fixtures/soak/trial.ts";

const seed = Number(process.env.SOAK_SEED ?? 20_261);
const seconds = Number(process.env.SOAK_SECONDS ?? 10);
/** Milliseconds that a busy machine may add to deadlines and recoveries. */
const GRACE = 5_000;
/** Milliseconds that servers may take to start and to end. */
const AROUND = 120_000;

it(`tells the truth for ${seconds} s of faults (SOAK_SEED=${seed})`, { timeout: seconds * 1000 + AROUND }, async () => {
  const { sqlite, ldap, imap } = stores;
  const outcomes = await soakTogether([sqlite, ldap, imap].map((open) => ({ open, seed, seconds, grace: GRACE })));
  const findings = outcomes.flatMap((outcome) => findingsOf(outcome, GRACE));
  expect(findings, `SOAK_SEED=${seed}\n${reportOf(outcomes)}`).toEqual([]);
  // In a short run one fault can take most of a store's time, so the stores are taken together.
  for (const kind of ["OK", "NOTFOUND", "PERM", "TEMP over quota", "TEMP failed"]) {
    expect(sum(outcomes.map(({ tally }) => tally.replies.get(kind) ?? 0)), kind).toBeGreaterThan(0);
  }
  expect(sum(outcomes.map(({ tally }) => tally.count("excused")))).toBeGreaterThan(0);
  for (const { changes, faults } of outcomes) {
    expect(changes).toBeGreaterThan(0);
    expect(faults.size).toBeGreaterThan(0);
  }
});

it("does not believe a wrong reply", { timeout: AROUND }, async () => {
  const misled = await soak({ open: stores.sqlite, seed, seconds: 2, grace: GRACE, isMisled: true });
  const findings = findingsOf(misled, GRACE);
  expect(findings.length).toBeGreaterThan(0);
  for (const finding of findings.slice(0, -1)) expect(finding).toMatch(/^sqlite: resident0@soak\.example: OK /);
});

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
