"use strict";
// The plain page: reads the API, follows the event stream, and never shows old figures as new.
// No framework and no build step, so that it works from the binary alone.

const LOST_AFTER_MS = 11500; // a heartbeat comes every 10 s; a lost link must show within 12 s
const REFRESH_MS = 1000; // events come in bursts; the tables are read again once a second at most
const POLL_MS = 5000; // where the stream is switched off
const RETRY_MS = 3000;
const ANSWER_MS = 8000; // a request that hangs must not hold up the next reading
const RENEW_MS = 25000; // an open stream that says nothing for so long is dead, whatever the browser thinks
const TYPES = ["bot_created", "bot_updated", "bot_paused", "bot_resumed", "bot_stopped",
  "order_updated", "fill", "trade_opened", "trade_executed", "balance_updated", "refusal",
  "risk_stop", "circuit_breaker", "emergency_stop", "autopilot_action", "self_healing",
  "feed_status", "live_gate", "policy_changed", "alert"];

const state = {
  signedIn: false, stream: null, heardAt: 0, shownAt: 0, beatAt: 0, beat: null,
  openedAt: 0, timer: null, loading: false, again: false, polling: false, retry: null,
};

const $ = (id) => document.getElementById(id);
const unknown = "–";

function text(id, value) {
  $(id).textContent = value === null || value === undefined || value === "" ? unknown : String(value);
}

// Figures are decimal texts; rounding is for the eye only, the exact text is in the tooltip.
function figure(value, places = 2) {
  if (value === null || value === undefined) return unknown;
  const number = Number(value);
  if (!Number.isFinite(number)) return String(value);
  const small = Math.abs(number) > 0 && Math.abs(number) < 1;
  if (small && places === 2 && Math.abs(number) < 0.005) return number < 0 ? "-<0.01" : "<0.01";
  const digits = small && places > 2
    ? { maximumSignificantDigits: 6 }
    : { minimumFractionDigits: places === 2 ? 2 : 0, maximumFractionDigits: places };
  return number.toLocaleString("en", digits);
}

function age(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return unknown;
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return seconds + " s";
  if (seconds < 5400) return Math.round(seconds / 60) + " min";
  if (seconds < 172800) return Math.round(seconds / 3600) + " h";
  return Math.round(seconds / 86400) + " days";
}

function clock(time) {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return unknown;
  const sameDay = at.toDateString() === new Date().toDateString();
  // Swedish writes 2026-11-22 23:50:11: the same everywhere, and it sorts.
  return sameDay ? at.toLocaleTimeString("sv") : at.toLocaleString("sv");
}

function make(tag, content, name) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (content instanceof Node) node.append(content);
  else if (content !== undefined) node.textContent = content === null || content === "" ? unknown : String(content);
  return node;
}

function cell(content, name) { return make("td", content, name); }

function number(value, places, label) {
  const node = cell(figure(value, places), "num");
  if (value !== null && value !== undefined) node.title = String(value);
  if (label) node.dataset.name = label;
  return node;
}

function profit(value, label) {
  const node = number(value, 2, label);
  const sign = Number(value);
  if (value !== null && sign > 0) { node.classList.add("up"); node.textContent = "+" + node.textContent; }
  if (value !== null && sign < 0) node.classList.add("down");
  return node;
}

function two(title, below) {
  const node = document.createElement("td");
  node.append(make("b", title), make("small", below));
  return node;
}

function chip(word, mood) { return make("span", word, "chip " + (mood || "")); }

function fill(id, rows) {
  const table = $(id);
  table.tBodies[0].replaceChildren(...rows);
  table.parentElement.hidden = rows.length === 0;
  table.closest("section").querySelector(".empty").hidden = rows.length !== 0;
}

function row(...cells) {
  const node = document.createElement("tr");
  node.append(...cells);
  return node;
}

async function ask(path, options) {
  const response = await fetch(path, {
    credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS), ...options,
  });
  if (response.status === 204) return null;
  let body = null;
  try { body = await response.json(); } catch { body = null; }
  if (response.ok || path === "/api/health") return body;
  const error = new Error((body && body.detail) || "the server answered " + response.status);
  error.status = response.status;
  throw error;
}

function send(path, body) {
  return ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

// What is shown

function showMode(mode) {
  if (!mode) return;
  $("mode").hidden = false;
  text("mode", mode);
  document.title = mode + " · Amarktai";
}

function showHealth(health) {
  if (!health) return;
  const mood = { healthy: "good", degraded: "warn", unhealthy: "bad" };
  $("health").className = "chip " + (mood[health.status] || "");
  text("health", health.status);
  if (health.mode) showMode(health.mode);
  if (health.version) text("version", "Version " + health.version + ", up " + age(health.uptime_s * 1000));
  const parts = Object.entries(health.checks || {}).filter(([name]) => name !== "feeds");
  $("checks").replaceChildren(...parts.flatMap(([name, part]) => {
    const word = part.status === "not_built" ? "" : mood[part.status];
    const detail = make("dd");
    detail.append(chip((part.status || unknown).replace("_", " "), word), " ");
    if (part.status !== "not_built") detail.append(part.detail || "");
    return [make("dt", name.replace("_", " ")), detail];
  }));
}

function showPortfolio(portfolio) {
  if (!portfolio) return;
  text("equity", portfolio.equity === null ? unknown : figure(portfolio.equity) + " " + portfolio.reporting_currency);
  const sums = portfolio.currencies.map((c) => figure(c.equity) + " " + c.currency).join(" · ");
  const missing = portfolio.unknown.length ? "unknown: " + portfolio.unknown.join(", ") : "";
  text("equity-note", [sums, missing].filter(Boolean).join(" – "));
  text("bots-active", portfolio.bots_active + " active");
  text("bots-note", portfolio.bots_paused + " paused · " + portfolio.bots_stopped + " stopped · " + portfolio.open_positions + " open positions");
  const stop = portfolio.emergency_stop;
  $("stopped").hidden = !(stop && stop.active);
  if (stop && stop.active) text("stopped", "Emergency stop since " + clock(stop.since) + (stop.reason ? ": " + stop.reason : ""));
}

function showBots(bots) {
  const mood = { trading: "good", waiting: "good", paused: "warn", stopped: "bad" };
  fill("bots", bots.map((bot) => {
    const doing = cell(bot.doing, "wide");
    const where = bot.exchange + " " + bot.symbol + " · " + bot.strategy.kind.replaceAll("_", " ") + " " + bot.timeframe;
    const drawdown = number(bot.drawdown_percent, 2, "Drawdown");
    if (bot.drawdown_percent !== null) drawdown.textContent += " %";
    return row(two(bot.name, where), cell(chip(bot.state, mood[bot.state])), doing,
      number(bot.equity, 2, "Equity"), profit(bot.realized_pnl, "Profit"), drawdown);
  }));
}

function showTrades(trades) {
  fill("trades", trades.map((trade) => {
    const closed = cell(clock(trade.timestamp));
    closed.title = trade.timestamp;
    const entry = number(trade.entry_price, 6);
    const exit = number(trade.exit_price, 6);
    for (const node of [entry, exit]) node.classList.add("spare");
    return row(closed, two(trade.symbol, trade.exchange), number(trade.amount, 6), entry, exit,
      profit(trade.profit_loss), cell(trade.exit_reason.toLowerCase()));
  }));
}

function showWallets(wallets) {
  fill("wallets", wallets.map((wallet) => row(two(wallet.currency, wallet.exchange + " · " + wallet.mode),
    number(wallet.available, 6), number(wallet.reserved, 6), number(wallet.total, 6))));
}

function showFeeds(markets) {
  const mood = { fresh: "good", stale: "bad", resyncing: "warn" };
  const used = markets.filter((m) => m.bots > 0 || m.age_ms !== null);
  const fresh = used.filter((m) => m.state === "fresh").length;
  text("feeds-fresh", used.length ? fresh + " of " + used.length + " fresh" : unknown);
  const stale = used.filter((m) => m.state !== "fresh").map((m) => m.exchange + " " + m.symbol);
  text("feeds-note", stale.length ? "not fresh: " + stale.slice(0, 3).join(", ") + (stale.length > 3 ? " …" : "") : used.length ? "all prices may be used" : "");
  fill("feeds", used.slice(0, 100).map((market) => {
    const word = cell(chip(market.state, mood[market.state]));
    if (market.reason) word.append(make("small", market.reason));
    return row(two(market.symbol, market.exchange), word, cell(market.grade.replaceAll("_", " ")),
      number(market.last_price, 6), cell(age(market.age_ms), "num"));
  }));
}

// One reading of everything; each part stands alone, so one refusal does not blank the page.
async function refresh() {
  if (state.loading) { state.again = true; return; }
  state.loading = true;
  const parts = [
    ["/api/health", showHealth], ["/api/portfolio", showPortfolio],
    ["/api/bots?limit=200", (page) => showBots(page.items)],
    ["/api/trades?limit=20", (page) => showTrades(page.items)],
    ["/api/wallets", showWallets], ["/api/markets", showFeeds],
  ];
  const results = await Promise.allSettled(parts.map(async ([path, show]) => show(await ask(path))));
  state.loading = false;
  if (results.some((r) => r.status === "rejected" && r.reason.status === 401)) return door();
  if (results.every((r) => r.status === "fulfilled")) {
    state.shownAt = Date.now();
    if (state.polling) state.heardAt = Date.now();
  }
  if (state.again) { state.again = false; refreshSoon(); }
}

function refreshSoon() {
  if (state.timer) return;
  state.timer = setTimeout(() => { state.timer = null; refresh(); }, REFRESH_MS);
}

// The link

function heard() { state.heardAt = Date.now(); tick(); }

function follow() {
  if (state.stream) state.stream.close();
  const stream = new EventSource("/api/realtime/events");
  state.stream = stream;
  stream.onopen = () => { heard(); refresh(); };
  stream.addEventListener("heartbeat", (message) => {
    state.beat = JSON.parse(message.data).data;
    state.beatAt = Date.now();
    heard();
    text("trades-today", state.beat.trades_today);
    refreshSoon();
  });
  for (const type of TYPES) stream.addEventListener(type, () => { heard(); refreshSoon(); });
  stream.addEventListener("closed", () => {});
  stream.onerror = () => {
    tick();
    if (stream.readyState === EventSource.CLOSED) comeBack();
  };
}

// The browser gave up: find out why, then poll, sign in or try again.
async function comeBack() {
  clearTimeout(state.retry);
  try {
    const response = await fetch("/api/realtime/events", { headers: { Accept: "application/problem+json" }, cache: "no-store", signal: AbortSignal.timeout(4000) });
    if (response.status === 401) return door();
    const problem = response.ok ? null : await response.json();
    if (response.body && response.ok) await response.body.cancel();
    if (problem && problem.code === "REALTIME_OFF") return poll();
    if (response.ok) return follow();
  } catch { /* not reachable: the banner says so */ }
  state.retry = setTimeout(comeBack, RETRY_MS);
}

function poll() {
  state.polling = true;
  refresh();
  state.retry = setTimeout(poll, POLL_MS);
}

function tick() {
  if (!state.signedIn) return;
  const now = Date.now();
  const isOpen = state.polling || (state.stream && state.stream.readyState === EventSource.OPEN);
  const isLive = isOpen && state.heardAt && now - state.heardAt <= LOST_AFTER_MS;
  $("link").hidden = false;
  $("link").className = "link " + (isLive ? "live" : "gone");
  const beat = state.beatAt ? "heartbeat " + age(now - state.beatAt) + " ago" : "no heartbeat yet";
  text("link-text", isLive ? (state.polling ? "Polling" : "Live, " + beat) : "Connection lost");
  const lag = state.beat && state.beat.last_commit_at ? "last commit " + clock(state.beat.last_commit_at) : "";
  text("beat-note", state.beatAt ? beat + (lag ? " · " + lag : "") : "");
  const isStarting = !state.heardAt && now - state.openedAt < LOST_AFTER_MS;
  $("lost").hidden = isLive || isStarting;
  const silent = now - Math.max(state.heardAt, state.openedAt);
  if (isOpen && !state.polling && silent > RENEW_MS) { state.openedAt = now; follow(); }
  if (!isLive) text("lost", "Connection lost. " + (state.shownAt ? "What you see is " + age(now - state.shownAt) + " old." : "Nothing could be read yet."));
}

// The door

async function door() {
  state.signedIn = false;
  if (state.stream) state.stream.close();
  clearTimeout(state.retry);
  $("desk").hidden = true;
  for (const id of ["link", "who", "lost", "stopped"]) $(id).hidden = true;
  $("door").hidden = false;
  try {
    const setup = await ask("/api/auth/setup");
    showMode(setup.mode);
    $("set-up").hidden = !setup.needed;
    $("sign-in").hidden = setup.needed;
    $(setup.needed ? "set-up" : "sign-in").querySelector("input").focus();
  } catch {
    $("lost").hidden = false;
    text("lost", "The server cannot be reached; trying again.");
    setTimeout(start, RETRY_MS);
  }
}

function form(id, path) {
  $(id).addEventListener("submit", async (event) => {
    event.preventDefault();
    const node = event.currentTarget;
    const button = node.querySelector("button");
    const error = node.querySelector(".error");
    button.disabled = true;
    error.hidden = true;
    try {
      desk(await send(path, Object.fromEntries(new FormData(node))));
      node.reset();
    } catch (problem) {
      error.hidden = false;
      error.textContent = problem.message;
    }
    button.disabled = false;
  });
}

function desk(me) {
  state.signedIn = true;
  state.polling = false;
  state.openedAt = Date.now();
  state.heardAt = state.shownAt = state.beatAt = 0;
  $("door").hidden = true;
  $("lost").hidden = true;
  $("desk").hidden = false;
  $("who").hidden = false;
  text("who-name", me.name + " (" + me.role + ")");
  showMode(me.mode);
  refresh();
  follow();
}

async function start() {
  try {
    desk(await ask("/api/auth/me"));
  } catch {
    door();
  }
}

form("sign-in", "/api/auth/login");
form("set-up", "/api/auth/setup");
$("sign-out").addEventListener("click", async () => {
  try { await ask("/api/auth/logout", { method: "POST" }); } catch { /* gone or signed out: the door either way */ }
  door();
});
setInterval(tick, 1000);
start();
