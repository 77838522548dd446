// A bot that trades real money, beside its paper record: the built program over local exchange
// servers with accounts, promoted, watched and taken back on the page as a person would.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { NAME, PASSWORD } from "./first.mjs";
import { differences, isSeen } from "./picture.mjs";
import { BINARY, Product, SHOTS, axe, page as open, until, PATIENCE_MS } from "./product.mjs";

/** As style.css has it; white on it is 5.9 : 1. */
const LIVE = "rgb(194, 0, 107)";
const KEY = { key: "sandbox-key", secret: "sandbox-secret" };
/** Trades that close with real money before the page is judged: one alone has no spread. */
const TRADES = 3;

/** What pictures must tell: another colour of live, a card that moved, a line more between figures. */
const CHANGES = ["strong.live, .mode.live { background: #b0203a !important }", "section.card { translate: 4px 0 }", ".tile { padding-top: 14px !important }"];

/** Buys at every bar at which it is flat, and sells two seconds after. */
const eager = (name, exchange) => ({
  name,
  exchange,
  symbol: "BTC/USDT",
  timeframe: "1s",
  strategy: { kind: "dca", params: { safety_orders: 0, target_percent: "50" } },
  capital: "1000",
  exits: { time_limit_s: 2 },
});

/** The local exchange servers as a process of their own. */
async function exchanges() {
  const child = spawn(BINARY, ["sandbox", "--seed", "3"], { stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part) => (text += part));
  const ended = new Promise((done) => child.once("exit", done));
  await until("the exchanges", () => text.includes("faults:"));
  // Who pays fees at every bar loses each time: the guards against that would end the test early.
  let config = "[policy]\nconsecutive_losses_max = 0\nstoploss_guard_trades_max = 0\nlow_profit_trades_min = 0\n";
  for (const [, name, rest, stream] of text.matchAll(/^(\w+) rest=(\S+) stream=(\S+)$/gm)) config += `[exchanges.${name}]\nrest_url = "${rest}"\nstream_url = "${stream}"\n`;
  return { config, end: () => (child.kill(), ended) };
}

/** As after eight good days, where the core keeps it while it does not run: no route, flag or import can do that, and a test cannot wait. */
function train(product) {
  const script = `import json,sqlite3,sys
c=sqlite3.connect(sys.argv[1])
gains=[0.009,0.011]*4
for key,state in c.execute("SELECT key, state FROM states WHERE key LIKE 'bot-%'").fetchall():
    bot=json.loads(state)
    t=bot["training"]
    t["coverage"]["counted"]=8*86_400*10**9
    t["days"]["count"]=8
    t["days"]["sums"]=[sum(g**n for g in gains) for n in (1,2,3,4)]
    t.update(trades=40,wins=40,won="100000",lost="1",drawdown_percent="1")
    c.execute("UPDATE states SET state = ? WHERE key = ?",(json.dumps(bot),key))
c.commit()`;
  execFileSync("python3", ["-c", script, join(product.directory, "data", "amarktai.db")]);
}

/** Paper trades, a training, a key: all but the person's word. */
async function ready(product, chrome) {
  const context = await chrome.newContext({ viewport: { width: 1440, height: 900 } });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await open(context, product.url);
  await page.goto(product.url);
  await page.getByLabel("Setup code").fill(product.setupCode);
  await page.getByLabel("Your name").fill(NAME);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Create the owner" }).click();
  await page.getByTestId("skip").click();
  const made = await context.request.post(`${product.url}/api/tokens`, { headers: { origin: product.url }, data: { name: "tests", role: "admin" } });
  product.token = (await made.json()).token;
  const ids = [];
  for (const [name, exchange] of [["earner", "binance"], ["pupil", "kucoin"]]) {
    await product.api("/api/wallets/deposits", { method: "POST", body: { exchange, currency: "USDT", amount: "20000" } });
    await until(`a market of ${exchange}`, () => product.api(`/api/markets/${exchange}/BTC-USDT`));
    ids.push((await product.api("/api/bots", { method: "POST", body: eager(name, exchange) })).id);
  }
  await until("paper trades", async () => (await tradesOf(product, ids[0], true)).length >= TRADES);
  await product.stop();
  train(product);
  await product.run();
  assert.equal((await product.api("/api/keys/binance", { method: "PUT", body: KEY })).usable_for_live, true);
  return { page, live: ids[0], paper: ids[1] };
}

const tradesOf = async (product, bot, isPaper) => (await product.api(`/api/trades?limit=500&is_paper=${isPaper}&bot_id=${bot}`)).items;
const botOf = (product, id) => product.api(`/api/bots/${id}`);
const flat = (product, id) =>
  until("it flat", async () => {
    const bot = await botOf(product, id);
    return bot.position === null && bot.open_orders === 0;
  });

/** By the dialog, with the name typed; again where it just holds something, as it does most of the time. */
async function promote(product, page, id) {
  await page.goto(`${product.url}/#/bots/${id}?tab=gate`);
  await until("all but the person's word", async () => {
    const { conditions } = await product.api(`/api/bots/${id}/live-gate`);
    const missing = conditions.filter((c) => c.is_required && !c.pass).map((c) => c.name);
    if (missing.join() !== "confirmed_by_a_person") throw new Error(missing.join());
    return true;
  });
  await page.getByTestId("gate").getByRole("button", { name: "Promote to live" }).click();
  const dialog = page.getByRole("dialog", { name: "Real money for earner" });
  await page.getByTestId("confirmation").fill("earner");
  await until("it live", async () => {
    if (await dialog.isVisible()) await dialog.getByRole("button", { name: "Promote to live" }).click({ timeout: 2_000 }).catch(() => {});
    return (await botOf(product, id)).mode === "live";
  });
  await dialog.waitFor({ state: "hidden" });
  await page.getByText("earner is live.").waitFor();
}

/** The picture, to be looked at; colours and structure are judged where they are new. */
async function kept(page, name, { isCompared = false, isJudged = false } = {}) {
  // As high as its content: what sticks to the window's edges would lie across a longer picture.
  const { width, height } = page.viewportSize();
  const whole = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width, height: Math.max(height, whole) });
  await page.screenshot({ path: `${SHOTS}/live-${name}.png` });
  await page.setViewportSize({ width, height });
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(over <= 0, `${name} runs over the edge by ${over} px`);
  if (isCompared) assert.deepEqual(await differences(page, `live-${name}`), []);
  if (!isJudged) return;
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  const faults = await page.evaluate(async () => (await window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] })).violations.map((v) => `${v.id}: ${v.nodes[0].html}`));
  assert.deepEqual(faults, [], name);
}

/** Real money has its word in its colour, nothing else has. */
async function isMarked(mark) {
  await mark.waitFor();
  assert.match(await mark.innerText(), /^LIVE/);
  assert.equal(await mark.evaluate((node) => getComputedStyle(node).backgroundColor), LIVE);
}

/** Both sides of the table are the API's figures, and its sentence has the shadow's number. */
async function stands(product, page, id) {
  const text = async (metric, mode) => {
    const cell = page.getByTestId("beside").locator(`tr[data-metric="${metric}"] td[data-mode="${mode}"]`);
    return [(await cell.innerText()).trim(), await cell.evaluate((node) => node.querySelector("[title]")?.title)];
  };
  const currency = "USDT";
  await until("both sides of the API", async () => {
    for (const mode of ["paper", "live"]) {
      const { by_bot } = await product.api(`/api/performance?period=all&mode=${mode}`);
      const { statistics: s } = by_bot.find((g) => g.bot_id === id);
      assert.equal((await text("trades", mode))[0], String(s.trades));
      assert.equal((await text("win_rate", mode))[0], `${(s.win_rate * 100).toFixed(1)} %`);
      assert.equal((await text("net_profit", mode))[1], `${s.net_profit} ${currency}`);
      assert.equal((await text("fees", mode))[1], `${s.fees} ${currency}`);
      for (const [metric, shown] of [["total_return", (v) => `${(v * 100).toFixed(2)} %`], ["slippage_bp", (v) => `${v.toFixed(1)} bp`], ["profit_factor", (v) => v.toFixed(2)]]) {
        const [seen, why] = await text(metric, mode);
        if (s[metric] !== null) assert.equal(seen, shown(s[metric]), `${metric} of ${mode}`);
        else assert.ok(seen.startsWith("–") && why, `${metric} of ${mode} is not known and says why`);
      }
    }
    return true;
  });
  const { shadow } = await botOf(product, id);
  assert.ok(shadow.compared > 0 && shadow.worse_bp !== null, JSON.stringify(shadow));
  const said = await page.getByTestId("shadow").innerText();
  const [, figure, word] = /the exchange was ([\d.]+) bp (better|worse) than paper/.exec(said);
  assert.equal(Number(figure) * (word === "better" ? -1 : 1), Number(shadow.worse_bp));
  assert.ok(said.includes(`${shadow.compared} of ${shadow.sent} real orders`), said);
}

/** Overview: real money stands apart, each sum as the API gives it for its mode. */
async function apart(product, page) {
  await page.goto(`${product.url}/#/`);
  const real = page.getByTestId("real");
  await isMarked(real.getByTestId("live"));
  await until("equity of both modes", async () => {
    const exact = async (id) => (await page.getByTestId(id).locator("span[title]").first().getAttribute("title")) ?? "";
    const [live, paper] = await Promise.all(["live", "paper"].map((mode) => product.api(`/api/portfolio?mode=${mode}`)));
    const coin = (p) => p.currencies.find((c) => c.currency === "USDT").equity;
    assert.ok((await real.innerText()).includes("USDT"), "what is at the exchanges, by currency");
    assert.ok(await real.locator(`span[title="${coin(live)} USDT"]`).count(), "real USDT");
    assert.ok(await page.getByTestId("tiles").locator(`span[title="${coin(paper)} USDT"]`).count(), "paper USDT");
    // The reporting currency's rate moves with the market.
    return (await exact("real-equity")).endsWith(` ${live.reporting_currency}`) || live.equity === null;
  });
  const { reporting } = await product.api("/api/performance?period=all&mode=live");
  assert.ok(reporting.net_profit === null || (await real.locator(`span[title="${reporting.net_profit} ${reporting.currency}"]`).count()), "what real money made");
}

async function listed(product, page, { live, paper }) {
  await page.goto(`${product.url}/#/bots`);
  await isMarked(page.locator(`[data-bot="${live}"]`).getByTestId("live"));
  await page.locator(`[data-bot="${paper}"]`).waitFor();
  assert.equal(await page.locator(`[data-bot="${paper}"]`).getByTestId("live").count(), 0);
}

export const live = [
  [
    "a_live_bot_stands_beside_its_paper_record_until_a_person_takes_it_back",
    async ({ chrome }) => {
      const servers = await exchanges();
      const product = await Product.start({ verb: "run", config: servers.config, env: { ENABLE_LIVE_TRADING: "true" } });
      try {
        let began = Date.now();
        const took = (what) => (console.log(`       ${what}: ${((Date.now() - began) / 1000).toFixed(0)} s`), (began = Date.now()));
        const { page, ...bots } = await ready(product, chrome);
        took("trained on paper");
        await page.goto(`${product.url}/#/`);
        await page.getByTestId("mode").getByText("PAPER").waitFor();
        await promote(product, page, bots.live);
        await page.getByTestId("mode").getByText("LIVE").waitFor();
        // The supervisor looks every second or two.
        await until("health to say so", async () => (await product.api("/api/health")).mode === "LIVE");
        took("promoted");
        await until("live trades", async () => (await tradesOf(product, bots.live, false)).length >= TRADES && (await botOf(product, bots.live)).shadow?.worse_bp != null, 90_000);
        took("live trades");
        await page.goto(`${product.url}/#/bots/${bots.live}`);
        await page.getByTestId("beside").waitFor();
        await kept(page, "bot-1440-trading");
        for (const id of Object.values(bots)) {
          await product.api(`/api/bots/${id}/pause`, { method: "POST" });
          await flat(product, id);
        }
        for (const width of [1440, 390]) {
          await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
          await isMarked(page.getByTestId("mode"));
          await apart(product, page);
          await kept(page, `overview-${width}`, { isCompared: true, isJudged: true });
          await listed(product, page, bots);
          await kept(page, `bots-${width}`, { isCompared: true, isJudged: width === 390 });
          await page.goto(`${product.url}/#/bots/${bots.live}`);
          await isMarked(page.locator(".head").getByTestId("live"));
          await stands(product, page, bots.live);
          await kept(page, `bot-${width}`, { isCompared: true, isJudged: width === 1440 });
          for (const change of CHANGES) assert.ok(await isSeen(page, change), `a picture does not tell: ${change}`);
          assert.ok(!(await isSeen(page, "main { --unused: 1px }")), "what changes nothing is no change");
          await page.goto(`${product.url}/#/bots/${bots.live}?tab=trades`);
          await isMarked(page.locator("#panel").getByTestId("live").first());
          await kept(page, `trades-${width}`);
        }
        took("looked at");
        await page.setViewportSize({ width: 1440, height: 900 });
        await page.goto(`${product.url}/#/bots/${bots.live}?tab=gate`);
        await kept(page, "gate-1440");
        await page.getByTestId("gate").getByRole("button", { name: "Back to paper" }).click();
        await page.getByRole("dialog", { name: "Back to paper: earner" }).getByRole("button", { name: "Back to paper" }).click();
        await until("it on paper", async () => (await botOf(product, bots.live)).mode === "paper");
        await page.locator(".head").getByTestId("live").waitFor({ state: "detached" });
        await page.getByTestId("mode").getByText("PAPER").waitFor();
        // What it did with real money stays beside what it does on paper from now on.
        await page.goto(`${product.url}/#/bots/${bots.live}`);
        await stands(product, page, bots.live);
        await kept(page, "bot-1440-taken-back");
        await page.goto(`${product.url}/#/bots/${bots.paper}`);
        await page.getByTestId("doing").waitFor();
        assert.equal(await page.getByTestId("beside").count(), 0, "without a live trade there is nothing beside");
        assert.deepEqual(page.wrongs, []);
      } finally {
        await product.end();
        await servers.end();
      }
    },
  ],
];
