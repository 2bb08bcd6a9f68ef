/** The metrics server over real sockets: metrics in the format of Prometheus, health, readiness. */
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { ObservedServer } from "../../fixtures/observed-server.ts";
import { bounds } from "../../src/metrics/histogram.ts";

let observed: ObservedServer;

afterEach(() => observed.close());

const start = async (config = "", isLongLived = true) => {
  observed = await ObservedServer.start({
    config: `smmap_metrics_listen: {configdirectory}/metrics\n${config}`,
    isLongLived,
  });
};

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

async function get(path: string, method = "GET"): Promise<Answer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ socketPath: observed.at("metrics"), path, method, agent: false }, resolve)
      .once("error", reject)
      .end();
  });
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

interface Family {
  readonly type: string;
  readonly samples: ReadonlyMap<string, number>;
}

/** Parses Prometheus' text format 0.0.4; throws on anything else. */
function parseExposition(exposition: string): ReadonlyMap<string, Family> {
  const families = new Map<string, Family>();
  const label = String.raw`[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*"`;
  const sample = new RegExp(String.raw`^([a-zA-Z_:][\w:]*(?:\{${label}(?:,${label})*\})?) (-?[\d.e+-]+|\+Inf|Nan)$`);
  let name = "";
  let samples = new Map<string, number>();
  for (const line of exposition
    .trimEnd()
    .split("\n")
    .filter((one) => one !== "")) {
    const [, kind, family = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === "HELP") {
      if (families.has(family)) throw new Error(`${family} is there twice`);
      if (rest === "") throw new Error(`${family} has no help`);
      name = family;
    } else if (kind === "TYPE") {
      if (family !== name) throw new Error(`type of ${family} within ${name}`);
      samples = new Map();
      families.set(name, { type: rest, samples });
    } else {
      const [, series = "", value = ""] = sample.exec(line) ?? [];
      if (!series.startsWith(name) || samples.has(series)) throw new Error(`out of place: ${line}`);
      samples.set(series, value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value));
    }
  }
  return families;
}

async function scrape(): Promise<ReadonlyMap<string, Family>> {
  const { status, headers, body } = await get("/metrics");
  expect(status).toBe(200);
  expect(headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
  return parseExposition(body);
}

/** The values of one metric, as an object. */
const valuesOf = (families: ReadonlyMap<string, Family>, name: string) =>
  Object.fromEntries(families.get(name)?.samples ?? []);

describe("/metrics", () => {
  it("counts replies by map, status and reason", async () => {
    await start();
    await observed.ask(
      "anna@village.example",
      "anna@village.example",
      "nobody@village.example",
      "dora@village.example",
    );
    expect(valuesOf(await scrape(), "smmapd_requests_total")).toEqual({
      'smmapd_requests_total{process="0",map="cyrus",status="OK",reason="accept"}': 2,
      'smmapd_requests_total{process="0",map="cyrus",status="NOTFOUND",reason="absent"}': 1,
      'smmapd_requests_total{process="0",map="cyrus",status="TEMP",reason="over-quota"}': 1,
    });
  });

  it.each([
    ["smmapd_request_duration_seconds", 3, 'process="0"'],
    ["smmapd_store_lookup_duration_seconds", 2, 'process="0",store="memory"'],
  ])("has %s as a Prometheus histogram", async (name, count, labels) => {
    await start();
    await observed.ask("anna@village.example", "anna@village.example", "nobody@village.example");
    const { type, samples = new Map() } = (await scrape()).get(name) ?? {};
    expect(type).toBe("histogram");
    const buckets = [...bounds.map((bound) => String(bound / 1000)), "+Inf"].map((bound) =>
      samples.get(`${name}_bucket{${labels},le="${bound}"}`),
    );
    expect(buckets).toHaveLength(bounds.length + 1);
    expect(buckets).not.toContain(undefined);
    expect(buckets).toEqual([...buckets].sort((a, b) => a - b));
    expect(buckets.at(-1)).toBe(count);
    expect(samples.get(`${name}_count{${labels}}`)).toBe(count);
    expect(samples.get(`${name}_sum{${labels}}`)).toBeGreaterThan(0);
    expect(samples.get(`${name}_sum{${labels}}`)).toBeLessThan(60);
    expect(samples.size).toBe(bounds.length + 3);
  });

  it("counts errors of the store by code, and shows the state of the breaker", async () => {
    await start("smmap_breaker_failures: 2\nsmmap_breaker_reset: 1h");
    const before = await scrape();
    expect(valuesOf(before, "smmapd_store_breaker_open")).toEqual({
      'smmapd_store_breaker_open{process="0",store="memory"}': 0,
    });
    observed.village.fault = "down";
    await observed.ask("anna@village.example", "anna@village.example", "anna@village.example");
    const after = await scrape();
    expect(
      after
        .get("smmapd_store_errors_total")
        ?.samples.get('smmapd_store_errors_total{process="0",store="memory",code="unavailable"}'),
    ).toBe(2);
    expect(valuesOf(after, "smmapd_store_short_circuited_total")).toEqual({
      'smmapd_store_short_circuited_total{process="0",store="memory"}': 1,
    });
    expect(valuesOf(after, "smmapd_store_breaker_open")).toEqual({
      'smmapd_store_breaker_open{process="0",store="memory"}': 1,
    });
  });

  it("counts hits and misses of the cache, and nothing where there is none", async () => {
    await start();
    await observed.ask("anna@village.example", "anna@village.example", "anna@village.example");
    const families = await scrape();
    expect(valuesOf(families, "smmapd_cache_hits_total")).toEqual({
      'smmapd_cache_hits_total{process="0",store="memory"}': 2,
    });
    expect(valuesOf(families, "smmapd_cache_misses_total")).toEqual({
      'smmapd_cache_misses_total{process="0",store="memory"}': 1,
    });
    expect(valuesOf(families, "smmapd_cache_entries")).toEqual({
      'smmapd_cache_entries{process="0",store="memory"}': 1,
    });
    await observed.close();
    await start("smmap_cache_size: 0");
    await observed.ask("anna@village.example", "anna@village.example");
    expect(valuesOf(await scrape(), "smmapd_cache_misses_total")).toEqual({});
  });

  it("continues its counters after a reload", async () => {
    await start();
    await observed.ask("anna@village.example");
    await observed.open();
    observed.tally.reloaded("succeeded");
    await observed.ask("anna@village.example");
    const families = await scrape();
    expect(
      families
        .get("smmapd_request_duration_seconds")
        ?.samples.get('smmapd_request_duration_seconds_count{process="0"}'),
    ).toBe(2);
    expect(valuesOf(families, "smmapd_reloads_total")).toEqual({
      'smmapd_reloads_total{process="0",outcome="succeeded"}': 1,
      'smmapd_reloads_total{process="0",outcome="failed"}': 0,
    });
  });

  it("contains connections, store, versions and process", async () => {
    await start();
    await observed.ask("anna@village.example");
    const families = await scrape();
    expect(valuesOf(families, "smmapd_connections_accepted_total")).toEqual({
      'smmapd_connections_accepted_total{process="0"}': 1,
    });
    expect(valuesOf(families, "smmapd_build_info")).toEqual({
      'smmapd_build_info{process="0",version="0.1.0",node="v20.0.0",store="memory"}': 1,
    });
    expect(families.get("process_resident_memory_bytes")?.samples.get("process_resident_memory_bytes")).toBeGreaterThan(
      0,
    );
  });

  it("is the same for concurrent requests, and does not grow", async () => {
    await start();
    await observed.ask("anna@village.example");
    const all = await Promise.all(Array.from({ length: 8 }, scrape));
    for (const families of all) expect([...families.keys()]).toEqual([...(all[0]?.keys() ?? [])]);
    const series = (families: ReadonlyMap<string, Family>) =>
      [...families].filter(([name]) => name.startsWith("smmapd_")).flatMap(([, { samples }]) => [...samples.keys()]);
    const before = await scrape();
    for (let i = 0; i < 20; i++) await scrape();
    const after = await scrape();
    expect(series(after)).toEqual(series(before));
    expect(valuesOf(after, "smmapd_requests_total")).toEqual(valuesOf(before, "smmapd_requests_total"));
  });

  it("contains no addresses", async () => {
    await start();
    observed.village.fault = "down";
    await observed.ask("secret-name@village.example", 'quo"te+x@village.example');
    expect((await get("/metrics")).body).not.toMatch(/secret-name|quo/);
  });
});

describe("/healthz", () => {
  it("succeeds whatever the state of the store", async () => {
    await start();
    observed.village.fault = "hang";
    expect(await get("/healthz")).toMatchObject({ status: 200, body: "ok\n" });
  });
});

describe("/readyz", () => {
  it("succeeds when the store answers", async () => {
    await start();
    expect(await get("/readyz")).toMatchObject({ status: 200, body: "ready\n" });
    expect(await get("/readyz?verbose")).toMatchObject({ status: 200 });
  });

  it.each(["down", "denied", "garbage", "hang"] as const)("fails when the store does: %s", async (fault) => {
    await start("smmap_query_timeout: 1s");
    observed.village.fault = fault;
    expect(await get("/readyz")).toMatchObject({ status: 503, body: "not ready\n" });
  });

  it("fails before the store is open, and during a shutdown", async () => {
    observed = new ObservedServer({ config: "smmap_metrics_listen: {configdirectory}/metrics" });
    await observed.observe();
    expect((await get("/readyz")).status).toBe(503);
    expect((await get("/metrics")).status).toBe(200);
    await observed.open();
    expect((await get("/readyz")).status).toBe(503);
    await observed.server.listen([{ path: observed.at("smmap") }], { mode: 0o600, uid: null, gid: null });
    await expect.poll(async () => (await get("/readyz")).status).toBe(200);
    await observed.server.drain(0, 0);
    expect((await get("/readyz")).status).toBe(503);
  });

  it("pings the store once for many requests", async () => {
    await start();
    let pings = 0;
    const ping = observed.village.ping.bind(observed.village);
    observed.village.ping = (options) => {
      pings++;
      return ping(options);
    };
    await Promise.all(Array.from({ length: 20 }, () => get("/readyz")));
    expect(pings).toBeGreaterThan(0);
    expect(pings).toBeLessThan(20);
  });
});

describe("HTTP", () => {
  it.each(["/", "/metrics/", "/Metrics", "//metrics", "/../metrics", "/%6detrics", "/?/metrics"])(
    "has no %s",
    async (path) => {
      await start();
      expect(await get(path)).toMatchObject({ status: 404, body: "/metrics\n/healthz\n/readyz\n" });
    },
  );

  it("allows GET and HEAD only", async () => {
    await start();
    const head = await get("/healthz", "HEAD");
    expect(head).toMatchObject({ status: 200, body: "" });
    expect(head.headers["content-length"]).toBe("3");
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"]) {
      expect(await get("/metrics", method)).toMatchObject({ status: 405, headers: { allow: "GET, HEAD" } });
    }
  });

  it.each(["\r\n\r\n", "6:cyrus a,", "GET\r\n\r\n", `GET / HTTP/1.1\r\nX: ${"x".repeat(100_000)}`, "\0\0\0\0"])(
    "survives %j",
    async (junk) => {
      await start();
      const socket = connect(observed.at("metrics"));
      socket.on("error", () => {});
      socket.end(junk);
      await text(socket).catch(() => "");
      expect((await get("/healthz")).status).toBe(200);
    },
  );

  it("refuses too many connections, and serves again afterwards", async () => {
    await start();
    const sockets = Array.from({ length: 100 }, () => connect(observed.at("metrics")));
    let closed = 0;
    for (const socket of sockets) {
      socket.on("error", () => {});
      socket.once("close", () => closed++);
    }
    await expect.poll(() => closed).toBeGreaterThanOrEqual(36);
    for (const socket of sockets) socket.destroy();
    await expect.poll(async () => (await get("/healthz").catch(() => null))?.status).toBe(200);
  });

  it("listens on TCP as well, and logs the address", async () => {
    observed = await ObservedServer.start({ config: "smmap_metrics_listen: 127.0.0.1:0 {configdirectory}/metrics" });
    const [, port = ""] = /serving metrics on 127\.0\.0\.1:(\d+)$/m.exec(observed.lines.join("\n")) ?? [];
    const response = await fetch(`http://127.0.0.1:${port}/healthz`);
    expect([response.status, await response.text()]).toEqual([200, "ok\n"]);
    expect((await get("/healthz")).status).toBe(200);
  });

  it("does not keep the daemon from starting if it cannot listen", async () => {
    await start();
    const other = await ObservedServer.start({ config: `smmap_metrics_listen: ${observed.at("metrics")}` });
    const complaint = `warning: smmap_metrics_listen: cannot listen on ${observed.at("metrics")}: another program listens there`;
    expect(other.lines).toContain(complaint);
    expect(await other.ask("anna@village.example")).toEqual(["OK anna@village.example"]);
    await other.close();
  });

  it("is not served under master(8), whose processes are short-lived", async () => {
    await start("", false);
    expect(observed.lines).toContain("warning: smmap_metrics_listen is ignored under master(8)");
    await expect(get("/healthz")).rejects.toThrow("ENOENT");
  });

  it("is closed with the daemon, open connections included", async () => {
    await start();
    const socket = connect(observed.at("metrics"));
    socket.on("error", () => {});
    socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    await new Promise((resolve) => socket.once("data", resolve));
    const closed = new Promise((resolve) => socket.once("close", resolve));
    await observed.close();
    await closed;
  });
});
