// What is under way in a schedule, and who decides what comes next: a seeded choice.

import { chance } from "../../../../tests/clients/chance.ts";

export interface Step {
  name: string;
  run(): void | Promise<void>;
}

/** The steps that may come next, and the time that they see. */
export class Steps {
  /** Milliseconds of the time of everybody in this schedule; the service lives outside of it. */
  time = 0;
  /** Chooses by chance; at the end of a schedule everything comes in turn and nothing fails. */
  random = true;
  readonly trace: string[] = [];
  readonly #next: () => number;
  #steps: Step[] = [];
  #timers: { at: number; step: Step }[] = [];

  constructor(seed: number) {
    this.#next = chance(seed);
  }

  below(limit: number): number {
    return Math.floor(this.#next() * limit);
  }

  /** Whether something that happens with this probability does. */
  happens(probability: number): boolean {
    return this.#next() < probability && this.random;
  }

  oneOf<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  add(name: string, run: Step["run"]): Step {
    const step = { name, run };
    this.#steps.push(step);
    return step;
  }

  drop(step: Step): void {
    this.#steps = this.#steps.filter((other) => other !== step);
  }

  after(ms: number, name: string, run: () => void): () => void {
    const timer = { at: this.time + ms, step: { name, run } };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
      this.drop(timer.step);
    };
  }

  pass(ms: number): void {
    this.time += ms;
    for (const { at, step } of this.#timers) if (at <= this.time) this.#steps.push(step);
    this.#timers = this.#timers.filter(({ at }) => at > this.time);
  }

  get pending(): number {
    return this.#steps.length;
  }

  /** Takes one of the steps, and lets everything go on that it leads to. */
  async take(): Promise<void> {
    const at = this.random ? this.below(this.#steps.length) : 0;
    const [step] = this.#steps.splice(at, 1);
    if (!step) return;
    this.note(step.name);
    await step.run();
    await quiet();
  }

  note(event: string): void {
    this.trace.push(event);
  }
}

/** Everything here that waits for a step has been told: what is left to do has no turn of its own. */
export const quiet = () => new Promise<void>((resolve) => setImmediate(resolve));
