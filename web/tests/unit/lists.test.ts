import { expect, test } from "vitest";
import type { Bot, Shapes } from "../../src/lib/api";
import { attention, reasons } from "../../src/lib/attention";
import { COLUMNS, comparison, matches } from "../../src/lib/columns";
import { joined } from "../../src/lib/compare";
import { history, KEPT_MAX } from "../../src/lib/history";
import { csv, parseBots } from "../../src/lib/import";
import { together, whyNoScore, type Did } from "../../src/lib/autopilot";
import { exposure } from "../../src/lib/limits";
import { paramsOf } from "../../src/lib/strategy";

const bot = (id: number, more: Partial<Bot> = {}): Bot =>
  ({ id, name: `b${id}`, state: "trading", lifecycle: "active", holds: [], doing: "Holds 1 BTC.", exchange: "luno", symbol: "BTC/ZAR", strategy: { kind: "grid" }, risk_mode: "safe", timeframe: "1m", equity: "10", position: null, ...more }) as Bot;

test("an unknown figure stands last in either order", () => {
  const equity = COLUMNS.find((c) => c.id === "equity")!;
  const bots = [bot(1, { equity: null }), bot(2, { equity: "9" }), bot(3, { equity: "100" }), bot(4, { equity: null })];
  const order = (isDown: boolean) => [...bots].sort(comparison(equity, isDown)).map((b) => b.id);
  expect(order(false)).toEqual([2, 3, 1, 4]);
  expect(order(true)).toEqual([3, 2, 1, 4]);
});

test("every word has to be somewhere in the bot", () => {
  expect(matches(bot(1), "luno grid")).toBe(true);
  expect(matches(bot(1), "luno dca")).toBe(false);
});

test("what is worst is told first and the same thing once", () => {
  const health = { status: "degraded", checks: { store: { status: "unhealthy", detail: "gone" }, disk: { status: "healthy", detail: "fine" }, feeds: [] } } as unknown as Shapes["Health"];
  const held = [bot(1, { holds: ["RISK_STOP"] }), bot(2, { holds: ["ROGUE"] }), bot(3, { holds: ["USER_PAUSED"] })];
  const points = attention({ portfolio: null, health, markets: [], bots: held });
  expect(points.map((p) => p.word)).toEqual(["Fault", "Held"]);
  expect(points[1]?.what).toContain("b1, b2");
});

test("bots that do not trade are counted by the kind of their reason", () => {
  const all = [bot(1), bot(2, { state: "waiting", doing: "Waiting: fast EMA 0.3 % under slow." }), bot(3, { state: "waiting", doing: "Waiting: RSI 40." }), bot(4, { state: "paused", holds: ["USER_PAUSED"] })];
  expect(reasons(all)).toEqual([
    { state: "paused", text: "By a person, until resumed", count: 1 },
    { state: "waiting", text: "No signal now", count: 2 },
  ]);
});

test("quoted cells keep commas, quotes and lines", () => {
  expect(csv('a,"b,""c""\nd"\r\ne,f').map((r) => r.cells)).toEqual([["a", 'b,"c"\nd'], ["e", "f"]]);
});

test("bots are read from CSV and JSON, and each fault names its line", () => {
  const text = 'name,exchange,symbol,strategy,capital,params\none,binance,BTC/USDT,ema_cross,1500,"{""fast"":3}"\ntwo,binance,,grid,1\nthree,luno,BTC/ZAR,dca,5000,{';
  const lines = parseBots(text);
  expect(lines.map((l) => l.problem)).toEqual([null, "empty: symbol", "params is no JSON"]);
  expect(lines[0]?.body?.strategy).toEqual({ kind: "ema_cross", params: { fast: 3 } });
  expect(parseBots("name,exchange\nx,y")[0]?.problem).toContain("symbol, strategy, capital");
  expect(parseBots('[{"name":"a"}]')[0]?.problem).toContain("missing");
});

test("exposure adds exactly and does not hide what is unknown", () => {
  const position = (value: string | null, exchange = "binance") => ({ symbol: "BTC/USDT", exchange, value }) as Shapes["Position"];
  const known = exposure([position("0.10"), position("0.20", "kucoin")]);
  expect(known.map((e) => [e.what, e.value])).toEqual([["BTC", "0.30"], ["on binance", "0.10"], ["on kucoin", "0.20"]]);
  expect(exposure([position("1"), position(null)])[0]?.value).toBeNull();
});

test("what is typed becomes parameters, and nothing becomes the default", () => {
  const param = (name: string, type: string) => ({ name, title: "", description: "", unit: "", kind: { type } });
  const schema = { params: [param("fast", "integer"), param("share", "decimal"), param("on", "flag"), param("kind", "word")] } as unknown as Shapes["StrategySchema"];
  expect(paramsOf(schema, { fast: "3", share: "0.50", on: true, kind: "" })).toEqual({ fast: 3, share: "0.50", on: true });
  // What is no whole number goes as typed: the server says what is allowed.
  expect(paramsOf(schema, { fast: "3.5" })).toEqual({ fast: "3.5" });
});

test("compared curves begin at zero where all have begun, and capital is no gain", () => {
  const at = (minute: number) => new Date(minute * 60_000).toISOString();
  const { times, lines } = joined([
    { label: "a", points: [{ at: at(0), equity: "50", flow: "50" }, { at: at(5), equity: "100", flow: "50" }, { at: at(10), equity: "110", flow: "0" }] },
    { label: "b", points: [{ at: at(5), equity: "200", flow: "200" }, { at: at(10), equity: null, flow: "0" }] },
  ]);
  expect(times).toEqual([300, 600]);
  expect(lines.map((l) => l.map((v) => (v === null ? null : Math.round(v))))).toEqual([[0, 10], [0, null]]);
});

test("history reads forward to the end and keeps the newest", async () => {
  const all = Array.from({ length: 2_700 }, (_, i) => ({ cursor: String(i + 1) }));
  const asked: (string | null)[] = [];
  const read = async (after: string | null) => {
    asked.push(after);
    const items = all.slice(Number(after ?? 0), Number(after ?? 0) + 500);
    return { items: items as never[], next: items.length > 0 ? (items.at(-1) as { cursor: string }).cursor : null };
  };
  const kept = await history(read);
  expect(asked.length).toBe(6);
  expect([kept.length, kept.at(-1)?.cursor]).toEqual([KEPT_MAX, "2700"]);
});

test("the autopilot's log is newest first and each record once", () => {
  const did = (at: string, bot_id: number) => ({ at, kind: "cut", bot_id, exchange: "luno", currency: "ZAR", outcome: "done" }) as Did;
  const kept = [did("2026-01-03", 3), did("2026-01-02", 2)];
  const log = together(kept, [did("2026-01-01", 1), did("2026-01-02", 2)]);
  expect(log.map((r) => r.bot_id)).toEqual([3, 2, 1]);
});

test("a bot without a score says what it lacks", () => {
  expect(whyNoScore(3, 30)).toBe("3 of the 30 trades that it takes");
  expect(whyNoScore(40, 30)).toContain("equal");
});
