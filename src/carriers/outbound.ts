// How this machine reaches the world outside, as its owner has set it up: through which proxy, trusting whom, and how it
// is told that the network has changed. Handed in by the helper.
import type { Unsubscribe } from '../core/emitter.ts';
import { formatHostPort } from '../core/hostname.ts';
import type { ProxyFor } from '../tunnel/edgeDoor.ts';
import type { MayDial } from './carrier.ts';

export type Outbound = {
  proxyFor: ProxyFor;
  /** PEM of authorities to trust besides the public ones. */
  authorities: () => Promise<readonly string[]>;
  onNetworkChange: (listener: (what: string) => void) => Unsubscribe;
};

/** A proxy is a destination like any other: it must be allowed before its name is looked up. */
export function checkedProxy({ proxyFor }: Pick<Outbound, 'proxyFor'>, mayDial: MayDial): ProxyFor {
  return (names, port) => {
    const proxy = proxyFor(names, port);
    if (proxy) mayDial({ service: 'proxy', host: formatHostPort(proxy) });
    return proxy;
  };
}
