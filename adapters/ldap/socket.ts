/** Sockets to a directory server: TCP or UNIX, with TLS from the start or later. */
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { connect, isIP, type Socket } from "node:net";
import { join } from "node:path";
import { connect as connectTls, type SecureContextOptions, type TLSSocket } from "node:tls";
import { StoreError } from "../../src/store/store.ts";
import type { TlsFiles } from "./connection-options.ts";
import type { LdapEndpoint } from "./endpoint.ts";

/** Milliseconds of silence after which the kernel asks whether the other side is still there. */
const TCP_KEEP_ALIVE = 30_000;

/** A connected socket. Rejects with StoreError, or with the signal's reason. */
export async function openSocket(endpoint: LdapEndpoint, signal: AbortSignal): Promise<Socket> {
  const socket = connect(endpoint.address);
  // An error is followed by "close", which is what counts; without a listener it would end the process.
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
 * TLS on a connected socket, the certificate verified where that is wanted. Never goes on without TLS.
 * Rejects with StoreError, or with the signal's reason.
 */
export async function secureSocket(
  socket: Socket,
  endpoint: LdapEndpoint,
  files: TlsFiles,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const host = "host" in endpoint.address ? endpoint.address.host : "localhost";
  const secure = connectTls({
    socket,
    host,
    ...(isIP(host) === 0 && { servername: host }),
    rejectUnauthorized: files.verifyPeer,
    ...(await readFiles(files)),
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

async function readFiles(files: TlsFiles): Promise<SecureContextOptions> {
  const { caFile, caDirectory, certificateFile, keyFile, ciphers } = files;
  const authorities: (Buffer | string)[] = [];
  if (caFile !== null) authorities.push(await readOption("ldap_ca_file", caFile));
  if (caDirectory !== null) authorities.push(...(await readDirectory(caDirectory)));
  return {
    ...(authorities.length > 0 && { ca: authorities }),
    ...(certificateFile !== null && { cert: await readOption("ldap_client_cert", certificateFile) }),
    ...(keyFile !== null && { key: await readOption("ldap_client_key", keyFile) }),
    ...(ciphers !== null && { ciphers }),
  };
}

/** Every file in it that holds a certificate; OpenSSL's names by hash are links to them. */
async function readDirectory(path: string): Promise<Buffer[]> {
  let names: string[];
  try {
    names = await readdir(path);
  } catch (error) {
    throw unreadable("ldap_ca_dir", error);
  }
  const files = await Promise.all(names.sort().map((name) => readFile(join(path, name)).catch(() => Buffer.alloc(0))));
  const found = files.filter((file) => file.includes("-----BEGIN CERTIFICATE-----"));
  if (found.length === 0) throw new StoreError("unavailable", `ldap: ldap_ca_dir: there is no certificate in ${path}`);
  return found;
}

async function readOption(key: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw unreadable(key, error);
  }
}

function unreadable(key: string, error: unknown): StoreError {
  return new StoreError("unavailable", `ldap: ${key}: ${message(error)}`, { cause: error });
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
