/** Reports in the text format of Prometheus. Loads prom-client, so it is loaded only where metrics are wanted. */
import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from "prom-client";
import { bounds, type HistogramCounts } from "../metrics/histogram.ts";
import type { Report } from "../metrics/report.ts";

/** What a process has to tell of a metric: a number, or one for each combination of labels; null: nothing. */
type Samples = number | readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[] | null;

interface NumberDefinition {
  readonly name: string;
  readonly help: string;
  /** Beyond that of the process. */
  readonly labels?: readonly string[];
  samples(report: Report): Samples;
}

interface HistogramDefinition {
  readonly name: string;
  readonly help: string;
  counts(report: Report): HistogramCounts | null;
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
    help: "Clients that have connected.",
    samples: ({ connections }) => connections.accepted,
  },
  {
    name: "smmapd_connections_refused_total",
    help: "Clients that were told to try again later, because too many were waiting, or for too long.",
    samples: ({ connections }) => connections.refused,
  },
  {
    name: "smmapd_connections_dropped_total",
    help: "Clients that took too long to send a request or to read replies.",
    samples: ({ connections }) => connections.dropped,
  },
  {
    name: "smmapd_store_errors_total",
    help: "Look-ups that the store could not answer.",
    labels: ["code"],
    samples: ({ store }) => Object.entries(store?.errors ?? {}).map(([code, count]) => [{ code }, count]),
  },
  {
    name: "smmapd_store_spared_total",
    help: "Look-ups not made, because the store was left alone.",
    samples: ({ store }) => store?.spared ?? null,
  },
  {
    name: "smmapd_cache_hits_total",
    help: "Look-ups answered from the cache.",
    samples: ({ cache }) => cache?.hits ?? null,
  },
  {
    name: "smmapd_cache_misses_total",
    help: "Look-ups that the cache passed on to the store.",
    samples: ({ cache }) => cache?.misses ?? null,
  },
  {
    name: "smmapd_cache_joined_total",
    help: "Look-ups that waited for an equal one.",
    samples: ({ cache }) => cache?.joined ?? null,
  },
  {
    name: "smmapd_cache_stale_total",
    help: "Old answers given because the store failed.",
    samples: ({ cache }) => cache?.stale ?? null,
  },
  {
    name: "smmapd_reloads_total",
    help: "Times that the configuration was read again.",
    labels: ["outcome"],
    samples: ({ reloads: { succeeded, failed } }) => [
      [{ outcome: "succeeded" }, succeeded],
      [{ outcome: "failed" }, failed],
    ],
  },
  {
    name: "smmapd_cpu_seconds_total",
    help: "Time of a processor.",
    samples: ({ cpu }) => cpu,
  },
];

const gauges: readonly NumberDefinition[] = [
  {
    name: "smmapd_requests_in_flight",
    help: "Requests that wait for the store.",
    samples: ({ requests }) => requests.inFlight,
  },
  {
    name: "smmapd_connections",
    help: "Clients that are served.",
    samples: ({ connections }) => connections.open,
  },
  {
    name: "smmapd_connections_waiting",
    help: "Clients that wait until it is their turn.",
    samples: ({ connections }) => connections.waiting,
  },
  {
    name: "smmapd_store_breaker_open",
    help: "1: the store has failed too often and is left alone.",
    samples: ({ store }) => (store?.isResting ? 1 : 0),
  },
  {
    name: "smmapd_cache_entries",
    help: "Answers in the cache.",
    samples: ({ cache }) => cache?.entries ?? null,
  },
  {
    name: "smmapd_memory_bytes",
    help: "Memory in use (resident).",
    samples: ({ memory }) => memory,
  },
  {
    name: "smmapd_build_info",
    help: "1, and what the process is made of.",
    labels: ["version", "node", "store"],
    samples: ({ version, node, store }) => [[{ version, node, store: store?.name ?? "" }, 1]],
  },
];

const histograms: readonly HistogramDefinition[] = [
  {
    name: "smmapd_request_duration_seconds",
    help: "From a request, read whole, to its reply.",
    counts: ({ requests }) => requests.times,
  },
  {
    name: "smmapd_store_lookup_duration_seconds",
    help: "Look-ups that the store answered.",
    counts: ({ store }) => store?.times ?? null,
  },
];

/** Metrics of prom-client's that would look at each of ten thousand connections, only to count them. */
const costly = ["handles", "requests", "resources"].flatMap((what) => [
  `nodejs_active_${what}`,
  `nodejs_active_${what}_total`,
]);

export class Exposition {
  readonly #registry = new Registry();
  /** What is being told; each metric reads it when its turn comes. */
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
    // Before it first waits, each metric has read what it tells.
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

  /** A Histogram of prom-client can only count by itself, so this is a metric of our own. */
  #defineHistogram({ name, help, counts }: HistogramDefinition): void {
    const values = () => this.#reports.flatMap((report) => bucketsOf(name, String(report.slot), counts(report)));
    const get = async () => ({ name, help, type: "histogram", values: values() });
    this.#registry.registerMetric({ name, get } as unknown as Metric);
  }

  #configurationOf({ name, help, labels = [] }: NumberDefinition) {
    return { name, help, labelNames: ["process", ...labels], registers: [this.#registry] };
  }

  #samplesOf({ samples }: NumberDefinition) {
    return this.#reports.flatMap((report) => {
      const process = String(report.slot);
      const told = samples(report) ?? [];
      const list = typeof told === "number" ? [[{}, told] as const] : told;
      return list.map(([labels, value]) => [{ process, ...labels }, value] as const);
    });
  }
}

/** Lines of a histogram, whose buckets each hold what is in those before them, too. */
function bucketsOf(name: string, process: string, counts: HistogramCounts | null) {
  if (counts === null) return [];
  let sum = 0;
  const buckets = counts.buckets.map((count, i) => {
    sum += count;
    const bound = bounds[i];
    const le = bound === undefined ? "+Inf" : bound / 1000;
    return { metricName: `${name}_bucket`, labels: { process, le }, value: sum };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: { process }, value: counts.sum / 1000 },
    { metricName: `${name}_count`, labels: { process }, value: sum },
  ];
}
