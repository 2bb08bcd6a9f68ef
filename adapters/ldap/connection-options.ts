/** The part of the configuration that connections use: endpoints, TLS, bind, time limits. */
import { createSecureContext } from "node:tls";
import { milliseconds, type TlsFiles, type TlsKeys } from "../../src/store/kit/index.ts";
import type { ConfigReader } from "../../src/store/store.ts";
import { type LdapEndpoint, parseEndpoint } from "./endpoint.ts";

export interface ConnectionOptions {
  /** At least one, in order of preference. */
  readonly endpoints: readonly LdapEndpoint[];
  readonly poolSize: number;
  readonly startTls: boolean;
  readonly tls: TlsOptions;
  readonly bind: BindMethod;
  /** Milliseconds for connecting, TLS and bind included, and for each operation. */
  readonly timeout: number;
}

export interface TlsOptions {
  readonly verifyPeer: boolean;
  readonly files: TlsFiles;
  readonly ciphers: string | null;
}

/** The options that name the files of TlsFiles. */
export const TLS_KEYS: TlsKeys = {
  caFile: "ldap_ca_file",
  caDirectory: "ldap_ca_dir",
  certificateFile: "ldap_client_cert",
  keyFile: "ldap_client_key",
};

export type BindMethod =
  | { readonly kind: "anonymous" }
  | { readonly kind: "simple"; readonly dn: string; readonly password: string }
  | { readonly kind: "external"; readonly authorizationId: string }
  | { readonly kind: "plain"; readonly authorizationId: string; readonly id: string; readonly password: string };

/** @throws ConfigError */
export function readConnectionOptions(config: ConfigReader): ConnectionOptions {
  if (config.integer("ldap_version") !== 3) throw config.error("ldap_version", "only version 3 is supported");
  const endpoints = readEndpoints(config);
  const startTls = config.switch("ldap_start_tls");
  const bind = readBind(config);
  const tls = readTls(config);
  const isEncrypted = (endpoint: LdapEndpoint) => endpoint.isTls || (startTls && "host" in endpoint.address);
  if (endpoints.some(isEncrypted) && !tls.verifyPeer) {
    config.warn(
      "ldap_verify_peer",
      "the server's certificate is not verified, so another host can impersonate the server",
    );
  }
  const hasPassword = bind.kind === "simple" || bind.kind === "plain";
  const exposed = endpoints.find((endpoint) => !endpoint.isLocal && !isEncrypted(endpoint));
  if (hasPassword && exposed !== undefined) {
    config.warn("ldap_password", `is sent to ${exposed.uri} in clear text: use ldaps:// or ldap_start_tls`);
  }
  const poolSize = config.integer("smmap_pool_size");
  if (poolSize < 1) throw config.error("smmap_pool_size", "must be 1 or more");
  return { endpoints, poolSize, startTls, tls, bind, timeout: milliseconds(config, "ldap_timeout") };
}

function readEndpoints(config: ConfigReader): LdapEndpoint[] {
  const words = (config.string("ldap_uri") ?? "").split(/\s+/).filter((word) => word !== "");
  if (words.length === 0) throw config.error("ldap_uri", "is required: the URL of the directory server");
  return words.map((word) => {
    const endpoint = parseEndpoint(word);
    if (typeof endpoint === "string") throw config.error("ldap_uri", `${word} ${endpoint}`);
    return endpoint;
  });
}

/** SASL is used if a mechanism is set, because ldap_sasl is on by default in Cyrus. */
function readBind(config: ConfigReader): BindMethod {
  const mechanism = (config.switch("ldap_sasl") ? config.string("ldap_mech") : null)?.toUpperCase() ?? null;
  const dn = config.string("ldap_bind_dn");
  const id = config.string("ldap_id");
  const password = config.string("ldap_password") ?? "";
  const authorizationId = config.string("ldap_authz") ?? "";
  switch (mechanism) {
    case "EXTERNAL":
      return { kind: "external", authorizationId };
    case "PLAIN":
      if (id === null) throw config.error("ldap_id", "is required with ldap_mech: PLAIN");
      if (password === "") throw config.error("ldap_password", "is required with ldap_mech: PLAIN");
      return { kind: "plain", authorizationId, id, password };
    case null:
      if (dn === null) {
        if (id !== null) throw config.error("ldap_id", "requires ldap_mech: PLAIN or EXTERNAL");
        return { kind: "anonymous" };
      }
      // A server may accept a DN without a password as an anonymous bind and report success (RFC 4513 section 5.1.2).
      if (password === "") throw config.error("ldap_password", "is required with ldap_bind_dn");
      return { kind: "simple", dn, password };
    default:
      throw config.error("ldap_mech", "only EXTERNAL and PLAIN are supported; unset it for a simple bind");
  }
}

function readTls(config: ConfigReader): TlsOptions {
  const ciphers = config.string("ldap_ciphers");
  if (ciphers !== null) {
    try {
      createSecureContext({ ciphers });
    } catch {
      throw config.error("ldap_ciphers", "is not a list of ciphers in the notation of OpenSSL");
    }
  }
  const certificateFile = config.path("ldap_client_cert");
  const keyFile = config.path("ldap_client_key");
  if (certificateFile !== null && keyFile === null)
    throw config.error("ldap_client_key", "is required with ldap_client_cert");
  if (keyFile !== null && certificateFile === null)
    throw config.error("ldap_client_cert", "is required with ldap_client_key");
  return {
    verifyPeer: config.switch("ldap_verify_peer"),
    files: { caFile: config.path("ldap_ca_file"), caDirectory: config.path("ldap_ca_dir"), certificateFile, keyFile },
    ciphers,
  };
}
