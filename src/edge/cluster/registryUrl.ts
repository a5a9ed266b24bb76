// The address of a registry as people write it. Credentials have no place in it: it stands in command lines and logs.
import { TunnelError } from '../../core/errors.ts';
import { parseHostPort } from '../../core/hostname.ts';

/** `nats://host[:port]` or `tls://…` as it is used; `undefined` for `memory`, which stands for none. Throws `USAGE`. */
export function parseRegistryUrl(text: string): string | undefined {
  if (text === 'memory') return undefined;
  const [, scheme, where = ''] = /^(nats|tls):\/\/([^/?#]+)\/?$/.exec(text) ?? [];
  if (where.includes('@')) {
    throw new TunnelError(
      'USAGE',
      'credentials do not belong into the registry’s URL: name a file with --registry-creds',
    );
  }
  if (scheme === undefined) {
    throw new TunnelError('USAGE', `“${text.slice(0, 100)}” is not memory, nats://host:port or tls://host:port`);
  }
  parseHostPort(where, 4222);
  return `${scheme}://${where}`;
}
