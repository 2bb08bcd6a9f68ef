#!/usr/bin/env node
import { main } from "./commands/main.ts";

/** Milliseconds for what still runs at the end: a backend that hangs, a log whose reader does not read. */
const EXIT_TIMEOUT = 1_000;

// When the event loop ends, Node.js restores the default actions of signals, and a late SIGHUP would kill the process.
// process.exit() keeps the handlers installed until the process exits.
process.once("beforeExit", () => process.exit());
process.exitCode = await main(process.argv.slice(2), process);
setTimeout(() => process.exit(), EXIT_TIMEOUT).unref();
