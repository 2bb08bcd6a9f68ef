/** A status as lines of text. Texts from outside, such as addresses, are not escaped here. */
import { type HistogramCounts, quantile, total } from "../metrics/histogram.ts";
import type { ReplyCount } from "../metrics/reply-counts.ts";
import type { Status, StoreReport } from "../metrics/report.ts";
import type { CacheCounts } from "../store/cache/cached-store.ts";

/** @param now milliseconds since 1970 */
export function describeStatus(status: Status, now: number): readonly string[] {
  const { version, service, pid, uptime, memory, addresses, stores } = status;
  const { requests, connections, reloads } = status;
  const { open, waiting, accepted, refused, dropped } = connections;
  return [
    [`smmapd ${version}`, `service ${service}`, `process ${pid}`, `up ${duration(uptime)}`, ...mebibytes(memory)].join(
      ", ",
    ),
    row("listening", addresses.length === 0 ? "no more" : addresses.join(", ")),
    ...(stores.length === 0
      ? [row("store", "not open yet")]
      : stores.flatMap((one) => describeStore(one, status.problem))),
    row(
      "requests",
      `${rate(requests.perSecond)}, ${rate(requests.failuresPerSecond)} failing; ${requests.inFlight} in flight`,
    ),
    row("", describeTimes(requests.times)),
    ...requests.replies.map((reply) => row("", describeReply(reply))),
    row(
      "connections",
      `${open} open, ${waiting} waiting, ${accepted} so far, ${refused} refused, ${dropped} dropped as too slow`,
    ),
    row(
      "reloads",
      `${reloads.succeeded}${reloads.failed > 0 ? `, ${reloads.failed} failed` : ""}${lastReload(reloads.lastAt, now)}`,
    ),
    ...list(
      "slowest requests of the last ten minutes",
      status.slowest.map(({ address, map, reason, milliseconds, at }) =>
        [
          `${milliseconds.toFixed(1)} ms`.padStart(10),
          reason.padEnd(10),
          `${map} ${address}`,
          `(${ago(at, now)})`,
        ].join("  "),
      ),
    ),
    ...list(
      "last errors and warnings",
      status.recentProblems.map(({ at, level, message }) => `${ago(at, now).padStart(12)}  ${level}: ${message}`),
    ),
  ];
}

function describeStore(store: StoreReport, problem: string | null): readonly string[] {
  const { name, reason, isBreakerOpen, times, errors, shortCircuited, cache } = store;
  const failures = Object.entries(errors).filter(([, count]) => count > 0);
  const lines = [row("store", `${name} (${reason}): ${problem === null ? "answers" : problem}`)];
  if (isBreakerOpen) lines.push(row("", "circuit breaker open after repeated failures (smmap_breaker_failures)"));
  lines.push(row("look-ups", describeTimes(times)));
  const failed = failures.map(([code, count]) => `${count} ${code}`).join(", ");
  if (failed !== "") lines.push(row("", `failed: ${failed}`));
  if (shortCircuited > 0) lines.push(row("", `${shortCircuited} not made while the circuit breaker was open`));
  lines.push(row("cache", cache === null ? "none" : describeCache(cache)));
  return lines;
}

function describeTimes(times: HistogramCounts): string {
  const count = total(times);
  return count === 0
    ? "0 answered"
    : `${count} answered, half of them ${within(times, 0.5)}, 99 % ${within(times, 0.99)}`;
}

function within(times: HistogramCounts, share: number): string {
  const milliseconds = quantile(times, share) ?? 0;
  return Number.isFinite(milliseconds) ? `within ${milliseconds} ms` : "in more than 10 s";
}

function describeReply({ map, status, reason, count }: ReplyCount): string {
  return `${String(count).padStart(10)}  ${map} ${status} (${reason})`;
}

function describeCache({ hits, misses, coalesced, stale, entries }: CacheCounts): string {
  const asked = hits + misses + coalesced;
  const share = asked === 0 ? "" : ` (${((100 * hits) / asked).toFixed(1)} %)`;
  return `${entries} answers kept; ${hits} hits${share}, ${misses} misses, ${coalesced} coalesced, ${stale} served stale`;
}

function lastReload(at: number | null, now: number): string {
  return at === null ? "" : `, the last one ${ago(at, now)}`;
}

function mebibytes(octets: number | null): readonly string[] {
  return octets === null ? [] : [`${Math.round(octets / 2 ** 20)} MiB`];
}

function rate(perSecond: number): string {
  return `${perSecond.toFixed(1)} a second`;
}

/** A duration in its two largest units. */
function duration(seconds: number): string {
  const units = [
    ["d", 86_400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ] as const;
  const first = units.findIndex(([, length]) => seconds >= length);
  if (first < 0) return "0 s";
  let rest = Math.floor(seconds);
  const parts = units.slice(first, first + 2).map(([unit, length]) => {
    const count = Math.floor(rest / length);
    rest -= count * length;
    return `${count} ${unit}`;
  });
  return parts.join(" ");
}

function ago(at: number, now: number): string {
  return `${duration(Math.max(0, now - at) / 1000)} ago`;
}

function list(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", title, ...lines.map((line) => `  ${line}`)];
}

function row(name: string, text: string): string {
  return `${name.padEnd(12)}${text}`;
}
