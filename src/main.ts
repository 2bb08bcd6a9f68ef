#!/usr/bin/env node
import { main } from "./commands/main.ts";

/** Milliseconds for what still runs when everything is over: a backend that hangs, a log that nobody reads. */
const LAST_MAX = 1_000;

// At the end of the event loop Node.js restores the default action of signals, and a SIGHUP before the end of the process
// would kill it. process.exit() keeps the handlers in place to the last.
process.once("beforeExit", () => process.exit());
process.exitCode = await main(process.argv.slice(2), process);
setTimeout(() => process.exit(), LAST_MAX).unref();
