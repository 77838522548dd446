// Paper beside live: the same figures of both modes, each with the reason where it is not known.

import type { Shapes } from "./api";
import { percent, ratio, share, whole } from "./format";

export type Statistics = Shapes["Statistics"];

export interface Row {
  /** Of the glossary, or the word itself. */
  term: string | null;
  word: string;
  /** Text; `null`: not known. */
  of: (s: Statistics) => string | null;
  /** By this name the API says why it is not known. */
  metric: string;
  /** Money of the bot's currency: shown with its unit. */
  isMoney?: boolean;
}

const known = (value: number | null, text: (value: number) => string): string | null => (value === null ? null : text(value));

export const ROWS: Row[] = [
  { term: null, word: "Return", metric: "total_return", of: (s) => known(s.total_return, (v) => share(v, 2)) },
  { term: "net_profit", word: "Net profit", metric: "net_profit", of: (s) => s.net_profit, isMoney: true },
  { term: null, word: "Trades", metric: "trades", of: (s) => whole(s.trades) },
  { term: "win_rate", word: "Win rate", metric: "win_rate", of: (s) => known(s.win_rate, share) },
  { term: "profit_factor", word: "Profit factor", metric: "profit_factor", of: (s) => known(s.profit_factor, ratio) },
  { term: "slippage", word: "Slippage", metric: "slippage_bp", of: (s) => known(s.slippage_bp, (v) => `${ratio(v, 1)} bp`) },
  { term: null, word: "Fees", metric: "fees", of: (s) => s.fees, isMoney: true },
  { term: null, word: "Fees of the turnover", metric: "fees_bp", of: (s) => known(s.fees_bp, (v) => `${ratio(v, 1)} bp`) },
  { term: "max_drawdown", word: "Largest drawdown", metric: "max_drawdown", of: (s) => known(s.max_drawdown_percent, percent) },
];

/** Those of one bot; `null`: the mode has nothing of it. */
export function statisticsOf(found: Shapes["Performance"] | null, bot: number): Statistics | null {
  return found?.by_bot.find((group) => group.bot_id === bot)?.statistics ?? null;
}

/** Why a figure of a mode is not there. */
export function whyNot(row: Row, of: Statistics | null, mode: "paper" | "live"): string {
  if (of === null) return `no closed ${mode} trade yet`;
  const told = of.undefined.find((u) => u.metric === row.metric);
  return told?.reason ?? (of.trades === 0 ? `no closed ${mode} trade yet` : "not measured in these trades");
}
