// What a person should look at first, from figures that are on the page anyway.

import type { Bot, Market, Shapes } from "./api";

export interface Point {
  word: string;
  mood: "bad" | "notice";
  what: string;
  to?: string;
  link?: string;
}

interface Known {
  portfolio: Shapes["Portfolio"] | null;
  health: Shapes["Health"] | null;
  markets: Market[];
  bots: Bot[];
}

/** Worst first; the same thing once. */
export function attention({ portfolio, health, markets, bots }: Known): Point[] {
  const bad: Point[] = [];
  const notice: Point[] = [];
  for (const [name, part] of Object.entries((health?.checks ?? {}) as Record<string, unknown>)) {
    const { status, detail } = part as { status?: string; detail?: string };
    if (status === "unhealthy") bad.push({ word: "Fault", mood: "bad", what: `${name}: ${detail}`, to: "#/system", link: "System" });
    if (status === "degraded") notice.push({ word: "Degraded", mood: "notice", what: `${name}: ${detail}`, to: "#/system", link: "System" });
  }
  const unguarded = bots.filter((bot) => bot.position?.unguarded_since);
  if (unguarded.length > 0) {
    bad.push({ word: "Unguarded", mood: "bad", what: `${names(unguarded)}: the stop cannot be watched, as the feed gives no usable price`, ...bot(unguarded) });
  }
  const held = bots.filter((b) => b.lifecycle === "active" && b.holds.some((hold) => SERIOUS.includes(hold)));
  if (held.length > 0) {
    bad.push({ word: "Held", mood: "bad", what: `${names(held)}: stopped by a guard`, to: "#/limits", link: "Guards" });
  }
  const stuck = bots.filter((b) => b.doing.startsWith("STUCK"));
  if (stuck.length > 0) bad.push({ word: "Stuck", mood: "bad", what: `${names(stuck)}: the market moves and no decision comes`, ...bot(stuck) });
  const late = markets.filter((m) => m.state !== "fresh");
  if (late.length > 0) {
    const which = late.slice(0, 4).map((m) => `${m.symbol} on ${m.exchange}`).join(", ");
    const more = late.length > 4 ? ` and ${late.length - 4} more` : "";
    notice.push({ word: "No price", mood: "notice", what: `${which}${more}: ${late[0]?.reason ?? "feed not fresh"}`, to: "#/markets", link: "Markets" });
  }
  if (portfolio && portfolio.unknown.length > 0) {
    notice.push({ word: "Unknown", mood: "notice", what: `Equity cannot be told: ${portfolio.unknown.join(", ")}` });
  }
  return [...bad, ...notice];
}

const SERIOUS: string[] = ["RISK_STOP", "CIRCUIT_BREAKER", "EXECUTION_THROTTLE", "ROGUE", "BUDGET_EXHAUSTED", "INSTRUMENT_HALTED"];

function names(bots: Bot[]): string {
  const shown = bots.slice(0, 3).map((b) => b.name).join(", ");
  return bots.length > 3 ? `${shown} and ${bots.length - 3} more` : shown;
}

function bot(bots: Bot[]): { to: string; link: string } {
  const [first] = bots;
  return bots.length === 1 && first ? { to: `#/bots/${first.id}`, link: "Bot" } : { to: "#/bots", link: "Bots" };
}

export interface Reason {
  state: string;
  text: string;
  count: number;
}

/** Bots that do not trade, by the kind of their reason: the figures differ from bot to bot. */
export function reasons(bots: Bot[], most = 8): Reason[] {
  const found = new Map<string, Reason>();
  for (const bot of bots) {
    if (bot.state === "trading" || bot.state === "archived") continue;
    const text = kind(bot);
    const key = `${bot.state} ${text}`;
    const reason = found.get(key) ?? { state: bot.state, text, count: 0 };
    reason.count += 1;
    found.set(key, reason);
  }
  const order = ["paused", "stopped", "waiting"];
  const all = [...found.values()];
  all.sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || b.count - a.count);
  return all.slice(0, most);
}

function kind(bot: Bot): string {
  if (bot.state === "stopped") return "By a person, until started";
  if (bot.holds.length > 0 && bot.state === "paused") return HOLDS[bot.holds[0] ?? ""] ?? bot.doing;
  if (bot.doing.startsWith("Warming up")) return "Warming up its indicators";
  if (bot.doing.startsWith("Waiting: feed")) return "Its feed has no usable price";
  if (bot.doing.startsWith("Wants to")) return "Its orders are blocked by a limit";
  if (bot.doing.startsWith("Waiting: cooldown")) return "Cooling down after a trade";
  if (bot.doing.startsWith("UNGUARDED")) return "Holds a position that cannot be guarded now";
  if (bot.doing.startsWith("STUCK")) return "Stuck: no decision although the market moves";
  return "No signal now";
}

/** What a hold is, in a few words. */
export const HOLDS: Record<string, string> = {
  USER_PAUSED: "By a person, until resumed",
  EMERGENCY_STOP: "Emergency stop",
  UNSUPPORTED_EXCHANGE: "Its exchange is not enabled",
  MODE_DISABLED: "ENABLE_PAPER_TRADING is off",
  RISK_STOP: "Bodyguard: fell too far from its peak",
  CIRCUIT_BREAKER: "Circuit breaker",
  ROGUE: "Bodyguard: behaves unlike itself",
  BUDGET_EXHAUSTED: "Not enough money in the wallet",
  NO_EXCHANGE_KEYS: "No exchange key",
  INSTRUMENT_HALTED: "The exchange halted the market",
  EXECUTION_THROTTLE: "Too many entries in a short time, until re-armed by a person",
  COOLDOWN: "Cooling down",
  DAILY_LIMIT: "Its daily limit is reached",
};
