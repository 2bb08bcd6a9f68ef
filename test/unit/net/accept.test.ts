/** Accepting with a shared buffer relies on internals of Node.js: where they differ, clients are accepted all the same. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { until } from "../../../fixtures/controllable-server.ts";
import { acceptWithSharedBuffer } from "../../../src/net/accept.ts";
import type { AcceptBatch } from "../../../src/net/accept-batch.ts";

let folder: string;
let server: Server;
let clients: Socket[];
let accepted: Socket[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "smmapd-accept-"));
  clients = [];
  accepted = [];
  server = createServer({ allowHalfOpen: true }, () => expect.unreachable("Node.js accepted the client"));
  server.listen(join(folder, "socket"));
  await once(server, "listening");
});

afterEach(() => {
  for (const socket of [...clients, ...accepted]) socket.destroy();
  server.close();
  rmSync(folder, { recursive: true });
});

/** A client, and the socket of the server for it. */
async function client(): Promise<readonly [Socket, Socket]> {
  const socket = connect({ path: join(folder, "socket"), allowHalfOpen: true });
  clients.push(socket);
  const count = accepted.length;
  await once(socket, "connect");
  await until(() => accepted.length > count);
  return [socket, accepted[count] as Socket];
}

describe("with the internals of the current Node.js", () => {
  beforeEach(() => acceptWithSharedBuffer(server, (socket) => void accepted.push(socket)));

  it("all sockets read into one buffer", async () => {
    const [one, first] = await client();
    const [other, second] = await client();
    const chunks: Buffer[] = [];
    for (const socket of [first, second]) socket.on("data", (chunk: Buffer) => void chunks.push(chunk));
    one.write("one");
    await once(first, "data");
    expect(chunks[0]?.toString()).toBe("one");
    other.write("two");
    await once(second, "data");
    expect(chunks[1]?.toString()).toBe("two");
    expect(chunks[0]?.toString()).toBe("two");
  });

  it("input that arrives before a listener is buffered up to a bound, and the rest is read later", async () => {
    const [peer, socket] = await client();
    const [other, otherSocket] = await client();
    const long = "0123456789".repeat(50_000);
    peer.end(long);
    other.write("overwritten");
    await once(otherSocket, "readable");
    await once(socket, "readable");
    for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(socket.readableLength).toBeGreaterThan(0);
    expect(socket.readableLength).toBeLessThan(200_000);
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
    });
    await once(socket, "end");
    expect(text).toBe(long);
  });

  it("input is read and discarded when a socket is resumed without a listener", async () => {
    const [peer, socket] = await client();
    socket.resume();
    for (let i = 0; i < 5; i++) {
      peer.write("unwanted");
      await until(() => socket.bytesRead === 8 * (i + 1));
    }
    peer.end();
    await once(socket, "end");
  });

  it("nothing is read from a socket that is paused", async () => {
    const [peer, socket] = await client();
    let length = 0;
    socket.on("data", (chunk: Buffer) => {
      length += chunk.length;
      socket.pause();
    });
    const long = "0123456789".repeat(500_000);
    peer.end(long);
    await once(socket, "data");
    for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(length).toBeLessThanOrEqual(64 * 1024);
    expect(socket.readableLength).toBe(0);
    socket.on("pause", () => setImmediate(() => socket.resume()));
    socket.resume();
    await once(socket, "end");
    expect(length).toBe(long.length);
  });

  it("a socket that the client has half-closed can still be written to", async () => {
    const [peer, socket] = await client();
    socket.resume();
    peer.end();
    await once(socket, "end");
    socket.end("reply");
    const [reply] = await once(peer, "data");
    expect(String(reply)).toBe("reply");
  });
});

it("a client that is accepted in the tick in which listening ends is handed over", async () => {
  const batch = acceptWithSharedBuffer(server, (socket) => void accepted.push(socket)) as AcceptBatch<object>;
  const handle = (server as unknown as { _handle: { onconnection(error: number, client: unknown): void } })._handle;
  const accept = handle.onconnection;
  handle.onconnection = (error, client) => {
    for (let i = 0; i < 2; i++) batch.onClose();
    accept.call(handle, error, client);
    expect(accepted).toEqual([]);
    server.close();
    batch.flush();
  };
  const socket = connect({ path: join(folder, "socket") });
  clients.push(socket);
  await once(server, "close");
  expect(accepted).toHaveLength(1);
  accepted[0]?.end("reply");
  const [reply] = await once(socket, "data");
  expect(String(reply)).toBe("reply");
});

describe("with other internals of Node.js", () => {
  /** A server with the given handle. */
  function serverWith(handle: { onconnection?: unknown } | null): Server {
    return { _handle: handle } as unknown as Server;
  }

  const unexpected = () => expect.unreachable("the handle was intercepted");

  it("a server without the expected handle is not changed", () => {
    expect(() => acceptWithSharedBuffer(serverWith(null), unexpected)).not.toThrow();
    const handle = {};
    acceptWithSharedBuffer(serverWith(handle), unexpected);
    expect(handle).toEqual({});
  });

  it("errors, and clients that cannot read into a shared buffer, are left to Node.js", () => {
    const calls: unknown[] = [];
    const handle = {
      onconnection(...call: unknown[]) {
        calls.push(this, ...call);
      },
    };
    acceptWithSharedBuffer(serverWith(handle), unexpected);
    const other = {};
    handle.onconnection(0, other);
    handle.onconnection(-24, undefined);
    expect(calls).toEqual([handle, 0, other, handle, -24, undefined]);
  });
});
