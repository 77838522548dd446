// Between what people type and what the API takes.

import type { Shapes } from "./api";

type Schema = Shapes["StrategySchema"];
export type Typed = Record<string, string | boolean>;

/** What was typed as parameters; what was left empty takes its default. */
export function paramsOf(schema: Schema, typed: Typed): Record<string, string | number | boolean> {
  const params: Record<string, string | number | boolean> = {};
  for (const { name, kind } of schema.params) {
    const value = typed[name];
    if (value === undefined || value === "") continue;
    if (typeof value === "boolean") params[name] = value;
    else if (kind.type === "integer" && /^-?\d+$/.test(value.trim())) params[name] = Number(value);
    else params[name] = value.trim();
  }
  return params;
}

/** The other way, for a bot that is there. */
export function typedOf(params: Record<string, unknown> | undefined): Typed {
  const entries = Object.entries(params ?? {});
  return Object.fromEntries(entries.map(([name, v]) => [name, typeof v === "boolean" ? v : String(v)]));
}

export interface TypedExits {
  stop_percent: string;
  target_percent: string;
  trail_percent: string;
  time_limit_s: string;
}

export const NO_EXITS: TypedExits = { stop_percent: "", target_percent: "", trail_percent: "", time_limit_s: "" };

export function exitsOf(typed: TypedExits): Record<string, string | number> {
  const exits: Record<string, string | number> = {};
  for (const name of ["stop_percent", "target_percent", "trail_percent"] as const) {
    if (typed[name].trim() !== "") exits[name] = typed[name].trim();
  }
  const time = typed.time_limit_s.trim();
  if (time !== "") exits.time_limit_s = /^\d+$/.test(time) ? Number(time) : time;
  return exits;
}

export function typedExits(exits: Shapes["Exits"]): TypedExits {
  return {
    stop_percent: exits.stop_percent ?? "",
    target_percent: exits.target_percent ?? "",
    trail_percent: exits.trail_percent ?? "",
    time_limit_s: exits.time_limit_s == null ? "" : String(exits.time_limit_s),
  };
}

export const RISK_MODES = ["safe", "balanced", "risky", "aggressive"] as const;
export const TIMEFRAMES = ["1s", "5s", "15s", "1m", "5m", "15m", "1h", "4h", "1d"] as const;
export const EXCHANGES = ["binance", "kucoin", "luno"] as const;

/** Sensible first bots: directional, patient, in the ranges that people start with. */
export const PRESETS = [
  {
    id: "trend",
    title: "Trend follower",
    about: "Buys when the short average crosses above the long one, sells on the way back. Few trades, loses small in calm markets.",
    kind: "ema_cross",
    timeframe: "5m",
    risk_mode: "safe",
  },
  {
    id: "dip",
    title: "Dip buyer",
    about: "Buys when the market fell fast and far, sells when it recovered. Many small wins, now and then a larger loss.",
    kind: "rsi_reversion",
    timeframe: "5m",
    risk_mode: "safe",
  },
  {
    id: "ladder",
    title: "Ladder",
    about: "Rests buys below and sells above the price, earns from every swing inside its range. Loses when the market leaves it.",
    kind: "grid",
    timeframe: "1m",
    risk_mode: "balanced",
  },
  {
    id: "saver",
    title: "Saver",
    about: "Buys in steps while the price falls and sells all at a small gain over the average.",
    kind: "dca",
    timeframe: "15m",
    risk_mode: "balanced",
  },
] as const;
