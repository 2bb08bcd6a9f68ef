/** Replies by the map that was asked, the status that was said, and the reason behind it. */
import type { Failure, Verdict } from "../engine/verdict.ts";

/** none: a request of policy delegation that names no recipient. protocol: what came was no request. */
export type Reason = Verdict | Failure | "none" | "protocol";

export interface ReplyCount {
  readonly map: string;
  /** OK, NOTFOUND, … of socketmap; in the words of Postfix' access(5) where these were asked for: DUNNO, 550, … */
  readonly status: string;
  readonly reason: Reason;
  readonly count: number;
}

/** In place of a map's name: requests that name none, those of policy delegation, and all maps beyond NAMES_MAX. */
export const noMap = "(none)";
export const policyMap = "(policy)";
const otherMaps = "(other)";

/** Map names that are told apart. They come from the configuration of mail servers, which has few. */
const NAMES_MAX = 16;
const wellFormed = /^[\w.-]{1,64}$/;

type Row = Record<Reason, number>;

export class ReplyCounts {
  readonly #maps = new Map<string, Record<string, Row>>([noMap, policyMap].map((map) => [map, {}]));
  readonly #others: Record<string, Row> = {};

  /** Names a map beforehand, so that it is told apart however many others are asked first. */
  expect(map: string): void {
    if (!this.#maps.has(map)) this.#maps.set(map, {});
  }

  count(map: string, status: string, reason: Reason): void {
    const statuses = this.#of(map);
    const row = statuses[status] ?? this.#begin(statuses, status);
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

  #of(map: string): Record<string, Row> {
    return this.#maps.get(map) ?? this.#admit(map);
  }

  #admit(map: string): Record<string, Row> {
    if (this.#maps.size >= NAMES_MAX || !wellFormed.test(map)) return this.#others;
    const statuses = {};
    this.#maps.set(map, statuses);
    return statuses;
  }

  #begin(statuses: Record<string, Row>, status: string): Row {
    const row = { accept: 0, absent: 0, denied: 0, "over-quota": 0, failed: 0, timeout: 0, none: 0, protocol: 0 };
    statuses[status] = row;
    return row;
  }
}
