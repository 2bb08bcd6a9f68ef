/** One connection by itself; what becomes of its answers is in store.test.ts. */
import { afterEach, expect, it, vi } from "vitest";
import { ImapConnection } from "../../../adapters/imap/commands.ts";
import type { ImapServer } from "../../../adapters/imap/options.ts";
import { ScriptedImap } from "../../../fixtures/servers/scripted-imap.ts";

const never = new AbortController().signal;
let server: ScriptedImap;

afterEach(() => server.close());

async function open(onLost = () => {}, signal = never): Promise<ImapConnection> {
  const target: ImapServer = {
    host: "127.0.0.1",
    port: server.port,
    security: "plain",
    isComplete: true,
    login: { user: "admin", password: "secret", userid: null },
    tls: { caFile: null, caDirectory: null, certificateFile: null, keyFile: null },
    keepAlive: { enabled: true, idle: 60_000 },
  };
  return await ImapConnection.open(target, { connectTimeout: 5_000, commandTimeout: 5_000, onLost }, signal);
}

it("tells once that it is lost, and of every command afterwards", async () => {
  server = await ScriptedImap.start();
  const onLost = vi.fn();
  const connection = await open(onLost);
  expect(connection.isLost).toBe(false);
  server.say("* BYE going down\r\n");
  await vi.waitFor(() => expect(connection.isLost).toBe(true));
  await expect(connection.command("NOOP")).rejects.toThrow("imap: the connection was lost: going down");
  connection.close();
  expect(onLost).toHaveBeenCalledTimes(1);
});

it("collects the responses that were asked for, in their order", async () => {
  const lines = ["* X 1", "* Y 2", "* x (a (NIL b)) NIL", "* X"];
  server = await ScriptedImap.start((command) => (command === "TEST" ? `${lines.join("\r\n")}\r\nTAG OK\r\n` : null));
  const connection = await open();
  expect(await connection.command("TEST", [], ["X"])).toEqual({
    status: "OK",
    responses: [
      { name: "X", values: ["1"] },
      { name: "X", values: [["a", [null, "b"]], null] },
      { name: "X", values: [] },
    ],
  });
  connection.close();
});

it("retires after what is in flight, with a farewell", async () => {
  server = await ScriptedImap.start((command) => (command === "SLOW" ? "" : null));
  const connection = await open();
  const slow = connection.command("SLOW");
  await vi.waitFor(() => expect(server.received.at(-1)).toBe("SLOW"));
  connection.retire();
  // The tags count from 1, in hexadecimal; two commands were the login.
  server.say("3 OK at last\r\n");
  expect(await slow).toEqual({ status: "OK", responses: [] });
  await vi.waitFor(() => expect(connection.isLost).toBe(true));
  expect(server.received.at(-1)).toBe("LOGOUT");
});

it("retires all the same when the farewell is not answered", async () => {
  server = await ScriptedImap.start((command) => (command === "LOGOUT" ? "" : null));
  const connection = await open();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    connection.retire();
    vi.advanceTimersByTime(5_000);
    expect(connection.isLost).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});

it("is not opened for who does not want it any more", async () => {
  server = await ScriptedImap.start();
  await expect(open(() => {}, AbortSignal.abort())).rejects.toMatchObject({ code: "unavailable" });
  await vi.waitFor(() => expect(server.connections).toBe(0));
  expect(server.received).toEqual([]);
});
