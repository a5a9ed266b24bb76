// One kind of event, typed. A listener that throws does not keep the others from hearing.

export type Unsubscribe = () => void;

export class Emitter<T> {
  readonly #listeners = new Set<{ listener: (value: T) => void }>();

  readonly on = (listener: (value: T) => void): Unsubscribe => {
    const entry = { listener }; // One function may listen twice, and each time for itself.
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  };

  emit(value: T): void {
    for (const { listener } of this.#listeners) {
      try {
        listener(value);
      } catch (error) {
        // The fault is the listener's; it must show, but not here.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
