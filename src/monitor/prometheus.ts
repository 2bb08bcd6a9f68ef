/** Reports in the text format of Prometheus. Loaded only where metrics are enabled, because it loads prom-client. */
import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from "prom-client";
import { bounds, type HistogramCounts } from "../metrics/histogram.ts";
import type { Report, StoreReport } from "../metrics/report.ts";

/** Values of a metric in one process: a number, or one for each combination of labels; null: none. */
type Samples = number | readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[] | null;

interface NumberDefinition {
  readonly name: string;
  readonly help: string;
  /** Besides the label `process`. */
  readonly labels?: readonly string[];
  samples(report: Report): Samples;
}

interface HistogramDefinition {
  readonly name: string;
  readonly help: string;
  /** A histogram for each combination of labels. */
  counts(report: Report): readonly (readonly [labels: Readonly<Record<string, string>>, counts: HistogramCounts])[];
}

/** One sample per store; null: the store has none. */
function byStore(valueFor: (store: StoreReport) => number | null): NumberDefinition["samples"] {
  return ({ stores }) =>
    stores.flatMap((store) => {
      const value = valueFor(store);
      return value === null ? [] : [[{ store: store.name }, value] as const];
    });
}

/** A metric under its name and, for existing dashboards, under its old name. */
function renamed(oldName: string, definition: NumberDefinition): readonly NumberDefinition[] {
  return [definition, { ...definition, name: oldName, help: `Old name of ${definition.name}.` }];
}

const counters: readonly NumberDefinition[] = [
  {
    name: "smmapd_requests_total",
    help: "Requests answered.",
    labels: ["map", "status", "reason"],
    samples: ({ requests }) => requests.replies.map(({ count, ...labels }) => [labels, count]),
  },
  {
    name: "smmapd_connections_accepted_total",
    help: "Connections accepted.",
    samples: ({ connections }) => connections.accepted,
  },
  {
    name: "smmapd_connections_refused_total",
    help: "Connections refused with a temporary failure, because the queue was full or the wait too long.",
    samples: ({ connections }) => connections.refused,
  },
  {
    name: "smmapd_connections_dropped_total",
    help: "Connections closed, because the client took too long to send a request or to read replies.",
    samples: ({ connections }) => connections.dropped,
  },
  {
    name: "smmapd_store_errors_total",
    help: "Look-ups that the store failed to answer.",
    labels: ["store", "code"],
    samples: ({ stores }) =>
      stores.flatMap(({ name, errors }) =>
        Object.entries(errors).map(([code, count]) => [{ store: name, code }, count] as const),
      ),
  },
  ...renamed("smmapd_store_spared_total", {
    name: "smmapd_store_short_circuited_total",
    help: "Look-ups not made, because the circuit breaker was open.",
    labels: ["store"],
    samples: byStore(({ shortCircuited }) => shortCircuited),
  }),
  {
    name: "smmapd_cache_hits_total",
    help: "Look-ups answered from the cache.",
    labels: ["store"],
    samples: byStore(({ cache }) => cache?.hits ?? null),
  },
  {
    name: "smmapd_cache_misses_total",
    help: "Look-ups that the cache passed on to the store.",
    labels: ["store"],
    samples: byStore(({ cache }) => cache?.misses ?? null),
  },
  ...renamed("smmapd_cache_joined_total", {
    name: "smmapd_cache_coalesced_total",
    help: "Look-ups that waited for an equal one in flight.",
    labels: ["store"],
    samples: byStore(({ cache }) => cache?.coalesced ?? null),
  }),
  ...renamed("smmapd_cache_stale_total", {
    name: "smmapd_cache_served_stale_total",
    help: "Expired answers served because the store failed or was slow.",
    labels: ["store"],
    samples: byStore(({ cache }) => cache?.stale ?? null),
  }),
  {
    name: "smmapd_reloads_total",
    help: "Configuration reloads.",
    labels: ["outcome"],
    samples: ({ reloads: { succeeded, failed } }) => [
      [{ outcome: "succeeded" }, succeeded],
      [{ outcome: "failed" }, failed],
    ],
  },
  {
    name: "smmapd_cpu_seconds_total",
    help: "CPU time.",
    samples: ({ cpu }) => cpu,
  },
];

const gauges: readonly NumberDefinition[] = [
  {
    name: "smmapd_requests_in_flight",
    help: "Requests waiting for the store.",
    samples: ({ requests }) => requests.inFlight,
  },
  {
    name: "smmapd_connections",
    help: "Connections being served.",
    samples: ({ connections }) => connections.open,
  },
  {
    name: "smmapd_connections_waiting",
    help: "Connections waiting for admission.",
    samples: ({ connections }) => connections.waiting,
  },
  {
    name: "smmapd_store_breaker_open",
    help: "1: the circuit breaker is open, because the store failed too often.",
    labels: ["store"],
    samples: byStore(({ isBreakerOpen }) => (isBreakerOpen ? 1 : 0)),
  },
  {
    name: "smmapd_cache_entries",
    help: "Answers in the cache.",
    labels: ["store"],
    samples: byStore(({ cache }) => cache?.entries ?? null),
  },
  {
    name: "smmapd_memory_bytes",
    help: "Memory in use (resident).",
    samples: ({ memory }) => memory,
  },
  {
    name: "smmapd_build_info",
    help: "1, with versions and store as labels.",
    labels: ["version", "node", "store"],
    samples: ({ version, node, stores }) => [[{ version, node, store: stores.map(({ name }) => name).join(" ") }, 1]],
  },
];

const histograms: readonly HistogramDefinition[] = [
  {
    name: "smmapd_request_duration_seconds",
    help: "Duration from a request, read whole, to its reply.",
    counts: ({ requests }) => [[{}, requests.times]],
  },
  {
    name: "smmapd_store_lookup_duration_seconds",
    help: "Duration of the look-ups that the store answered.",
    counts: ({ stores }) => stores.map(({ name, times }) => [{ store: name }, times]),
  },
];

/** Metrics of prom-client that take time in proportion to the number of connections. */
const costly = ["handles", "requests", "resources"].flatMap((what) => [
  `nodejs_active_${what}`,
  `nodejs_active_${what}_total`,
]);

export class Exposition {
  readonly #registry = new Registry();
  /** The reports being rendered, which the collect functions read. */
  #reports: readonly Report[] = [];

  constructor() {
    for (const definition of counters) this.#defineCounter(definition);
    for (const definition of gauges) this.#defineGauge(definition);
    for (const definition of histograms) this.#defineHistogram(definition);
    collectDefaultMetrics({ register: this.#registry });
    for (const name of costly) this.#registry.removeSingleMetric(name);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** @param reports of all processes */
  render(reports: readonly Report[]): Promise<string> {
    this.#reports = reports;
    // Collects from all metrics synchronously, so #reports cannot be replaced in between.
    return this.#registry.metrics();
  }

  #defineCounter(definition: NumberDefinition): void {
    const counter: Counter = new Counter({
      ...this.#configurationOf(definition),
      collect: () => {
        counter.reset();
        for (const [labels, value] of this.#samplesOf(definition)) counter.inc(labels, value);
      },
    });
  }

  #defineGauge(definition: NumberDefinition): void {
    const gauge: Gauge = new Gauge({
      ...this.#configurationOf(definition),
      collect: () => {
        gauge.reset();
        for (const [labels, value] of this.#samplesOf(definition)) gauge.set(labels, value);
      },
    });
  }

  /** prom-client's Histogram cannot be set to existing counts, so an object with its interface is registered. */
  #defineHistogram({ name, help, counts }: HistogramDefinition): void {
    const values = () =>
      this.#reports.flatMap((report) =>
        counts(report).flatMap(([labels, one]) => bucketsOf(name, { process: String(report.slot), ...labels }, one)),
      );
    const get = async () => ({ name, help, type: "histogram", values: values() });
    this.#registry.registerMetric({ name, get } as unknown as Metric);
  }

  #configurationOf({ name, help, labels = [] }: NumberDefinition) {
    return { name, help, labelNames: ["process", ...labels], registers: [this.#registry] };
  }

  #samplesOf({ samples }: NumberDefinition) {
    return this.#reports.flatMap((report) => {
      const process = String(report.slot);
      const values = samples(report) ?? [];
      const list = typeof values === "number" ? [[{}, values] as const] : values;
      return list.map(([labels, value]) => [{ process, ...labels }, value] as const);
    });
  }
}

/** Lines of a histogram, whose buckets are cumulative. */
function bucketsOf(name: string, labels: Readonly<Record<string, string>>, counts: HistogramCounts) {
  let sum = 0;
  const buckets = counts.buckets.map((count, i) => {
    sum += count;
    const bound = bounds[i];
    const le = bound === undefined ? "+Inf" : bound / 1000;
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: sum };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: counts.sum / 1000 },
    { metricName: `${name}_count`, labels, value: sum },
  ];
}
