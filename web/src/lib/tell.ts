// Events as sentences, in the words that the screens use.

import { amount, exact, signed, words } from "./format";
import { refusalText } from "./refusal";
import type { LiveEvent } from "./stream";

type Data = Record<string, unknown>;
const text = (value: unknown): string => (value == null ? "–" : String(value));
const quote = (d: Data): string => text(d.symbol).split("/")[1] ?? "";
const where = (d: Data): string => `${text(d.symbol)} on ${text(d.exchange)}`;

/** What happened, without its bot. */
export function tell(event: LiveEvent): string {
  const d = event.data;
  switch (event.type) {
    case "fill":
      return `${words(text(d.side))} ${exact(text(d.quantity))} at ${exact(text(d.price))}, ${where(d)}, ${text(d.liquidity)}`;
    case "trade_opened":
      return `Opened ${exact(text(d.quantity))} at ${exact(text(d.price))}, ${where(d)}`;
    case "trade_executed":
      return `Closed ${where(d)}: ${signed(text(d.profit_loss), quote(d))} ${quote(d)} (${words(text(d.exit_reason)).toLowerCase()})`;
    case "order_updated":
      return `Order ${text(d.status)}: ${text(d.side)} ${exact(text(d.quantity))} ${where(d)}${d.reject_code ? `, ${text(d.reject_code)}` : ""}`;
    case "refusal":
      return `Blocked order, ${where(d)}: ${refusalText(d.refusal as { code: string })}, ${text(d.count)}×`;
    case "balance_updated":
      return `Wallet ${text(d.currency)} on ${text(d.exchange)}: ${amount(text(d.available), text(d.currency))} available of ${amount(text(d.total), text(d.currency))}`;
    case "feed_status":
      return `Feed ${where(d)} is ${text(d.state)}${d.reason ? `: ${text(d.reason)}` : ""}`;
    case "risk_stop":
      return d.stopped
        ? `Bodyguard stopped entries: drawdown ${text(d.drawdown_percent)} % > ${text(d.maximum_percent)} %`
        : "Bodyguard re-armed it";
    case "circuit_breaker":
      return d.tripped
        ? `Circuit breaker tripped: lost ${text(d.loss_percent)} %, limit ${text(d.maximum_percent)} %`
        : "Circuit breaker closed";
    case "emergency_stop":
      return d.active ? `Emergency stop pulled${d.reason ? `: ${text(d.reason)}` : ""}` : "Emergency stop cleared";
    case "policy_changed":
      return `Limits changed, version ${text(d.version)}`;
    case "autopilot_action":
      return `Autopilot, ${text(d.outcome)}: ${text(d.reason)}${d.code ? ` (${text(d.code)})` : ""}`;
    case "alert":
      return alert(d);
    default:
      if (event.type.startsWith("bot_")) {
        const hold = d.hold ? `, ${text(d.hold)}` : "";
        return `${words(event.type)}${hold}${d.reason ? `: ${text(d.reason)}` : ""}`;
      }
      return words(event.type);
  }
}

function alert(d: Data): string {
  const kind = text(d.alert);
  switch (kind) {
    case "unguarded":
      return `Position without a usable price: ${text(d.reason)}`;
    case "stuck":
      return "Its market moves and it decides nothing";
    case "daily_loss":
      return `Loss of the day ${text(d.loss_percent)} % is over the limit`;
    case "asset_exposure":
      return `${text(d.asset)} is ${text(d.share_percent)} % of what is open, over ${text(d.maximum_percent)} %`;
    case "exchange_exposure":
      return `${text(d.exchange)} is ${text(d.share_percent)} % of what is open, over ${text(d.maximum_percent)} %`;
    default:
      return words(kind);
  }
}

/** Whose it is; `null`: nobody's. */
export function botOf(event: LiveEvent): number | null {
  const id = event.data.bot_id ?? (event.type.startsWith("bot_") ? event.data.id : null);
  return typeof id === "number" ? id : null;
}

export const MOODS: Record<string, string> = {
  risk_stop: "bad",
  circuit_breaker: "bad",
  emergency_stop: "bad",
  alert: "notice",
  bot_paused: "notice",
  refusal: "notice",
  trade_executed: "good",
  fill: "plain",
  trade_opened: "plain",
};
