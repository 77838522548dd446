// The live gate's conditions in words: figures come from the API, only their writing is here.

import { money, UNKNOWN } from "./format";
import type { Shapes } from "./api";

type Condition = Shapes["GateCondition"];

interface Words {
  title: string;
  /** What to do where it does not hold. */
  todo?: string;
  /** Of the figure: a flag, an amount of the bot's currency, a plain text. */
  kind?: "flag" | "money";
  term?: string;
}

export const CONDITIONS: Record<string, Words> = {
  trading_enabled: { title: "Trading is switched on", kind: "flag", todo: "Set ENABLE_TRADING=true and start again." },
  live_trading_enabled: { title: "Live trading is switched on", kind: "flag", todo: "Set ENABLE_LIVE_TRADING=true and start again." },
  bodyguard_enabled: { title: "The bodyguard is on", kind: "flag", todo: "Set ENABLE_BODYGUARD=true and start again." },
  training: { title: "Days of good data", term: "good_days", todo: "Let it run; days with the feed away do not count." },
  exchange_key: { title: "A key of the exchange", todo: "Add and test one under System, Keys." },
  wallet_funded: { title: "Money on the exchange", kind: "money", todo: "Fund the exchange's wallet; it is read with the key." },
  closed_trades: { title: "Closed trades", todo: "Let it trade." },
  net_profit: { title: "Net profit", kind: "money", term: "net_profit" },
  profit_factor: { title: "Profit factor", term: "profit_factor" },
  drawdown: { title: "Largest drawdown", term: "max_drawdown" },
  win_rate: { title: "Win rate", term: "win_rate" },
  profit_of_capital: { title: "Profit of its capital" },
  no_emergency_stop: { title: "No emergency stop", todo: "Clear the emergency stop." },
  no_hold: { title: "No hold", term: "hold", todo: "Release the holds above." },
  confirmed_by_a_person: { title: "A person typed the confirmation", kind: "flag", todo: "Asked for when you promote it." },
  evidence: { title: "Sure it is not luck", term: "sharpe_probability", todo: "More days of results; see below." },
  first_day_size_fits: { title: "The first day's size fits the exchange", kind: "money", todo: "Give it more capital: twice the smallest order is too much of it." },
};

export const titleOf = (name: string): string => CONDITIONS[name]?.title ?? name.replaceAll("_", " ");

/** The figure as people read it. */
export function figureOf(c: Condition, currency: string): string {
  if (c.figure === null) return UNKNOWN;
  const kind = CONDITIONS[c.name]?.kind;
  if (kind === "flag") return c.figure === "true" ? "yes" : "no";
  if (kind === "money") return money(c.figure, currency);
  return c.name === "training" ? `${c.figure} days` : c.figure;
}

/** The limit as people read it. */
export function limitOf(c: Condition, currency: string): string {
  const kind = CONDITIONS[c.name]?.kind;
  if (kind === "flag") return "yes";
  const amount = /^(at least|at most) (\S+)$/.exec(c.limit);
  if (kind === "money" && amount) return `${amount[1]} ${money(amount[2], currency)}`;
  if (kind === "money") return `${c.limit} ${currency}`;
  if (c.name === "training") return c.limit.replace("covered days", "days");
  if (/^[0-9]/.test(c.limit)) return `at least ${c.limit}`;
  return c.limit;
}

/** How far it is, 0 to 1; `null` where there is no such thing. */
export function progressOf(c: Condition): number | null {
  if (!["training", "closed_trades", "evidence"].includes(c.name)) return null;
  const [have, need] = [parseFloat(c.figure ?? "0"), parseFloat(c.limit)];
  return need > 0 ? Math.min(1, Math.max(0, have / need)) : 1;
}
