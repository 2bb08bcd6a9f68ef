/** The metrics, compared with docs/monitoring.md and with the dashboard. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { Histogram } from "../../../src/metrics/histogram.ts";
import { ReplyCounts } from "../../../src/metrics/reply-counts.ts";
import type { Report } from "../../../src/metrics/report.ts";
import { Exposition } from "../../../src/monitor/prometheus.ts";
import { storeErrorCodes } from "../../../src/store/store.ts";

const root = new URL("../../..", import.meta.url).pathname;
const page = readFileSync(join(root, "docs/monitoring.md"), "utf8");

function sampleReport(slot: number): Report {
  const times = new Histogram();
  times.observe(3);
  const replies = new ReplyCounts();
  replies.count("cyrus", "OK", "accept");
  const zeros = { unavailable: 0, timeout: 0, denied: 0, "invalid-data": 0, internal: 0, closed: 0 };
  return {
    version: "1.2.3",
    node: "v20.0.0",
    service: "smmap",
    pid: 4711 + slot,
    slot,
    uptime: 1,
    memory: 2,
    cpu: 3,
    addresses: ["/run/smmap"],
    requests: { inFlight: 1, perSecond: 2, failuresPerSecond: 3, times, replies: replies.list() },
    connections: { open: 1, waiting: 2, accepted: 3, refused: 4, dropped: 5 },
    reloads: { succeeded: 1, failed: 2, lastAt: 3 },
    stores: [
      {
        name: "ldap",
        reason: "smmap_store: ldap",
        isBreakerOpen: true,
        times,
        errors: zeros,
        shortCircuited: 1,
        cache: { hits: 1, misses: 2, coalesced: 3, stale: 4, entries: 5 },
      },
    ],
  };
}

/** Labels of each metric, by its name in HELP and TYPE. */
const metrics = new Map<string, Set<string>>();
let exposition = "";

beforeAll(async () => {
  exposition = await new Exposition().render([sampleReport(0), sampleReport(1)]);
  for (const family of exposition.split(/^# HELP /m).slice(1)) {
    const names = [...family.matchAll(/([a-z_]+)="/g)].map(([, name = ""]) => name);
    metrics.set(/^\S+/.exec(family)?.[0] ?? "", new Set(names.filter((name) => name !== "le" && name !== "process")));
  }
});

describe("metrics", () => {
  it("are exposed for each process", () => {
    expect(exposition).toContain('smmapd_connections{process="0"} 1\nsmmapd_connections{process="1"} 1\n');
    const own = exposition.split("\n").filter((line) => /^smmapd_/.test(line));
    expect(own.length).toBeGreaterThan(60);
    expect(own.filter((line) => !/^\w+\{process="[01]"/.test(line))).toEqual([]);
    expect(own).toContain('smmapd_request_duration_seconds_sum{process="0"} 0.003');
  });

  it("of a process without an open store are those that do not need one", async () => {
    const text = await new Exposition().render([{ ...sampleReport(0), stores: [] }]);
    expect(text).toContain('smmapd_build_info{process="0",version="1.2.3",node="v20.0.0",store=""} 1\n');
    expect(text).not.toMatch(/^smmapd_(cache|store_(?!breaker)).*\{/m);
  });

  it("contain none that take time in proportion to the number of connections", () => {
    expect([...metrics.keys()].filter((name) => name.startsWith("nodejs_active_"))).toEqual([]);
    expect([...metrics.keys()]).toContain("nodejs_eventloop_lag_p99_seconds");
  });

  it("need prom-client in a single file, which is loaded only where metrics are enabled", () => {
    const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".ts"),
    );
    const using = (what: RegExp) => files.filter((name) => what.test(readFileSync(join(root, "src", name), "utf8")));
    expect(using(/from "prom-client"|import\("prom-client"\)/)).toEqual(["monitor/prometheus.ts"]);
    expect(using(/^import (?!type\b).*"\.[^"]*\/prometheus\.ts"/m)).toEqual([]);
    expect(using(/import\("\.\/prometheus\.ts"\)/)).toEqual(["monitor/metrics-server.ts"]);
  });
});

describe("docs/monitoring.md", () => {
  it("lists exactly the metrics of the daemon, with their labels", () => {
    const rows = [...page.matchAll(/^\| `(smmapd_\w+)` \|(.*?)\| .+ \|$/gm)].map(([, name = "", labels = ""]) => {
      return [name, [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label)];
    });
    const own = [...metrics].filter(([name]) => name.startsWith("smmapd_"));
    expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(own.map(([name, labels]) => [name, [...labels]])));
  });

  it("explains every status, reason and code", () => {
    const reasons = ["accept", "absent", "denied", "over-quota", "failed", "timeout", "none", "protocol"];
    const statuses = ["OK", "NOTFOUND", "TEMP", "TIMEOUT", "PERM", "DUNNO", "452", "550", "552", "DEFER_IF_PERMIT"];
    const words = [...reasons, ...statuses, ...storeErrorCodes, "(other)", "(none)", "(policy)"];
    expect(words.filter((word) => !page.includes(`\`${word}\``))).toEqual([]);
  });

  it("uses only existing metrics and labels in its alerts", () => {
    const alarms = /Conditions for alarms:\n\n```\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
    const named = [...alarms.matchAll(/smmapd_\w+/g)].map(([name]) => name);
    expect(named.length).toBeGreaterThan(4);
    expect(named.filter((name) => !metrics.has(name))).toEqual([]);
  });
});

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly datasource?: unknown;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string; readonly datasource: unknown }[];
}

describe("the dashboard", () => {
  const text = readFileSync(join(root, "contrib/grafana/smmapd.json"), "utf8");
  const dashboard = JSON.parse(text) as { readonly title: string; readonly panels: readonly Panel[] };
  const targets = dashboard.panels.flatMap((panel) => panel.targets ?? []);

  it("has panels with distinct positions and ids", () => {
    expect(dashboard.title).toBe("smmapd");
    expect(dashboard.panels.length).toBeGreaterThan(10);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    const places = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(places).size).toBe(places.length);
    expect(places.filter((place) => Number(place.split(",")[0]) >= 24)).toEqual([]);
  });

  it("queries only existing metrics", () => {
    const series = new Set([...exposition.matchAll(/^([a-z_]\w*)[{ ]/gm)].map(([, name]) => name));
    const named = targets.flatMap(({ expr }) => expr.match(/\b(?:smmapd|process|nodejs)_\w+/g) ?? []);
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((name) => !series.has(name))).toEqual([]);
  });

  it("shows every metric of the daemon", () => {
    const old = ["smmapd_store_spared_total", "smmapd_cache_joined_total", "smmapd_cache_stale_total"];
    const own = [...metrics.keys()].filter((name) => name.startsWith("smmapd_") && !old.includes(name));
    expect(own.filter((name) => !text.includes(name))).toEqual([]);
  });

  it("groups by existing labels only", () => {
    const known = new Set(["le", "process", "instance", ...[...metrics.values()].flatMap((labels) => [...labels])]);
    const used = targets.flatMap(({ expr, legendFormat }) => [
      ...[...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = ""]) => list.split(/,\s*/)),
      ...[...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label),
    ]);
    expect(used.length).toBeGreaterThan(10);
    expect(used.filter((label) => !known.has(label))).toEqual([]);
  });

  it("uses the selected data source, job and instance", () => {
    const sources = [...dashboard.panels.filter(({ type }) => type !== "row"), ...targets].map(
      ({ datasource }) => datasource,
    );
    expect(sources.length).toBeGreaterThan(30);
    for (const source of sources) {
      expect(source).toEqual({ type: "prometheus", uid: expect.stringMatching(/^\$\{datasource\}$/) });
    }
    const selectors = targets.flatMap(({ expr }) => expr.match(/\b(?:smmapd|process|nodejs)_\w+(?:\{[^}]*\})?/g) ?? []);
    expect(selectors.filter((one) => !one.includes('{job=~"$job",instance=~"$instance"'))).toEqual([]);
  });
});
