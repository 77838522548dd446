// Whose money the page is about: the product's label, or real money as soon as one bot has some.

import { bots } from "./bots.svelte";
import { session } from "./session.svelte";

/** `DEMO` and other labels stay; otherwise the account's own bots say. Reactive where it is read. */
export function modeNow(): string {
  void bots.version;
  const isOurs = session.mode === "PAPER" || session.mode === "LIVE";
  if (!isOurs || !bots.isLoaded) return session.mode;
  for (const bot of bots.byId.values()) if (bot.mode === "live") return "LIVE";
  return "PAPER";
}
