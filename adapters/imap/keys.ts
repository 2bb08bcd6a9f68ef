import type { KeyDefinition } from "../../src/store/store.ts";

/** The imap store. */
export const imapKeys: readonly KeyDefinition[] = [
  {
    name: "smmap_imap_server",
    type: "string",
    default: "localhost:143",
    text: "The servers, separated by white space: host[:port], an IPv6 address in brackets, with /tls, /starttls or /plain at the end if need be. Without that, port 993 means TLS, the loopback clear text, and all else STARTTLS. They hold the same mailboxes; the first is preferred. That a mailbox is absent is taken from the first alone, and from those with /complete behind the name, which never lag behind it; from the others it is a temporary failure.",
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
    text: "Its password. Unset, it is HOST_password, where HOST is the server's name up to its first dot, and failing that proxy_password.",
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
    text: "Whose rights count for posting to a shared folder. anyone: those of anyone and anonymous, as in Cyrus' own smmapd, read by GETACL. login: those of the account, read by MYRIGHTS.",
  },
  {
    name: "smmap_imap_exact_quota",
    type: "switch",
    default: "no",
    text: "IMAP shows storage in whole units of 1024 octets, rounded down, so that a usage shown as just the limit may be up to 1023 octets over it. no: that is within the limit. yes: in that case the exact size is asked for, which takes a server of Cyrus and a command for each mailbox of the quota root.",
  },
  {
    name: "smmap_imap_murder",
    type: "choice",
    default: "auto",
    values: ["auto", "frontend", "backend", "unified"],
    text: "What the servers are, where they belong to a Cyrus murder. auto: frontends; a server that proves to be a backend is refused, because it knows only its own mailboxes, and from one that cannot be told from a backend (it takes no GETMETADATA) no absence is believed. frontend: such a server is a frontend. backend: backends are meant, and hold every mailbox that is asked for. unified: each server of the murder is both.",
  },
  {
    name: "smmap_pool_max",
    type: "integer",
    default: "16",
    text: "Connections of the imap store while a backend of a murder hangs: once a look-up takes longer than an eighth of smmap_query_timeout, up to so many are opened for those that wait. Slow look-ups get no more than half of them. Connections beyond smmap_pool_size are closed again when they are not used. Unset, it is twice smmap_pool_size if that is more.",
  },
  {
    name: "proxy_authname",
    type: "string",
    default: "proxy",
    text: "The account to log in with, where smmap_imap_authname is unset.",
  },
  {
    name: "proxy_password",
    type: "string",
    default: null,
    secret: true,
    text: "The password, where neither smmap_imap_password nor HOST_password is set.",
  },
  {
    name: "client_timeout",
    type: "duration",
    default: "10s",
    text: "How long it may take to connect and log in. smmap_query_timeout bounds the whole look-up.",
  },
  {
    name: "tls_server_ca_file",
    type: "path",
    default: null,
    text: "File of CA certificates (PEM) to verify the servers with. Unset, as well as tls_server_ca_dir, those of Node.js count.",
  },
  { name: "tls_server_ca_dir", type: "path", default: null, text: "Directory of such certificates." },
  {
    name: "tls_client_cert",
    type: "string",
    default: null,
    text: "File of our certificate (PEM), or disabled.",
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
    text: "How long a connection is idle before it is probed; 0 leaves it to the system.",
  },
];
