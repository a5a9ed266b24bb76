// The extension's mirror of the helper: servers, tunnels, and the helper's own state. Only helper events write to it;
// trees, status bar, context keys and commands read from it and hear that something changed.
import { Emitter } from '../core/emitter.ts';
import type { ErrorInfo } from '../core/errors.ts';
import type { ServerList } from '../core/server.ts';
import type { TunnelInfo } from '../protocol/control.ts';

export type HelperState =
  | { kind: 'stopped' }
  | { kind: 'starting' }
  | { kind: 'running'; product: string; pid: number }
  | { kind: 'restarting'; atMs: number }
  | { kind: 'failed'; error: ErrorInfo };

export type HelperEvent =
  | { kind: 'helper'; state: HelperState }
  | { kind: 'servers'; list: ServerList }
  | { kind: 'tunnels'; tunnels: TunnelInfo[] };

export class Store {
  readonly #changed = new Emitter<HelperEvent['kind']>();
  readonly onChange = this.#changed.on;
  #helper: HelperState = { kind: 'stopped' };
  #servers: ServerList | undefined;
  #tunnels: readonly TunnelInfo[] = [];

  get helper(): HelperState {
    return this.#helper;
  }

  /** `undefined` until discovery answered for the first time. */
  get servers(): ServerList | undefined {
    return this.#servers;
  }

  get tunnels(): readonly TunnelInfo[] {
    return this.#tunnels;
  }

  accept(event: HelperEvent): void {
    switch (event.kind) {
      case 'helper':
        this.#helper = event.state;
        // Tunnels live in the helper: without it there are none, whatever was said last.
        if (event.state.kind !== 'running') this.#tunnels = [];
        break;
      case 'servers':
        this.#servers = event.list;
        break;
      case 'tunnels':
        if (this.#helper.kind !== 'running') return;
        this.#tunnels = event.tunnels;
        break;
    }
    this.#changed.emit(event.kind);
  }
}
