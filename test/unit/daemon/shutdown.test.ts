import { describe, expect, it } from "vitest";
import { type Shutdown, type ShutdownMode, ShutdownRequests } from "../../../src/daemon/shutdown.ts";

const shutdown = (mode: ShutdownMode, reason: string = mode): Shutdown => ({ reason, mode, status: 0 });

describe("shutdown requests", () => {
  it("can be awaited", async () => {
    const requests = new ShutdownRequests();
    const next = requests.next();
    requests.request(shutdown("drain"));
    expect((await next).reason).toBe("drain");
  });

  it("are delivered if they were made before the wait", async () => {
    const requests = new ShutdownRequests();
    requests.request(shutdown("idle"));
    expect((await requests.next()).reason).toBe("idle");
  });

  it("count only if they are faster than all earlier ones", async () => {
    const requests = new ShutdownRequests();
    requests.request(shutdown("drain", "first"));
    requests.request(shutdown("drain", "second"));
    requests.request(shutdown("idle", "third"));
    expect((await requests.next()).reason).toBe("first");
    const next = requests.next();
    requests.request(shutdown("drain", "fourth"));
    requests.request(shutdown("immediate", "fifth"));
    expect((await next).reason).toBe("fifth");
  });
});
