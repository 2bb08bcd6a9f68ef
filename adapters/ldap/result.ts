/**
 * Maps result codes (RFC 4511 section 4.1.9, appendix A) to store errors; none of them means "absent". The circuit
 * breaker counts "unavailable" and "timeout" as failures of the server, so a result that may concern a single request
 * has another code. The exception is timeLimitExceeded (3), a "timeout" although one search without an index causes it.
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
  [SIZE_LIMIT_EXCEEDED]: ["sizeLimitExceeded", "invalid-data", "the server's size limit cut the result"],
  7: ["authMethodNotSupported", "denied"],
  8: ["strongerAuthRequired", "denied"],
  10: ["referral", "invalid-data", "referrals are not followed"],
  11: ["adminLimitExceeded", "denied", "is the attribute indexed, and may the account search it?"],
  13: ["confidentialityRequired", "denied", "use ldaps:// or ldap_start_tls"],
  14: ["saslBindInProgress", "denied"],
  [NO_SUCH_OBJECT]: ["noSuchObject", "invalid-data", "does the base exist, and may the account read it?"],
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
 * Results that mean that this server cannot serve the request at the moment, or at all (operationsError, referral,
 * busy, unavailable, other). Another server of ldap_uri may have the answer.
 */
const SERVER_CANNOT_SERVE: ReadonlySet<number> = new Set([1, 10, 51, 52, 80]);

/**
 * Permanent results of a bind: the login itself is refused, and further attempts may count towards a lockout of the
 * account. 389 Directory Server returns 19 (constraintViolation) for a locked account; 32 and 34 are returned by
 * servers that disclose that the DN does not exist.
 */
const LOGIN_REFUSED: ReadonlySet<number> = new Set([7, 8, 13, 14, 19, 32, 34, 48, 49, 50, 53]);

/** The server cannot serve the search now; another server may. */
export class CannotServe extends StoreError {}

/** The error for an unsuccessful result. @param what the request, for the message */
export function resultError(result: LdapResult, what: string): StoreError {
  const [, code] = meaningOf(result);
  const message = describeResult(result, what);
  return SERVER_CANNOT_SERVE.has(result.code) ? new CannotServe(code, message) : new StoreError(code, message);
}

/** The error for an unsuccessful bind. @param advice options to check if the login is refused */
export function bindError(result: LdapResult, what: string, advice: string): StoreError {
  if (!LOGIN_REFUSED.has(result.code)) return new StoreError(meaningOf(result)[1], describeResult(result, what));
  return new LoginError(`${describeResult(result, what)}: ${advice}`);
}

function meaningOf({ code }: LdapResult): Meaning {
  return meanings[code] ?? ["unknown result", "unavailable"];
}

function describeResult(result: LdapResult, what: string): string {
  const [name, , advice] = meaningOf(result);
  const details = [result.message, ...result.referrals, advice].filter(
    (detail) => detail !== undefined && detail !== "",
  );
  const suffix = details.length > 0 ? `: ${details.join("; ")}` : "";
  return `${what}: ${name} (${result.code})${suffix}`;
}

export function isSizeLimit(result: LdapResult): boolean {
  return result.code === SIZE_LIMIT_EXCEEDED;
}
