import type { ReporterHost } from "../monitor/status-report.ts";

/** The part of Node's `process` that is measured. */
export interface MeasuredProcess {
  readonly pid: number;
  readonly version: string;
  cpuUsage(): { readonly user: number; readonly system: number };
  readonly memoryUsage: { rss(): number };
}

/** Memory and CPU time of a process, for the status report. */
export function resourceUsage(host: MeasuredProcess): ReporterHost {
  const cpu = () => {
    const { user, system } = host.cpuUsage();
    return (user + system) / 1e6;
  };
  return { pid: host.pid, node: host.version, memory: () => residentMemory(host), cpu };
}

/** null: not available, such as in a container without /proc. */
function residentMemory({ memoryUsage }: MeasuredProcess): number | null {
  try {
    return memoryUsage.rss();
  } catch {
    return null;
  }
}
