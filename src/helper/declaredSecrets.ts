// Values that came with a server's declaration and must not be shown in what passes: those that are called a secret, and
// those that look like one whatever they are called. In doubt a text is hidden from the inspector; nothing else changes.
import { isLikelySecret } from '../core/likelySecret.ts';
import type { ServerTransport } from '../core/server.ts';

/** A value shorter than this is no secret, and would be found in every other text. */
const minSecretLength = 8;

export function declaredSecrets(transport: ServerTransport): string[] {
  const values = transport.kind === 'http' ? ofHttp(transport) : ofCommand(transport);
  return values.filter((value) => value.length >= minSecretLength);
}

function ofHttp({ url, headers }: Extract<ServerTransport, { kind: 'http' }>): string[] {
  const query = URL.canParse(url) ? [...new URL(url).searchParams] : [];
  const said = Object.values(headers).flatMap((value) => [value, value.replace(/^\S+ +/, '')]);
  return [...said, ...query.flatMap(([name, value]) => (isLikelySecret(name, value) ? [value] : []))];
}

function ofCommand({ env, args }: Extract<ServerTransport, { kind: 'stdio' }>): string[] {
  const inEnvironment = Object.entries(env).flatMap(([name, value]) =>
    value !== null && isLikelySecret(name, value) ? [value] : [],
  );
  const inArguments = args.flatMap((arg, at) => {
    const [, name, value] = /^(--?[\w-]+)=(.*)$/s.exec(arg) ?? [];
    if (value !== undefined) return isLikelySecret(name ?? '', value) ? [value] : [];
    const before = args[at - 1] ?? '';
    return isLikelySecret(before.startsWith('-') ? before : '', arg) ? [arg] : [];
  });
  return [...inEnvironment, ...inArguments];
}
