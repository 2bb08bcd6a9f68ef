/** The daemon with a low limit of open files. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Daemon, DaemonFolder } from "../../fixtures/daemon.ts";
import { SocketmapClient } from "../../fixtures/socketmap-client.ts";

const folder = new DaemonFolder();
let daemon: Daemon;
const clients: SocketmapClient[] = [];

beforeAll(async () => {
  daemon = await Daemon.start(folder, { by: ["/bin/sh", "-c", 'ulimit -n 200 && exec "$@"', "sh"] });
});

afterAll(async () => {
  closeAll();
  await daemon.kill();
  folder.remove();
});

function closeAll(): void {
  for (const client of clients.splice(0)) client.close();
}

async function connect(): Promise<SocketmapClient> {
  const client = await SocketmapClient.connect(folder.socket);
  clients.push(client);
  return client;
}

it("logs how many connections the limit allows", async () => {
  await daemon.says(
    /warning: smmap_connections_max: the limit of 200 open files leaves room for 88 connections and 12 /,
  );
});

it("serves that many, queues some, and sends a temporary failure to the others", async () => {
  for (let i = 0; i < 88; i++) expect(await (await connect()).ask("fred")).toBe("OK fred");
  const [first] = clients;
  const waiting = [];
  for (let i = 0; i < 12; i++) waiting.push((await connect()).ask("barney"));
  for (let i = 0; i < 20; i++) {
    const client = await connect();
    expect(await client.ask("fred")).toBe("TEMP Too many connections, try again later");
    client.close();
  }
  expect(await first?.ask("wilma")).toBe("OK wilma");
  for (const client of clients.slice(0, 88)) client.close();
  expect(await Promise.all(waiting)).toEqual(waiting.map(() => "OK barney"));
  closeAll();
});

it("continues when there are more connections than files", async () => {
  const served = await connect();
  expect(await served.ask("fred")).toBe("OK fred");
  await Promise.allSettled(Array.from({ length: 500 }, connect));
  expect(await served.ask("wilma")).toBe("OK wilma");
  closeAll();
  // As soon as there is room again.
  let reply = "";
  while (reply !== "OK fred") {
    const client = await connect();
    reply = await client.ask("fred").catch(() => "");
    client.close();
  }
  expect(daemon.text).not.toMatch(/: error:/);
});
