// Between page and server: cuts streams, holds them back, gives them in crumbs.

import { createServer, request } from "node:http";

export async function proxy(target) {
  const { hostname, port } = new URL(target);
  const streams = new Set();
  const state = { crumbs: false, refuse: false };
  const server = createServer((from, to) => {
    const isStream = from.url.startsWith("/api/realtime/");
    if (isStream && state.refuse) return to.destroy();
    const out = request({ hostname, port, path: from.url, method: from.method, headers: from.headers }, (answer) => {
      to.writeHead(answer.statusCode, answer.headers);
      if (isStream) {
        streams.add(to);
        to.once("close", () => (streams.delete(to), out.destroy()));
        answer.on("data", (bytes) => {
          if (!state.crumbs) return to.write(bytes);
          // Seven bytes a piece: words and even letters are cut in two.
          for (let i = 0; i < bytes.length; i += 7) to.write(bytes.subarray(i, i + 7));
        });
        answer.on("end", () => to.end());
      } else answer.pipe(to);
    });
    out.on("error", () => to.destroy());
    from.pipe(out);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    state,
    /** Cuts what is open, in the middle. */
    cut: () => [...streams].map((stream) => stream.destroy()).length,
    close: () => new Promise((done) => (server.closeAllConnections(), server.close(done))),
  };
}
