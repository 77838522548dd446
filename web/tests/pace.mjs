// How long the page's main thread is held with 10,000 bots and 200 events a second: from a trace of
// Chromium, over the built page and a server that only plays the API's part. Prints, asserts nothing
// of the clock: how fast a machine is says nothing about the page.
//
//   npm run build && npm run pace [SECONDS] [PAGE]

import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { browser } from "./product.mjs";

const SECONDS = Number(process.argv[2] ?? 20);
const PATH = process.argv[3] ?? "/bots";
const BOTS = 10_000;
const EVENTS_A_SECOND = 200;
const DIST = new URL("../dist", import.meta.url).pathname;
const KINDS = { ".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml" };

if (!existsSync(join(DIST, "index.html"))) throw new Error("npm run build first");

let seed = 7;
const draw = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
const money = (size) => (draw() * size).toFixed(8);
const now = () => new Date().toISOString();
const STATES = ["trading", "waiting", "paused"];
const bot = (id) => ({
  id, account_id: 1, name: `bot-${String(id).padStart(5, "0")}`, exchange: ["binance", "kucoin", "luno"][id % 3], symbol: "BTC/USDT",
  strategy: { kind: "ema_cross", params: { fast: 3, slow: 8 } }, timeframe: "5s", risk_mode: "balanced", capital: "1500", sizing: null,
  exits: { stop_percent: "2", target_percent: "5", trail_percent: "3" }, managed: false, mode: "paper", lifecycle: "active", holds: [], season: 1,
  created_at: now(), updated_at: now(), state: STATES[id % 3], doing: `Waiting: fast EMA ${draw().toFixed(2)} % under slow; next bar 14:05 UTC.`,
  cash: money(1500), equity: money(1500), equity_peak: "1500", drawdown_percent: money(20), realized_pnl: `-${money(40)}`, unrealized_pnl: money(5),
  fees_paid: money(9), position: null, dust: "0", open_orders: 1, trades: id % 400, wins: id % 100, entries_today: id % 50, refusals_today: 0, rearms_today: 0, executions_in_window: 0, last_decision_at: now(),
});
const bots = Array.from({ length: BOTS }, (_, i) => bot(i + 1));
const stop = { account_id: 1, active: false, reason: null, by: null, since: null, at: now() };
const answers = {
  "/api/auth/me": () => ({ name: "pace", role: "admin", account_id: 1, mode: "DEMO" }),
  "/api/emergency-stop": () => stop,
  "/api/portfolio": () => ({ account_id: 1, reporting_currency: "ZAR", equity: money(9e6), unknown: [], currencies: [{ currency: "ZAR", equity: money(9e6), realized_pnl: "1", unrealized_pnl: "1", rate: "1", rate_source: null, rate_age_s: 0 }], open_positions: 3000, bots_active: BOTS, bots_paused: 0, bots_stopped: 0, emergency_stop: stop }),
  "/api/health": () => ({ status: "healthy", version: "0", uptime_s: 1, mode: "DEMO", checks: {}, flags: {} }),
  "/api/markets": () => [],
  "/api/performance": () => ({ by_currency: [], by_bot: [], by_exchange: [], reporting: { currency: "ZAR", net_profit: "0", trades_without_rate: 0 }, is_complete: true }),
  "/api/portfolio/equity": () => ({ account_id: 1, currencies: [], is_complete: true }),
};

function answer(path, values) {
  if (path !== "/api/bots") return answers[path]?.() ?? { items: [], next: null };
  const ids = values.get("ids")?.split(",").map(Number);
  if (ids) return { items: ids.map((id) => ({ ...bots[id - 1], equity: money(1500), realized_pnl: `-${money(40)}` })), next: null };
  const after = Number(values.get("after") ?? 0);
  const items = bots.slice(after, after + Number(values.get("limit") ?? 100));
  return { items, next: after + items.length < BOTS ? String(after + items.length) : null };
}

let told = 0;
function stream(to) {
  to.writeHead(200, { "content-type": "text/event-stream" });
  let last = performance.now();
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - last) / 1000) * EVENTS_A_SECOND);
    last += (due / EVENTS_A_SECOND) * 1000;
    for (let i = 0; i < due; i++) {
      told += 1;
      const bot_id = 1 + Math.floor(draw() * BOTS);
      const data = { cursor: String(told), seq: told, at: now(), type: "order_updated", account_id: 1, data: { bot_id, symbol: "BTC/USDT", exchange: "binance", status: "open", side: "buy", quantity: "1" } };
      to.write(`id: ${told}\nevent: order_updated\ndata: ${JSON.stringify(data)}\n\n`);
    }
  }, 10);
  const beat = () => to.write(`id: ${told}\nevent: heartbeat\ndata: ${JSON.stringify({ cursor: String(told), seq: null, at: now(), type: "heartbeat", account_id: null, data: { time: now(), active_bots: BOTS, feeds_fresh: 3, feeds_stale: 0, trades_today: 1, lag_ms: 1, last_commit_at: now(), engine: "answers" } })}\n\n`);
  beat();
  const beats = setInterval(beat, 10_000);
  to.on("close", () => (clearInterval(timer), clearInterval(beats)));
}

const server = createServer((from, to) => {
  const { pathname, searchParams } = new URL(from.url, "http://x");
  if (pathname === "/api/realtime/events") return stream(to);
  if (pathname.startsWith("/api/")) {
    to.setHeader("content-type", "application/json");
    return to.end(JSON.stringify(answer(pathname, searchParams)));
  }
  const file = join(DIST, pathname === "/" ? "index.html" : pathname);
  if (!existsSync(file)) return to.writeHead(404).end();
  to.setHeader("content-type", KINDS[extname(file)] ?? "application/octet-stream");
  to.end(readFileSync(file));
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));

const chrome = await browser();
const page = await (await chrome.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
await page.goto(`http://127.0.0.1:${server.address().port}/#${PATH}`);
if (PATH === "/bots") await page.getByText("10,000 of 10,000").waitFor({ timeout: 60_000 });
const cdp = await page.context().newCDPSession(page);
const trace = [];
cdp.on("Tracing.dataCollected", ({ value }) => trace.push(...value));
const ended = new Promise((done) => cdp.once("Tracing.tracingComplete", done));
const before = told;
await cdp.send("Tracing.start", { traceConfig: { includedCategories: ["devtools.timeline", "toplevel", "disabled-by-default-devtools.timeline"] }, transferMode: "ReportEvents" });
const end = Date.now() + SECONDS * 1000;
// Somebody scrolls: the worst that a table can be asked for.
while (Date.now() < end) {
  await page.mouse.move(800, 500);
  await page.mouse.wheel(0, 700);
  await new Promise((next) => setTimeout(next, 250));
}
await cdp.send("Tracing.end");
await ended;
const mains = new Set(trace.filter((e) => e.name === "thread_name" && e.args.name === "CrRendererMain").map((e) => `${e.pid}:${e.tid}`));
const tasks = trace.filter((e) => e.ph === "X" && ["RunTask", "ThreadControllerImpl::RunTask"].includes(e.name) && mains.has(`${e.pid}:${e.tid}`)).map((e) => (e.tdur ?? e.dur) / 1000).sort((a, b) => a - b);
const at = (share) => tasks[Math.min(tasks.length - 1, Math.floor(tasks.length * share))]?.toFixed(2);
const events = Math.round((told - before) / SECONDS);
console.log(`${BOTS} bots, ${events} events/s, ${SECONDS} s on ${PATH}, somebody scrolling`);
console.log(`main-thread tasks, time on the processor: ${tasks.length}, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, p99.9 ${at(0.999)} ms, longest ${tasks.at(-1)?.toFixed(1)} ms`);
console.log(`busy ${((tasks.reduce((a, b) => a + b, 0) / (SECONDS * 1000)) * 100).toFixed(0)} % of the time; over 50 ms: ${tasks.filter((t) => t > 50).length}`);
await chrome.close();
server.closeAllConnections();
server.close();
