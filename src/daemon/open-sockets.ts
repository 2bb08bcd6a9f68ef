/** Which sockets the daemon listens on, by who has started it. */

import type { ListenSource, Protocol } from "../net/listener.ts";
import type { Server } from "../net/server.ts";
import type { Log } from "../store/store.ts";
import type { Start } from "./launch/launcher.ts";
import type { Configuration } from "./service.ts";
import { folderProblem, socketRights } from "./socket-permissions.ts";

/** @throws ConfigError where one cannot be had */
export async function openSockets(server: Server, start: Start, configuration: Configuration, log: Log): Promise<void> {
  const { settings, process } = configuration;
  const rights = socketRights(settings.socketMode, process);
  for (const [protocol, sources] of sourcesOf(start, configuration, log)) {
    await server.listen(sources, rights, protocol);
    const key = protocol === "policy" ? "smmap_policy_listen" : "smmap_listen";
    for (const source of sources) {
      const problem = "path" in source ? folderProblem(source.path, rights) : null;
      if (problem !== null) log.warning(`${key}: ${problem}`);
    }
  }
}

type Sources = readonly (readonly [protocol: Protocol, sources: readonly ListenSource[]])[];

function sourcesOf(start: Start, { settings }: Configuration, log: Log): Sources {
  if (start.by === "primary") return start.primary.sockets.map((socket) => [socket.protocol, [socket]]);
  const { listen, policyListen } = settings;
  if (start.by !== "master") {
    return [
      ["socketmap", start.by === "systemd" ? start.sockets : listen],
      ["policy", policyListen],
    ];
  }
  // Master starts several of us, and hands over one socket: a second one could only be bound by the first.
  if (policyListen.length > 0) {
    log.warning("smmap_policy_listen counts for nothing under master(8): start a smmapd of its own for it");
  }
  return [["socketmap", [{ fd: start.master.socket, name: `the socket of service ${start.master.service}` }]]];
}
