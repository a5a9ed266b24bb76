// Secrets that stand in a configuration file in plain text: where, never what. A value that a variable gives is none,
// nor is what a template leaves for its reader to fill in.
import { isLikelySecret, looksRandom } from '../core/likelySecret.ts';
import type { ServerEntry } from './configText.ts';

/** Shorter ones are flags and names. */
const minSecretLength = 8;

/** Every client's way to write a variable; what they give is not in the file. */
const VARIABLES = /\$\{\{[^{}]*\}\}|\$\{[^${}]*\}|\{(?:env|file):[^{}]*\}|\$[A-Za-z_][A-Za-z0-9_]*/g;

const PLACEHOLDER =
  /^(?:<.*>|\[.*\]|your\b.*|your[-_].*|x{3,}|\*+|\.{3,}|change-?me|todo|example.*|replace.*|insert.*)$/i;

/** The places in the entry, as `env API_KEY` or `header Authorization`. */
export function writtenSecrets({ definition }: ServerEntry): string[] {
  if (definition.kind === 'http') {
    const headers = definition.headers.filter(([name, value]) => isWritten(name, value.replace(/^[A-Za-z]+ +/, '')));
    return [...inUrl(definition.url), ...headers.map(([name]) => `header ${name}`)];
  }
  const env = definition.env.filter(([name, value]) => value !== null && isWritten(name, value));
  return [...env.map(([name]) => `env ${name}`), ...inArguments(definition.args)];
}

function isWritten(name: string, value: string): boolean {
  const literal = value.replace(VARIABLES, '').trim();
  if (literal.length < minSecretLength || PLACEHOLDER.test(literal)) return false;
  // A name alone says little of a path, a URL or a sentence that goes with it.
  return looksRandom(literal) || (isLikelySecret(name, literal) && /^[^\s/\\]+$/.test(literal));
}

function inUrl(url: string): string[] {
  if (!URL.canParse(url)) return [];
  const { searchParams, password } = new URL(url);
  const query = [...searchParams].filter(([name, value]) => isWritten(name, value)).map(([name]) => `url ?${name}=`);
  return password === '' ? query : ['password in the url', ...query];
}

function inArguments(args: readonly string[]): string[] {
  return args.flatMap((arg, at) => {
    const [, name, value] = /^(--?[\w-]+)=(.*)$/s.exec(arg) ?? [];
    if (name !== undefined && value !== undefined) return isWritten(name, value) ? [`argument ${name}`] : [];
    const before = args[at - 1] ?? '';
    const called = /^--?[^=]+$/.test(before) ? before : '';
    return isWritten(called, arg) ? [called === '' ? `argument ${at + 1}` : `argument ${called}`] : [];
  });
}
