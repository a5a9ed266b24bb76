// Who asks to be let in by a tunnel, as the store mirrors it: waiting for the first one, and hearing when it is over.
import type { PairingWindow, PendingPairing } from '../protocol/control.ts';
import type { Store } from './store.ts';

export function pairingOf(store: Pick<Store, 'tunnels'>, tunnel: string): PairingWindow | undefined {
  return store.tunnels.find(({ id }) => id === tunnel)?.pairing;
}

/** A stranger's name in a notification must not become a link there. */
export function plainName(name: string): string {
  return name.replaceAll('[', '(').replaceAll(']', ')');
}

/** `undefined` when pairing is closed before anybody asked, or `signal` says so. */
export function whoAsks(
  store: Pick<Store, 'tunnels' | 'onChange'>,
  tunnel: string,
  signal: AbortSignal,
): Promise<PendingPairing | undefined> {
  return new Promise((settle) => {
    const look = (): void => {
      const pairing = pairingOf(store, tunnel);
      if (pairing && !pairing.pending && !signal.aborted) return;
      unsubscribe();
      signal.removeEventListener('abort', look);
      settle(signal.aborted ? undefined : pairing?.pending);
    };
    const unsubscribe = store.onChange(look);
    signal.addEventListener('abort', look);
    look();
  });
}

/** Calls `over` once, when nobody waits there any more. Returns how to stop listening. */
export function whenOver(store: Pick<Store, 'tunnels' | 'onChange'>, tunnel: string, over: () => void): () => void {
  const unsubscribe = store.onChange(() => {
    if (pairingOf(store, tunnel)?.pending) return;
    unsubscribe();
    over();
  });
  return unsubscribe;
}
