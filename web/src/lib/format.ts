// How figures look: money with its currency, times local with UTC on hover, unknown as a dash.

import { shown, sign, grouped, rounded, trimmed } from "./decimal";

export const UNKNOWN = "–";

/** Places of a currency as people write it. */
export function places(currency: string): number {
  switch (currency) {
    case "BTC":
    case "XBT":
      return 8;
    case "ETH":
    case "BNB":
      return 6;
    default:
      return 2;
  }
}

type Figure = string | number | null | undefined;

/** An amount without its currency. */
export function amount(value: string | null | undefined, currency = ""): string {
  return value == null ? UNKNOWN : shown(value, places(currency));
}

/** An amount with its currency. */
export function money(value: string | null | undefined, currency: string): string {
  return value == null ? UNKNOWN : `${amount(value, currency)} ${currency}`;
}

/** With a plus where it is a gain: colour alone is not for everyone. */
export function signed(value: string | null | undefined, currency = ""): string {
  if (value == null) return UNKNOWN;
  const text = amount(value, currency);
  return sign(value) === 1 ? `+${text}` : text.replace(/^-/, "−");
}

/** A price or quantity: exact, without idle zeros. */
export function exact(value: string | null | undefined): string {
  return value == null ? UNKNOWN : grouped(trimmed(value));
}

/** What is rounded to nothing has no sign. */
function fixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text;
}

/** A share that the API gives as 0.46. */
export function share(value: number | null | undefined, digits = 1): string {
  return value == null ? UNKNOWN : `${fixed(value * 100, digits)} %`;
}

/** A percentage that the API gives as 46. */
export function percent(value: Figure, digits = 2): string {
  if (value == null) return UNKNOWN;
  return `${typeof value === "number" ? fixed(value, digits) : grouped(rounded(value, digits))} %`;
}

/** A ratio or statistic. */
export function ratio(value: number | null | undefined, digits = 2): string {
  return value == null || !Number.isFinite(value) ? UNKNOWN : fixed(value, digits);
}

export function whole(value: number | null | undefined): string {
  return value == null ? UNKNOWN : value.toLocaleString("en");
}

/** 95 s, 12 min, 3 h, 4 d. */
export function age(ms: number | null | undefined): string {
  if (ms == null || !Number.isFinite(ms)) return UNKNOWN;
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 5940) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

const CLOCK: Intl.DateTimeFormatOptions = {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
};
const DAY: Intl.DateTimeFormatOptions = { year: "numeric", month: "2-digit", day: "2-digit" };

/** Local: the clock of today, else the day as well. Swedish order, for it sorts. */
export function time(value: string | null | undefined, now: Date = new Date()): string {
  if (!value) return UNKNOWN;
  const at = new Date(value);
  if (Number.isNaN(at.getTime())) return UNKNOWN;
  const today = at.toDateString() === now.toDateString();
  return at.toLocaleString("sv", today ? CLOCK : { ...DAY, ...CLOCK });
}

/** The same instant in UTC, for the tooltip. */
export function utc(value: string | null | undefined): string {
  if (!value) return "not known";
  return `${value.replace("T", " ").replace(/(\.\d+)?Z$/, "")} UTC`;
}

/** 3.2 GB: powers of ten, as disks are sold. */
export function bytes(value: number | null | undefined): string {
  if (value == null) return UNKNOWN;
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let [size, at] = [value, 0];
  while (size >= 1000 && at < units.length - 1) [size, at] = [size / 1000, at + 1];
  return `${at === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[at]}`;
}

const QUALITIES: Record<string, string> = {
  l3: "every order",
  l2_trades: "book and trades",
  l1_trades: "best prices and trades",
  polled: "asked now and then",
  trades: "trades alone",
  bars: "bars alone",
  backfilled: "fetched later",
  gap: "with a gap",
};

/** A data grade in human words. */
export function quality(grade: string | null | undefined): string {
  return grade == null ? UNKNOWN : (QUALITIES[grade] ?? words(grade).toLowerCase());
}

/** `ema_cross` as `EMA cross`. */
export function words(name: string): string {
  const text = name.replaceAll("_", " ").toLowerCase();
  const known = text.replace(/\b(ema|rsi|macd|dca)\b/g, (word) => word.toUpperCase());
  if (text === "kucoin") return "KuCoin";
  return known.charAt(0).toUpperCase() + known.slice(1);
}
