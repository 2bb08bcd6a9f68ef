/** Parameters and answer of a search on a connection. */
import { Control, type Filter, PresenceFilter, SearchRequest } from "ldapts";
import type { LdapResult, SearchEntry } from "./response.ts";

export interface SearchQuery {
  readonly base: string;
  readonly scope: "sub" | "one" | "base";
  readonly derefAliases: "search" | "find" | "always" | "never";
  readonly filter: Filter;
  /** Never empty: an empty list requests all attributes. */
  readonly attributes: readonly string[];
  readonly sizeLimit: number;
  /** Seconds. */
  readonly timeLimit: number;
  /** Whether Active Directory must omit references to other parts of the forest. */
  readonly isDomainScope: boolean;
}

export interface SearchAnswer {
  readonly result: LdapResult;
  readonly entries: readonly SearchEntry[];
  /** URIs of continuation references. */
  readonly references: readonly string[];
  /** Milliseconds from sending the request. */
  readonly duration: number;
}

/** LDAP_SERVER_DOMAIN_SCOPE_OID, [MS-ADTS] 3.1.1.3.4.1.4. Not critical, so other servers ignore it. */
const DOMAIN_SCOPE = "1.2.840.113556.1.4.1339";

export function searchRequest(query: SearchQuery): SearchRequest {
  const { base, scope, derefAliases, filter, attributes, sizeLimit, timeLimit, isDomainScope } = query;
  return new SearchRequest({
    messageId: 0,
    baseDN: base,
    scope,
    derefAliases,
    filter,
    attributes: [...attributes],
    sizeLimit,
    timeLimit,
    ...(isDomainScope && { controls: [new Control(DOMAIN_SCOPE, { critical: false })] }),
  });
}

/** Reads the root DSE (RFC 4512 section 5.1) without any attribute. */
export const rootQuery: SearchQuery = {
  base: "",
  scope: "base",
  derefAliases: "never",
  filter: new PresenceFilter({ attribute: "objectClass" }),
  attributes: ["1.1"],
  sizeLimit: 1,
  timeLimit: 0,
  isDomainScope: false,
};
