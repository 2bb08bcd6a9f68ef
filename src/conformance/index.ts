/** The test suite for stores and the data that it needs; published as "smmapd/conformance". */
export * from "./data.ts";
export { silentContext, silentLog } from "./subject.ts";
export {
  type BackendHooks,
  type ConformanceOptions,
  storeConformance,
  type TestContext,
  type TestRunner,
} from "./suite.ts";
