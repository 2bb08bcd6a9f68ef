/** Listening sockets of systemd's socket activation (sd_listen_fds(3)). */
import type { InheritedSocket } from "../../net/listener.ts";

/** First inherited descriptor (SD_LISTEN_FDS_START). */
const LISTEN_FDS_START = 3;

/** The inherited sockets; none where the variables are meant for another process. */
export function activatedSockets(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): readonly InheritedSocket[] {
  if (env.LISTEN_PID !== String(pid)) return [];
  const count = Number(env.LISTEN_FDS);
  const names = (env.LISTEN_FDNAMES ?? "").split(":");
  return Array.from({ length: count }, (_, i) => {
    const fd = LISTEN_FDS_START + i;
    return { fd, name: `${names[i] || "socket"} (descriptor ${fd})` };
  });
}
