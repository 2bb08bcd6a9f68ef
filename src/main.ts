#!/usr/bin/env node
// master(8) sends SIGHUP also to a child that has hardly begun, and would take an end by that signal for a crash.
if (process.env.CYRUS_SERVICE !== undefined) process.once("SIGHUP", () => process.exit(0));

const { main } = await import("./commands/main.ts");
process.exitCode = await main(process.argv.slice(2), process);
