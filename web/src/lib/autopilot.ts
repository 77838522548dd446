// What the autopilot does in words, and its log put together from what it keeps and what events kept.

import type { Shapes } from "./api";
import type { LiveEvent } from "./stream";

export type Action = Shapes["AutopilotAction"];
export type Did = Shapes["AutopilotRecord"];

export const KINDS: Record<Action["kind"], string> = {
  reinvest: "Reinvest profit",
  spawn: "New bot",
  cut: "Cut the worst",
  trial: "Trial passed",
  retire: "Trial failed",
  promote: "Ready for real money",
};

export const OUTCOMES: Record<Did["outcome"], string> = { done: "good", refused: "bad", proposed: "notice" };

/** Figures that are shown already, in columns of their own. */
const SHOWN = new Set(["score", "trades"]);

/** What an action rests on, as `name value`. */
export function figuresOf(action: Action): string[] {
  return Object.entries(action.figures)
    .filter(([name]) => !SHOWN.has(name))
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`);
}

/** Of an event `autopilot_action`; it is the record itself. */
export function recordOf(event: LiveEvent): Did {
  return { ...(event.data as Did), at: event.at };
}

/** One after the other, newest first, each once: the API's own log ends at a hundred. */
export function together(kept: Did[], older: Did[]): Did[] {
  const key = (r: Did) => `${r.at} ${r.kind} ${r.bot_id} ${r.exchange} ${r.currency} ${r.outcome}`;
  const known = new Set(kept.map(key));
  const rest = older.filter((r) => !known.has(key(r)));
  return [...kept, ...rest].sort((a, b) => b.at.localeCompare(a.at));
}

/** Why a bot has no score. */
export function whyNoScore(trades: number, least: number | undefined): string {
  if (least === undefined) return "too few trades, or all gains are equal";
  return trades < least ? `${trades} of the ${least} trades that it takes` : "all gains are equal: no spread to judge by";
}
