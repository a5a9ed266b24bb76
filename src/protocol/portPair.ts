// Two Ports joined in memory: the CLI talks to its own helper exactly as another process would.
import type { Port } from './port.ts';

export function portPair(): [Port, Port] {
  const left = new LocalPort();
  const right = new LocalPort();
  left.join(right);
  right.join(left);
  return [left, right];
}

class LocalPort implements Port {
  #other: LocalPort | undefined;
  #receive: ((text: string) => void) | undefined;
  #closed: (() => void) | undefined;
  #early: string[] = [];
  #isClosed = false;

  join(other: LocalPort): void {
    this.#other = other;
  }

  send(text: string): void {
    if (!this.#isClosed) queueMicrotask(() => this.#other?.deliver(text));
  }

  onMessage(receive: (text: string) => void): void {
    this.#receive = receive;
    for (const text of this.#early.splice(0)) receive(text);
  }

  onClose(closed: () => void): void {
    if (this.#isClosed) closed();
    else this.#closed = closed;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closed?.();
    queueMicrotask(() => this.#other?.close()); // After what was sent before.
  }

  deliver(text: string): void {
    if (this.#isClosed) return;
    if (this.#receive) this.#receive(text);
    else this.#early.push(text);
  }
}
