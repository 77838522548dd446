// The limits of the policy as lines with their present use, from figures that the API gives.

import type { Bot, Shapes } from "./api";
import { compare } from "./decimal";
import { percent } from "./format";

export interface Limit {
  what: string;
  scope: string;
  now: string | null;
  /** Why it is not known. */
  reason?: string;
  most: string;
  /** 1 is all of it; for a bar. */
  use: number | null;
  then: string;
}

type Policy = Shapes["Policy"];

export function limits(policy: Policy, guard: Shapes["Bodyguard"], bots: Bot[]): Limit[] {
  const inUse = bots.filter((b) => b.lifecycle !== "retired");
  const list: Limit[] = [];
  for (const exchange of ["binance", "kucoin", "luno"] as const) {
    const now = inUse.filter((b) => b.exchange === exchange && b.mode === "paper").length;
    const most = policy.paper_bots_max[exchange];
    list.push({ what: "Paper bots", scope: exchange, now: String(now), most: String(most), use: most > 0 ? now / most : 1, then: "Creating one more is refused until one is archived" });
  }
  for (const breaker of guard.breakers) {
    list.push({
      what: "Loss of the day",
      scope: breaker.scope,
      now: breaker.loss_percent === null ? null : percent(breaker.loss_percent),
      reason: "a currency has no rate",
      most: percent(breaker.maximum_percent, 0),
      use: part(breaker.loss_percent, breaker.maximum_percent),
      then: "Entries stop; on paper released by itself on the next UTC day, live by a person",
    });
  }
  const fallen = highest(guard.bots, (g) => g.drawdown_percent);
  if (fallen) {
    list.push({
      what: "Drawdown of a bot",
      scope: `worst: ${fallen.name}`,
      now: percent(fallen.drawdown_percent),
      most: percent(fallen.maximum_percent, 0),
      use: part(fallen.drawdown_percent, fallen.maximum_percent),
      then: `Hold RISK_STOP; re-arms itself after ${Math.round(policy.rearm_after_s / 60)} min, at most ${policy.rearms_per_day_max} times a day`,
    });
  }
  const busiest = guard.bots.reduce<Shapes["Guarded"] | null>((a, b) => (pace(b) > (a ? pace(a) : 0) ? b : a), null);
  if (busiest && busiest.executions_max !== null) {
    list.push({
      what: "Executed entries in a row",
      scope: `most: ${busiest.name}`,
      now: String(busiest.executions_in_window),
      most: `${busiest.executions_max} in ${Math.round(policy.execution_throttle_window_s / 60)} min`,
      use: pace(busiest),
      then: "Hold EXECUTION_THROTTLE, until a person re-arms it",
    });
  }
  list.push(...entries(policy, inUse));
  list.push(
    { what: "Spread", scope: "each market", now: null, reason: "checked with each order", most: `${policy.spread_collar_bp} bp`, use: null, then: "Entries wait until it is narrower" },
    { what: "Price of an order", scope: "each order", now: null, reason: "checked with each order", most: `${policy.price_collar_bp} bp from the best`, use: null, then: "The order is blocked; exits go on at the collar" },
    { what: "Size of an order", scope: "each order", now: null, reason: "checked with each order", most: `${percent(policy.order_size_max_percent, 0)} of equity, ${percent(policy.depth_share_max_percent, 0)} of the book`, use: null, then: "The order is blocked" },
    { what: "Chasing a price", scope: "each entry that takes", now: null, reason: "checked with each order", most: `${policy.chase_max_bp} bp in ${Math.round(policy.chase_window_s / 60)} min`, use: null, then: "The entry is blocked; exits go on" },
    { what: "Clock against the exchange", scope: "exchange", now: null, reason: "checked with each order", most: `${policy.clock_offset_max_ms} ms`, use: null, then: "Entries are blocked until the clocks agree; live also while it is not measured" },
    { what: "Orders a second", scope: "exchange", now: null, reason: "checked with each order", most: String(policy.orders_per_second_max), use: null, then: "Entries are blocked for that second; 30 % is kept for exits" },
    { what: "Losses in a row", scope: "bot", now: null, reason: "kept by the bodyguard", most: String(policy.consecutive_losses_max), use: null, then: `The bot cools down for ${Math.round(policy.consecutive_losses_pause_s / 60)} min` },
    { what: "Loss of the day, bot", scope: "bot", now: null, reason: "checked with each order", most: percent(policy.daily_loss_max_percent, 0), use: null, then: "No entries until the next UTC day" },
  );
  return list;
}

const KINDS: [string, (policy: Policy) => number, (kind: string) => boolean][] = [
  ["directional", (p) => p.entries_per_day_directional, (k) => !["grid", "dca", "market_making"].includes(k)],
  ["grid and DCA", (p) => p.entries_per_day_grid_dca, (k) => k === "grid" || k === "dca"],
  ["market making", (p) => p.entries_per_day_market_making, (k) => k === "market_making"],
];

function entries(policy: Policy, bots: Bot[]): Limit[] {
  return KINDS.flatMap(([name, most, isIt]) => {
    const of = bots.filter((b) => isIt(b.strategy.kind));
    const busiest = of.reduce<Bot | null>((a, b) => (a && a.entries_today >= b.entries_today ? a : b), null);
    if (!busiest) return [];
    const limit = most(policy);
    return [{
      what: "Entries a day",
      scope: `${name}, most: ${busiest.name}`,
      now: String(busiest.entries_today),
      most: String(limit),
      use: limit > 0 ? busiest.entries_today / limit : 1,
      then: "That bot takes no entries until the next UTC day",
    }];
  });
}

function pace(guarded: Shapes["Guarded"]): number {
  return guarded.executions_max ? guarded.executions_in_window / guarded.executions_max : 0;
}

function part(now: string | null, most: string): number | null {
  return now === null ? null : Math.max(0, Number(now) / Math.max(Number(most), 1e-9));
}

function highest(all: Shapes["Guarded"][], of: (g: Shapes["Guarded"]) => string | null): Shapes["Guarded"] | null {
  const known = all.filter((g) => of(g) !== null);
  return known.reduce<Shapes["Guarded"] | null>((a, b) => (a && compare(of(a) ?? "0", of(b) ?? "0") >= 0 ? a : b), null);
}

export interface Exposure {
  what: string;
  currency: string;
  /** `null`: of one position it is not known. */
  value: string | null;
  count: number;
}

/** Value of what is open, by asset and by exchange; exact, in each market's own currency. */
export function exposure(positions: Shapes["Position"][]): Exposure[] {
  const sums = new Map<string, Exposure & { atoms: bigint | null }>();
  for (const p of positions) {
    const [base, currency] = p.symbol.split("/") as [string, string];
    for (const what of [base, `on ${p.exchange}`]) {
      const key = `${what} ${currency}`;
      const sum = sums.get(key) ?? { what, currency, value: null, count: 0, atoms: 0n };
      sum.count += 1;
      sum.atoms = sum.atoms === null || p.value === null ? null : sum.atoms + atoms(p.value);
      sums.set(key, sum);
    }
  }
  const list = [...sums.values()].map(({ atoms, ...rest }) => ({ ...rest, value: atoms === null ? null : text(atoms) }));
  return list.sort((a, b) => Number(a.what.startsWith("on ")) - Number(b.what.startsWith("on ")) || a.what.localeCompare(b.what));
}

function atoms(value: string): bigint {
  const [whole = "0", fraction = ""] = value.replace("-", "").split(".");
  const sum = BigInt(whole + fraction.padEnd(12, "0").slice(0, 12));
  return value.startsWith("-") ? -sum : sum;
}

function text(atoms: bigint): string {
  const digits = (atoms < 0n ? -atoms : atoms).toString().padStart(13, "0");
  return `${atoms < 0n ? "-" : ""}${digits.slice(0, -12)}.${digits.slice(-12, -10)}`;
}
