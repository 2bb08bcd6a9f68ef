/** `npm run soak`: every store under load, its mailboxes changing and faults injected. bench/README.md says how. */
import { parseArgs } from "node:util";
import { findingsOf, reportOf } from "../fixtures/soak/report.ts";
import { stores } from "../fixtures/soak/stores.ts";
import { soakTogether } from "../fixtures/soak/trial.ts";

/** Milliseconds that a busy machine may add to deadlines. */
const GRACE = 2_000;

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    stores: { type: "string", default: Object.keys(stores).join(",") },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});

const interruption = new AbortController();
process.once("SIGINT", () => interruption.abort());
const seed = Number(options.seed);
const seconds = Number(options.minutes) * 60;
process.stdout.write(`${options.stores}: ${options.minutes} minutes, --seed ${seed}\n\n`);
const outcomes = await soakTogether(
  options.stores.split(",").map((name) => {
    if (!isStore(name)) throw new Error(`--stores: ${name} is none of ${Object.keys(stores).join(", ")}`);
    return { open: stores[name], seed, seconds, grace: GRACE, signal: interruption.signal };
  }),
);
const findings = outcomes.flatMap((outcome) => findingsOf(outcome, GRACE));
process.stdout.write(`${reportOf(outcomes)}\n${findings.join("\n") || "Nothing was wrong."}\n`);
process.exitCode = findings.length > 0 ? 1 : 0;

function isStore(name: string): name is keyof typeof stores {
  return name in stores;
}
