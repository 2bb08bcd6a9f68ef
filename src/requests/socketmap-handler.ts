/** Answers a socketmap request: look-ups in plain maps, and in access maps, whose values are actions of access(5). */
import { type AccessTexts, actionFor } from "../engine/access.ts";
import { encodeNetstring } from "../engine/netstring.ts";
import { parseRequest } from "../engine/socketmap.ts";
import {
  type Failure,
  nameAsValue,
  type ReplyPolicy,
  replyTo,
  replyToBadProtocol,
  statusOf,
  type Verdict,
} from "../engine/verdict.ts";
import { noMap } from "../metrics/reply-counts.ts";
import { type CountedRequest, Tally } from "../metrics/tally.ts";
import type { Lookup } from "../store/lookup.ts";
import type { MailboxStore } from "../store/store.ts";
import { AcceptCache } from "./accept-cache.ts";
import type { AuditLog } from "./audit-log.ts";
import type { Judgement, RecipientJudge } from "./recipient-judge.ts";

export interface SocketmapHandlerOptions {
  readonly judge: RecipientJudge;
  readonly policy: ReplyPolicy;
  /** smmap_reply_value: the value after OK. */
  readonly value: "key" | "mailbox";
  /** null: there are none. */
  readonly accessMaps: AccessMaps | null;
  /** null: answers are not audited. */
  readonly audit: AuditLog | null;
  /** Accepted requests are cached by the data version of this store; null: they are not cached. */
  readonly acceptCache: { readonly size: number; readonly store: Pick<MailboxStore, "dataVersion"> } | null;
  /** Omitted: nothing is counted. */
  readonly tally?: Tally | undefined;
}

/** Maps whose replies are actions of Postfix' access(5). */
export interface AccessMaps {
  readonly names: ReadonlySet<string>;
  readonly texts: AccessTexts;
}

/** A request in flight. */
interface PendingRequest extends CountedRequest {
  /** The whole payload, as received. */
  readonly payload: string;
  readonly isAccess: boolean;
  /** Address of the client, for the audit log. */
  readonly client: string;
  /** When it was completely read, on the clock of performance.now(). */
  readonly since: number;
  /** Data version of the store at that time; null: unknown, or not needed. */
  readonly dataVersion: number | null;
}

/** A reply, and the status under which it is counted. */
interface Reply {
  readonly text: string;
  readonly status: string;
}

const alsoUnquoted = { alsoUnquoted: true };

/** One per configuration, shared by all connections. */
export class SocketmapHandler {
  readonly #options: SocketmapHandlerOptions;
  readonly acceptCache: AcceptCache;
  readonly #tally: Tally;
  /** Statuses of replies in plain maps. */
  readonly #statuses: Readonly<Record<Verdict | Failure, string>>;

  constructor(options: SocketmapHandlerOptions) {
    this.#options = options;
    // A reply with the mailbox' name depends on more than the verdict, so it is not cached.
    this.acceptCache = new AcceptCache(options.value === "key" ? (options.acceptCache?.size ?? 0) : 0);
    this.#tally = options.tally ?? new Tally();
    this.#statuses = statusesOf(options.policy);
    for (const map of options.accessMaps?.names ?? []) this.#tally.replies.expect(map);
  }

  /**
   * The reply to the payload of a request, as a netstring; synchronous if the store answers synchronously. Never throws,
   * never rejects.
   * @param client address, for the audit log
   */
  respond(payload: string, lookup: Lookup, client: string): string | Promise<string> {
    const since = performance.now();
    const parsed = parseRequest(payload);
    if (parsed === null) return this.refuse("missing key", client);
    const { map, key } = parsed;
    const isAccess = this.#isAccessMap(map);
    const dataVersion = !isAccess && this.acceptCache.isEnabled() ? this.#dataVersion() : null;
    const request = { payload, map, key, isAccess, client, since, dataVersion };
    if (this.acceptCache.has(payload, dataVersion)) return this.#accepted(request);
    const judgement = this.#options.judge.judge(key, lookup, isAccess ? alsoUnquoted : undefined);
    return judgement instanceof Promise ? this.#replyLater(judgement, request) : this.#reply(judgement, request);
  }

  /** The reply to an invalid request. @param fault in the original's words: "missing key", "missing length", … */
  refuse(fault: string, client: string): string {
    this.#options.audit?.writeFault(client);
    const reply = replyToBadProtocol(fault);
    this.#tally.replied({ map: noMap, key: "" }, performance.now(), statusOf(reply), "protocol");
    return encodeNetstring(reply);
  }

  /** Judges a recipient as for a look-up in that map, for `smmapd check`. */
  judge(map: string, key: string, lookup: Lookup): Judgement | Promise<Judgement> {
    return this.#options.judge.judge(key, lookup, this.#isAccessMap(map) ? alsoUnquoted : undefined);
  }

  /** The reply to a look-up in that map, without its netstring. */
  replyTo(map: string, key: string, judgement: Judgement): string {
    return this.#format(this.#isAccessMap(map), key, judgement).text;
  }

  #isAccessMap(map: string): boolean {
    return this.#options.accessMaps?.names.has(map) === true;
  }

  #dataVersion(): number | null {
    return this.#options.acceptCache?.store.dataVersion?.() ?? null;
  }

  async #replyLater(judgement: Promise<Judgement>, request: PendingRequest): Promise<string> {
    this.#tally.inFlight++;
    try {
      return this.#reply(await judgement, request);
    } finally {
      this.#tally.inFlight--;
    }
  }

  #reply(judgement: Judgement, request: PendingRequest): string {
    try {
      return this.#conclude(judgement, request);
    } catch (error) {
      return this.#conclude(this.#options.judge.internalError(judgement, error), request);
    }
  }

  #conclude(judgement: Judgement, request: PendingRequest): string {
    const { payload, key, isAccess, client, since, dataVersion } = request;
    const { text, status } = this.#format(isAccess, key, judgement);
    if (judgement.reason === "accept") this.acceptCache.add(payload, dataVersion);
    this.#options.audit?.write(judgement.outcome, key, client);
    this.#tally.replied(request, since, status, judgement.reason);
    return encodeNetstring(text);
  }

  #accepted(request: PendingRequest): string {
    const { key, client, since } = request;
    this.#options.audit?.write("accept", key, client);
    this.#tally.replied(request, since, this.#statuses.accept, "accept");
    return encodeNetstring(replyTo("accept", key, this.#options.policy));
  }

  /** Failures have the same reply in both kinds of map: Postfix defers for a status that is not OK. */
  #format(isAccess: boolean, key: string, { mailbox, facts, outcome }: Judgement): Reply {
    const { accessMaps, policy, value } = this.#options;
    if (isAccess && accessMaps !== null && outcome !== "failed" && outcome !== "timeout") {
      const action = actionFor(outcome, accessMaps.texts, policy);
      return { text: `OK ${action}`, status: statusOf(action) };
    }
    const isNamed = value === "mailbox" && !isAccess && mailbox.kind !== "none" && facts?.exists === true;
    const name = isNamed ? nameAsValue(mailbox, facts) : key;
    return { text: replyTo(outcome, name, policy), status: this.#statuses[outcome] };
  }
}

function statusesOf(policy: ReplyPolicy): Record<Verdict | Failure, string> {
  const status = (outcome: Verdict | Failure) => statusOf(replyTo(outcome, "", policy));
  return {
    accept: status("accept"),
    absent: status("absent"),
    denied: status("denied"),
    "over-quota": status("over-quota"),
    failed: status("failed"),
    timeout: status("timeout"),
  };
}
