// What people order by the page, held against the API and the database.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { until, page as open, PATIENCE_MS } from "./product.mjs";

/** What the store itself says, past server and API. */
function database(product, question) {
  const script = `import json,sqlite3,sys
c=sqlite3.connect("file:"+sys.argv[1]+"?mode=ro",uri=True)
print(json.dumps(c.execute(sys.argv[2]).fetchall()))`;
  const file = join(product.directory, "data", "amarktai.db");
  return JSON.parse(execFileSync("python3", ["-c", script, file, question], { encoding: "utf8" }));
}

/** The fleet needs a while for its first trades. */
const someTrades = (product) => until("some trades", async () => (await product.api("/api/trades?limit=20")).items.length >= 8, 100_000);

const botNamed = async (product, name) => (await product.api("/api/bots?limit=500")).items.find((b) => b.name === name);

export const orders = [
  [
    "a_bot_made_by_the_form_trades",
    async ({ product, page }) => {
      // The market's spread moves: what the page shows is what it was answered last.
      const told = [];
      page.on("response", async (answer) => {
        if (answer.url().endsWith("/api/bots/preview") && answer.ok()) told.push((await answer.json()).sentence);
      });
      await page.goto(`${product.url}/#/bots/new`);
      await page.getByLabel("Name").fill("hasty");
      await page.getByLabel("Market", { exact: true }).fill("BTC/USDT");
      await page.getByLabel("Bars of").selectOption("1s");
      await page.getByLabel("Fast period").fill("2");
      await page.getByLabel("Slow period").fill("3");
      await page.getByLabel("Capital").fill("1500");
      await until("the costs", async () => told.length > 0 && (await page.getByTestId("cost").innerText()) === told.at(-1));
      await page.getByRole("button", { name: "Review" }).click();
      await page.getByRole("heading", { name: "A last look" }).waitFor();
      await page.getByRole("button", { name: "Create the bot" }).click();
      await page.getByRole("heading", { name: "hasty" }).waitFor();
      const bot = await until("the bot", () => botNamed(product, "hasty"));
      assert.deepEqual([bot.timeframe, bot.capital, bot.strategy.params], ["1s", "1500", { fast: 2, slow: 3 }]);
      const trade = await until("its first trade", async () => (await product.api(`/api/bots/${bot.id}/trades?limit=1`)).items[0]);
      await page.getByRole("tab", { name: "Trades" }).click();
      await page.getByRole("button", { name: `Receipt of trade ${trade.id}` }).waitFor();
    },
  ],
  [
    "what_cannot_be_is_said_with_what_would_do",
    async ({ product, page }) => {
      await page.goto(`${product.url}/#/bots/new`);
      await page.getByLabel("Name").fill("poor");
      await page.getByLabel("Capital").fill("99999999");
      await page.getByRole("button", { name: "Review" }).click();
      await page.getByRole("button", { name: "Create the bot" }).click();
      await page.getByText("INSUFFICIENT_FUNDS").waitFor();
      assert.equal(await botNamed(product, "poor"), undefined);
    },
  ],
  [
    "a_pause_holds_and_a_resume_releases",
    async ({ product, page }) => {
      const bot = await botNamed(product, "ladder");
      const holds = async () => (await product.api(`/api/bots/${bot.id}`)).holds;
      await page.goto(`${product.url}/#/bots/${bot.id}`);
      await page.getByRole("button", { name: "Pause" }).click();
      await until("the hold", async () => (await holds()).includes("USER_PAUSED"));
      await page.getByText("USER_PAUSED").waitFor();
      await page.getByRole("button", { name: "Resume" }).click();
      await until("its release", async () => !(await holds()).includes("USER_PAUSED"));
      await page.getByRole("button", { name: "Pause" }).waitFor();
    },
  ],
  [
    "many_bots_are_ordered_at_once",
    async ({ product, page }) => {
      await page.goto(`${product.url}/#/bots`);
      await page.getByLabel("Find bots").fill("kucoin");
      await page.getByLabel("Select all").check();
      const region = page.getByRole("region", { name: "Selected bots" });
      await region.getByRole("button", { name: "Pause" }).click();
      const kucoin = async () => (await product.api("/api/bots?limit=500")).items.filter((b) => b.exchange === "kucoin");
      await until("all holds", async () => (await kucoin()).every((b) => b.holds.includes("USER_PAUSED")));
      await region.getByRole("button", { name: "Resume" }).click();
      await until("all releases", async () => (await kucoin()).every((b) => !b.holds.includes("USER_PAUSED")));
      await page.getByLabel("Find bots").fill("");
    },
  ],
  [
    "trades_are_those_of_the_api_and_of_the_database",
    async ({ product, page }) => {
      await someTrades(product);
      await page.goto(`${product.url}/#/trades`);
      await page.reload();
      const day = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
      await page.getByRole("button", { name: /^Receipt of trade/ }).first().waitFor();
      const stored = database(product, `select id, profit_loss from trades where timestamp < '${day}' order by timestamp desc limit 400`);
      const known = new Map(stored.map(([id, profit]) => [String(id), profit]));
      const rows = await page.locator("tbody tr").evaluateAll((all) =>
        all.map((row) => ({
          id: row.querySelector("button")?.getAttribute("aria-label")?.split(" ").at(-1),
          profit: row.querySelector("td:nth-child(8) span")?.getAttribute("title")?.split(" ")[0],
        })),
      );
      assert.ok(rows.length > 3, "there are trades to look at");
      const seen = rows.filter(({ id }) => known.has(id));
      assert.ok(seen.length > 3, "the rows are stored ones");
      for (const { id, profit } of seen) assert.equal(profit, known.get(id), `profit of ${id}`);
    },
  ],
  [
    "a_trade_is_explained_from_quote_to_money",
    async ({ product, page }) => {
      await page.goto(`${product.url}/#/trades`);
      await page.getByRole("button", { name: /^Receipt of trade/ }).first().click();
      const dialog = page.getByRole("dialog", { name: "Receipt" });
      await dialog.getByText("Quote seen").first().waitFor();
      const id = Number(new URL(page.url().replace("#", "")).searchParams.get("trade"));
      const { trade, fills, decisions } = await product.api(`/api/trades/${id}/explain`);
      const text = await dialog.innerText();
      assert.ok(text.includes(String(trade.id)));
      assert.equal(text.split("Fill\n").length - 1, fills.length, "every fill is there");
      for (const { reason } of decisions) assert.ok(text.includes(reason), reason);
      await page.keyboard.press("Escape");
      await dialog.waitFor({ state: "hidden" });
    },
  ],
  [
    "an_export_has_every_trade_with_its_exact_profit",
    async ({ product, page }) => {
      await someTrades(product);
      await page.goto(`${product.url}/#/trades`);
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByTestId("export").click()]);
      const lines = readFileSync(await download.path(), "utf8").trim().split("\r\n");
      const names = lines[0].split(",");
      const { items } = await product.api("/api/trades?limit=500");
      const rows = new Map(lines.slice(1).map((line) => [line.split(",")[0], line.split(",")]));
      assert.ok(rows.size > 3);
      const both = items.filter((t) => rows.has(String(t.id)));
      assert.ok(both.length >= Math.min(rows.size, 500) - 5, "the file is the list");
      for (const t of both) assert.equal(rows.get(String(t.id))[names.indexOf("profit_loss")], t.profit_loss);
    },
  ],
  [
    "money_on_the_page_is_the_money_of_the_api",
    async ({ product, page }) => {
      await page.goto(`${product.url}/#/money`);
      const card = page.getByRole("region", { name: "Wallets" });
      await until("equal wallets", async () => {
        const wallets = await product.api("/api/wallets");
        for (const w of wallets) {
          const cells = card.getByRole("row").filter({ hasText: `${w.currency} ${w.exchange}` }).locator("td.num span[title]");
          const titles = await cells.evaluateAll((all) => all.map((c) => c.getAttribute("title")));
          assert.deepEqual(titles, [w.available, w.reserved, w.total].map((v) => `${v} ${w.currency}`));
        }
        return wallets.length >= 3;
      });
      await page.getByTestId("verify").click();
      await page.getByText("The books balance.").waitFor();
    },
  ],
  [
    "the_emergency_stop_takes_one_held_gesture_and_leaves_bots_paused",
    async ({ product, page }) => {
      await page.goto(`${product.url}/#/`);
      const button = page.getByTestId("stop");
      const active = async () => (await product.api("/api/emergency-stop")).active;
      // A short press only explains.
      await button.click();
      await page.getByRole("heading", { name: "Emergency stop" }).waitFor();
      assert.equal(await active(), false);
      await page.goto(`${product.url}/#/markets`);
      await button.hover();
      await page.mouse.down();
      await until("the stop", active);
      await page.mouse.up();
      await page.getByTestId("stopped").waitFor();
      assert.ok((await product.api("/api/bots?limit=500")).items.every((b) => b.lifecycle !== "active" || b.holds.includes("EMERGENCY_STOP")));
      await page.goto(`${product.url}/#/stop`);
      await page.getByTestId("clear-account").click();
      await until("its end", async () => !(await active()));
      await page.getByTestId("stopped").waitFor({ state: "detached" });
      // Cleared, the bots wait for a person; the page resumes them.
      await page.goto(`${product.url}/#/bots`);
      await page.getByLabel("Select all").check();
      await page.getByRole("region", { name: "Selected bots" }).getByRole("button", { name: "Resume" }).click();
      await until("trading again", async () => (await product.api("/api/bots?limit=500")).items.every((b) => !b.holds.includes("USER_PAUSED") && !b.holds.includes("EMERGENCY_STOP")));
    },
  ],
  [
    "a_viewer_sees_everything_and_orders_nothing_and_is_sent_to_the_door_when_ended",
    async ({ product, chrome }) => {
      const viewer = { name: "vera", password: "only looking here", role: "viewer" };
      const made = await product.api("/api/users", { method: "POST", body: viewer });
      const context = await chrome.newContext({ viewport: { width: 1440, height: 900 } });
      context.setDefaultTimeout(PATIENCE_MS);
      const page = await open(context, product.url);
      await page.goto(product.url);
      await page.getByLabel("Name").fill(viewer.name);
      await page.getByLabel("Password").fill(viewer.password);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByTestId("equity").waitFor();
      assert.ok(await page.getByTestId("stop").isDisabled());
      const bot = await botNamed(product, "ladder");
      await page.goto(`${product.url}/#/bots/${bot.id}`);
      assert.ok(await page.getByRole("button", { name: "Pause" }).isDisabled());
      await page.goto(`${product.url}/#/money`);
      await until("no deposit", () => page.getByRole("button", { name: "Deposit" }).last().isDisabled());
      await product.api(`/api/users/${made.id}`, { method: "DELETE" });
      await page.getByText("Your session has ended").waitFor();
      assert.deepEqual(page.wrongs, []);
    },
  ],
];
