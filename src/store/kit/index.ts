/**
 * Shared code for adapters of networked stores; published as "smmapd/store-kit". Built-in stores import this folder and
 * src/store/store.ts, and nothing else of src.
 */
export { sameButForCase } from "../../engine/folder-case.ts";
export { decodeModifiedUtf7, encodeModifiedUtf7, internalName } from "../../engine/mailbox-name.ts";
export { acceptsPosting, posterRights } from "../../engine/rights.ts";
export { Connector, type ConnectorOptions } from "./connector.ts";
export { type Deadline, Deadlines } from "./deadlines.ts";
export { milliseconds, TIMER_MAX } from "./duration.ts";
export { EndpointHealth } from "./endpoint-health.ts";
export { LoginBackoff, LoginError } from "./login-backoff.ts";
export { Semaphore, type SlotWaiter } from "./semaphore.ts";
export { ThrottledLog, type ThrottleOptions } from "./throttled-log.ts";
export { readTlsFiles, type TlsFiles, type TlsKeys, type TlsMaterial } from "./tls-files.ts";
