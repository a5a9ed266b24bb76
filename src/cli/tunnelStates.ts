// What becomes of the one tunnel that `expose` runs: each change of state is told once, and a failure ends the command.
import { fromErrorInfo } from '../core/errors.ts';
import type { TunnelInfo } from '../protocol/control.ts';
import { sayCertificate, sayWarning } from './certificateOptions.ts';
import type { Output } from './output.ts';

export class TunnelStates {
  /** The command was told to end, and finishes what is under way. */
  isEnding = false;
  readonly #output: Output;
  readonly #failure = new AbortController();
  #tunnel: TunnelInfo | undefined;
  #told: string | undefined;
  /** The first links come one after the other, which is no news; a lack that follows is. */
  #wasFull = false;

  constructor(output: Output) {
    this.#output = output;
  }

  /** The tunnel as it is now. */
  get tunnel(): TunnelInfo | undefined {
    return this.#tunnel;
  }

  /** Aborted, with the reason as a `TunnelError`, when the tunnel has failed for good. */
  get failed(): AbortSignal {
    return this.#failure.signal;
  }

  /** From here on changes are told; `tunnel` is what was told already. */
  begin(tunnel: TunnelInfo): void {
    this.#tunnel = tunnel;
    this.#told = this.#newsOf(tunnel);
  }

  /** Takes the newest state of all tunnels of the helper. */
  changed([tunnel]: readonly TunnelInfo[]): void {
    if (!tunnel || this.#told === undefined) return;
    const before = this.#tunnel;
    this.#tunnel = tunnel;
    const { id, state, certificate, caFile, links, warning } = tunnel;
    if (links && links.up >= links.wanted) this.#wasFull = true;
    const news = this.#newsOf(tunnel);
    if (news === this.#told) return;
    this.#told = news;
    this.#output.event({ event: 'state', tunnel: id, state, certificate, caFile, links, warning });
    if (JSON.stringify(certificate) !== JSON.stringify(before?.certificate)) sayCertificate(this.#output, certificate);
    if (warning !== undefined && warning !== before?.warning) sayWarning(this.#output, warning);
    // Why it waits and when it dials again is in the log.
    if (state.kind === 'connected' && before?.state.kind !== 'connected')
      this.#output.line({ text: 'Connected again.', style: 'green' });
    if (state.kind === 'failed') this.#failure.abort(fromErrorInfo(state.error));
  }

  #newsOf({ state, certificate, links, warning }: TunnelInfo): string {
    return JSON.stringify([
      state,
      certificate,
      warning,
      this.#wasFull && links !== undefined && links.up < links.wanted,
    ]);
  }
}
