// The autopilot's page: what it would do, may spend and did, held against the API.

import assert from "node:assert/strict";
import { until } from "./product.mjs";

const plan = (product) => product.api("/api/autopilot/plan", { method: "POST" });
const table = (page, name) => page.getByTestId(name).locator("tbody tr:not(:has(.empty))");

/** Pays fees at each bar: on one's own market it loses surely. */
const DOOMED = { name: "doomed", exchange: "binance", symbol: "BTC/USDT", strategy: { kind: "ema_cross", params: { fast: 2, slow: 3 } }, timeframe: "1s", capital: "1000", risk_mode: "balanced" };

/** Another day's limits for the while: a few trades are sample enough, and it looks at once. */
async function hasty(product, run) {
  const path = "/api/policy?scope=fleet";
  const { policy } = await product.api(path);
  const body = { ...policy, autopilot_trades_min: 3, autopilot_every_s: 10, autopilot_cut_score: "0.01" };
  await product.api(path, { method: "PUT", body });
  try {
    await run();
  } finally {
    await product.api(path, { method: "PUT", body: policy });
  }
}

/** Rows of the page beside rows of the API; both move, so they are read until they agree. */
async function same(page, product) {
  const told = (await plan(product)).actions.map((a) => [a.kind, a.bot, a.reason]);
  const seen = await table(page, "plan").evaluateAll((rows) => rows.map((r) => [r.dataset.kind, r.dataset.bot, r.querySelector(".reason").innerText]));
  assert.deepEqual(seen, told);
  return told;
}

export const pilot = [
  [
    "the_autopilots_page_is_what_the_api_says_and_a_bot_handed_over_is_acted_on",
    async ({ product, page }) => {
      const bot = await product.api("/api/bots", { method: "POST", body: DOOMED });
      await hasty(product, async () => {
        await page.goto(`${product.url}/#/autopilot`);
        await page.getByTestId("autopilot-state").getByText("on", { exact: true }).waitFor();
        // Before it is handed over it is only proposed for.
        await until("a cut of it in the plan", async () => (await plan(product)).bots.some((b) => b.bot === "doomed" && b.trades >= 3));
        await until("the plan of the API", async () => {
          await page.getByRole("button", { name: "Plan anew" }).click();
          return (await same(page, product)).length > 0;
        });
        const { pools, bots } = await plan(product);
        assert.equal(await table(page, "pools").count(), pools.length);
        assert.equal(await table(page, "scores").count(), bots.length);
        await until("every score", async () => {
          await page.getByRole("button", { name: "Plan anew" }).click();
          const { bots } = await plan(product);
          const told = bots.map((b) => [String(b.bot_id), b.score === null ? "–" : b.score.toFixed(2)]);
          const seen = await table(page, "scores").evaluateAll((rows) => rows.map((r) => [r.dataset.bot, r.querySelector("td:nth-child(2)").innerText.split(/\s/)[0]]));
          return JSON.stringify(seen) === JSON.stringify(told);
        });
        // What has no score says why.
        const unknown = table(page, "scores").locator("td:nth-child(2) .muted").first();
        if ((await unknown.count()) > 0) assert.match(await unknown.getAttribute("title"), /trades that it takes|no spread/);
        await page.getByRole("button", { name: "Hand over doomed" }).click();
        await until("the hand-over", async () => (await product.api(`/api/bots/${bot.id}`)).managed);
        const done = page.getByTestId("did").locator('tr[data-outcome="done"]', { hasText: "doomed" });
        await done.first().waitFor({ timeout: 60_000 });
        const { did } = await product.api("/api/autopilot");
        const record = did.find((r) => r.bot === "doomed" && r.outcome === "done");
        assert.equal(record.kind, "cut");
        assert.ok((await done.first().innerText()).includes(record.reason), "the reason in the API's own words");
        await until("it archived", async () => (await product.api(`/api/bots/${bot.id}`)).lifecycle === "retired");
        // The store's events tell the same, each once.
        const before = await table(page, "did").count();
        await page.getByRole("button", { name: "Look further back" }).click();
        await page.getByRole("button", { name: "Look further back" }).waitFor({ state: "detached" });
        assert.ok((await table(page, "did").count()) >= before);
        assert.equal(await done.count(), 1, "not twice");
        await page.goto(`${product.url}/#/limits`);
        const card = page.getByRole("region", { name: "Autopilot" });
        await until("the same on the limits' page", async () => {
          const { did } = await product.api("/api/autopilot");
          return (await card.innerText()).includes(did[0].reason);
        });
      });
      assert.deepEqual(page.wrongs, []);
    },
  ],
];

/** With the flag off: it says so, and still plans. */
export async function offIsSaid(page, url) {
  await page.goto(`${url}/#/autopilot`);
  await page.getByTestId("autopilot-off").waitFor();
  assert.equal(await page.getByTestId("autopilot-state").innerText(), "off");
  assert.match(await page.getByTestId("autopilot-tiles").innerText(), /never: it is off/);
  await page.getByText("It has done nothing yet.").waitFor();
  assert.ok(await page.getByRole("button", { name: "Plan anew" }).isEnabled());
}
