// One kind of event, typed. A listener that throws does not keep the others from hearing.

export type Unsubscribe = () => void;

export class Emitter<T> {
  readonly #listeners = new Set<(value: T) => void>();

  readonly on = (listener: (value: T) => void): Unsubscribe => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  emit(value: T): void {
    for (const listener of this.#listeners) {
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
