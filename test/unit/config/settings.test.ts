import { describe, expect, it } from "vitest";
import { parseListenAddress, readSettings } from "../../../src/config/settings.ts";
import { configErrorOf, configOf } from "./config-of.ts";

/** The daemon's settings from these lines and a store. */
function settingsOf(lines: string) {
  return readSettings(configOf(`smmap_store: sqlite\n${lines}`));
}

describe("settings", () => {
  it("have defaults", () => {
    expect(settingsOf("")).toEqual({
      rules: {
        virtualDomains: false,
        defaultDomain: "internal",
        separator: "/",
        downcase: true,
        postuser: "",
        skipPlus: false,
      },
      policy: { overQuotaIsPermanent: false, failureIsAccepted: false },
      countsSize: false,
      detailFallback: { ignoresCase: false, fallsBack: false },
      value: "key",
      accessMaps: new Set(),
      accessTexts: {
        absent: "Mailbox does not exist",
        denied: "Posting to this mailbox is not permitted",
        overQuota: "Mailbox is full",
        failed: "Mailbox look-up failed, try again later",
      },
      policyListen: [],
      queryTimeout: 4000,
      limits: {
        connectionsMax: 12_000,
        connectionsWaiting: 1024,
        connectionsPerClient: 0,
        requestsMax: 10_000,
        requestsPerConnection: 64,
        requestMax: 16_384,
        bytesMax: 268_435_456,
        bytesPerConnection: 65_536,
        requestTimeout: 30_000,
        idleTimeout: 3_600_000,
      },
      listen: [{ path: "/var/lib/imap/socket/smmap" }],
      metricsListen: [],
      controlSocket: "/var/lib/imap/socket/smmap-control",
      socketMode: 0o666,
      log: { place: null, facility: 2, prefix: null, isDebug: false },
      isAudited: false,
      breakerFailures: 5,
      breakerReset: 3000,
      cache: { size: 10_000, ttl: 60_000, quotaTtl: 15_000, negativeTtl: 0, staleTtl: 0 },
      acceptCacheSize: 100_000,
      store: { name: "sqlite", reason: "smmap_store: sqlite" },
    });
  });

  it.each<[lines: string, expected: object]>([
    ["virtdomains: userid", { rules: { virtualDomains: true } }],
    ["virtdomains: yes", { rules: { virtualDomains: true } }],
    ["virtdomains: no", { rules: { virtualDomains: false } }],
    ["defaultdomain: a.test", { rules: { defaultDomain: "a.test" } }],
    ["unixhierarchysep: no", { rules: { separator: "." } }],
    ["lmtp_downcase_rcpt: 0", { rules: { downcase: false } }],
    ["postuser: bb", { rules: { postuser: "bb" } }],
    ["smmap_skip_plus: yes", { rules: { skipPlus: true } }],
    ["lmtp_over_quota_perm_failure: t", { policy: { overQuotaIsPermanent: true, failureIsAccepted: false } }],
    ["smmap_on_failure: ok", { policy: { overQuotaIsPermanent: false, failureIsAccepted: true } }],
    ["lmtp_strict_quota: yes", { countsSize: true }],
    ["smmap_cache_size: 0", { cache: { size: 0 } }],
    ["smmap_cache_stale_ttl: 1h", { cache: { staleTtl: 3_600_000 } }],
    ["smmap_detail_ignore_case: yes", { detailFallback: { ignoresCase: true, fallsBack: false } }],
    ["smmap_plus_fallback: yes", { detailFallback: { ignoresCase: false, fallsBack: true } }],
    ["smmap_reply_value: mailbox", { value: "mailbox" }],
    ["smmap_access_map: access\tzugang", { accessMaps: new Set(["access", "zugang"]) }],
    ["smmap_text_absent: 100% unknown", { accessTexts: { absent: "100% unknown" } }],
    ["smmap_text_denied: No", { accessTexts: { denied: "No" } }],
    ["smmap_text_over_quota: Full", { accessTexts: { overQuota: "Full" } }],
    ["smmap_text_failed: Later", { accessTexts: { failed: "Later" } }],
    [
      "smmap_policy_listen: {configdirectory}/policy 10026",
      { policyListen: [{ path: "/var/lib/imap/policy" }, { host: "127.0.0.1", port: 10026 }] },
    ],
    ["smmap_metrics_listen: 9182", { metricsListen: [{ host: "127.0.0.1", port: 9182 }] }],
    ["smmap_control_socket: disabled", { controlSocket: null }],
    ["smmap_control_socket: {configdirectory}/control", { controlSocket: "/var/lib/imap/control" }],
    ["smmap_query_timeout: 1m", { queryTimeout: 60_000 }],
    ["smmap_idle_timeout: 24d", { limits: { idleTimeout: 2_073_600_000 } }],
    ["smmap_request_timeout: 1m", { limits: { requestTimeout: 60_000 } }],
    ["smmap_request_max: 64K", { limits: { requestMax: 65536 } }],
    ["smmap_requests_max: 7", { limits: { requestsMax: 7 } }],
    ["smmap_requests_per_connection: 8", { limits: { requestsPerConnection: 8 } }],
    ["smmap_bytes_max: 1G", { limits: { bytesMax: 2 ** 30 } }],
    ["smmap_bytes_per_connection: 9", { limits: { bytesPerConnection: 9 } }],
    ["smmap_connections_max: 1", { limits: { connectionsMax: 1 } }],
    ["smmap_connections_waiting: 0", { limits: { connectionsWaiting: 0 } }],
    ["smmap_connections_per_client: 50", { limits: { connectionsPerClient: 50 } }],
    ["smmap_socket_mode: 600", { socketMode: 0o600 }],
    ["smmap_socket_mode: 00777", { socketMode: 0o777 }],
    ["smmap_log_format: json", { log: { place: "json" } }],
    ["smmap_log_format: syslog", { log: { place: "syslog" } }],
    ["syslog_facility: local6", { log: { facility: 22 } }],
    ["syslog_facility: DAEMON", { log: { facility: 3 } }],
    ["syslog_prefix: cyrus", { log: { prefix: "cyrus" } }],
    ["debug: yes", { log: { isDebug: true } }],
    ["auditlog: yes", { isAudited: true }],
    ["smmap_breaker_failures: 1", { breakerFailures: 1 }],
    ["smmap_breaker_reset: 1h", { breakerReset: 3_600_000 }],
    [
      "smmap_listen: {configdirectory}/a\t10025  [::1]:0 {configdirectory}/b",
      {
        listen: [
          { path: "/var/lib/imap/a" },
          { host: "127.0.0.1", port: 10025 },
          { host: "::1", port: 0 },
          { path: "/var/lib/imap/b" },
        ],
      },
    ],
  ])("follow %j", (lines, expected) => {
    expect(settingsOf(`${lines}\n`)).toMatchObject(expected);
  });

  it.each<[line: string, problem: string]>([
    ["smmap_query_timeout: 0", "must be greater than 0"],
    ["smmap_query_timeout: -1", "must be greater than 0"],
    ["smmap_idle_timeout: 25d", "must be less than 25 days"],
    ["smmap_idle_timeout: 0", "must be greater than 0"],
    ["smmap_request_max: 0", "must be greater than 0"],
    ["smmap_connections_max: -1", "must be greater than 0"],
    ["smmap_breaker_failures: 0", "must be greater than 0"],
    ["smmap_breaker_reset: 0", "must be greater than 0"],
    ["smmap_socket_mode: 1777", "must be octal and at most 0777"],
    ["smmap_socket_mode: 668", "must be octal and at most 0777"],
    ["smmap_socket_mode: rw", "must be octal and at most 0777"],
    ["smmap_listen: 1 2 1", "1 is listed twice"],
    ["smmap_listen: 1 99999", "99999: a port is at most 65535"],
    ["smmap_policy_listen: 1 1", "1 is listed twice"],
    ["smmap_metrics_listen: 1 1", "1 is listed twice"],
    ["smmap_control_socket: control", "must be a path from the root, or disabled"],
    ["smmap_control_socket: /run/", "must be a path from the root, or disabled"],
    [`smmap_control_socket: /${"x".repeat(99)}`, "must have at most 99 octets"],
    ["smmap_policy_listen: policy", "policy: policy is no port number, and a path begins with a slash"],
    ["smmap_text_absent: gibt es nicht: ä", "must be printable US-ASCII, as replies of SMTP are"],
    [`smmap_text_failed: ${"x".repeat(201)}`, "must have at most 200 characters"],
    ["syslog_facility: LOCAL8", "must be DAEMON, MAIL, NEWS, USER or LOCAL0 to LOCAL7"],
    ["syslog_facility: kern", "must be DAEMON, MAIL, NEWS, USER or LOCAL0 to LOCAL7"],
  ])("refuse %j", (line, problem) => {
    const [, key, value] = /^(.*?): (.*)$/.exec(line) ?? [];
    expect(configErrorOf(() => settingsOf(`${line}\n`))).toBe(`imapd.conf:3: ${key}: ${problem} (value '${value}')`);
  });

  it("pass on the error of a type", () => {
    expect(configErrorOf(() => settingsOf("smmap_log_format: xml\n"))).toContain("one of syslog, text, json");
  });
});

describe("an address to listen on", () => {
  it.each<[word: string, address: object | string]>([
    ["/run/smmap", { path: "/run/smmap" }],
    ["/a:1", { path: "/a:1" }],
    ["10025", { host: "127.0.0.1", port: 10025 }],
    ["0", { host: "127.0.0.1", port: 0 }],
    ["0.0.0.0:10025", { host: "0.0.0.0", port: 10025 }],
    ["mail-1.example.test:65535", { host: "mail-1.example.test", port: 65535 }],
    ["[::]:10025", { host: "::", port: 10025 }],
    ["[fe80::1%eth0]:1", { host: "fe80::1%eth0", port: 1 }],
    [`/${"x".repeat(106)}`, { path: `/${"x".repeat(106)}` }],
    [`/${"x".repeat(107)}`, "the path of a socket has at most 107 octets"],
    [`/${"ä".repeat(54)}`, "the path of a socket has at most 107 octets"],
    ["65536", "a port is at most 65535"],
    ["localhost:65536", "a port is at most 65535"],
    ["localhost", "localhost is no port number, and a path begins with a slash"],
    ["localhost:smtp", "smtp is no port number, and a path begins with a slash"],
    ["localhost:", "the port is missing"],
    [":25", "the host is missing or malformed"],
    ["a b:25", "the host is missing or malformed"],
    ["*:25", "the host is missing or malformed"],
    ["[::1]", "the port is missing"],
    ["[::1]:", "the port is missing"],
    ["[1.2.3.4]:25", "[1.2.3.4] is no IPv6 address"],
    ["[]:25", "[] is no IPv6 address"],
    ["::1:25", "an IPv6 address goes in brackets, as in [::1]:25"],
    ["run/smmap", "run/smmap is no port number, and a path begins with a slash"],
    ["-1", "-1 is no port number, and a path begins with a slash"],
    ["", "the port is missing"],
  ])("%j", (word, address) => {
    expect(parseListenAddress(word)).toEqual(address);
  });
});
