/**
 * One IMAP connection, logged in: the only file that knows imapflow. The library keeps one command in flight and was
 * made for mail clients; what we use of it beyond its declarations is declared here and checked before the first use.
 *
 * Two of its habits matter: it swallows what a handler of untagged responses throws, so they are only collected here;
 * and it skips lines that it cannot parse, which only its log tells of, so that is listened to.
 */
import { ImapFlow, type Logger } from "imapflow";
import { LoginError, readTlsFiles, TIMER_MAX } from "../../src/store/kit/index.ts";
import { StoreError } from "../../src/store/store.ts";
import { type ImapServer, TLS_KEYS } from "./options.ts";

/** An argument or a part of a response: text, NIL, a list. Bytes of a literal are read as UTF-8. */
export type Value = string | null | readonly Value[];

/** An untagged response. */
export interface Response {
  /** In upper case, such as "QUOTA". */
  readonly name: string;
  readonly values: readonly Value[];
}

/** How a command ended; what is neither of these is an error. */
export type Completion =
  | { readonly status: "OK"; readonly responses: readonly Response[] }
  /** @param code response code such as NONEXISTENT (RFC 5530), null without one */
  | { readonly status: "NO"; readonly text: string; readonly code: string | null };

export interface ConnectOptions {
  /** Milliseconds for everything until the login is done. */
  readonly connectTimeout: number;
  /** Milliseconds that a command may take; then the connection is given up, for a late answer could be taken for another. */
  readonly commandTimeout: number;
  /** Called once, when the connection is gone for whatever reason. */
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

/** An entry of imapflow's log: a line of the server's that was skipped, if `src` is "s". */
interface LogEntry {
  readonly src?: string;
  /** The beginning of the line. */
  readonly msg?: string;
}

interface Untagged {
  readonly attributes?: readonly Token[];
}

/** Members of imapflow's client that its declarations leave out or narrow. */
interface ClientInternals {
  /** Commands that the client sends of its own accord are looked up here; those that are missing are left out. */
  commands: ReadonlyMap<string, unknown>;
  exec(
    command: string,
    attributes: readonly Attribute[],
    options: { readonly untagged: Readonly<Record<string, (response: Untagged) => void>> },
  ): Promise<{ next(): void }>;
  readonly socket: { setKeepAlive(enabled: boolean, delay: number): unknown } | null | false;
  /** What the server said on its way out. */
  readonly byeReason?: string;
}

type Client = Pick<ImapFlow, "connect" | "logout" | "close" | "on"> & ClientInternals;

/** An error of imapflow: for a tagged NO or BAD it holds the response. */
interface CommandError {
  readonly code?: string;
  readonly reason?: string;
  readonly responseStatus?: string;
  readonly responseText?: string;
  readonly response?: Untagged & { readonly tag?: string };
  readonly authenticationFailed?: boolean;
  /** Response code of a login that was refused. */
  readonly serverResponseCode?: string;
}

/** What may be sent without being asked for: no ID, NAMESPACE, COMPRESS, ENABLE, IDLE. */
const SESSION_COMMANDS = ["CAPABILITY", "STARTTLS", "AUTHENTICATE", "LOGIN", "LOGOUT"];
/** Response codes (RFC 5530, RFC 9051) of a login that is refused whatever the password is. */
const PASSING_REFUSALS: ReadonlySet<string> = new Set(["UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG"]);
/** Milliseconds for the farewell of a connection that is not wanted any more. */
const LOGOUT_TIMEOUT = 5_000;
/** Octets; what a server may send in one line or literal, and in one response. */
const LINE_MAX = 2 ** 20;
/** Characters of a line that are shown where it cannot be parsed. */
const LINE_SHOWN = 80;

export class ImapConnection {
  readonly #client: Client;
  readonly #options: ConnectOptions;
  #loss: StoreError | null = null;
  /** Why the connection is about to be lost, when something said so. */
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

  /** Connects, secures and logs in. Rejects with StoreError, after everything it made is gone. */
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
      // After a failed login the library leaves the socket open.
      client.close();
      throw refusal(error, server, connection.#reason);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
    }
  }

  /**
   * Sends one command and collects the untagged responses of some names. Everything but OK and NO rejects, and unless
   * it was a tagged BAD, the connection is gone then. So does an OK after a line that could not be parsed, for it may
   * have been one of these responses.
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

  /** Whether the connection is gone. */
  get isLost(): boolean {
    return this.#loss !== null;
  }

  /** Ends the connection after what is in flight on it. */
  retire(): void {
    const timer = setTimeout(() => this.close(), LOGOUT_TIMEOUT);
    const end = () => {
      clearTimeout(timer);
      this.close();
    };
    this.#client.logout().then(end, end);
  }

  /** Ends the connection at once. */
  close(): void {
    this.#end(new StoreError("unavailable", "imap: the connection was closed"));
  }

  #end(loss: StoreError): void {
    this.#loss ??= loss;
    this.#client.close();
  }

  #completion(name: string, error: CommandError): Completion {
    const { responseStatus, responseText: text = "", response, code } = error;
    // Only a tagged response has its tag; the library also turns stray lines and throttling into errors with a code.
    const isTagged = response?.tag !== undefined && code === undefined;
    if (isTagged && responseStatus === "NO") return { status: "NO", text, code: responseCode(response) };
    if (isTagged && responseStatus === "BAD") {
      throw new StoreError("denied", `imap: the server does not take ${name}: ${text}`);
    }
    this.#end(new StoreError("unavailable", `imap: ${name} failed: ${describe(error)}`));
    throw this.#loss;
  }
}

/** The log that the client gets: all that it keeps is what the client says of lines that it skips. */
class SkippedLines implements Logger {
  count = 0;
  /** The beginning of the last one. */
  last = "";

  error({ src, msg = "" }: LogEntry): void {
    if (src !== "s") return;
    this.count++;
    this.last = msg.slice(0, LINE_SHOWN);
  }

  debug(): void {}

  info(): void {}

  warn(): void {}

  /** Spares the client the making of entries. */
  isLevelEnabled(): boolean {
    return false;
  }
}

/** @throws StoreError where the installed imapflow lacks what we use of it */
export function checkLibrary(client: object = new ImapFlow({ logger: false })): void {
  const { exec, commands, connect, logout, close } = client as Partial<Client>;
  const isComplete = [exec, connect, logout, close].every((member) => typeof member === "function");
  if (!isComplete || !(commands instanceof Map) || !SESSION_COMMANDS.every((name) => commands.has(name))) {
    throw new StoreError(
      "internal",
      "imap: this version of the package imapflow is not the one that the store was made for",
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
      // PLAIN alone can say on whose behalf; imapflow would take AUTH=LOGIN or LOGIN where PLAIN is not offered.
      ...(login.userid === null ? {} : { authzid: login.userid, loginMethod: "AUTH=PLAIN" }),
    },
    tls,
    logger,
    disableCompression: true,
    disableAutoEnable: true,
    disableAutoIdle: true,
    connectionTimeout: options.connectTimeout,
    greetingTimeout: options.connectTimeout,
    // It closes idle connections after this time; ours are kept alive and have deadlines of their own.
    socketTimeout: TIMER_MAX,
    maxLineLength: LINE_MAX,
    maxLiteralSize: LINE_MAX,
    maxResponseSize: 2 * LINE_MAX,
  }) as unknown as Client;
  const allowed = SESSION_COMMANDS.filter((name) => login.userid === null || name !== "LOGIN");
  client.commands = new Map([...client.commands].filter(([name]) => allowed.includes(name)));
  return client;
}

/** Printable text goes as a quoted string, all else as a literal: no argument can end the command. */
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

/** Why a connection did not come about, as an error of ours. Never holds a password: it is in none of these texts. */
function refusal(error: unknown, server: ImapServer, reason: string | null): StoreError {
  const failure = error as CommandError;
  const { user, userid } = server.login;
  if (failure.authenticationFailed === true) {
    const who = userid === null ? user : `${user} as ${userid}`;
    // Without words of the server it offered nothing that we could log in by.
    const isUnasked = failure.responseText === undefined && server.security === "plain";
    const hint = isUnasked ? " in clear text; see /starttls and /tls" : "";
    const words = failure.responseText ?? describe(error);
    const message = `imap: login of ${who} refused${hint}: ${words}`;
    if (!isCredentialRefusal(failure)) return new StoreError("denied", message, { cause: error });
    const keys = userid === null ? "" : ", smmap_imap_userid";
    const advice = `check smmap_imap_authname${keys} and smmap_imap_password`;
    return new LoginError(`${message}; ${advice}`, { cause: error });
  }
  return new StoreError("unavailable", `imap: ${reason ?? describe(error)}`, { cause: error });
}

/**
 * Whether the server refuses the account or its password. It also answers NO where too many connections are open (Cyrus
 * by text, others by LIMIT) or the part that verifies passwords is down (RFC 5530), and neither counts as a wrong password.
 */
function isCredentialRefusal({ responseText, serverResponseCode = "" }: CommandError): boolean {
  if (responseText === undefined || /^Too many open connections/i.test(responseText)) return false;
  return !PASSING_REFUSALS.has(serverResponseCode.toUpperCase());
}

/** The most telling words of an error; a failed connection to several addresses has no message of its own. */
function describe(error: unknown): string {
  const { message, code, reason, errors } = error as CommandError & { message?: string; errors?: readonly Error[] };
  const said = message || errors?.map((each) => each.message).join("; ") || code || String(error);
  return reason === undefined ? said : `${said}: ${reason}`;
}
