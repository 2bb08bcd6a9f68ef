/** Counts replies by map, status and reason. */
import type { Failure, Verdict } from "../engine/verdict.ts";

/** none: a policy request without a recipient. protocol: malformed input. */
export type Reason = Verdict | Failure | "none" | "protocol";

export interface ReplyCount {
  readonly map: string;
  /** OK, NOTFOUND, … of socketmap; DUNNO, 550, … of access maps and policy delegation (Postfix' access(5)). */
  readonly status: string;
  readonly reason: Reason;
  readonly count: number;
}

/** In place of the name of a map: requests without one, policy requests, and maps beyond NAMES_MAX. */
export const noMap = "(none)";
export const policyMap = "(policy)";
const otherMaps = "(other)";

/** Map names that are counted separately. They come from clients, so their number is limited. */
const NAMES_MAX = 16;
const wellFormed = /^[\w.-]{1,64}$/;

type Row = Record<Reason, number>;

export class ReplyCounts {
  readonly #maps = new Map<string, Record<string, Row>>([noMap, policyMap].map((map) => [map, {}]));
  readonly #others: Record<string, Row> = {};

  /** Reserves a separate count for a map, however many others are requested first. */
  expect(map: string): void {
    if (!this.#maps.has(map)) this.#maps.set(map, {});
  }

  count(map: string, status: string, reason: Reason): void {
    const statuses = this.#statusesOf(map);
    const row = statuses[status] ?? this.#addRow(statuses, status);
    row[reason]++;
  }

  list(): readonly ReplyCount[] {
    const maps = [...this.#maps, [otherMaps, this.#others] as const];
    return maps.flatMap(([map, statuses]) =>
      Object.entries(statuses).flatMap(([status, row]) =>
        Object.entries(row).flatMap(([reason, count]) =>
          count === 0 ? [] : [{ map, status, reason: reason as Reason, count }],
        ),
      ),
    );
  }

  #statusesOf(map: string): Record<string, Row> {
    return this.#maps.get(map) ?? this.#add(map);
  }

  #add(map: string): Record<string, Row> {
    if (this.#maps.size >= NAMES_MAX || !wellFormed.test(map)) return this.#others;
    const statuses = {};
    this.#maps.set(map, statuses);
    return statuses;
  }

  #addRow(statuses: Record<string, Row>, status: string): Row {
    const row = { accept: 0, absent: 0, denied: 0, "over-quota": 0, failed: 0, timeout: 0, none: 0, protocol: 0 };
    statuses[status] = row;
    return row;
  }
}
