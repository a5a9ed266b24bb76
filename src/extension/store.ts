// The extension's mirror of the helper: servers, tunnels, grants, tool rules, and the helper's own state. Only helper events write to it;
// trees, status bar, context keys and commands read from it and hear that something changed.
import { Emitter } from '../core/emitter.ts';
import type { ErrorInfo } from '../core/errors.ts';
import type { DiscoveredServer, ServerList } from '../core/server.ts';
import type { Holds } from '../mcp/heldCall.ts';
import type { ServerPreview } from '../mcp/preview/preview.ts';
import type { GrantInfo, ToolRules, TunnelInfo } from '../protocol/control.ts';

export type HelperState =
  | { kind: 'stopped' }
  | { kind: 'starting' }
  | { kind: 'running'; product: string; pid: number }
  | { kind: 'restarting'; atMs: number }
  | { kind: 'failed'; error: ErrorInfo };

/** What the server of a tunnel offers and who may use it, as it was answered last. */
export type ToolsState = { kind: 'loaded'; rules: ToolRules } | { kind: 'failed'; error: ErrorInfo };

/** What a server offers, or what keeps it from being asked. */
export type PreviewState =
  | { kind: 'loaded'; preview: ServerPreview }
  /** Nobody agreed to run it yet. */
  | { kind: 'consent' }
  | { kind: 'untrusted' }
  | { kind: 'failed'; error: ErrorInfo };

export type HelperEvent =
  | { kind: 'helper'; state: HelperState }
  | { kind: 'servers'; list: ServerList }
  | { kind: 'tunnels'; tunnels: TunnelInfo[] }
  | { kind: 'grants'; grants: GrantInfo[] }
  | { kind: 'holds'; holds: Holds }
  | { kind: 'tools'; tunnel: string; state: ToolsState }
  | { kind: 'preview'; server: string; state: PreviewState };

const nothingHeld: Holds = { held: [], breakpoints: [] };

export class Store {
  readonly #changed = new Emitter<HelperEvent['kind']>();
  readonly onChange = this.#changed.on;
  #helper: HelperState = { kind: 'stopped' };
  #servers: ServerList | undefined;
  #tunnels: readonly TunnelInfo[] = [];
  #grants: readonly GrantInfo[] = [];
  #holds: Holds = nothingHeld;
  /** By tunnel; only of tunnels that there are. */
  readonly #tools = new Map<string, ToolsState>();
  /** By server; only of servers that are defined as they were when they were asked. */
  readonly #previews = new Map<string, PreviewState>();

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

  /** Live ones and those that ended. */
  get grants(): readonly GrantInfo[] {
    return this.#grants;
  }

  /** Calls that wait for a person, and what makes calls wait. */
  get holds(): Holds {
    return this.#holds;
  }

  /** By tunnel; absent until somebody looked. */
  get tools(): ReadonlyMap<string, ToolsState> {
    return this.#tools;
  }

  /** By server; absent until somebody looked. */
  get previews(): ReadonlyMap<string, PreviewState> {
    return this.#previews;
  }

  accept(event: HelperEvent): void {
    switch (event.kind) {
      case 'helper':
        this.#helper = event.state;
        // Tunnels live in the helper: without it there are none, and nobody is let in, whatever was said last.
        if (event.state.kind !== 'running') this.#clear();
        break;
      case 'servers':
        this.#dropPreviews(this.#servers, event.list);
        this.#servers = event.list;
        break;
      case 'tunnels':
        if (this.#helper.kind !== 'running') return;
        this.#tunnels = event.tunnels;
        this.#dropTools();
        break;
      case 'grants':
        if (this.#helper.kind !== 'running') return;
        this.#grants = event.grants;
        break;
      case 'holds':
        if (this.#helper.kind !== 'running') return;
        this.#holds = event.holds;
        break;
      case 'tools':
        if (!this.#tunnels.some(({ id }) => id === event.tunnel)) return; // It was closed while its server was asked.
        this.#tools.set(event.tunnel, event.state);
        break;
      case 'preview':
        if (!this.#servers?.servers.some(({ id }) => id === event.server)) return; // Its definition went meanwhile.
        this.#previews.set(event.server, event.state);
        break;
    }
    this.#changed.emit(event.kind);
  }

  #dropPreviews(before: ServerList | undefined, now: ServerList): void {
    const defined = (list: ServerList | undefined, id: string): string => definition(list?.servers, id);
    for (const [id, { kind }] of this.#previews) {
      // Trust may have come meanwhile: then the servers are listed anew.
      if (kind === 'untrusted' || defined(before, id) !== defined(now, id)) this.#previews.delete(id);
    }
  }

  #clear(): void {
    this.#tunnels = [];
    this.#grants = [];
    this.#holds = nothingHeld;
    this.#tools.clear();
  }

  #dropTools(): void {
    const open = new Set(this.#tunnels.map(({ id }) => id));
    for (const id of this.#tools.keys()) if (!open.has(id)) this.#tools.delete(id);
  }
}

/** What is run or asked; the empty text for one that is not there. */
function definition(servers: readonly DiscoveredServer[] | undefined, id: string): string {
  const found = servers?.find((server) => server.id === id);
  return found ? JSON.stringify([found.name, found.transport]) : '';
}
