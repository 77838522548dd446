// Results of backtests and sweeps as the API gives them; docs/backtesting.md has their fields.

import type { Trade } from "./api";
import { words } from "./format";

export type Kind = "backtests" | "sweeps";
export const KIND_WORDS: Record<Kind, string> = { backtests: "Backtest", sweeps: "Sweep" };

export interface Data {
  grade: string;
  from: string;
  to: string;
  gaps_total: number;
  notes: string[];
  markets: { exchange: string; symbol: string; timeframe: string; bars: number; half_spread_bp: number; fee_maker: string; fee_taker: string; fee_source: string }[];
}

export interface Figures {
  currency: string | null;
  capital: string;
  final_equity: string;
  profit: string;
  net_profit: string;
  fees: string;
  trades: number;
  wins: number;
  losses: number;
  win_rate: number | null;
  profit_factor: number | null;
  total_return: number | null;
  sharpe: number | null;
  sortino: number | null;
  calmar: number | null;
  max_drawdown_percent: number | null;
  days: number;
  exposure: number | null;
  confidence: Confidence;
  buy_and_hold: { profit: string | null; total_return: number | null };
  refusals: Record<string, number>;
  undefined: { metric: string; reason: string }[];
}

export interface Confidence {
  probability: number | null;
  deflated: number | null;
  variants: number;
}

export interface Backtest {
  data: Data;
  statistics: Figures;
  trades: Trade[];
  equity: { at: string; equity: string | null }[];
}

export interface Ranked {
  variant: string;
  place: number[];
  unseen_score: number | null;
  first_score: number | null;
  profit: string;
  trades: number;
  confidence: Confidence;
}

export interface Sweep {
  data: Data;
  ranking: {
    score: string;
    variants: number;
    ranked: Ranked[];
    walk_forward: { window: number; chosen: string; score_before: number | null; score_then: number | null; profit_then: string }[];
    walk_forward_score: number | null;
    walk_forward_confidence: Confidence;
  };
  space: { axes: { name: string; values: string[] }[] };
}

export interface Heat {
  /** Of too few days there is no score; then it is of profit. */
  isProfit: boolean;
  rows: string[];
  columns: string[];
  /** By row, then column: the mean of what stands there; `null`: none was run. */
  cells: ({ score: number; count: number } | null)[][];
}

/** Values of an axis that a page can show. */
const AXIS_MAX = 40;

/** The unseen score, or else the profit, over two axes; others are averaged away. `null`: too many values to be seen. */
export function heat(sweep: Sweep, down: number, across: number | null): Heat | null {
  const rows = sweep.space.axes[down]?.values ?? [];
  const columns = across === null ? [""] : (sweep.space.axes[across]?.values ?? []);
  if (rows.length === 0 || rows.length > AXIS_MAX || columns.length > AXIS_MAX) return null;
  const sums = rows.map(() => columns.map(() => ({ sum: 0, count: 0 })));
  const isProfit = sweep.ranking.ranked.every((r) => r.unseen_score === null);
  for (const { place, unseen_score, profit } of sweep.ranking.ranked) {
    const cell = sums[place[down] ?? 0]?.[across === null ? 0 : (place[across] ?? 0)];
    const value = isProfit ? Number(profit) : unseen_score;
    if (value === null || !cell) continue;
    cell.sum += value;
    cell.count += 1;
  }
  const cells = sums.map((row) => row.map(({ sum, count }) => (count > 0 ? { score: sum / count, count } : null)));
  return { isProfit, rows, columns, cells };
}

/** What the form of a new bot had when its test was begun: to go back to. */
export const DRAFT = "amarktai.draft";
export const hasDraft = (): boolean => sessionStorage.getItem(DRAFT) !== null;

/** `ema_cross 1h, BTC/USDT on binance` with its strategy in human words. */
export const titleOf = (title: string): string => title.replace(/^\w+/, words);
