/** Something a crash harness waits for. */
export interface SimulatorEvent {
  type: "hold" | "fault" | "effect";
  data: Record<string, unknown>;
}

/** Fans events out to the `/events` streams. */
export class EventHub {
  readonly #listeners = new Set<(event: SimulatorEvent) => void>();

  emit(event: SimulatorEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  subscribe(listener: (event: SimulatorEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
