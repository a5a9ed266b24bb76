// When a connection that looks open may be dead: the machine has another address than before, or it has slept. Neither is
// told to a program without native code, so both are looked for every two seconds (50 µs), while anybody listens.
import { networkInterfaces } from 'node:os';
import type { Clock, TimerHandle } from '../core/clock.ts';
import { Emitter, type Unsubscribe } from '../core/emitter.ts';

export const lookEveryMs = 2000;
/** A look that comes so much too late was not late by itself: the machine slept, or its clock was set. */
export const sleptMs = 5000;

export type NetworkWatchOptions = {
  clock: Clock;
  /** As `os.networkInterfaces` has them. */
  interfaces?: () => ReturnType<typeof networkInterfaces>;
};

export class NetworkWatch {
  readonly #clock: Clock;
  readonly #interfaces: () => ReturnType<typeof networkInterfaces>;
  readonly #changed = new Emitter<string>();
  #listeners = 0;
  #known = '';
  #timer: TimerHandle | undefined;

  constructor({ clock, interfaces = networkInterfaces }: NetworkWatchOptions) {
    this.#clock = clock;
    this.#interfaces = interfaces;
  }

  /** Told in words for the log. */
  readonly onChange = (listener: (what: string) => void): Unsubscribe => {
    const off = this.#changed.on(listener);
    this.#listeners += 1;
    if (this.#listeners === 1) {
      this.#known = this.#addresses();
      this.#lookLater();
    }
    let isOn = true;
    return () => {
      if (!isOn) return;
      isOn = false;
      off();
      this.#listeners -= 1;
      if (this.#listeners === 0) this.#timer?.cancel();
    };
  };

  #lookLater(): void {
    const dueMs = this.#clock.now() + lookEveryMs;
    this.#timer = this.#clock.after(lookEveryMs, () => {
      const lateMs = this.#clock.now() - dueMs;
      const addresses = this.#addresses();
      const hasChanged = addresses !== this.#known;
      this.#known = addresses;
      this.#lookLater();
      if (lateMs >= sleptMs) this.#changed.emit(`this machine was away for ${Math.round(lateMs / 1000)} s`);
      else if (hasChanged) this.#changed.emit('this machine has other network addresses');
    });
  }

  #addresses(): string {
    try {
      const all = Object.values(this.#interfaces()).flatMap((list) => list ?? []);
      const outside = all.filter(({ internal }) => !internal);
      return outside
        .map(({ cidr, address }) => cidr ?? address)
        .sort()
        .join(' ');
    } catch {
      return this.#known; // Some sandboxes do not let a program ask.
    }
  }
}
