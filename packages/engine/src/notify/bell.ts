/** Whoever has something for a loop rings, and it waits for that; what is rung while nobody waits is not lost. */
export class Bell {
  #rung = false;
  #hear: () => void = () => {};

  ring(): void {
    this.#rung = true;
    this.#hear();
  }

  /** What was rung so far is being looked into: only what comes from now on has to be heard. */
  quiet(): void {
    this.#rung = false;
  }

  /** Resolves once it was rung since the last time. */
  async heard(): Promise<void> {
    if (!this.#rung)
      await new Promise<void>((resolve) => {
        this.#hear = resolve;
      });
    this.#rung = false;
  }
}
