/**
 * What a result code of the server means to us (RFC 4511 section 4.1.9, appendix A): never "absent". "unavailable" and
 * "timeout" are said of the server, and many of them in a row make the daemon stop asking for a while; what may concern
 * a single question has another code.
 */
import { LoginError } from "../../src/store/kit/index.ts";
import { StoreError, type StoreErrorCode } from "../../src/store/store.ts";
import type { LdapResult } from "./response.ts";

export const SUCCESS = 0;
export const SIZE_LIMIT_EXCEEDED = 4;
export const NO_SUCH_OBJECT = 32;
export const INSUFFICIENT_ACCESS = 50;

type Meaning = readonly [name: string, code: StoreErrorCode, advice?: string];

const meanings: Readonly<Record<number, Meaning>> = {
  1: ["operationsError", "unavailable"],
  2: ["protocolError", "invalid-data"],
  3: ["timeLimitExceeded", "timeout", "is the attribute indexed?"],
  [SIZE_LIMIT_EXCEEDED]: ["sizeLimitExceeded", "invalid-data", "the server holds back entries"],
  7: ["authMethodNotSupported", "denied"],
  8: ["strongerAuthRequired", "denied"],
  10: ["referral", "invalid-data", "referrals are not followed"],
  11: ["adminLimitExceeded", "denied", "is the attribute indexed, and may the account search it?"],
  13: ["confidentialityRequired", "denied", "use ldaps:// or ldap_start_tls"],
  14: ["saslBindInProgress", "denied"],
  [NO_SUCH_OBJECT]: ["noSuchObject", "invalid-data", "does the base exist, and may we read it?"],
  34: ["invalidDNSyntax", "invalid-data", "check the base"],
  48: ["inappropriateAuthentication", "denied"],
  49: ["invalidCredentials", "denied"],
  [INSUFFICIENT_ACCESS]: ["insufficientAccessRights", "denied"],
  51: ["busy", "unavailable"],
  52: ["unavailable", "unavailable"],
  53: ["unwillingToPerform", "denied"],
  80: ["other", "unavailable"],
};

/**
 * Results by which a server says that it cannot serve now, or not itself (operationsError, referral, busy, unavailable,
 * other). Another server of the list may have the answer.
 */
const SERVER_CANNOT_SERVE: ReadonlySet<number> = new Set([1, 10, 51, 52, 80]);

/**
 * Results of a bind that concern the login itself: what is wrong does not pass by itself, and repetitions may be counted
 * against the account. 19 (constraintViolation) is 389 Directory Server's for an account that is locked; 32 and 34 are
 * those of servers that say that the DN does not exist.
 */
const LOGIN_REFUSED: ReadonlySet<number> = new Set([7, 8, 13, 14, 19, 32, 34, 48, 49, 50, 53]);

/** The server cannot serve the search now; another server may. */
export class CannotServe extends StoreError {}

/** An unsuccessful result as the error that it is. @param what was asked, for people */
export function resultError(result: LdapResult, what: string): StoreError {
  const [, code] = meaningOf(result);
  const message = describeResult(result, what);
  return SERVER_CANNOT_SERVE.has(result.code) ? new CannotServe(code, message) : new StoreError(code, message);
}

/** Likewise the result of a bind. @param advice which options to check where the login is refused */
export function bindError(result: LdapResult, what: string, advice: string): StoreError {
  if (!LOGIN_REFUSED.has(result.code)) return new StoreError(meaningOf(result)[1], describeResult(result, what));
  return new LoginError(`${describeResult(result, what)}: ${advice}`);
}

function meaningOf({ code }: LdapResult): Meaning {
  return meanings[code] ?? ["unknown result", "unavailable"];
}

function describeResult(result: LdapResult, what: string): string {
  const [name, , advice] = meaningOf(result);
  const words = [result.message, ...result.referrals, advice].filter((word) => word !== undefined && word !== "");
  const details = words.length > 0 ? `: ${words.join("; ")}` : "";
  return `${what}: ${name} (${result.code})${details}`;
}

export function isSizeLimit(result: LdapResult): boolean {
  return result.code === SIZE_LIMIT_EXCEEDED;
}
