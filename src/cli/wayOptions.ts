// How an agent is recognised that gets no token, as options of `agents add` and as words on a screen.
import { TunnelError } from '../core/errors.ts';
import type { GrantInfo, NewWay, TunnelInfo } from '../protocol/control.ts';
import type { CommandContext, OptionRow } from './command.ts';
import { repeated } from './optionParsers.ts';
import { readText } from './secretText.ts';

export type WayOptions = {
  pathSecret?: boolean;
  clientCa?: string;
  clientName?: string;
  jwtIssuer?: string;
  jwtAudience?: string;
  jwtJwks?: string;
  jwtClaim?: string[];
};

export const wayOptions: readonly OptionRow[] = [
  {
    flags: '--path-secret',
    help: 'instead of a token: a secret in the URL; for agents that can be given nothing else',
  },
  {
    flags: '--client-ca <file>',
    help: 'instead of a token: a TLS client certificate of this authority (PEM, one root)',
  },
  { flags: '--client-name <name>', help: 'with --client-ca: only one that has this common or alternative name' },
  { flags: '--jwt-issuer <url>', help: 'instead of a token: a JWT that this issuer signed, as bearer token' },
  { flags: '--jwt-audience <text>', help: 'with --jwt-issuer: the audience it must be for' },
  { flags: '--jwt-jwks <url>', help: 'with --jwt-issuer: where its keys are (default: found by its metadata)' },
  { flags: '--jwt-claim <name=value...>', help: 'with --jwt-issuer: a claim it must have', parse: repeated },
];

/** `undefined` for an agent with a token. Throws `USAGE` for options that do not go together. */
export async function wayOf(context: CommandContext, options: WayOptions): Promise<NewWay | undefined> {
  const { pathSecret, clientCa, clientName, jwtIssuer, jwtAudience, jwtJwks, jwtClaim } = options;
  const ways = [pathSecret, clientCa, jwtIssuer].filter((way) => way !== undefined);
  if (ways.length > 1) {
    throw new TunnelError('USAGE', 'an agent comes in one way: --path-secret, --client-ca or --jwt-issuer');
  }
  if (clientName !== undefined && clientCa === undefined) {
    throw new TunnelError('USAGE', '--client-name goes with --client-ca FILE');
  }
  if (jwtIssuer === undefined && (jwtAudience ?? jwtJwks ?? jwtClaim) !== undefined) {
    throw new TunnelError('USAGE', '--jwt-audience, --jwt-jwks and --jwt-claim go with --jwt-issuer URL');
  }
  if (pathSecret) return { kind: 'path-secret' };
  if (clientCa !== undefined) {
    const caPem = await readText(context, clientCa);
    return { kind: 'certificate', caPem, ...(clientName === undefined ? {} : { name: clientName }) };
  }
  if (jwtIssuer === undefined) return undefined;
  if (jwtAudience === undefined) {
    throw new TunnelError(
      'USAGE',
      '--jwt-issuer needs --jwt-audience: without one a token for any other service would do',
    );
  }
  return {
    kind: 'jwt',
    issuer: jwtIssuer,
    audience: jwtAudience,
    ...(jwtJwks === undefined ? {} : { jwks: jwtJwks }),
    ...(jwtClaim === undefined ? {} : { claims: claimsOf(jwtClaim) }),
  };
}

/** The URLs of the tunnels that a grant is for, with `path` in place of theirs. */
export function urlsAt(path: string, { scope }: GrantInfo, tunnels: readonly TunnelInfo[]): string[] {
  return tunnels
    .filter(({ server }) => scope.servers.includes('*') || scope.servers.includes(server.id))
    .flatMap(({ url, loopbackUrl }) => [url, loopbackUrl].filter((one) => one !== undefined))
    .map((url) => new URL(path, url).href);
}

/** `token`, `path secret`, `certificate of 3f2a91c0…`, … */
export function wayWords({ way, paired }: GrantInfo): string {
  switch (way?.kind) {
    case undefined:
      return paired ? 'pairing' : 'token';
    case 'path-secret':
      return 'path secret';
    case 'certificate':
      return `certificate of ${way.ca.slice(0, 16)}…${way.name === undefined ? '' : ` as ${way.name}`}`;
    case 'jwt':
      return `JWT of ${way.issuer}`;
  }
}

function claimsOf(given: readonly string[]): Record<string, string> {
  const pairs = given.map((text): [string, string] => {
    const at = text.indexOf('=');
    if (at < 1 || at === text.length - 1) throw new TunnelError('USAGE', `“${text}” is not a claim: write name=value`);
    return [text.slice(0, at), text.slice(at + 1)];
  });
  const claims = Object.fromEntries(pairs);
  if (Object.keys(claims).length < pairs.length) throw new TunnelError('USAGE', 'a claim is named twice');
  return claims;
}
