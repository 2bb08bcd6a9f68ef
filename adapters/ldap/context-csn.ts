/** contextCSN of OpenLDAP (RFC 4533): the newest change of each provider that a server holds of a naming context. */

/** The newest change sequence number of each provider, by its server id. */
export type ChangeState = ReadonlyMap<string, string>;

/** @param values such as "20261129193432.123456Z#000000#001#000000" */
export function parseContextCsn(values: readonly string[]): ChangeState {
  return new Map(values.map((value) => [value.split("#")[2] ?? "", value]));
}

/** Whether a state includes every change of another one. CSNs sort by time as text. */
export function includesChanges(state: ChangeState, other: ChangeState): boolean {
  return [...other].every(([provider, csn]) => (state.get(provider) ?? "") >= csn);
}
