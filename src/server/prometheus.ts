/** A report in the text format of Prometheus. Loads prom-client, so it is loaded only where metrics are wanted. */
import { Counter, collectDefaultMetrics, Gauge, type Metric, Registry } from "prom-client";
import { bounds, type HistogramCounts } from "../observe/histogram.ts";
import type { Report } from "../observe/report.ts";

type Labels = Readonly<Record<string, string>>;
/** One of a metric's values. */
type Sample = readonly [labels: Labels, value: number];

interface MetricOptions {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/** Bounds of buckets in seconds. */
const secondBounds = bounds.map((bound) => bound / 1000);

export class Exposition {
  readonly #registry = new Registry();
  /** What is being told; each metric reads it when its turn comes. */
  #report: Report;

  constructor(report: Report) {
    this.#report = report;
    this.#defineRequests();
    this.#defineStore();
    this.#defineCache();
    this.#defineProcess();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  render(report: Report): Promise<string> {
    this.#report = report;
    return this.#registry.metrics();
  }

  #defineRequests(): void {
    this.#counter(
      { name: "smmapd_requests_total", help: "Requests answered.", labels: ["map", "status", "reason"] },
      ({ requests }) => requests.replies.map(({ count, ...labels }) => [labels, count]),
    );
    this.#histogram(
      { name: "smmapd_request_duration_seconds", help: "Time from a request, read whole, to its reply." },
      ({ requests }) => requests.times,
    );
    this.#gauge({ name: "smmapd_requests_in_flight", help: "Requests that wait for the store." }, ({ requests }) => [
      [{}, requests.inFlight],
    ]);
    this.#gauge({ name: "smmapd_connections", help: "Clients that are served." }, ({ connections }) => [
      [{}, connections.open],
    ]);
    this.#gauge(
      { name: "smmapd_connections_waiting", help: "Clients that wait until it is their turn." },
      ({ connections }) => [[{}, connections.waiting]],
    );
    this.#counter(
      { name: "smmapd_connections_accepted_total", help: "Clients that have connected." },
      ({ connections }) => [[{}, connections.accepted]],
    );
    this.#counter(
      { name: "smmapd_connections_refused_total", help: "Clients that were turned away, because too many waited." },
      ({ connections }) => [[{}, connections.refused]],
    );
  }

  #defineStore(): void {
    this.#gauge({ name: "smmapd_store_info", help: "The store in use.", labels: ["store"] }, ({ store }) =>
      store === null ? [] : [[{ store: store.name }, 1]],
    );
    this.#histogram(
      { name: "smmapd_store_lookup_duration_seconds", help: "Time of look-ups that the store answered." },
      ({ store }) => store?.times ?? null,
    );
    this.#counter(
      { name: "smmapd_store_errors_total", help: "Look-ups that the store could not answer.", labels: ["code"] },
      ({ store }) => Object.entries(store?.errors ?? {}).map(([code, count]) => [{ code }, count]),
    );
    this.#gauge(
      { name: "smmapd_store_breaker_open", help: "1: the store failed too often and is left alone." },
      ({ store }) => [[{}, store?.isResting ? 1 : 0]],
    );
    this.#counter(
      { name: "smmapd_store_spared_total", help: "Look-ups not made, because the store was left alone." },
      ({ store }) => [[{}, store?.spared ?? 0]],
    );
  }

  #defineCache(): void {
    const counts = [
      ["hits", "Look-ups answered from the cache."],
      ["misses", "Look-ups that the cache passed on to the store."],
      ["joined", "Look-ups that waited for an equal one."],
      ["stale", "Old answers given because the store failed."],
    ] as const;
    for (const [name, help] of counts) {
      this.#counter({ name: `smmapd_cache_${name}_total`, help }, ({ cache }) =>
        cache === null ? [] : [[{}, cache[name]]],
      );
    }
    this.#gauge({ name: "smmapd_cache_entries", help: "Answers in the cache." }, ({ cache }) =>
      cache === null ? [] : [[{}, cache.entries]],
    );
  }

  #defineProcess(): void {
    this.#counter(
      { name: "smmapd_reloads_total", help: "Times that the configuration was read again.", labels: ["outcome"] },
      ({ reloads: { succeeded, failed } }) => [
        [{ outcome: "succeeded" }, succeeded],
        [{ outcome: "failed" }, failed],
      ],
    );
    this.#gauge(
      { name: "smmapd_build_info", help: "Versions of the program.", labels: ["version", "node"] },
      ({ version, node }) => [[{ version, node }, 1]],
    );
    collectDefaultMetrics({ register: this.#registry });
  }

  #counter(options: MetricOptions, samples: (report: Report) => readonly Sample[]): void {
    const counter: Counter = new Counter({
      ...this.#configuration(options),
      collect: () => {
        counter.reset();
        for (const [labels, value] of samples(this.#report)) counter.inc(labels, value);
      },
    });
  }

  #gauge(options: MetricOptions, samples: (report: Report) => readonly Sample[]): void {
    const gauge: Gauge = new Gauge({
      ...this.#configuration(options),
      collect: () => {
        gauge.reset();
        for (const [labels, value] of samples(this.#report)) gauge.set(labels, value);
      },
    });
  }

  /** A Histogram of prom-client can only count by itself, so this is a metric of our own. */
  #histogram({ name, help }: MetricOptions, counts: (report: Report) => HistogramCounts | null): void {
    const get = async () => ({ name, help, type: "histogram", values: bucketsOf(name, counts(this.#report)) });
    this.#registry.registerMetric({ name, get } as unknown as Metric);
  }

  #configuration({ name, help, labels = [] }: MetricOptions) {
    return { name, help, labelNames: [...labels], registers: [this.#registry] };
  }
}

/** Lines of a histogram, whose buckets each hold what is in those before them, too. */
function bucketsOf(name: string, counts: HistogramCounts | null) {
  if (counts === null) return [];
  let sum = 0;
  const buckets = counts.buckets.map((count, i) => {
    sum += count;
    return { metricName: `${name}_bucket`, labels: { le: secondBounds[i] ?? "+Inf" }, value: sum };
  });
  const rest = [
    { metricName: `${name}_sum`, labels: {}, value: counts.sum / 1000 },
    { metricName: `${name}_count`, labels: {}, value: sum },
  ];
  return [...buckets, ...rest];
}
