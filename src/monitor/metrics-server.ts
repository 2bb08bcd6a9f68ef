/** HTTP server for monitoring: /metrics, /healthz (the process runs), /readyz (it can answer mail servers). */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type Listener, type ListenSource, listenWith, type SocketRights } from "../net/listener.ts";
import { loadWithPackage } from "../store/optional-package.ts";
import { ConfigError, type Log } from "../store/store.ts";
import type { Exposition } from "./prometheus.ts";
import type { StatusReporter } from "./status-report.ts";

export interface MetricsOptions {
  readonly rights: SocketRights;
  readonly reporter: StatusReporter;
  readonly log: Log;
}

interface Answer {
  readonly status: number;
  readonly type?: string;
  readonly body: string;
}

type Page = () => Answer | Promise<Answer>;

const PLAIN = "text/plain; charset=utf-8";
const CONNECTIONS_MAX = 64;
/** Milliseconds for a whole request, and until an idle connection is closed. */
const REQUEST_TIMEOUT = 10_000;

/** @throws ConfigError where prom-client cannot be loaded */
export async function loadExposition(): Promise<typeof Exposition> {
  const refuse = (problem: string) => new ConfigError(`smmap_metrics_listen: ${problem}`);
  return (await loadWithPackage("prom-client", () => import("./prometheus.ts"), refuse)).Exposition;
}

/** @throws ConfigError where the address cannot be bound, or prom-client cannot be loaded */
export async function openMetrics(source: ListenSource, { rights, reporter, log }: MetricsOptions): Promise<Listener> {
  const Exposition = await loadExposition();
  const pages = pagesOf(reporter, new Exposition());
  const limits = {
    requestTimeout: REQUEST_TIMEOUT,
    headersTimeout: REQUEST_TIMEOUT,
    connectionsCheckingInterval: 1_000,
  };
  const server = createServer(limits, (request, response) => void respond(request, response, pages, log));
  server.maxConnections = CONNECTIONS_MAX;
  server.setTimeout(REQUEST_TIMEOUT);
  const listener = await listenWith(server, source, { key: "smmap_metrics_listen", rights });
  return {
    ...listener,
    close() {
      listener.close();
      server.closeAllConnections();
    },
  };
}

function pagesOf(reporter: StatusReporter, exposition: Exposition): ReadonlyMap<string, Page> {
  return new Map<string, Page>([
    [
      "/metrics",
      async () => ({
        status: 200,
        type: exposition.contentType,
        body: await exposition.render(await reporter.reports()),
      }),
    ],
    ["/healthz", () => ({ status: 200, body: "ok\n" })],
    [
      "/readyz",
      async () =>
        (await reporter.isReady()) ? { status: 200, body: "ready\n" } : { status: 503, body: "not ready\n" },
    ],
  ]);
}

async function respond(
  { method = "", url = "" }: IncomingMessage,
  response: ServerResponse,
  pages: ReadonlyMap<string, Page>,
  log: Log,
): Promise<void> {
  const [path = ""] = url.split("?");
  const page = pages.get(path);
  if (page === undefined) return send(response, { status: 404, body: `${[...pages.keys()].join("\n")}\n` });
  if (method !== "GET" && method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    return send(response, { status: 405, body: "GET or HEAD\n" });
  }
  try {
    send(response, await page());
  } catch (error) {
    log.error(`smmap_metrics_listen: ${path}: ${error instanceof Error ? error.stack : String(error)}`);
    send(response, { status: 500, body: "internal error, see the log\n" });
  }
}

function send(response: ServerResponse, { status, type = PLAIN, body }: Answer): void {
  const headers = { "Content-Type": type, "Content-Length": Buffer.byteLength(body), "Cache-Control": "no-store" };
  response.writeHead(status, headers).end(body);
}
