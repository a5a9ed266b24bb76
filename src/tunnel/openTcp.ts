// A TCP connection to a name, whichever of its addresses answers first (RFC 8305): both families in turn, the next one
// tried after a quarter of a second while those before go on. Node's own `autoSelectFamily` gives each attempt up when
// the next begins, which a far host never survives.
import { lookup as systemLookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import type { Clock, TimerHandle } from '../core/clock.ts';
import { systemCode } from '../core/errors.ts';
import type { HostPort } from '../core/hostname.ts';

/** RFC 8305 §5, "Connection Attempt Delay". */
export const nextAttemptMs = 250;
/** Addresses of one name that are tried. */
export const maxAddresses = 8;

export type Lookup = (host: string) => Promise<readonly string[]>;

export type TcpOptions = {
  lookup?: Lookup;
  /** Says no for an address that must not be dialled. */
  mayConnect?: (address: string) => boolean;
  clock: Clock;
  signal: AbortSignal;
};

/** Throws what the system says (`ENOTFOUND`, `ECONNREFUSED` …), `EACCES` where no address may be dialled, or the signal's reason. */
export async function openTcp({ host, port }: HostPort, options: TcpOptions): Promise<Socket> {
  const { lookup = resolve, mayConnect, signal } = options;
  signal.throwIfAborted();
  const found = await until(isIP(host) === 0 ? lookup(host) : Promise.resolve([host]), signal);
  const allowed = mayConnect ? found.filter(mayConnect) : found;
  if (allowed.length === 0) {
    const code = found.length === 0 ? 'ENOTFOUND' : 'EACCES';
    throw Object.assign(new Error(`${host} has no address that may be dialled`), { code });
  }
  return race(inTurns(allowed).slice(0, maxAddresses), port, options);
}

async function resolve(host: string): Promise<string[]> {
  // Names below `localhost` are this machine (RFC 6761 §6.3), though most resolvers do not know.
  if (/(?:^|\.)localhost$/i.test(host)) return ['127.0.0.1', '::1'];
  return (await systemLookup(host, { all: true, verbatim: true })).map(({ address }) => address);
}

/** The family that the resolver put first begins (RFC 8305 §4). */
function inTurns(addresses: readonly string[]): string[] {
  const first = isIP(addresses[0] ?? '');
  const one = addresses.filter((address) => isIP(address) === first);
  const other = addresses.filter((address) => isIP(address) !== first);
  return one.flatMap((address, place) => [address, other[place] ?? []].flat()).concat(other.slice(one.length));
}

function race(addresses: readonly string[], port: number, { clock, signal }: TcpOptions): Promise<Socket> {
  return new Promise((succeed, fail) => {
    const trying = new Set<Socket>();
    const waiting = [...addresses];
    let timer: TimerHandle | undefined;
    let failure: unknown;
    const settle = (winner?: Socket): void => {
      timer?.cancel();
      signal.removeEventListener('abort', onAbort);
      for (const socket of trying) if (socket !== winner) socket.destroy();
    };
    const onAbort = (): void => {
      settle();
      fail(signal.reason);
    };
    const next = (): void => {
      timer?.cancel();
      const address = waiting.shift();
      if (address === undefined) {
        if (trying.size > 0) return;
        settle();
        return fail(failure);
      }
      const socket = connect({ host: address, port, noDelay: true });
      trying.add(socket);
      const onError = (error: Error): void => {
        trying.delete(socket);
        if (failure === undefined || systemCode(failure) === 'ENETUNREACH') failure = error;
        next();
      };
      socket.once('error', onError);
      socket.once('connect', () => {
        socket.off('error', onError);
        settle(socket);
        succeed(socket);
      });
      timer = clock.after(nextAttemptMs, next);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    next();
  });
}

/** A look-up cannot be stopped, but nobody has to wait for it. */
function until<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((succeed, fail) => {
    const onAbort = (): void => fail(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(succeed, fail).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
