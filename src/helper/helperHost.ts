// One helper for all drivers of a process. It begins with the first `hello`, and from then on other processes of the
// same user reach it by its socket.
import type { Clock, Random } from '../core/clock.ts';
import { TunnelError } from '../core/errors.ts';
import type { DriverContract, HelperContract, HelperRequests } from '../protocol/control.ts';
import type { Peer } from '../protocol/peer.ts';
import { isHelperAlive, serveControl } from './controlSocket.ts';
import { Helper } from './helper.ts';
import { product } from './product.ts';
import { serveDriver } from './serveDriver.ts';
import type { StatePaths } from './statePaths.ts';

export type HelperHostOptions = { paths: StatePaths; env: NodeJS.ProcessEnv; clock: Clock; random: Random };

export class HelperHost {
  readonly #options: HelperHostOptions;
  #helper: Promise<Helper> | undefined;
  #socket: { close(): Promise<void> } | undefined;
  #stopped = false;

  constructor(options: HelperHostOptions) {
    this.#options = options;
  }

  /** `policy` is one more policy file; it counts for whoever says `hello` first. */
  serve(peer: Peer<HelperContract, DriverContract>, extra: { policy?: string } = {}): void {
    const { clock, paths } = this.#options;
    serveDriver(peer, (hello) => this.#start(hello, extra.policy), { clock, product, home: paths.home });
  }

  /** Closes every tunnel; a helper that never began has nothing open. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const helper = await this.#helper?.catch(() => undefined);
    await this.#socket?.close();
    await helper?.stop();
  }

  #start({ folders, trusted }: HelperRequests['hello']['params'], extraPolicy: string | undefined): Promise<Helper> {
    if (this.#stopped) return Promise.reject(new TunnelError('CLOSED', 'the helper has ended'));
    this.#helper ??= this.#begin(folders, trusted, extraPolicy).catch((error: unknown) => {
      this.#helper = undefined; // What was wrong may be repaired before the next `hello`.
      throw error;
    });
    return this.#helper;
  }

  async #begin(folders: string[], trusted: boolean, extraPolicy: string | undefined): Promise<Helper> {
    const { paths, env, clock, random } = this.#options;
    const helper = await Helper.start({
      paths,
      env,
      clock,
      random,
      folders,
      trusted,
      ...(extraPolicy === undefined ? {} : { extraPolicy }),
      isAlive: (id) => isHelperAlive(paths, id),
    });
    try {
      this.#socket = await serveControl<HelperContract, DriverContract>(paths.helperSocket(helper.id), (peer) =>
        this.serve(peer),
      );
    } catch (error) {
      await helper.stop();
      throw error;
    }
    return helper;
  }
}
