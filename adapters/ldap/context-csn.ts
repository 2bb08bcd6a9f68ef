/** contextCSN: up to which change of each provider a server of OpenLDAP holds a naming context (RFC 4533, OpenLDAP). */

/** The newest change sequence number of each provider, by its server id. */
export type ChangeState = ReadonlyMap<string, string>;

/** @param values such as "20261129193432.123456Z#000000#001#000000" */
export function parseContextCsn(values: readonly string[]): ChangeState {
  return new Map(values.map((value) => [value.split("#")[2] ?? "", value]));
}

/** Whether a state holds every change that another one holds. The text of CSNs sorts by time. */
export function includesChanges(state: ChangeState, other: ChangeState): boolean {
  return [...other].every(([provider, csn]) => (state.get(provider) ?? "") >= csn);
}
