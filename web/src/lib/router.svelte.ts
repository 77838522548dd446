// Where one is: `#/bots/7?tab=orders`. Behind the hash, so that the server knows one page.

class Router {
  path = $state("/");
  values = $state(new URLSearchParams());

  constructor() {
    this.#read();
    addEventListener("hashchange", () => this.#read());
  }

  /** Its parts: `["bots", "7"]`. */
  get parts(): string[] {
    return this.path.split("/").filter((part) => part !== "");
  }

  go(to: string): void {
    location.hash = to;
  }

  /** Changes one value in place, without a new entry in the history. */
  set(name: string, value: string | null): void {
    const values = new URLSearchParams(this.values);
    if (value === null || value === "") values.delete(name);
    else values.set(name, value);
    const text = values.toString();
    history.replaceState(null, "", `#${this.path}${text ? `?${text}` : ""}`);
    this.values = values;
  }

  #read(): void {
    const [path, values] = location.hash.replace(/^#/, "").split("?");
    this.path = path || "/";
    this.values = new URLSearchParams(values ?? "");
  }
}

export const router = new Router();
