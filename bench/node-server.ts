/** A socketmap server as one writes it in an hour, to measure ours beside it. */
import { createServer } from "node:net";

/** @param answer the reply, a byte string, to the request that is in these bytes from `start` to `end` */
export function serve(path: string, answer: (bytes: Buffer, start: number, end: number) => string): void {
  const server = createServer((socket) => {
    let rest: Buffer = Buffer.alloc(0);
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let start = 0;
      let out = "";
      for (;;) {
        const colon = bytes.indexOf(58, start);
        if (colon < 0) break;
        const end = colon + 1 + Number(bytes.toString("latin1", start, colon));
        if (end >= bytes.length) break;
        const reply = answer(bytes, colon + 1, end);
        out += `${reply.length}:${reply},`;
        start = end + 1;
      }
      rest = bytes.subarray(start);
      if (out !== "") socket.write(out, "latin1");
    });
  });
  server.listen({ path, backlog: 4096 });
}
