// The second factor on the page: set up, asked for, counted once, turned off.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { NAME, PASSWORD } from "./first.mjs";
import { page as open, until, PATIENCE_MS } from "./product.mjs";

const STEP_MS = 30_000;

function decoded(text) {
  let [bits, value] = [0, 0];
  const bytes = [];
  for (const sign of text) {
    value = (value << 5) | "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(sign);
    bits += 5;
    if (bits >= 8) bytes.push((value >>> (bits -= 8)) & 255);
    value &= (1 << bits) - 1;
  }
  return Buffer.from(bytes);
}

/** What an authenticator shows at a step. */
function shown(secret, step) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const digest = createHmac("sha1", decoded(secret)).update(counter).digest();
  const word = digest.readUInt32BE(digest.at(-1) & 15) & 0x7fffffff;
  return String(word % 1_000_000).padStart(6, "0");
}

const now = () => Math.floor(Date.now() / STEP_MS);

export const factor = [
  [
    "a_second_factor_is_set_up_asked_for_before_danger_and_each_code_counts_once",
    async ({ product, chrome }) => {
      const context = await chrome.newContext({ viewport: { width: 1440, height: 900 } });
      context.setDefaultTimeout(PATIENCE_MS);
      const page = await open(context, product.url);
      await page.goto(product.url);
      await page.getByLabel("Name").fill(NAME);
      await page.getByLabel("Password").fill(PASSWORD);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByTestId("link").waitFor();
      await page.goto(`${product.url}/#/system?tab=you`);
      await page.getByRole("button", { name: "Set it up" }).click();
      const dialog = page.getByRole("dialog", { name: "Second factor" });
      await dialog.getByLabel("Your password").fill("not mine at all");
      await dialog.getByRole("button", { name: "Go on" }).click();
      await dialog.getByText("PASSWORD_WRONG").waitFor();
      await dialog.getByLabel("Your password").fill(PASSWORD);
      await dialog.getByRole("button", { name: "Go on" }).click();
      const secret = await dialog.getByTestId("factor-secret").innerText();
      await dialog.getByRole("img", { name: "QR code of the secret" }).waitFor();
      await dialog.getByLabel("Its code now").fill("000 000");
      await dialog.getByRole("button", { name: "Turn it on" }).click();
      await dialog.getByText("SECOND_FACTOR_WRONG").waitFor();
      const step = now();
      await dialog.getByLabel("Its code now").fill(shown(secret, step));
      await dialog.getByRole("button", { name: "Turn it on" }).click();
      await dialog.getByTestId("recovery").waitFor();
      const codes = await dialog.getByTestId("recovery").locator("code").allInnerTexts();
      assert.equal(new Set(codes).size, 8);
      await dialog.getByRole("button", { name: "I have them" }).click();
      await page.getByTestId("second-factor").getByText("8 recovery codes are left").waitFor();
      assert.ok(!(await page.content()).includes(secret), "shown once");
      // A session's cookie alone makes no token.
      const body = { name: "by cookie", role: "admin" };
      const bare = await context.request.post(`${product.url}/api/tokens`, { headers: { origin: product.url }, data: body });
      assert.deepEqual([bare.status(), (await bare.json()).code], [403, "SECOND_FACTOR_REQUIRED"]);
      // The emergency stop is pulled without a code, and cleared by one.
      const active = async () => (await product.api("/api/emergency-stop?scope=fleet")).active;
      const stop = await context.request.post(`${product.url}/api/emergency-stop?scope=fleet`, { headers: { origin: product.url }, data: { reason: "a drill" } });
      assert.equal(stop.status(), 200);
      await page.goto(`${product.url}/#/stop`);
      const ask = page.getByRole("dialog", { name: "Is it you?" });
      await page.getByTestId("clear-fleet").click();
      await ask.getByRole("button", { name: "Leave it" }).click();
      await page.getByText("SECOND_FACTOR_REQUIRED").waitFor();
      assert.ok(await active(), "left, it stays");
      await page.getByTestId("clear-fleet").click();
      await ask.getByLabel("Code").fill(shown(secret, step));
      await ask.getByRole("button", { name: "Go on" }).click();
      await ask.getByText("SECOND_FACTOR_USED").waitFor();
      assert.ok(await active(), "a code that was used opens nothing");
      await ask.getByLabel("Code").fill(shown(secret, step + 1));
      await ask.getByRole("button", { name: "Go on" }).click();
      await until("its end", async () => !(await active()));
      // A recovery code counts, once; the secret is in no event.
      await page.goto(`${product.url}/#/system?tab=you`);
      await page.getByRole("button", { name: "Turn it off" }).click();
      await ask.getByLabel("Code").fill(codes[2].toUpperCase());
      await ask.getByRole("button", { name: "Go on" }).click();
      await page.getByRole("button", { name: "Set it up" }).waitFor();
      assert.ok(!product.log.includes(secret) && codes.every((code) => !product.log.includes(code)));
      // Cleared, the bots wait for a person.
      for (const bot of (await product.api("/api/bots?limit=500")).items) {
        if (bot.holds.includes("USER_PAUSED")) await product.api(`/api/bots/${bot.id}/resume`, { method: "POST" });
      }
      assert.deepEqual(page.wrongs, []);
    },
  ],
];
