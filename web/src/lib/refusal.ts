// A blocked order in words: the code for who searches, the figures for who asks why.

import { words } from "./format";

/** In the words of docs/refusals.md. */
export const REFUSALS: Record<string, string> = {
  EMERGENCY_STOP_ACTIVE: "the emergency stop is on",
  FLAG_OFF: "a flag switches new positions off",
  NOT_ACTIVE: "the bot is not active",
  HELD: "a hold stops entries",
  CIRCUIT_BREAKER_OPEN: "a circuit breaker is open",
  NOT_FRESH: "no usable price",
  SPREAD_TOO_WIDE: "the spread is too wide",
  INSTRUMENT_HALTED: "the market takes no such orders now",
  PRICE_FILTER: "the price does not fit the exchange's steps",
  LOT_SIZE: "the quantity does not fit the exchange's steps",
  PERCENT_PRICE: "outside the exchange's price band",
  MAX_OPEN_ORDERS: "too many open orders for the exchange",
  ORDER_TOO_LARGE: "larger than the bot may send at once",
  PRICE_COLLAR: "too far from the best price",
  DEPTH_SHARE: "too large against what the book shows",
  CHASING_PRICE: "the price ran away from the first entry wanted",
  CLOCK_SKEW: "our clock is too far from the exchange's",
  CLOCK_UNKNOWN: "the exchange's clock was not measured yet",
  NOT_HELD: "sells more than is held",
  INSUFFICIENT_FUNDS: "the bot's cash does not cover it",
  DUPLICATE_ORDER: "an equal order was just sent",
  SELF_MATCH: "would trade against an order of this account",
  ORDER_RATE: "too many orders in a second",
  ENTRIES_PER_DAY: "too many entries today",
  DAILY_LOSS: "the day's loss is over its limit",
  RISK_LIMIT_EXCEEDED: "over the bot's position limit",
  ASSET_EXPOSURE: "too much in one asset",
  EXCHANGE_EXPOSURE: "too much on one exchange",
  NOTIONAL_BELOW_MINIMUM: "below the exchange's smallest order",
  NOTIONAL_ABOVE_MAXIMUM: "above the exchange's largest order",
  EDGE_TOO_SMALL: "the stated edge does not cover fees and spread",
  RATE_UNKNOWN: "an exchange rate is missing or too old",
  CHECK_FAILED: "a check could not be evaluated, and that refuses",
};

interface Reason {
  code: string;
  [figure: string]: unknown;
}

export function refusalText(refusal: Reason): string {
  const { code, ...figures } = refusal;
  const shown = Object.entries(figures)
    .filter(([, value]) => value !== null && typeof value !== "object")
    .map(([name, value]) => `${words(name).toLowerCase()} ${String(value)}`);
  const meaning = REFUSALS[code] ?? words(code);
  const text = meaning.charAt(0).toUpperCase() + meaning.slice(1);
  return shown.length > 0 ? `${text} (${shown.join(", ")})` : text;
}
