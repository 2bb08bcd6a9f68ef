import { spawn } from "node:child_process";
import { once } from "node:events";

/**
 * Expands debug_command, a format of printf(3) whose arguments are program, process id and service, in this order (Cyrus
 * master/service.c).
 */
export function debugCommand(format: string, program: string, pid: number, service: string): string {
  const words = [program, String(pid), service];
  return format.replace(/%[sd%]/g, (token) => (token === "%%" ? "%" : (words.shift() ?? "")));
}

/** Runs a shell command and waits for it. @returns its exit status, or the signal that ended it */
export async function runDebugger(command: string): Promise<number | string> {
  const child = spawn("/bin/sh", ["-c", command], { stdio: "inherit" });
  const [status, signal] = (await once(child, "exit")) as [number | null, string | null];
  return status ?? signal ?? 0;
}
