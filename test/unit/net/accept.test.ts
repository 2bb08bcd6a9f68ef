/** Node.js's inside is nowhere promised: where it is another one, clients are accepted all the same. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { until } from "../../../fixtures/puppet-server.ts";
import { acceptIntoOneBuffer } from "../../../src/net/accept.ts";
import type { Arrivals } from "../../../src/net/accept-batch.ts";

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

/** A client, and the socket that the server has for it. */
async function client(): Promise<readonly [Socket, Socket]> {
  const socket = connect({ path: join(folder, "socket"), allowHalfOpen: true });
  clients.push(socket);
  const count = accepted.length;
  await once(socket, "connect");
  await until(() => accepted.length > count);
  return [socket, accepted[count] as Socket];
}

describe("with the Node.js that runs this", () => {
  beforeEach(() => acceptIntoOneBuffer(server, (socket) => void accepted.push(socket)));

  it("all clients are read into one buffer", async () => {
    const [one, ours] = await client();
    const [other, theirs] = await client();
    const chunks: Buffer[] = [];
    for (const socket of [ours, theirs]) socket.on("data", (chunk: Buffer) => void chunks.push(chunk));
    one.write("one");
    await once(ours, "data");
    expect(chunks[0]?.toString()).toBe("one");
    other.write("two");
    await once(theirs, "data");
    expect(chunks[1]?.toString()).toBe("two");
    expect(chunks[0]?.toString()).toBe("two");
  });

  it("what comes before anybody listens is kept, up to a bound, and the rest is read later", async () => {
    const [socket, ours] = await client();
    const [other, theirs] = await client();
    const long = "0123456789".repeat(50_000);
    socket.end(long);
    other.write("overwritten");
    await once(theirs, "readable");
    await once(ours, "readable");
    for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(ours.readableLength).toBeGreaterThan(0);
    expect(ours.readableLength).toBeLessThan(200_000);
    let text = "";
    ours.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
    });
    await once(ours, "end");
    expect(text).toBe(long);
  });

  it("what nobody wants is read and thrown away", async () => {
    const [socket, ours] = await client();
    ours.resume();
    for (let i = 0; i < 5; i++) {
      socket.write("unwanted");
      await until(() => ours.bytesRead === 8 * (i + 1));
    }
    socket.end();
    await once(ours, "end");
  });

  it("a client that is paused is not read from", async () => {
    const [socket, ours] = await client();
    let length = 0;
    ours.on("data", (chunk: Buffer) => {
      length += chunk.length;
      ours.pause();
    });
    const long = "0123456789".repeat(500_000);
    socket.end(long);
    await once(ours, "data");
    for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(length).toBeLessThanOrEqual(64 * 1024);
    expect(ours.readableLength).toBe(0);
    ours.on("pause", () => setImmediate(() => ours.resume()));
    ours.resume();
    await once(ours, "end");
    expect(length).toBe(long.length);
  });

  it("the client's end is told, and ours can still be written to", async () => {
    const [socket, ours] = await client();
    ours.resume();
    socket.end();
    await once(ours, "end");
    ours.end("last words");
    const [words] = await once(socket, "data");
    expect(String(words)).toBe("last words");
  });
});

it("who is accepted when listening ends is welcomed all the same", async () => {
  const arrivals = acceptIntoOneBuffer(server, (socket) => void accepted.push(socket)) as Arrivals<object>;
  const handle = (server as unknown as { _handle: { onconnection(error: number, client: unknown): void } })._handle;
  const accept = handle.onconnection;
  handle.onconnection = (error, client) => {
    for (let i = 0; i < 2; i++) arrivals.leave();
    accept.call(handle, error, client);
    expect(accepted).toEqual([]);
    server.close();
    arrivals.welcome();
  };
  const socket = connect({ path: join(folder, "socket") });
  clients.push(socket);
  await once(server, "close");
  expect(accepted).toHaveLength(1);
  accepted[0]?.end("welcome");
  const [words] = await once(socket, "data");
  expect(String(words)).toBe("welcome");
});

describe("with another Node.js", () => {
  /** Its own way of accepting, and what it was called with. */
  function pretend(handle: { onconnection?: unknown } | null): Server {
    return { _handle: handle } as unknown as Server;
  }

  const unexpected = () => expect.unreachable("this is no client that we know how to read from");

  it("without the handle that we know, nothing is changed", () => {
    expect(() => acceptIntoOneBuffer(pretend(null), unexpected)).not.toThrow();
    const handle = {};
    acceptIntoOneBuffer(pretend(handle), unexpected);
    expect(handle).toEqual({});
  });

  it("clients of another kind, and errors, are left to it", () => {
    const calls: unknown[] = [];
    const handle = {
      onconnection(...call: unknown[]) {
        calls.push(this, ...call);
      },
    };
    acceptIntoOneBuffer(pretend(handle), unexpected);
    const stranger = {};
    handle.onconnection(0, stranger);
    handle.onconnection(-24, undefined);
    expect(calls).toEqual([handle, 0, stranger, handle, -24, undefined]);
  });
});
