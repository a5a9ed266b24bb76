// Values that came with a server's declaration and must not be shown in what passes: those that are called a secret, and
// those that look like one whatever they are called. In doubt a text is hidden from the inspector; nothing else changes.
import type { ServerTransport } from '../core/server.ts';

/** A value shorter than this is no secret, and would be found in every other text. */
const minSecretLength = 8;

const SECRET_NAME = /token|secret|passw|pwd|api_?-?key|credential|private|bearer|auth/i;

export function declaredSecrets(transport: ServerTransport): string[] {
  const values = transport.kind === 'http' ? ofHttp(transport) : ofCommand(transport);
  return values.filter((value) => value.length >= minSecretLength);
}

function ofHttp({ url, headers }: Extract<ServerTransport, { kind: 'http' }>): string[] {
  const query = URL.canParse(url) ? [...new URL(url).searchParams] : [];
  const said = Object.values(headers).flatMap((value) => [value, value.replace(/^\S+ +/, '')]);
  return [...said, ...query.flatMap(([name, value]) => (isSecret(name, value) ? [value] : []))];
}

function ofCommand({ env, args }: Extract<ServerTransport, { kind: 'stdio' }>): string[] {
  const inEnvironment = Object.entries(env).flatMap(([name, value]) =>
    value !== null && isSecret(name, value) ? [value] : [],
  );
  const inArguments = args.flatMap((arg, at) => {
    const [, name, value] = /^(--?[\w-]+)=(.*)$/s.exec(arg) ?? [];
    if (value !== undefined) return isSecret(name ?? '', value) ? [value] : [];
    const before = args[at - 1] ?? '';
    return isSecret(before.startsWith('-') ? before : '', arg) ? [arg] : [];
  });
  return [...inEnvironment, ...inArguments];
}

function isSecret(name: string, value: string): boolean {
  return SECRET_NAME.test(name) || looksRandom(value);
}

/** Long, of the characters that tokens are made of, and too mixed for a word, a path, a host or a version. */
function looksRandom(value: string): boolean {
  if (!/^[\w+=~.-]{24,}$/.test(value) || !/\d/.test(value) || !/[a-z]/i.test(value)) return false;
  const isToken = /^eyJ[\w-]+\.[\w-]+\./.test(value) || !value.includes('.');
  return isToken && entropy(value) >= 3.5;
}

/** Bits for each character (Shannon), by how often each is there. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  return [...counts.values()].reduce((bits, count) => bits - (count / text.length) * Math.log2(count / text.length), 0);
}
