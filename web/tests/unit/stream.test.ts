import { expect, test } from "vitest";
import { Parser, type Frame } from "../../src/lib/sse";
import { RETRIES_MS, SILENT_MAX_MS, Stream, type Link, type LiveEvent } from "../../src/lib/stream";

const frame = (n: number, type = "fill") => `id: ${n}\nevent: ${type}\ndata: ${JSON.stringify({ cursor: String(n), type, data: {} })}\n\n`;

test("frames are the same however the text is cut", () => {
  const text = `: hello\nretry: 2000\nid: 4\n\n${frame(5)}event: x\r\ndata: a\r\ndata: b\r\n\r\n${frame(6)}`;
  const whole: Frame[] = [];
  new Parser((f) => whole.push(f)).push(text);
  expect(whole.map((f) => [f.id, f.event])).toEqual([["4", "message"], ["5", "fill"], [null, "x"], ["6", "fill"]]);
  expect(whole[2]?.data).toBe("a\nb");
  for (let size = 1; size <= 9; size++) {
    const parts: Frame[] = [];
    const parser = new Parser((f) => parts.push(f));
    for (let i = 0; i < text.length; i += size) parser.push(text.slice(i, i + size));
    expect(parts).toEqual(whole);
  }
});

test("a frame without an end is not given and a line without one is refused", () => {
  const given: Frame[] = [];
  const parser = new Parser((f) => given.push(f));
  parser.push("id: 1\ndata: {}\n");
  expect(given).toEqual([]);
  expect(() => parser.push("x".repeat(Parser.LINE_MAX + 1))).toThrow(/too long/);
});

/** A server by script: each answer is one connection. */
function world(answers: ((after: string | null) => Response | Error)[]) {
  const asked: (string | null)[] = [];
  const events: LiveEvent[] = [];
  const links: Link[] = [];
  const waits: number[] = [];
  const alarms: number[] = [];
  const stream = new Stream(
    { event: (e) => events.push(e), link: (l) => links.push(l), heard: () => {} },
    {
      fetch: async (url) => {
        const after = new URL(url, "http://x").searchParams.get("after");
        asked.push(after);
        const answer = answers.shift();
        if (!answer) {
          stream.close();
          throw new Error("nobody there");
        }
        const response = answer(after);
        if (response instanceof Error) throw response;
        return response;
      },
      wait: async (ms) => void waits.push(ms),
      alarm: (ms) => {
        alarms.push(ms);
        return () => {};
      },
    },
  );
  return { stream, asked, events, links, waits, alarms };
}

const ok = (text: string) => () => new Response(text, { headers: { "content-type": "text/event-stream" } });
const problem = (status: number, code: string) => () => new Response(JSON.stringify({ code }), { status });

test("a cut stream goes on after its last event, with neither gap nor double", async () => {
  const log = Array.from({ length: 40 }, (_, i) => i + 1);
  // Each connection gives some events after the cursor and is cut, once in the middle of a frame.
  const part = (count: number, cut = "") => (after: string | null) => ok(log.filter((n) => n > Number(after)).slice(0, count).map((n) => frame(n)).join("") + cut)();
  const w = world([part(7), part(13, "id: 21\nda"), () => new Error("refused"), part(20)]);
  await w.stream.run();
  expect(w.events.map((e) => Number(e.cursor))).toEqual(log);
  expect(w.asked).toEqual([null, "7", "20", "20", "40"]);
});

test("what a server says twice is given once", async () => {
  const w = world([ok(frame(1) + frame(2)), ok(frame(2) + frame(3))]);
  await w.stream.run();
  expect(w.events.map((e) => e.cursor)).toEqual(["1", "2", "3"]);
});

test("heartbeats repeat the cursor and are given all the same", async () => {
  const w = world([ok(frame(1) + frame(1, "heartbeat") + frame(1, "heartbeat"))]);
  await w.stream.run();
  expect(w.events.map((e) => e.type)).toEqual(["fill", "heartbeat", "heartbeat"]);
});

test("an ended session and a stream that is switched off are not tried again", async () => {
  const out = world([problem(401, "UNAUTHENTICATED")]);
  await out.stream.run();
  expect(out.links.at(-1)).toBe("signed_out");
  const off = world([problem(503, "REALTIME_OFF")]);
  await off.stream.run();
  expect([off.links.at(-1), off.asked.length]).toEqual(["off", 1]);
  const told = world([ok(frame(1) + 'event: closed\ndata: {"reason":"the token or session has ended"}\n\n')]);
  await told.stream.run();
  expect(told.links.at(-1)).toBe("signed_out");
});

test("an unknown cursor is forgotten, and waits grow to a bound", async () => {
  const w = world([ok(frame(9)), problem(400, "INVALID_CURSOR"), ...Array.from({ length: 6 }, () => () => new Error("down"))]);
  await w.stream.run();
  expect(w.asked.slice(0, 3)).toEqual([null, "9", null]);
  expect(Math.max(...w.waits)).toBe(RETRIES_MS.at(-1));
  expect(w.waits.slice(0, 3)).toEqual([250, 500, 1_000]);
  expect(w.alarms.every((ms) => ms === SILENT_MAX_MS)).toBe(true);
});
