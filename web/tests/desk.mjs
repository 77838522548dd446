// The operator's desk: live gate, keys, notices, backups and limits, held against the API.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { BINARY, until } from "./product.mjs";

/** Takes what the product's webhook sends. */
export async function receiver() {
  const posts = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => (posts.push(body), response.end()));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    posts,
    url: `http://127.0.0.1:${server.address().port}/hook`,
    close: () => new Promise((done) => (server.closeAllConnections(), server.close(done))),
  };
}

const SECRET = "never-to-be-seen-again-0123456789";

export const desk = [
  [
    "the_live_gate_is_what_the_api_says_and_a_promotion_needs_the_name_typed",
    async ({ product, page }) => {
      const bot = (await product.api("/api/bots?limit=500")).items.find((b) => b.name === "ladder");
      await page.goto(`${product.url}/#/bots/${bot.id}?tab=gate`);
      const gate = page.getByTestId("gate");
      await gate.locator("[data-condition]").first().waitFor();
      await until("the same conditions", async () => {
        const { conditions } = await product.api(`/api/bots/${bot.id}/live-gate`);
        const rows = await gate.locator("[data-condition]").evaluateAll((all) => all.map((r) => [r.dataset.condition, r.querySelector("td:last-child").innerText]));
        const told = conditions.map((c) => [c.name, !c.is_required ? "shown only" : c.pass ? "yes" : "no"]);
        assert.deepEqual(rows, told);
        return rows.length > 10;
      });
      await gate.getByRole("button", { name: "Promote to live" }).click();
      const dialog = page.getByRole("dialog", { name: "Real money for ladder" });
      const promote = dialog.getByRole("button", { name: "Promote to live" });
      assert.ok(await promote.isDisabled());
      await page.getByTestId("confirmation").fill("lader");
      assert.ok(await promote.isDisabled(), "a near miss is no confirmation");
      await page.getByTestId("confirmation").fill("ladder");
      await promote.click();
      // One that holds something is told to be flat first.
      await dialog.getByText(/GATE_CLOSED|NOT_FLAT/).waitFor();
      const said = await dialog.getByRole("alert").innerText();
      assert.ok(!said.includes("confirmed_by_a_person"), `the word was typed: ${said}`);
      assert.equal((await product.api(`/api/bots/${bot.id}`)).mode, "paper");
      await page.keyboard.press("Escape");
    },
  ],
  [
    "a_key_is_attested_asked_about_and_its_secret_is_never_seen",
    async ({ product, page }) => {
      const answers = [];
      const keep = async (response) => answers.push(await response.text().catch(() => ""));
      page.on("response", keep);
      await page.goto(`${product.url}/#/system?tab=keys`);
      await page.getByRole("button", { name: "Add a key of Luno" }).click();
      const dialog = page.getByRole("dialog", { name: "Key of Luno" });
      await dialog.getByLabel("Key", { exact: true }).fill("lunoexamplekey7788");
      await dialog.getByLabel("Secret").fill(SECRET);
      await dialog.getByRole("button", { name: "Store the key" }).click();
      // The browser itself holds it back: nothing was attested.
      assert.deepEqual(await product.api("/api/keys"), []);
      await dialog.getByLabel("I made this key without the right to withdraw").check();
      await dialog.getByLabel("Addresses").fill("203.0.113.7, 203.0.113.8");
      await dialog.getByRole("button", { name: "Store the key" }).click();
      // The local exchange knows no such key: it is refused, and nothing is kept.
      await dialog.getByText("KEY_REJECTED").waitFor();
      assert.deepEqual(await product.api("/api/keys"), []);
      await page.keyboard.press("Escape");
      assert.ok(!(await page.content()).includes(SECRET), "what was typed is gone");
      // One that is stored, as the API would tell of it.
      const attestation = { cannot_withdraw: true, ip_restriction: ["203.0.113.7"], unverified: true, by: "owner", at: null };
      const key = { exchange: "luno", version: 1, key_tail: "7788", can_trade: true, can_withdraw: null, tested_at: null, attestation, usable_for_live: false, missing: "it was never tested against the exchange", created_at: new Date().toISOString(), created_by: "owner" };
      await page.route("**/api/keys", (route) => route.fulfill({ json: [key] }));
      await page.reload();
      const row = page.getByTestId("keys").locator('[data-exchange="luno"]');
      await row.getByText("…7788").waitFor();
      await row.getByText("owner attests: no; bound to 203.0.113.7 (unverified)").waitFor();
      await row.getByText(key.missing).waitFor();
      await row.getByRole("button", { name: "Test" }).click();
      await page.getByText(/^Key of Luno: there is no such key/).first().waitFor();
      await row.getByRole("button", { name: "Remove" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Remove it" }).waitFor();
      await page.keyboard.press("Escape");
      await page.unroute("**/api/keys");
      page.off("response", keep);
      assert.ok(!(await page.content()).includes(SECRET) && answers.every((text) => !text.includes(SECRET)));
    },
  ],
  [
    "a_key_that_the_exchange_knows_is_stored_tested_and_removed",
    async ({ product, page }) => {
      // The local exchange has this account.
      const [id, secret] = ["sandbox-key", "sandbox-secret"];
      const answers = [];
      const keep = async (response) => answers.push(await response.text().catch(() => ""));
      page.on("response", keep);
      await page.goto(`${product.url}/#/system?tab=keys`);
      await page.getByRole("button", { name: "Add a key of Binance" }).click();
      const dialog = page.getByRole("dialog", { name: "Key of Binance" });
      await dialog.getByLabel("Key", { exact: true }).fill(id);
      await dialog.getByLabel("Secret").fill(secret);
      await dialog.getByRole("button", { name: "Store the key" }).click();
      const row = page.getByTestId("keys").locator('[data-exchange="binance"]');
      // Its end is shown only where the rest is long enough to say nothing.
      const stored = await until("the key", () => product.api("/api/keys/binance"));
      assert.deepEqual([stored.can_trade, stored.can_withdraw, stored.usable_for_live], [true, false, true]);
      const cells = async () => (await row.locator("td").allInnerTexts()).map((text) => text.trim());
      await until("what the API says", async () => {
        const [, key, trade, withdraw, , live] = await cells();
        assert.ok(key.startsWith(`…${stored.key_tail || "••••"}`), key);
        return trade === "yes" && withdraw === "no" && live === "good";
      });
      await row.getByRole("button", { name: "Test" }).click();
      await page.getByText("The key of Binance works and is good for live.").first().waitFor();
      const tested = await product.api("/api/keys/binance");
      assert.ok(tested.tested_at > stored.tested_at, "the exchange was asked again");
      // One with another secret does not take its place.
      await row.getByRole("button", { name: "Replace" }).click();
      await dialog.getByLabel("Key", { exact: true }).fill(id);
      await dialog.getByLabel("Secret").fill("another-secret-7788");
      await dialog.getByRole("button", { name: "Store the key" }).click();
      await dialog.getByText("KEY_REJECTED").waitFor();
      assert.equal((await product.api("/api/keys/binance")).version, stored.version);
      await page.keyboard.press("Escape");
      await row.getByRole("button", { name: "Remove" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Remove it" }).click();
      await row.getByText("no key").waitFor();
      assert.deepEqual(await product.api("/api/keys"), []);
      page.off("response", keep);
      assert.ok(!(await page.content()).includes(secret) && answers.every((text) => !text.includes(secret)));
    },
  ],
  [
    "a_try_of_the_channels_arrives_and_the_outbox_is_the_stores",
    async ({ product, page, hook }) => {
      await page.goto(`${product.url}/#/system?tab=notices`);
      const before = hook.posts.length;
      await page.getByTestId("try").click();
      await page.getByText("arrived").waitFor();
      assert.ok(hook.posts.length > before, "the receiver has it");
      const outbox = page.getByRole("region", { name: "Notices" });
      await until("the same rows", async () => {
        const { items } = await product.api("/api/notifications?limit=100");
        assert.equal(await outbox.locator("tbody tr:not(:has(.empty))").count(), items.length);
        return items.length === 0 || (await outbox.innerText()).includes(items[0].title);
      });
    },
  ],
  [
    "a_backup_is_made_by_hand_and_the_disk_is_the_apis",
    async ({ product, page }) => {
      await page.goto(`${product.url}/#/system?tab=backups`);
      const before = (await product.api("/api/backups")).items.length;
      await page.getByRole("button", { name: "Make one now" }).click();
      const file = await until("the backup", async () => {
        const { items } = await product.api("/api/backups");
        return items.length > before && items[0];
      });
      await page.getByTestId("backups").getByText(file.name).waitFor();
      const { forecast } = await product.api("/api/system/disk");
      const days = Math.floor(forecast.days_left).toLocaleString("en");
      await until("the forecast", async () => (await page.getByTestId("disk").innerText()).includes(forecast.days_left > 3650 ? "ten years" : days.slice(0, -1)));
    },
  ],
  [
    "the_use_of_request_limits_is_shown_for_each_exchange",
    async ({ product, page }) => {
      await page.goto(`${product.url}/#/system`);
      const table = page.getByTestId("rates");
      await table.getByText("Binance").waitFor();
      const { rates } = await product.api("/api/system");
      assert.equal(rates.length, 3);
      for (const rate of rates) {
        const text = await table.getByRole("row").filter({ hasText: new RegExp(rate.exchange, "i") }).innerText();
        assert.ok(text.includes(rate.limit.toLocaleString("en")), `${rate.exchange}: ${text}`);
        assert.ok(rate.used <= rate.limit && rate.limit > 0);
      }
    },
  ],
  [
    "a_bot_is_tested_on_the_last_90_days_and_the_way_leads_back_to_its_form",
    async ({ product, page }) => {
      await page.goto(`${product.url}/#/bots/new`);
      await page.getByLabel("Name").fill("probe");
      await page.getByLabel("Capital").fill("1500");
      await page.getByLabel("Fast period").fill("4");
      await page.getByRole("button", { name: "Test on the last 90 days" }).click();
      await page.getByRole("heading", { name: "Backtest", level: 1 }).waitFor();
      await page.getByTestId("tiles").waitFor();
      const id = page.url().split("/").at(-1);
      const { result, title } = await product.api(`/api/backtests/${id}`);
      assert.match(title, /last 90 days$/);
      assert.equal(await page.getByTestId("tiles").locator(".value span[title]").first().getAttribute("title"), `${result.statistics.net_profit} USDT`);
      assert.match(await page.getByTestId("grade").innerText(), /bars alone/);
      assert.match(await page.getByTestId("short").innerText(), /^Only \d+ (h|d) of the 90 days/);
      await page.getByRole("link", { name: "Back to the bot" }).click();
      await page.getByLabel("Name").waitFor();
      assert.deepEqual([await page.getByLabel("Name").inputValue(), await page.getByLabel("Fast period").inputValue()], ["probe", "4"]);
      await page.goto(`${product.url}/#/research`);
      await page.getByTestId("studies").getByText("EMA cross 5m, BTC/USDT on binance, last 90 days").waitFor();
    },
  ],
  [
    "a_sweep_is_begun_by_the_form_and_its_heat_map_is_its_ranking",
    async ({ product, page }) => {
      await page.goto(`${product.url}/#/research`);
      await page.getByRole("button", { name: "Sweep" }).click();
      await page.getByLabel("Of the last days").fill("2");
      await page.getByLabel("Bars of").selectOption("1m");
      await page.getByLabel("What varies").fill("fast=3..9:3\nslow=15,20");
      await page.getByLabel("Windows of time").fill("3");
      await page.getByLabel("accept gaps").check();
      await page.getByRole("button", { name: "Start" }).click();
      await page.getByTestId("heat").waitFor();
      const id = page.url().split("/").at(-1);
      const { result } = await product.api(`/api/sweeps/${id}`);
      const cells = await page.getByTestId("heat").locator("tbody td").allInnerTexts();
      assert.equal(cells.length, 6);
      const expected = Array(6).fill("–");
      // Half a day of the local exchange gives no daily score: then it is the profit.
      const isProfit = result.ranking.ranked.every((r) => r.unseen_score === null);
      for (const { place, unseen_score, profit } of result.ranking.ranked) {
        const value = isProfit ? Number(profit) : unseen_score;
        if (value !== null) expected[place[0] * 2 + place[1]] = value.toFixed(2);
      }
      assert.deepEqual(cells, expected);
      assert.equal(await page.getByTestId("ranking").locator("tbody tr").count(), result.ranking.variants);
    },
  ],
  [
    "a_shared_page_has_percent_alone_and_proves_itself",
    async ({ product, page }) => {
      const bot = (await product.api("/api/bots?limit=500")).items.find((b) => b.name === "hasty" || b.trades > 0);
      await page.goto(`${product.url}/#/bots/${bot.id}`);
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Share" }).click()]);
      const file = await download.path();
      const html = readFileSync(file, "utf8");
      for (const told of ["Holding the coin", "Days of good data", "Variants tried", "Data quality"]) assert.ok(html.includes(told), told);
      assert.ok(!html.includes(bot.name) && !html.includes(bot.capital), "neither its name nor its money");
      const verify = (path) => spawnSync(BINARY, ["verify", path], { encoding: "utf8" });
      assert.equal(verify(file).status, 0, verify(file).stderr);
      const forged = `${product.directory}/forged.html`;
      writeFileSync(forged, html.replace("Variants tried", "Variants tires"));
      assert.equal(verify(forged).status, 1);
    },
  ],
  [
    "a_running_balance_ends_at_the_wallet",
    async ({ product, page }) => {
      await page.goto(`${product.url}/#/money`);
      await page.getByLabel("with balances").check();
      const region = page.getByRole("region", { name: "Postings" });
      await region.getByRole("columnheader", { name: "Balance" }).waitFor();
      // Of what no bot has, the last balance is what the wallet says is available.
      const wallets = await product.api("/api/wallets");
      for (const w of wallets) {
        const { items } = await product.api(`/api/ledger?exchange=${w.exchange}&currency=${w.currency}&balance=true&limit=500`);
        const last = items.find((p) => p.book === "available" && p.mode === w.mode);
        if (last) assert.equal(Number(last.balance), Number(w.available), `${w.exchange} ${w.currency} ${w.mode}`);
      }
      const first = await until("a balance", async () => {
        const text = await region.locator("tbody tr").first().locator("td").last().innerText();
        return /^[-\d,.]+$/.test(text) && text;
      });
      assert.ok(first);
      await page.getByTestId("effects").getByRole("row").nth(1).waitFor();
    },
  ],
  [
    "holding_the_coin_is_a_line_beside_the_bots",
    async ({ product, page }) => {
      const { points } = await product.api("/api/bots/1/holding");
      assert.ok(points.length > 0 && points[0].percent === 0);
      await page.goto(`${product.url}/#/bots/compare?ids=1,2`);
      await page.getByTestId("holding").getByText("Dashed: holding the coin").waitFor();
    },
  ],
];
