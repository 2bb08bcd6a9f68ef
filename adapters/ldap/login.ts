/** Opens a connection for searches: socket, TLS, bind, each exactly once and in this order. */
import { BindRequest } from "ldapts";
import { StoreError } from "../../src/store/store.ts";
import { LdapConnection } from "./connection.ts";
import type { BindMethod, ConnectionOptions } from "./connection-options.ts";
import type { LdapEndpoint } from "./endpoint.ts";
import { bindError, resultError, SUCCESS } from "./result.ts";
import { openSocket, secureSocket } from "./socket.ts";

/** RFC 4511 section 4.14.1. */
const START_TLS = "1.3.6.1.4.1.1466.20037";

/**
 * Opens a connection that is ready for searches, within the timeout. Rejects with StoreError.
 * @param signal cancels the attempt
 */
export async function openConnection(
  endpoint: LdapEndpoint,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<LdapConnection> {
  signal.throwIfAborted();
  const limit = new AbortController();
  const forward = () => limit.abort(signal.reason);
  const timedOut = new StoreError("timeout", `ldap: not connected within ${options.timeout} ms`);
  const timer = setTimeout(() => limit.abort(timedOut), options.timeout);
  signal.addEventListener("abort", forward);
  try {
    const socket = await openTransport(endpoint, options, limit.signal);
    const connection = new LdapConnection(socket, endpoint.uri, options.timeout);
    await attempt(connection, limit.signal, () => bind(connection, options.bind));
    return connection;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", forward);
  }
}

async function openTransport(endpoint: LdapEndpoint, options: ConnectionOptions, signal: AbortSignal) {
  const socket = await openSocket(endpoint, signal);
  const wantsStartTls = options.startTls && !endpoint.isTls && "host" in endpoint.address;
  if (wantsStartTls) {
    const plain = new LdapConnection(socket, endpoint.uri, options.timeout);
    await attempt(plain, signal, () => startTls(plain));
  }
  return wantsStartTls || endpoint.isTls ? await secureSocket(socket, endpoint, options.tls, signal) : socket;
}

/** Runs a task on a connection. Ends the connection if the task fails or the signal is aborted. */
async function attempt(connection: LdapConnection, signal: AbortSignal, task: () => Promise<void>): Promise<void> {
  const onAbort = () => connection.end(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    await task();
  } catch (error) {
    connection.end();
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function startTls(connection: LdapConnection): Promise<void> {
  const result = await connection.extend(START_TLS);
  if (result.code !== SUCCESS) throw resultError(result, "ldap: the server refused StartTLS");
  connection.releaseForTls();
}

async function bind(connection: LdapConnection, method: BindMethod): Promise<void> {
  if (method.kind === "anonymous") return;
  const result = await connection.bind(bindRequest(method));
  if (result.code !== SUCCESS) throw bindError(result, `ldap: cannot bind as ${nameOf(method)}`, adviceFor(method));
}

type NamedBind = Exclude<BindMethod, { readonly kind: "anonymous" }>;

function bindRequest(method: NamedBind): BindRequest {
  switch (method.kind) {
    case "simple":
      return new BindRequest({ messageId: 0, dn: method.dn, password: method.password });
    case "external":
      return new BindRequest({ messageId: 0, mechanism: "EXTERNAL", password: method.authorizationId });
    case "plain": {
      // RFC 4616 section 2.
      const { authorizationId, id, password } = method;
      return new BindRequest({ messageId: 0, mechanism: "PLAIN", password: `${authorizationId}\0${id}\0${password}` });
    }
  }
}

function nameOf(method: NamedBind): string {
  switch (method.kind) {
    case "simple":
      return method.dn;
    case "external":
      return "SASL EXTERNAL";
    case "plain":
      return method.id;
  }
}

function adviceFor(method: NamedBind): string {
  switch (method.kind) {
    case "simple":
      return "check ldap_bind_dn and ldap_password";
    case "external":
      return "check ldap_client_cert or the user of the process, and ldap_authz";
    case "plain":
      return "check ldap_id, ldap_password and ldap_authz";
  }
}
