// Who is signed in, and what everyone on the page may know of the mode.

import { get, onSignedOut, post, Problem, problemOf, type Shapes } from "./api";
import { live } from "./live.svelte";

type Me = Shapes["Me"];
type Stage = "starting" | "setup" | "door" | "desk" | "unreachable";

class Session {
  stage = $state<Stage>("starting");
  me = $state<Me | null>(null);
  mode = $state("");
  /** Said at the door. */
  reason = $state("");
  /** Just set up: the first steps are shown. */
  isNew = $state(false);

  constructor() {
    onSignedOut(() => {
      if (this.stage === "desk") void this.leave("Your session has ended. Sign in again.");
    });
  }

  get mayOrder(): boolean {
    return this.me !== null && this.me.role !== "viewer";
  }

  get isAdmin(): boolean {
    return this.me?.role === "admin";
  }

  async begin(): Promise<void> {
    try {
      this.enter(await get<Me>("/api/auth/me"));
    } catch (error) {
      const problem = problemOf(error);
      if (problem.status === 401) await this.leave("");
      else this.unreachable(problem);
    }
  }

  enter(me: Me): void {
    this.me = me;
    this.mode = me.mode;
    this.reason = "";
    this.stage = "desk";
    document.title = `${me.mode} · Amarktai`;
    live.start(() => void this.leave("Your session has ended. Sign in again."));
  }

  /** To the door: the set-up where there is no owner yet. */
  async leave(reason: string): Promise<void> {
    live.stop();
    this.me = null;
    this.reason = reason;
    try {
      const setup = await get<Shapes["SetupState"]>("/api/auth/setup");
      this.mode = setup.mode;
      document.title = `${setup.mode} · Amarktai`;
      this.stage = setup.needed ? "setup" : "door";
    } catch (error) {
      this.unreachable(problemOf(error));
    }
  }

  async signOut(): Promise<void> {
    try {
      await post("/api/auth/logout");
    } catch {
      // Gone or signed out already: the door either way.
    }
    await this.leave("");
  }

  private unreachable(problem: Problem): void {
    this.reason = problem.message;
    this.stage = "unreachable";
    setTimeout(() => this.stage === "unreachable" && void this.begin(), 2_000);
  }
}

export const session = new Session();
