// What stands in front of an edge, as options of `edge run`: load balancers, and the file that tells autonomous systems
// apart.
import type { Lifetime } from '../core/lifetime.ts';
import { parseNetwork, type Network } from '../core/network.ts';
import { TunnelError } from '../core/errors.ts';
import { AsnBook } from '../edge/asnBook.ts';
import type { EdgeOptions } from '../edge/edge.ts';
import type { EdgeLog } from '../edge/edgeLog.ts';
import type { OptionRow } from './command.ts';
import { maxRepeats } from './optionParsers.ts';

export type EdgeFrontOptions = { asnDb?: string; proxyFrom?: readonly Network[] };

export const edgeFrontOptions: readonly OptionRow[] = [
  {
    flags: '--proxy-from <network...>',
    help: 'load balancers in front: what they open must begin with a PROXY header, version 2; nobody else’s may',
    parse: networks,
  },
  {
    flags: '--asn-db <file>',
    help: 'MMDB file with autonomous systems, for tunnels that let in some by number; read anew when it changes',
  },
];

/** Throws `CONFIG_INVALID` for a file that cannot be read. */
export async function edgeFront(
  { asnDb, proxyFrom }: { asnDb: string | undefined; proxyFrom: readonly Network[] },
  { lifetime, log }: { lifetime: Lifetime; log: EdgeLog },
): Promise<Pick<EdgeOptions, 'asns' | 'proxies'>> {
  if (asnDb === undefined) return { proxies: proxyFrom };
  const onProblem = (sentence: string): void => log.warn('asn-db-unreadable', sentence);
  return { proxies: proxyFrom, asns: lifetime.add(await AsnBook.open({ path: asnDb, onProblem })) };
}

function networks(text: string, before: unknown): Network[] {
  const values = Array.isArray(before) ? (before as Network[]) : [];
  if (values.length >= maxRepeats) throw new TunnelError('USAGE', `at most ${maxRepeats} values can be given`);
  return [...values, parseNetwork(text)];
}
