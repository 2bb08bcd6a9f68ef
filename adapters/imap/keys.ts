import type { KeyDefinition } from "../../src/store/store.ts";

/** Options of the imap store. */
export const imapKeys: readonly KeyDefinition[] = [
  {
    name: "smmap_imap_server",
    type: "string",
    default: "localhost:143",
    text: "The servers, separated by white space: host[:port], with an IPv6 address in brackets, optionally followed by /tls, /starttls or /plain. Without that, port 993 means TLS, the loopback clear text, and everything else STARTTLS. All servers have the same mailboxes; the first is preferred. The absence of a mailbox counts from the first server, and from servers with /complete after the name, which never lag behind it; from the others it is a temporary failure.",
  },
  {
    name: "smmap_imap_authname",
    type: "string",
    default: null,
    text: "The account to log in with, one of the server's admins. Unset, it is proxy_authname.",
  },
  {
    name: "smmap_imap_password",
    type: "string",
    default: null,
    secret: true,
    text: "The password of the account. Unset, it is HOST_password, where HOST is the server's name up to its first dot; without that, proxy_password.",
  },
  {
    name: "smmap_imap_userid",
    type: "string",
    default: null,
    text: "The user to act as (SASL authorization identity). Unset, it is the account itself.",
  },
  {
    name: "smmap_imap_post_identity",
    type: "choice",
    default: "anyone",
    values: ["anyone", "login"],
    text: "The identity whose rights decide about posting to a shared folder. anyone: those of anyone and anonymous, as in Cyrus' own smmapd, read by GETACL. login: those of the account, read by MYRIGHTS.",
  },
  {
    name: "smmap_imap_exact_quota",
    type: "switch",
    default: "no",
    text: "IMAP shows storage in units of 1024 octets, rounded down, so a usage that is shown as equal to the limit may exceed it by up to 1023 octets. no: such a usage is within the limit. yes: in that case the exact size is read, which requires a Cyrus server and takes a command for each mailbox of the quota root.",
  },
  {
    name: "smmap_imap_murder",
    type: "choice",
    default: "auto",
    values: ["auto", "frontend", "backend", "unified"],
    text: "The kind of the servers in a Cyrus murder. auto: frontends; a server that is recognized as a backend is refused, because it has only its own mailboxes, and absences from a server that cannot be distinguished from a backend (no GETMETADATA) do not count. frontend: such a server is a frontend. backend: the servers are backends, and have every mailbox that is requested. unified: each server of the murder is both.",
  },
  {
    name: "smmap_pool_max",
    type: "integer",
    default: "16",
    text: "Connections of the imap store while a backend of a murder hangs: once a look-up takes longer than an eighth of smmap_query_timeout, up to this number are opened for waiting look-ups. Slow look-ups get at most half of them. Connections beyond smmap_pool_size are closed when they are not used. Unset, it is twice smmap_pool_size if that is more.",
  },
  {
    name: "proxy_authname",
    type: "string",
    default: "proxy",
    text: "The account to log in with, if smmap_imap_authname is unset.",
  },
  {
    name: "proxy_password",
    type: "string",
    default: null,
    secret: true,
    text: "The password, if neither smmap_imap_password nor HOST_password is set.",
  },
  {
    name: "client_timeout",
    type: "duration",
    default: "10s",
    text: "Time limit for connecting and logging in. smmap_query_timeout limits the whole look-up.",
  },
  {
    name: "tls_server_ca_file",
    type: "path",
    default: null,
    text: "File of CA certificates (PEM) to verify the servers with. If this and tls_server_ca_dir are unset, those of Node.js are used.",
  },
  { name: "tls_server_ca_dir", type: "path", default: null, text: "Directory of CA certificates (PEM)." },
  {
    name: "tls_client_cert",
    type: "string",
    default: null,
    text: "File of the client certificate (PEM), or disabled.",
  },
  {
    name: "tls_client_key",
    type: "string",
    default: null,
    text: "File of its private key (PEM), or disabled.",
  },
  { name: "tcp_keepalive", type: "switch", default: "no", text: "Probe idle connections to the servers." },
  {
    name: "tcp_keepalive_idle",
    type: "duration",
    default: "0",
    text: "Idle time of a connection before it is probed; 0: the default of the system.",
  },
];
