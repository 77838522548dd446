// Short words about what was just ordered.

interface Toast {
  id: number;
  text: string;
  mood: "good" | "bad" | "plain";
}

class Toasts {
  all = $state<Toast[]>([]);
  #next = 1;

  say(text: string, mood: Toast["mood"] = "good"): void {
    const id = this.#next++;
    this.all = [...this.all, { id, text, mood }].slice(-4);
    setTimeout(() => this.drop(id), mood === "bad" ? 12_000 : 5_000);
  }

  drop(id: number): void {
    this.all = this.all.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
