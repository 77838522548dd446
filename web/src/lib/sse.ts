// Server-Sent Events as text to frames; the parts of the standard that our server uses.

export interface Frame {
  id: string | null;
  event: string;
  data: string;
}

/** Takes text in any portions and gives each whole frame once. */
export class Parser {
  #rest = "";
  #id: string | null = null;
  #event = "";
  #data: string[] = [];
  /** Longest line that is kept: more is no event of ours. */
  static readonly LINE_MAX = 4 * 1024 * 1024;

  constructor(private readonly give: (frame: Frame) => void) {}

  push(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > Parser.LINE_MAX) throw new Error("a frame of the stream is too long");
    for (const line of lines) this.#line(line.endsWith("\r") ? line.slice(0, -1) : line);
  }

  #line(line: string): void {
    if (line === "") {
      // A frame without data still moves the cursor.
      if (this.#data.length > 0 || this.#id !== null) {
        this.give({ id: this.#id, event: this.#event || "message", data: this.#data.join("\n") });
      }
      this.#id = null;
      this.#event = "";
      this.#data = [];
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "id") this.#id = value;
    else if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
  }
}
