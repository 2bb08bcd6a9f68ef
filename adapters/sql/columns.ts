/** Converts the values of a row to facts. A value that is not valid for its column is an error, never a guess. */
import type { MailboxFacts, MailboxId, QuotaUsage } from "../../src/store/store.ts";

/** A value of a row is not valid for its column. */
export class RowError extends Error {
  override readonly name = "RowError";
}

/** What a limit of 0 means: nothing may be stored, or no limit at all. */
export type ZeroLimit = "zero" | "unlimited";

/** Limits and usage of one quota root in the units of QuotaUsage; null: no limit. */
export interface RootUsage {
  readonly storageLimit: number | null;
  readonly storageUsed: number;
  readonly messageLimit: number | null;
  readonly messageUsed: number;
}

export const absent: MailboxFacts = Object.freeze({ exists: false });
export const noQuotas: readonly QuotaUsage[] = Object.freeze([]);
/** A user's own mailbox without a limit: the most frequent answer. */
const unlimited: MailboxFacts = Object.freeze({ exists: true, rights: null, quotas: noQuotas });

export function present(rights: string | null, quotas: readonly QuotaUsage[]): MailboxFacts {
  return rights === null && quotas === noQuotas ? unlimited : { exists: true, rights, quotas };
}

/** The limited resources of a quota root. */
export function limitedResources(
  root: string,
  { storageLimit, storageUsed, messageLimit, messageUsed }: RootUsage,
): readonly QuotaUsage[] {
  if (storageLimit === null && messageLimit === null) return noQuotas;
  const quotas: QuotaUsage[] = [];
  if (storageLimit !== null) quotas.push({ root, resource: "STORAGE", used: storageUsed, limit: storageLimit });
  if (messageLimit !== null) quotas.push({ root, resource: "MESSAGE", used: messageUsed, limit: messageLimit });
  return quotas;
}

/** NULL and negative numbers mean no limit (null). @param unit octets or messages in one unit of the column */
export function limitFrom(value: unknown, unit: number, zero: ZeroLimit, column: string): number | null {
  if (value === null || (typeof value === "number" && value < 0)) return null;
  if (value === 0 && zero === "unlimited") return null;
  return countFrom(value, unit, column);
}

/** NULL means 0. @param unit octets or messages in one unit of the column */
export function usageFrom(value: unknown, unit: number, column: string): number {
  return value === null ? 0 : countFrom(value, unit, column);
}

/** NULL means null. Other letters than those of RFC 4314 and its predecessors are an error. */
export function rightsFrom(value: unknown): string | null {
  if (value === null) return null;
  if (typeof value === "string" && /^[lrswipkxtecdan0-9]*$/.test(value)) return value;
  throw new RowError(`column rights is ${describe(value)}, not letters of RFC 4314 such as lrsp`);
}

export function textFrom(value: unknown, column: string): string | null {
  if (value === null || typeof value === "string") return value;
  throw new RowError(`column ${column} is ${describe(value)}, not text`);
}

/** NULL is an error, because it states neither presence nor absence. */
export function flagFrom(value: unknown, column: string): boolean {
  if (Number.isSafeInteger(value)) return value !== 0;
  throw new RowError(`column ${column} is ${describe(value)}, not 0 or 1`);
}

/** Fractions are an error, and so are 64-bit integers that a JavaScript number cannot represent exactly. */
function countFrom(value: unknown, unit: number, column: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) {
    const count = value * unit;
    if (Number.isSafeInteger(count)) return count;
  }
  throw new RowError(`column ${column} is ${describe(value)}, not a whole number from 0 on (and below 2^53)`);
}

/** A value as it is shown in a log line. */
function describe(value: unknown): string {
  if (value === null) return "NULL";
  if (typeof value === "string") return `the text '${value.length > 40 ? `${value.slice(0, 40)}…` : value}'`;
  return typeof value === "object" ? "a blob" : String(value);
}

/** A mailbox as it is shown in log lines: "fred/Lists@dom.test", "Public/Staff". */
export function describeMailbox(mailbox: MailboxId): string {
  const owner = mailbox.kind === "user" ? [mailbox.user] : [];
  const path = [...owner, ...mailbox.folders].join("/");
  return mailbox.domain === null ? path : `${path}@${mailbox.domain}`;
}
