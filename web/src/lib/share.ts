// Shares that the API gives as decimal texts: 0.001 is 0.1 %.

import { trimmed } from "./decimal";
import { UNKNOWN } from "./format";

/** The point moves two places; no float comes near. */
export function shareTexts(value: string | null | undefined): string {
  if (value == null) return UNKNOWN;
  const found = /^(-?)(\d+)(?:\.(\d+))?$/.exec(value);
  if (!found) return value;
  const digits = (found[3] ?? "").padEnd(2, "0");
  const whole = (found[2] ?? "0") + digits.slice(0, 2);
  const text = `${whole.replace(/^0+(?=\d)/, "")}.${digits.slice(2) || "0"}`;
  return `${found[1]}${trimmed(text)} %`;
}
