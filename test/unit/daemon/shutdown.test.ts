import { describe, expect, it } from "vitest";
import { type Ending, Endings, type Haste } from "../../../src/daemon/shutdown.ts";

const ending = (haste: Haste, reason: string = haste): Ending => ({ reason, haste, status: 0 });

describe("wishes to end", () => {
  it("are waited for", async () => {
    const endings = new Endings();
    const next = endings.next();
    endings.want(ending("drain"));
    expect((await next).reason).toBe("drain");
  });

  it("are known if they came before", async () => {
    const endings = new Endings();
    endings.want(ending("unhurried"));
    expect((await endings.next()).reason).toBe("unhurried");
  });

  it("count only if they are hastier than those before", async () => {
    const endings = new Endings();
    endings.want(ending("drain", "first"));
    endings.want(ending("drain", "second"));
    endings.want(ending("unhurried", "third"));
    expect((await endings.next()).reason).toBe("first");
    const next = endings.next();
    endings.want(ending("drain", "fourth"));
    endings.want(ending("at once", "fifth"));
    expect((await next).reason).toBe("fifth");
  });
});
