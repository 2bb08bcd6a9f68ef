import { describe, expect, it } from "vitest";
import type { LogSettings } from "../../../src/config/settings.ts";
import { logOptions } from "../../../src/daemon/log-options.ts";

const settings: LogSettings = { place: null, facility: 2, prefix: null, isDebug: false };

describe("the log's options", () => {
  it("have defaults before the configuration is read", () => {
    expect(logOptions(null, {}, false)).toEqual({ place: null, ident: "smmap", facility: 2, lowest: "info" });
  });

  it("are for syslog under master(8), unless the configuration names another destination", () => {
    expect(logOptions(null, {}, true).place).toBe("syslog");
    expect(logOptions(settings, {}, true).place).toBe("syslog");
    expect(logOptions({ ...settings, place: "json" }, {}, true).place).toBe("json");
  });

  it.each([
    [{}, null, "smmap"],
    [{ CYRUS_SERVICE: "second" }, null, "second"],
    [{ CYRUS_SERVICE: "second" }, "cyrus", "cyrus/second"],
    [{ CYRUS_SYSLOG_PREFIX: "mail" }, null, "mail/smmap"],
    [{ CYRUS_SERVICE: "second", CYRUS_SYSLOG_PREFIX: "mail" }, "cyrus", "mail/second"],
    [{ CYRUS_SYSLOG_PREFIX: "" }, "cyrus", "cyrus/smmap"],
  ])("have an identifier made of %j and syslog_prefix %j", (env, prefix, ident) => {
    expect(logOptions({ ...settings, prefix }, env, false).ident).toBe(ident);
  });

  it("follow debug and syslog_facility", () => {
    const wanted = logOptions({ ...settings, isDebug: true, facility: 22 }, {}, false);
    expect(wanted).toMatchObject({ lowest: "debug", facility: 22 });
  });
});
