import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { endianness, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CyrusMaster } from "../../../src/daemon/launch/cyrus-master.ts";

const PID = 4711;

let folder: string;
let server: Server;
let listen: number;
let reader: number;
let status: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "master-"));
  execFileSync("mkfifo", [join(folder, "pipe")]);
  reader = openSync(join(folder, "pipe"), constants.O_RDONLY | constants.O_NONBLOCK);
  status = openSync(join(folder, "pipe"), "w");
  server = createServer();
  await new Promise<void>((resolve) => server.listen(join(folder, "socket"), resolve));
  listen = (server as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
});

afterEach(() => {
  closeSync(reader);
  closeSync(status);
  server.close();
  rmSync(folder, { recursive: true });
});

function find(env: Readonly<Record<string, string>> = { CYRUS_SERVICE: "smmap" }): CyrusMaster | null {
  return CyrusMaster.detect(env, PID, { status, listen });
}

/** The messages on the pipe so far. */
function messages(): readonly number[] {
  const octets = Buffer.alloc(1000);
  const length = readSync(reader, octets);
  const read = endianness() === "LE" ? octets.readInt32LE : octets.readInt32BE;
  return Array.from({ length: length / 4 }, (_, i) => read.call(octets, i * 4));
}

describe("master(8)", () => {
  it("is detected by its variable and by both descriptors", () => {
    expect(find()).toMatchObject({ service: "smmap", socket: listen });
    expect(find({})).toBeNull();
    const env = { CYRUS_SERVICE: "smmap" };
    expect(CyrusMaster.detect(env, PID, { status: listen, listen })).toBeNull();
    expect(CyrusMaster.detect(env, PID, { status, listen: status })).toBeNull();
    expect(CyrusMaster.detect(env, PID, { status, listen: 999_999 })).toBeNull();
  });

  it("is sent a message for each connection, and a single one that there will be no more", () => {
    const master = find();
    master?.reportConnection();
    master?.reportConnection();
    master?.reportUnavailable();
    master?.reportUnavailable();
    // A connection that is reported after that would make master count the process as ready again.
    master?.reportConnection();
    expect(messages()).toEqual([4, PID, 4, PID, 2, PID]);
    expect(master?.isGone).toBe(false);
  });

  it("counts as gone once it takes no message", () => {
    const master = find();
    closeSync(reader);
    master?.reportConnection();
    expect(master?.isGone).toBe(true);
    // afterEach closes it.
    reader = openSync(join(folder, "pipe"), constants.O_RDONLY | constants.O_NONBLOCK);
  });
});
