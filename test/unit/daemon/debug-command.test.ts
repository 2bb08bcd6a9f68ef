import { expect, it } from "vitest";
import { debugCommand, runDebugger } from "../../../src/daemon/debug-command.ts";

it.each([
  ["gdb /usr/bin/%s %d", "gdb /usr/bin/smmapd 42"],
  ["echo %s %d %s", "echo smmapd 42 smmap"],
  ["date +%%s; echo %s", "date +%s; echo smmapd"],
  ["true", "true"],
  ["%s %d %s %s", "smmapd 42 smmap "],
])("debug_command %j is expanded to %j", (format, command) => {
  expect(debugCommand(format, "smmapd", 42, "smmap")).toBe(command);
});

it("the debugger is waited for, and its exit status is returned", async () => {
  expect(await runDebugger("exit 3")).toBe(3);
  expect(await runDebugger("kill -TERM $$")).toBe("SIGTERM");
});
