/**
 * One authenticated IMAP connection; the only file that depends on imapflow. The library has one command in flight at a
 * time and is written for mail clients. Members that its declarations omit are declared here and checked before first
 * use.
 *
 * The library discards exceptions of handlers of untagged responses, so these handlers only collect. It also skips
 * lines that it cannot parse and reports them only in its log, so the log is evaluated.
 */
import { ImapFlow, type Logger } from "imapflow";
import { LoginError, readTlsFiles, TIMER_MAX } from "../../src/store/kit/index.ts";
import { StoreError } from "../../src/store/store.ts";
import { type ImapServer, TLS_KEYS } from "./options.ts";

/** An argument or a part of a response: text, NIL or a list. Literals are decoded as UTF-8. */
export type Value = string | null | readonly Value[];

/** An untagged response. */
export interface Response {
  /** In upper case, such as "QUOTA". */
  readonly name: string;
  readonly values: readonly Value[];
}

/** Completion of a command; any other outcome is an error. */
export type Completion =
  | { readonly status: "OK"; readonly responses: readonly Response[] }
  /** @param code response code such as NONEXISTENT (RFC 5530), null without one */
  | { readonly status: "NO"; readonly text: string; readonly code: string | null };

export interface ConnectOptions {
  /** Milliseconds until the connection is authenticated. */
  readonly connectTimeout: number;
  /** Milliseconds for a command; the connection is then closed, because a late answer could match the next command. */
  readonly commandTimeout: number;
  /** Called once, when the connection has ended for any reason. */
  readonly onLost: () => void;
}

type Attribute =
  | { readonly type: "STRING"; readonly value: string }
  | { readonly type: "LITERAL"; readonly value: Buffer };

type Token =
  | { readonly value: string | Buffer; readonly section?: readonly Token[] }
  | readonly Token[]
  | null
  | undefined;

/** An entry of imapflow's log; with `src` "s", a line of the server that was skipped. */
interface LogEntry {
  readonly src?: string;
  /** The beginning of the line. */
  readonly msg?: string;
}

interface Untagged {
  readonly attributes?: readonly Token[];
}

/** Members of imapflow's client that its declarations omit or narrow. */
interface ClientInternals {
  /** The commands that the client sends by itself are looked up here; missing ones are not sent. */
  commands: ReadonlyMap<string, unknown>;
  exec(
    command: string,
    attributes: readonly Attribute[],
    options: { readonly untagged: Readonly<Record<string, (response: Untagged) => void>> },
  ): Promise<{ next(): void }>;
  readonly socket: { setKeepAlive(enabled: boolean, delay: number): unknown } | null | false;
  /** The text of the server's BYE. */
  readonly byeReason?: string;
}

type Client = Pick<ImapFlow, "connect" | "logout" | "close" | "on"> & ClientInternals;

/** An error of imapflow; for a tagged NO or BAD it contains the response. */
interface CommandError {
  readonly code?: string;
  readonly reason?: string;
  readonly responseStatus?: string;
  readonly responseText?: string;
  readonly response?: Untagged & { readonly tag?: string };
  readonly authenticationFailed?: boolean;
  /** Response code of a refused login. */
  readonly serverResponseCode?: string;
}

/** Commands that the client may send by itself; ID, NAMESPACE, COMPRESS, ENABLE and IDLE are disabled. */
const SESSION_COMMANDS = ["CAPABILITY", "STARTTLS", "AUTHENTICATE", "LOGIN", "LOGOUT"];
/** Response codes (RFC 5530, RFC 9051) of login refusals that do not depend on the password. */
const TRANSIENT_REFUSALS: ReadonlySet<string> = new Set(["UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG"]);
/** Milliseconds for LOGOUT on a connection that is no longer needed. */
const LOGOUT_TIMEOUT = 5_000;
/** Maximum octets of a line or literal; a response may have twice as many. */
const LINE_MAX = 2 ** 20;
/** Characters of an unparsable line in an error message. */
const LINE_SHOWN = 80;

export class ImapConnection {
  readonly #client: Client;
  readonly #options: ConnectOptions;
  #loss: StoreError | null = null;
  /** Cause of the imminent loss of the connection, if known. */
  #reason: string | null = null;
  readonly #skipped: SkippedLines;

  private constructor(client: Client, skipped: SkippedLines, options: ConnectOptions) {
    this.#client = client;
    this.#skipped = skipped;
    this.#options = options;
    client.on("error", (error: Error) => {
      this.#reason ??= describe(error);
    });
    client.on("close", () => {
      const reason = this.#reason ?? client.byeReason ?? "the server closed it";
      this.#loss ??= new StoreError("unavailable", `imap: the connection was lost: ${reason}`);
      options.onLost();
    });
  }

  /** Connects, negotiates TLS and logs in. Rejects with StoreError, after the socket is closed. */
  static async open(server: ImapServer, options: ConnectOptions, signal: AbortSignal): Promise<ImapConnection> {
    const skipped = new SkippedLines();
    const tls = server.security === "plain" ? {} : await readTlsFiles(server.tls, TLS_KEYS, "imap");
    const client = createClient(server, options, tls, skipped);
    const connection = new ImapConnection(client, skipped, options);
    const giveUp = () => client.close();
    const timer = setTimeout(() => {
      connection.#reason ??= `not connected within ${options.connectTimeout} ms`;
      client.close();
    }, options.connectTimeout);
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      if (signal.aborted) giveUp();
      await client.connect();
      if (client.socket) client.socket.setKeepAlive(server.keepAlive.enabled, server.keepAlive.idle);
      return connection;
    } catch (error) {
      // The library leaves the socket open after a failed login.
      client.close();
      throw refusal(error, server, connection.#reason);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
    }
  }

  /**
   * Sends one command and collects the untagged responses with the given names. Rejects with StoreError unless the
   * command completes with OK or NO; the connection is then closed, except after a tagged BAD. An OK after an
   * unparsable line also rejects, because that line may have been one of these responses.
   */
  async command(
    name: string,
    args: readonly string[] = [],
    responseNames: readonly string[] = [],
  ): Promise<Completion> {
    const found: { readonly name: string; readonly tokens: readonly Token[] }[] = [];
    const collector = (name: string) => (response: Untagged) => {
      found.push({ name, tokens: response.attributes ?? [] });
    };
    const untagged = Object.fromEntries(responseNames.map((each) => [each, collector(each)]));
    const skippedBefore = this.#skipped.count;
    const timer = setTimeout(() => {
      this.#end(new StoreError("timeout", `imap: no answer to ${name} within ${this.#options.commandTimeout} ms`));
    }, this.#options.commandTimeout);
    try {
      const { next } = await this.#client.exec(name, args.map(encodeArgument), { untagged });
      next();
    } catch (error) {
      return this.#completion(name, error as CommandError);
    } finally {
      clearTimeout(timer);
    }
    if (this.#skipped.count > skippedBefore) {
      throw new StoreError("invalid-data", `imap: in the answer to ${name}, a line is not IMAP: ${this.#skipped.last}`);
    }
    return { status: "OK", responses: found.map(({ name, tokens }) => ({ name, values: valuesOf(tokens) })) };
  }

  /** Whether the connection has ended. */
  get isLost(): boolean {
    return this.#loss !== null;
  }

  /** Logs out and closes the connection after the commands in flight. */
  retire(): void {
    const timer = setTimeout(() => this.close(), LOGOUT_TIMEOUT);
    const end = () => {
      clearTimeout(timer);
      this.close();
    };
    this.#client.logout().then(end, end);
  }

  /** Closes the connection immediately. */
  close(): void {
    this.#end(new StoreError("unavailable", "imap: the connection was closed"));
  }

  #end(loss: StoreError): void {
    this.#loss ??= loss;
    this.#client.close();
  }

  #completion(name: string, error: CommandError): Completion {
    const { responseStatus, responseText: text = "", response, code } = error;
    // A tagged response has a tag; the library also converts stray lines and throttling into errors with a code.
    const isTagged = response?.tag !== undefined && code === undefined;
    if (isTagged && responseStatus === "NO") return { status: "NO", text, code: responseCode(response) };
    if (isTagged && responseStatus === "BAD") {
      throw new StoreError("denied", `imap: the server rejected ${name} (BAD): ${text}`);
    }
    this.#end(new StoreError("unavailable", `imap: ${name} failed: ${describe(error)}`));
    throw this.#loss;
  }
}

/** The client's logger. It records only the lines that the client skipped. */
class SkippedLines implements Logger {
  count = 0;
  /** The beginning of the last skipped line. */
  last = "";

  error({ src, msg = "" }: LogEntry): void {
    if (src !== "s") return;
    this.count++;
    this.last = msg.slice(0, LINE_SHOWN);
  }

  debug(): void {}

  info(): void {}

  warn(): void {}

  /** false: the client does not build log entries. */
  isLevelEnabled(): boolean {
    return false;
  }
}

/** @throws StoreError if the installed imapflow lacks a member that is used here */
export function checkLibrary(client: object = new ImapFlow({ logger: false })): void {
  const { exec, commands, connect, logout, close } = client as Partial<Client>;
  const isComplete = [exec, connect, logout, close].every((member) => typeof member === "function");
  if (!isComplete || !(commands instanceof Map) || !SESSION_COMMANDS.every((name) => commands.has(name))) {
    throw new StoreError(
      "internal",
      "imap: this version of the package imapflow is not supported: install the version that package.json requires",
    );
  }
}

function createClient(server: ImapServer, options: ConnectOptions, tls: object, logger: Logger): Client {
  const { host, port, security, login } = server;
  const client = new ImapFlow({
    host,
    port,
    secure: security === "tls",
    ...(security === "tls" ? {} : { doSTARTTLS: security === "starttls" }),
    auth: {
      user: login.user,
      pass: login.password,
      // Only PLAIN has an authorization identity; imapflow would fall back to AUTH=LOGIN or LOGIN if PLAIN is not
      // offered.
      ...(login.userid === null ? {} : { authzid: login.userid, loginMethod: "AUTH=PLAIN" }),
    },
    tls,
    logger,
    disableCompression: true,
    disableAutoEnable: true,
    disableAutoIdle: true,
    connectionTimeout: options.connectTimeout,
    greetingTimeout: options.connectTimeout,
    // The library closes idle connections after this time; these connections are kept alive and have other deadlines.
    socketTimeout: TIMER_MAX,
    maxLineLength: LINE_MAX,
    maxLiteralSize: LINE_MAX,
    maxResponseSize: 2 * LINE_MAX,
  }) as unknown as Client;
  const allowed = SESSION_COMMANDS.filter((name) => login.userid === null || name !== "LOGIN");
  client.commands = new Map([...client.commands].filter(([name]) => allowed.includes(name)));
  return client;
}

/** Printable text is sent as a quoted string, all else as a literal: no argument can terminate the command. */
function encodeArgument(text: string): Attribute {
  return /^[\x20-\x7e]*$/.test(text)
    ? { type: "STRING", value: text }
    : { type: "LITERAL", value: Buffer.from(text, "utf8") };
}

function valuesOf(tokens: readonly Token[]): Value[] {
  return tokens.map((token) => {
    if (token === null || token === undefined) return null;
    if (isList(token)) return valuesOf(token);
    return typeof token.value === "string" ? token.value : token.value.toString("utf8");
  });
}

function isList(token: Exclude<Token, null | undefined>): token is readonly Token[] {
  return Array.isArray(token);
}

function responseCode(response: Untagged): string | null {
  const [first] = response.attributes ?? [];
  if (first === null || first === undefined || isList(first)) return null;
  const [code] = first.section ?? [];
  if (code === null || code === undefined || isList(code)) return null;
  return String(code.value).toUpperCase();
}

/** The StoreError for a connection that failed to open. The message never contains a password. */
function refusal(error: unknown, server: ImapServer, reason: string | null): StoreError {
  const failure = error as CommandError;
  const { user, userid } = server.login;
  if (failure.authenticationFailed === true) {
    const identity = userid === null ? user : `${user} as ${userid}`;
    // Without a response text, the server offered no usable authentication mechanism.
    const isUnattempted = failure.responseText === undefined && server.security === "plain";
    const hint = isUnattempted ? " in clear text; see /starttls and /tls" : "";
    const text = failure.responseText ?? describe(error);
    const message = `imap: login of ${identity} refused${hint}: ${text}`;
    if (!isCredentialRefusal(failure)) return new StoreError("denied", message, { cause: error });
    const keys = userid === null ? "" : ", smmap_imap_userid";
    const advice = `check smmap_imap_authname${keys} and smmap_imap_password`;
    return new LoginError(`${message}; ${advice}`, { cause: error });
  }
  return new StoreError("unavailable", `imap: ${reason ?? describe(error)}`, { cause: error });
}

/**
 * Whether the server refuses the account or its password. It also answers NO if too many connections are open (Cyrus
 * by text, others by LIMIT) or if its authentication service is down (RFC 5530); neither means a wrong password.
 */
function isCredentialRefusal({ responseText, serverResponseCode = "" }: CommandError): boolean {
  if (responseText === undefined || /^Too many open connections/i.test(responseText)) return false;
  return !TRANSIENT_REFUSALS.has(serverResponseCode.toUpperCase());
}

/** The most specific text of an error; a failed connection to several addresses has no message of its own. */
function describe(error: unknown): string {
  const { message, code, reason, errors } = error as CommandError & { message?: string; errors?: readonly Error[] };
  const text = message || errors?.map((each) => each.message).join("; ") || code || String(error);
  return reason === undefined ? text : `${text}: ${reason}`;
}
