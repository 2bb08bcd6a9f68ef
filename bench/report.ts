/** From single figures to tables: medians, and ratios taken round by round, so that a machine's moods cancel out. */
import { cpus, release } from "node:os";
import type { IdleMeasurement, Measurement } from "./load.ts";

/** One figure of one server in one case; rounds that were measured one after the other have the same number. */
export interface Sample {
  readonly round: number;
  readonly load: string;
  readonly server: string;
  readonly measurement: Measurement;
}

export interface IdleSample {
  readonly server: string;
  readonly measurement: IdleMeasurement;
}

/** What the figures were taken on. */
export function machine(): string {
  const [first] = cpus();
  return `Node ${process.version}, Linux ${release()}, ${cpus().length} processors (${first?.model})`;
}

/** Markdown: the first server relative to each other one. */
export function ratioTable(samples: readonly Sample[]): string {
  const [subject = "", ...others] = distinct(samples.map((sample) => sample.server));
  const rows = distinct(samples.map((sample) => sample.load)).flatMap((load) =>
    others.map((other) => [
      load,
      other,
      ...(["perSecond", "cpuPerRequest", "p99"] as const).map(
        (field) => `${ratio(samples, load, subject, other, field).toFixed(2)} x`,
      ),
    ]),
  );
  return table(["case", "relative to", "requests/s", "CPU/request", "p99"], rows);
}

/** Markdown: medians. */
export function absoluteTable(samples: readonly Sample[]): string {
  const head = [
    "case",
    "server",
    "requests/s",
    "CPU us/request",
    "p50 us",
    "p99 us",
    "p99.9 us",
    "PSS MiB",
    "others' CPU",
  ];
  const rows: string[][] = [];
  for (const load of distinct(samples.map((sample) => sample.load))) {
    for (const server of distinct(samples.map((sample) => sample.server))) {
      const found = samples.filter((sample) => sample.load === load && sample.server === server);
      const mid = (field: keyof Measurement) => median(found.map((sample) => sample.measurement[field]));
      rows.push([
        load,
        server,
        mid("perSecond").toFixed(0),
        mid("cpuPerRequest").toFixed(1),
        ...(["p50", "p99", "p999"] as const).map((field) => mid(field).toFixed(0)),
        (mid("pss") / 2 ** 20).toFixed(1),
        mid("otherCpu").toFixed(2),
      ]);
    }
  }
  return table(head, rows);
}

/** Markdown: memory of one idle connection. */
export function idleTable(samples: readonly IdleSample[]): string {
  const rows = distinct(samples.map((sample) => sample.server)).map((server) => {
    const found = samples.filter((sample) => sample.server === server).map((sample) => sample.measurement);
    const kib = median(found.map((measurement) => measurement.pssPerConnection)) / 1024;
    return [server, String(found[0]?.connections), kib.toFixed(1)];
  });
  return table(["server", "idle connections", "PSS KiB a connection"], rows);
}

function ratio(
  samples: readonly Sample[],
  load: string,
  subject: string,
  other: string,
  field: keyof Measurement,
): number {
  const inCase = samples.filter((sample) => sample.load === load);
  const pairs = inCase.flatMap((mine) =>
    inCase
      .filter((theirs) => mine.server === subject && theirs.server === other && theirs.round === mine.round)
      .map((theirs) => mine.measurement[field] / theirs.measurement[field]),
  );
  return median(pairs);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.slice(Math.ceil(sorted.length / 2) - 1, Math.floor(sorted.length / 2) + 1);
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)];
}

/** Markdown: text columns to the left, figures to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const isFigure = head.map((_, column) => rows.every((row) => /^[-\d]/.test(row[column] ?? "") && column > 0));
  const width = head.map((name, column) => Math.max(name.length, ...rows.map((row) => (row[column] ?? "").length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => (isFigure[column] ? cell.padStart(width[column] ?? 0) : cell.padEnd(width[column] ?? 0))).join(" | ")} |`;
  const rule = width.map((length, column) => (isFigure[column] ? `${"-".repeat(length - 1)}:` : "-".repeat(length)));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}
