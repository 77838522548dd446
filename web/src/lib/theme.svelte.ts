// Light, dark, or as the system has it.

export type Theme = "system" | "light" | "dark";
const KEY = "amarktai.theme";

class Appearance {
  choice = $state<Theme>("system");
  #system = matchMedia("(prefers-color-scheme: dark)");
  isDark = $state(false);

  constructor() {
    const stored = localStorage.getItem(KEY);
    if (stored === "light" || stored === "dark") this.choice = stored;
    this.#system.addEventListener("change", () => this.#apply());
    this.#apply();
  }

  turn(): void {
    const order: Theme[] = ["system", "light", "dark"];
    this.choice = order[(order.indexOf(this.choice) + 1) % order.length] ?? "system";
    localStorage.setItem(KEY, this.choice);
    this.#apply();
  }

  #apply(): void {
    this.isDark = this.choice === "dark" || (this.choice === "system" && this.#system.matches);
    document.documentElement.dataset.theme = this.isDark ? "dark" : "light";
  }
}

export const appearance = new Appearance();

/** A colour of the style sheet, for canvases. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
