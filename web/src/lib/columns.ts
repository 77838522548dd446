// The columns of the bots' table: what they show and how they order.

import type { Bot } from "./api";
import { percent, words } from "./format";

export interface Column {
  id: string;
  title: string;
  /** Of the grid. */
  width: string;
  kind: "text" | "number" | "money" | "gain" | "special";
  /** Shown unless people choose otherwise. */
  isUsual: boolean;
  text?: (bot: Bot) => string | null;
  /** For the order alone, never for show. */
  order: (bot: Bot) => number | string | null;
}

const figure = (value: string | null | undefined): number | null => (value == null ? null : Number(value));
const STATE_ORDER = ["trading", "waiting", "paused", "stopped", "archived"];

export const COLUMNS: Column[] = [
  { id: "name", title: "Bot", width: "minmax(216px, 1.2fr)", kind: "special", isUsual: true, order: (b) => b.name },
  { id: "state", title: "State", width: "96px", kind: "special", isUsual: true, order: (b) => STATE_ORDER.indexOf(b.state) },
  { id: "doing", title: "What it is doing", width: "minmax(220px, 2fr)", kind: "special", isUsual: true, order: (b) => b.doing },
  { id: "equity", title: "Equity", width: "120px", kind: "money", isUsual: true, text: (b) => b.equity, order: (b) => figure(b.equity) },
  { id: "profit", title: "Realised", width: "112px", kind: "gain", isUsual: true, text: (b) => b.realized_pnl, order: (b) => figure(b.realized_pnl) },
  { id: "open", title: "Open", width: "104px", kind: "gain", isUsual: true, text: (b) => b.unrealized_pnl, order: (b) => figure(b.unrealized_pnl) },
  { id: "drawdown", title: "Drawdown", width: "88px", kind: "number", isUsual: true, text: (b) => percent(b.drawdown_percent), order: (b) => figure(b.drawdown_percent) },
  { id: "trades", title: "Trades", width: "72px", kind: "number", isUsual: true, text: (b) => String(b.trades), order: (b) => b.trades },
  { id: "wins", title: "Wins", width: "64px", kind: "number", isUsual: false, text: (b) => String(b.wins), order: (b) => b.wins },
  { id: "strategy", title: "Strategy", width: "150px", kind: "text", isUsual: false, text: (b) => words(b.strategy.kind), order: (b) => b.strategy.kind },
  { id: "exchange", title: "Exchange", width: "88px", kind: "text", isUsual: false, text: (b) => b.exchange, order: (b) => b.exchange },
  { id: "symbol", title: "Market", width: "100px", kind: "text", isUsual: false, text: (b) => b.symbol, order: (b) => b.symbol },
  { id: "timeframe", title: "Bars", width: "60px", kind: "text", isUsual: false, text: (b) => b.timeframe, order: (b) => b.timeframe },
  { id: "mode", title: "Money", width: "76px", kind: "text", isUsual: false, text: (b) => (b.mode === "live" ? "real" : "paper"), order: (b) => b.mode },
  { id: "risk", title: "Risk mode", width: "92px", kind: "text", isUsual: false, text: (b) => b.risk_mode, order: (b) => b.risk_mode },
  { id: "capital", title: "Capital", width: "112px", kind: "money", isUsual: false, text: (b) => b.capital, order: (b) => figure(b.capital) },
  { id: "fees", title: "Fees", width: "104px", kind: "money", isUsual: false, text: (b) => b.fees_paid, order: (b) => figure(b.fees_paid) },
  { id: "entries", title: "Entries today", width: "104px", kind: "number", isUsual: false, text: (b) => String(b.entries_today), order: (b) => b.entries_today },
  { id: "refusals", title: "Blocked today", width: "108px", kind: "number", isUsual: false, text: (b) => String(b.refusals_today), order: (b) => b.refusals_today },
  { id: "orders", title: "Open orders", width: "96px", kind: "number", isUsual: false, text: (b) => String(b.open_orders), order: (b) => b.open_orders },
];

export const quote = (bot: Bot): string => bot.symbol.split("/")[1] ?? "";

/** Unknown goes last, whichever way. */
export function comparison(column: Column, isDown: boolean): (a: Bot, b: Bot) => number {
  const way = isDown ? -1 : 1;
  return (a, b) => {
    const [x, y] = [column.order(a), column.order(b)];
    if (x === null || y === null) return x === y ? a.id - b.id : x === null ? 1 : -1;
    if (typeof x === "string" || typeof y === "string") {
      return x === y ? a.id - b.id : x < y ? -way : way;
    }
    return (x - y) * way || a.id - b.id;
  };
}

/** All words somewhere in the bot. */
export function matches(bot: Bot, wanted: string): boolean {
  if (wanted === "") return true;
  const text = `${bot.name} ${bot.exchange} ${bot.symbol} ${bot.strategy.kind} ${bot.risk_mode} ${bot.timeframe} ${bot.mode} ${bot.doing}`.toLowerCase();
  return wanted.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}
