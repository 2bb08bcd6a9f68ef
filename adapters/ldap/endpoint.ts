/** Address of a directory server: one URL of ldap_uri. */
export interface LdapEndpoint {
  /** As written in the configuration; used in messages. */
  readonly uri: string;
  readonly address: { readonly path: string } | { readonly host: string; readonly port: number };
  /** ldaps: TLS from the first octet. */
  readonly isTls: boolean;
  /** Whether the connection stays on this machine, so that clear text does not disclose a password. */
  readonly isLocal: boolean;
}

/** The socket of Debian's slapd with "ldapi:///". */
const DEFAULT_SOCKET = "/var/run/slapd/ldapi";
const DEFAULT_PORTS: Readonly<Record<string, number>> = { "ldap:": 389, "ldaps:": 636 };

/** "ldap://host:port", "ldaps://host", "ldapi://%2Fpath" (or "ldapi:///path"); else a description of the error. */
export function parseEndpoint(uri: string): LdapEndpoint | string {
  if (/^ldapi:/i.test(uri)) return parseSocket(uri);
  let url: URL;
  try {
    url = new URL(uri);
  } catch {
    return "is not a URL such as ldap://host, ldaps://host:636 or ldapi://%2Fpath";
  }
  const defaultPort = DEFAULT_PORTS[url.protocol];
  if (defaultPort === undefined) return "must begin with ldap://, ldaps:// or ldapi://";
  if (url.hostname === "") return "has no host";
  if (url.username !== "" || url.password !== "") return "contains a login; use ldap_bind_dn and ldap_password";
  if (!["", "/"].includes(url.pathname) || url.search !== "") return "contains more than a host and a port";
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return {
    uri,
    address: { host, port: url.port === "" ? defaultPort : Number(url.port) },
    isTls: url.protocol === "ldaps:",
    isLocal: host === "localhost" || host === "::1" || host.startsWith("127."),
  };
}

function parseSocket(uri: string): LdapEndpoint | string {
  const match = /^ldapi:\/\/([^/?]*)(\/[^?]*)?$/i.exec(uri);
  if (match === null) return "must have the form ldapi://%2Fpath";
  const [, encoded = "", plain = "/"] = match;
  let path: string;
  try {
    path = decodeURIComponent(encoded === "" ? plain : encoded);
  } catch {
    return "has a malformed % in its path";
  }
  if (encoded !== "" && plain !== "/") return "contains two paths";
  if (!path.startsWith("/")) return "must contain the absolute path of a socket, with %2F for each /";
  return { uri, address: { path: path === "/" ? DEFAULT_SOCKET : path }, isTls: false, isLocal: true };
}
