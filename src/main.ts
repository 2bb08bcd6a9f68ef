#!/usr/bin/env node
import { main } from "./commands/main.ts";

/** Milliseconds for what still runs when everything is over: a backend that hangs, a log that nobody reads. */
const LAST_MAX = 1_000;

process.exitCode = await main(process.argv.slice(2), process);
setTimeout(() => process.exit(), LAST_MAX).unref();
