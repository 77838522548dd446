// Decimal texts as the API gives them. Money is never put through a float: what is shown is cut
// from the text itself; a float is made for pixels and for the order of a table only.

/** A decimal as sign, whole digits and fraction digits; `null` where the text is none. */
function parts(text: string): [sign: string, whole: string, fraction: string] | null {
  const found = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  return found ? [found[1] ?? "", found[2] ?? "0", found[3] ?? ""] : null;
}

/** -1, 0 or 1; `null` where the text is no number. */
export function sign(text: string): -1 | 0 | 1 | null {
  const split = parts(text);
  if (!split) return null;
  if (/^0*$/.test(split[1] + split[2])) return 0;
  return split[0] ? -1 : 1;
}

/** Without zeros that say nothing. */
export function trimmed(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** Rounded half away from zero to so many places. */
export function rounded(text: string, places: number): string {
  const split = parts(text);
  if (!split) return text;
  const [minus, whole, fraction] = split;
  if (fraction.length <= places) {
    const padded = places > 0 ? `${whole}.${fraction.padEnd(places, "0")}` : whole;
    return minus + padded;
  }
  const kept = BigInt(whole + fraction.slice(0, places));
  const up = (fraction.charCodeAt(places) >= 53 ? 1n : 0n) + kept;
  const digits = up.toString().padStart(places + 1, "0");
  const cut = digits.length - places;
  const text2 = places > 0 ? `${digits.slice(0, cut)}.${digits.slice(cut)}` : digits;
  return up === 0n ? text2 : minus + text2;
}

/** 1234567.5 as 1,234,567.5. */
export function grouped(text: string): string {
  const split = parts(text);
  if (!split) return text;
  const [minus, whole, fraction] = split;
  const groups = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return minus + groups + (fraction ? `.${fraction}` : "");
}

/** As many places as asked for; more where a small amount would become zero. */
export function shown(text: string, places: number): string {
  const split = parts(text);
  if (!split) return text;
  const short = rounded(text, places);
  if (sign(short) !== 0 || sign(text) === 0) return grouped(short);
  const leading = /^0*/.exec(split[2])?.[0].length ?? 0;
  return grouped(trimmed(rounded(text, Math.min(leading + 2, 12))));
}

/** Which of two is larger, exactly. */
export function compare(a: string, b: string): number {
  const [x, y] = [scaled(a), scaled(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** In units of 10⁻¹², the finest the product knows. */
function scaled(text: string): bigint {
  const split = parts(text);
  if (!split) return 0n;
  const value = BigInt(split[1] + split[2].padEnd(12, "0").slice(0, 12));
  return split[0] ? -value : value;
}
