/** Opens sockets to a directory server: TCP or UNIX, with TLS from the start or by StartTLS. */
import { once } from "node:events";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { readTlsFiles } from "../../src/store/kit/index.ts";
import { StoreError } from "../../src/store/store.ts";
import { TLS_KEYS, type TlsOptions } from "./connection-options.ts";
import type { LdapEndpoint } from "./endpoint.ts";

/** Milliseconds without traffic after which the kernel sends TCP keepalive probes. */
const TCP_KEEP_ALIVE = 30_000;

/** A connected socket. Rejects with StoreError, or with the signal's reason. */
export async function openSocket(endpoint: LdapEndpoint, signal: AbortSignal): Promise<Socket> {
  const socket = connect(endpoint.address);
  // An error is followed by "close", which is handled; without a listener the error would end the process.
  socket.on("error", () => {});
  try {
    await once(socket, "connect", { signal });
  } catch (error) {
    socket.destroy();
    throw signal.aborted ? signal.reason : new StoreError("unavailable", `ldap: ${message(error)}`, { cause: error });
  }
  socket.setNoDelay(true);
  socket.setKeepAlive(true, TCP_KEEP_ALIVE);
  return socket;
}

/**
 * Starts TLS on a connected socket; verifies the certificate if configured. Never continues without TLS.
 * Rejects with StoreError, or with the signal's reason.
 */
export async function secureSocket(
  socket: Socket,
  endpoint: LdapEndpoint,
  { verifyPeer, files, ciphers }: TlsOptions,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const host = "host" in endpoint.address ? endpoint.address.host : "localhost";
  const secure = connectTls({
    socket,
    host,
    ...(isIP(host) === 0 && { servername: host }),
    rejectUnauthorized: verifyPeer,
    ...(ciphers !== null && { ciphers }),
    ...(await readTlsFiles(files, TLS_KEYS, "ldap")),
  });
  secure.on("error", () => {});
  try {
    await once(secure, "secureConnect", { signal });
    return secure;
  } catch (error) {
    secure.destroy();
    throw signal.aborted
      ? signal.reason
      : new StoreError("unavailable", `ldap: TLS: ${message(error)}`, { cause: error });
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
