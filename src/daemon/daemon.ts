/**
 * Life of the process: who started it, the sockets it gets, signals, reload, end. With main.ts the only place that
 * touches `process`.
 */
import { accessSync, constants } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { LogSettings } from "../config/settings.ts";
import { exit, exitStatusOf, type Io } from "../io.ts";
import { type LogOptions, ProcessLog } from "../log/log.ts";
import { Tally } from "../metrics/tally.ts";
import { Observation } from "../monitor/endpoints.ts";
import { Reporter } from "../monitor/status-report.ts";
import { type ConnectionObserver, Server } from "../net/server.ts";
import { ConfigError, type Log } from "../store/store.ts";
import { debugCommand, runDebugger } from "./debug-command.ts";
import { fitOpenFiles, openFilesMax } from "./fd-limit.ts";
import type { Master } from "./launch/cyrus-master.ts";
import { findStart, type Start } from "./launch/launcher.ts";
import { type StandardInput, standardClient, standardInput } from "./launch/stdio-client.ts";
import { logOptions } from "./log-options.ts";
import { openSockets } from "./open-sockets.ts";
import { chooseIdentity, dropPrivileges, type Identity } from "./privileges.ts";
import { OwnFile } from "./program-watch.ts";
import { Uses } from "./recycling.ts";
import { Reload } from "./reload-queue.ts";
import { restartWarnings } from "./restart-required.ts";
import { type Configuration, readConfiguration, type Service, startService } from "./service.ts";
import { type Ending, Endings } from "./shutdown.ts";
import { heedSignals } from "./signals.ts";
import { socketRights } from "./socket-permissions.ts";
import { Systemd } from "./systemd-notify.ts";
import type { Primary } from "./workers/primary-channel.ts";
import { Workers } from "./workers/supervisor.ts";

export interface LifeOptions {
  /** Path of imapd.conf (-C). */
  readonly configFile: string;
  /** Connections after which to end (-U); null: 250 under master(8), else any number. */
  readonly uses: number | null;
  /** Seconds without a connection after which to end (-T), 0 for never; null: 60 under master(8), else never. */
  readonly timeout: number | null;
  /** Option -D: debug_command is run. */
  readonly isDebugged: boolean;
  /** Option -p: what follows the plus counts for nothing. */
  readonly skipPlus: boolean;
  /** Option -X: the client is on the standard input and output, whatever these are. */
  readonly isClientOnStdin: boolean;
}

/** Defaults of -U and -T (Cyrus master/service.h). */
const MAX_USE = 250;
const REUSE_TIMEOUT = 60;
/** Milliseconds that the original waits for its client to speak (imap/smmapd.c), so none counts on more. */
const PATIENCE = 360_000;
/** Milliseconds of silence after which no request is taken to be under way. */
const MOMENT = 1_000;
/** Milliseconds that a child of master's lives at least if it fails from the first. */
const LIFE_MIN = 10_000;

/**
 * Serves until it is told to end, or was used enough.
 * @param readOptions throws UsageError
 * @returns exit status
 * @throws UsageError, ConfigError before anything is served; where nobody would read that, it goes to the log instead
 */
export async function live(readOptions: () => LifeOptions, io: Io): Promise<number> {
  const life = new Life(io);
  try {
    return await life.run(readOptions);
  } finally {
    await life.end();
  }
}

class Life {
  readonly #io: Io;
  readonly #stdin: StandardInput;
  /** The shell of src/smmapd.sh. */
  readonly #shell: number | null;
  readonly #start: Start;
  readonly #master: Master | null;
  /** Not null: this is a worker. */
  readonly #primary: Primary | null;
  readonly #tally = new Tally();
  /** null: nothing is listened on yet. */
  #reporter: Reporter | null = null;
  readonly #processLog: ProcessLog;
  /** The same, and what goes wrong is remembered. */
  readonly #log: Log;
  readonly #systemd: Systemd;
  readonly #endings = new Endings();
  readonly #reload = new Reload();
  /** Milliseconds. */
  #drainTimeout = 0;
  /** What the sockets and the user are by; null: not read yet. */
  #begun: Configuration | null = null;
  /** Root has started us. */
  readonly #isRoots = process.getuid?.() === 0;
  /** A client was accepted. */
  #hasServed = false;

  constructor(io: Io) {
    this.#io = io;
    this.#shell = io.env.SMMAPD_SHELL === String(process.ppid) ? process.ppid : null;
    this.#stdin = standardInput(io);
    this.#start = findStart(process, { env: io.env, stdin: this.#stdin, shell: this.#shell });
    this.#master = this.#start.by === "master" ? this.#start.master : null;
    this.#primary = this.#start.by === "primary" ? this.#start.primary : null;
    this.#processLog = new ProcessLog(this.#logOptions(null), { pid: process.pid, stderr: io.stderr, env: io.env });
    this.#log = this.#tally.recentProblems.record(this.#processLog);
    this.#systemd = new Systemd(io.env, process.pid, this.#log);
    // Before anything slow, so that an early signal is not the end of an unprepared process.
    this.#heed();
  }

  async run(readOptions: () => LifeOptions): Promise<number> {
    try {
      return await this.#serve(readOptions());
    } catch (error) {
      if (this.#isAttended) throw error;
      const status = exitStatusOf(error);
      this.#log.error(status === exit.software ? stackOf(error) : (error as Error).message);
      await this.#outlive();
      return status;
    }
  }

  /** Last words. */
  async end(): Promise<void> {
    this.#master?.reportUnavailable();
    this.#systemd.close();
    await this.#processLog.close();
    this.#primary?.leave();
  }

  async #serve(options: LifeOptions): Promise<number> {
    const isClient = this.#start.by === "client" || options.isClientOnStdin;
    const configuration = await this.#read(options);
    this.#begun = configuration;
    this.#processLog.adjust(this.#logOptions(configuration.settings.log));
    this.#log.debug("executed");
    if (options.isDebugged && this.#primary === null) await this.#debug(configuration.process.debugCommand);
    if (configuration.process.workers > 1 && this.#isOwnMaster && (options.uses ?? options.timeout) !== null) {
      throw new ConfigError("smmap_workers: options -U and -T are for a single process");
    }
    const server = new Server(null, this.#log, this.#watch(options, isClient));
    // Ports and folders may be root's alone, and nothing else is to be.
    const identity = chooseIdentity(configuration.process, process);
    // Nobody gets to a socket before it has its rights.
    process.umask(0o077);
    if (!isClient) await openSockets(server, this.#start, configuration, this.#log);
    const reporter = this.#reportOn(server);
    const observation = isClient ? null : await this.#observe(configuration, identity, reporter);
    if (identity !== null) {
      dropPrivileges(identity, process);
      this.#processLog.reopen();
      this.#warnOfSecrets(options);
    }
    let service = await this.#open(configuration, server, options);
    reporter.service = service;
    if (isClient) server.accept(standardClient(this.#io));
    this.#announce(server, service);
    const workers = this.#workers(server);
    reporter.others = workers;
    void this.#divide(workers, configuration);
    this.#reload.start(async () => {
      service = await this.#replace(service, server, options, workers);
      reporter.service = service;
    });
    const status = await this.#leave(server, workers);
    this.#reload.stop();
    observation?.close();
    await service.stack.close();
    return status;
  }

  async #read({ configFile }: LifeOptions): Promise<Configuration> {
    if (this.#master !== null && process.getuid?.() === 0) {
      throw new ConfigError("master(8) has started smmapd as root, and its services refuse to be that: see cyrus_user");
    }
    const { env } = this.#io;
    if (this.#primary === null) return await readConfiguration({ configFile, env });
    const conf = await this.#primary.conf();
    // The first process has warned of it.
    return { ...(await readConfiguration({ configFile, env, conf })), warnings: [] };
  }

  async #debug(format: string | null): Promise<void> {
    if (format === null) return;
    const command = debugCommand(format, process.argv[1] ?? "", process.pid, this.#io.env.CYRUS_SERVICE ?? "smmap");
    this.#log.debug(`running external debugger: ${command}`);
    this.#log.debug(`debugger returned exit status: ${await runDebugger(command)}`);
  }

  /** Has as many processes serve as the configuration says. */
  async #divide(workers: Workers | null, { conf, process: { workers: count } }: Configuration): Promise<void> {
    if (workers === null) return;
    try {
      await workers.configure(conf, count - 1);
    } catch (error) {
      // This process serves all the same.
      this.#log.error(`smmap_workers: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    if (count > 1) this.#log.notice(`${count} processes serve`);
  }

  /** null: no other process is ours to start. */
  #workers(server: Server): Workers | null {
    if (!this.#isOwnMaster) return null;
    const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    return new Workers({ command, env: this.#io.env, pid: process.pid, sockets: server.sockets }, this.#log);
  }

  #reportOn(server: Server): Reporter {
    const cpu = () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    };
    const host = { pid: process.pid, node: process.version, memory: residentMemory, cpu };
    this.#reporter = new Reporter({ tally: this.#tally, server, name: this.#io.env.CYRUS_SERVICE || "smmap", host });
    return this.#reporter;
  }

  #observe(
    { settings, process: own }: Configuration,
    identity: Identity | null,
    reporter: Reporter,
  ): Promise<Observation> {
    return Observation.open({
      // Of several processes the first serves metrics.
      settings: this.#primary === null ? settings : { ...settings, metricsListen: [] },
      isLasting: this.#master === null,
      pid: process.pid,
      uid: identity?.user.uid ?? null,
      gid: identity?.gid ?? null,
      owner: identity?.user.name ?? String(process.getuid?.()),
      rights: socketRights(settings.socketMode, own),
      reporter,
      log: this.#log,
    });
  }

  /** The configuration was read by root, and will be read again by somebody else. */
  #warnOfSecrets({ configFile }: LifeOptions): void {
    try {
      accessSync(configFile, constants.R_OK);
    } catch (error) {
      this.#log.warning(`SIGHUP will change nothing until the user of smmapd may read its configuration: ${error}`);
    }
  }

  /** Opens the store, and lets the server serve. */
  async #open(configuration: Configuration, server: Server, { skipPlus }: LifeOptions): Promise<Service> {
    const service = await startService(configuration, { skipPlus, tally: this.#tally, log: this.#log });
    this.#use(configuration, service, server);
    return service;
  }

  /** From here on the configuration is in force. Nothing here can fail. */
  #use(
    { settings, process: own }: Configuration,
    { socketmap: responder, policy: policyResponder }: Service,
    server: Server,
  ): void {
    this.#processLog.adjust(this.#logOptions(settings.log));
    const limits = fitOpenFiles(settings.limits, openFilesMax(), this.#log);
    server.settings = { responder, policyResponder, limits };
    this.#drainTimeout = own.drainTimeout;
  }

  /** Nobody else starts processes for these sockets. */
  get #isOwnMaster(): boolean {
    return this.#start.by === "person" || this.#start.by === "systemd";
  }

  /** Of beginning and end. Processes that others start come and go, and nobody wants to be told. */
  get #tell(): (message: string) => void {
    return this.#isAttended ? this.#log.notice : this.#log.debug;
  }

  /** A person may read what is written to the standard error output. */
  get #isAttended(): boolean {
    return this.#master === null && this.#primary === null && this.#stdin !== "socket";
  }

  #announce(server: Server, { settings, stack }: Service): void {
    const tell = this.#tell;
    tell(`store ${stack.store.name}: ${settings.store.reason}`);
    if (server.addresses.length === 0) {
      tell("serving the client on standard input; to listen instead, start with </dev/null");
    }
    for (const address of server.addresses) tell(`listening on ${address}`);
    this.#systemd.ready();
    this.#primary?.report("serving");
  }

  /** All or nothing: whatever may fail is done before the new configuration comes into force. */
  async #replace(old: Service, server: Server, options: LifeOptions, workers: Workers | null): Promise<Service> {
    try {
      const configuration = await this.#read(options);
      const service = await this.#prepare(configuration, options, workers);
      this.#use(configuration, service, server);
      for (const warning of this.#inVain(configuration)) this.#log.warning(warning);
      void old.stack.retire();
      await this.#divide(workers, configuration);
      this.#tell("configuration read again");
      this.#tally.reloaded("succeeded");
      this.#primary?.report("serving");
      return service;
    } catch (error) {
      this.#log.error(`the old configuration stays: ${error instanceof Error ? error.message : String(error)}`);
      this.#tally.reloaded("failed");
      this.#primary?.report("refused");
      return old;
    }
  }

  /** A service that is ready to answer, and the processes that are missing. @throws Error: there is nothing new then */
  async #prepare(configuration: Configuration, { skipPlus }: LifeOptions, workers: Workers | null): Promise<Service> {
    const service = await startService(configuration, { skipPlus, tally: this.#tally, log: this.#log });
    try {
      await workers?.prepare(configuration.process.workers - 1);
      return service;
    } catch (error) {
      void service.stack.close();
      throw error;
    }
  }

  /** Of several processes the first tells of it. */
  #inVain(now: Configuration): readonly string[] {
    return this.#begun === null || this.#primary !== null ? [] : restartWarnings(this.#begun, now, this.#isRoots);
  }

  /** Serves until it is time to end, and lets the clients go. @returns exit status */
  async #leave(server: Server, workers: Workers | null): Promise<number> {
    for (let ending = await this.#endings.next(); ; ) {
      this.#tell(`ending: ${ending.reason}`);
      this.#systemd.stopping();
      if (ending.status === exit.software && !this.#hasServed) await this.#outlive();
      this.#master?.reportUnavailable();
      const gone = Promise.all([this.#letGo(server, ending), workers?.end(ending.haste, this.#drainTimeout)]).then(
        () => null,
      );
      const hastier = await Promise.race([gone, this.#endings.next()]);
      if (hastier === null) return ending.status;
      ending = hastier;
    }
  }

  #letGo(server: Server, { haste }: Ending): Promise<void> {
    if (haste === "at once") return server.close();
    if (haste === "drain") return server.drain(MOMENT, this.#drainTimeout);
    const { idleTimeout } = server.settings.limits;
    return server.drain(Math.min(idleTimeout, PATIENCE), Number.POSITIVE_INFINITY);
  }

  /**
   * A child of master's that fails from the first stays for a while, counted as ready, so that master does not start one
   * after the other.
   */
  async #outlive(): Promise<void> {
    const rest = LIFE_MIN - process.uptime() * 1000;
    if (this.#master === null || rest <= 0) return;
    await Promise.race([delay(rest), this.#endings.next()]);
  }

  #watch({ uses, timeout }: LifeOptions, isClient: boolean): ConnectionObserver {
    const master = this.#master;
    const end = (reason: string) => this.#endings.want({ reason, haste: "unhurried", status: exit.ok });
    const count = new Uses({
      uses: uses ?? (master === null ? null : MAX_USE),
      timeout: timeout ?? (master === null ? null : REUSE_TIMEOUT),
      onEnough: end,
    });
    const program = master === null ? null : new OwnFile(process.argv[1] ?? "");
    return {
      opened: () => {
        this.#hasServed = true;
        master?.reportConnection();
        if (this.#isForsaken) this.#endings.want({ reason: "master is gone", haste: "drain", status: exit.ok });
        if (program?.hasChanged()) end("the program has changed");
        count.opened();
      },
      idle: () => {
        if (isClient) end("the client has hung up");
        else count.emptied();
      },
    };
  }

  /** Nobody is left who would end us, or start another in our place. */
  get #isForsaken(): boolean {
    return this.#master?.isGone === true || (this.#shell !== null && this.#shell !== process.ppid);
  }

  /** Signals, orders, mistakes. */
  #heed(): void {
    const endings = this.#endings;
    const role = this.#master !== null ? "service" : this.#primary !== null ? "worker" : "daemon";
    heedSignals(process, role, { endings, reload: this.#reload });
    process.on("uncaughtException", (error) => {
      this.#log.error(stackOf(error));
      endings.want({ reason: "internal error", haste: "at once", status: exit.software });
    });
    this.#primary?.serve({
      configure: this.#reload.request,
      end: (reason, haste) => endings.want({ reason, haste, status: exit.ok }),
      report: () => this.#reporter?.report() ?? null,
    });
    if (this.#shell !== null) process.kill(this.#shell, "SIGUSR1");
  }

  #logOptions(settings: LogSettings | null): LogOptions {
    return logOptions(settings, this.#io.env, this.#master !== null);
  }
}

/** null: Linux tells it in /proc, which a container or a chroot may lack. */
function residentMemory(): number | null {
  try {
    return process.memoryUsage.rss();
  } catch {
    return null;
  }
}

function stackOf(error: unknown): string {
  return `internal error: ${error instanceof Error ? error.stack : String(error)}`;
}
