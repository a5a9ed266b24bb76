// What a developer is asked on the terminal when an agent wants to be let in: who it is, what it may do, for how long,
// and at the end the number that its browser shows. Loaded when the first agent asks.
import type { Readable, Writable } from 'node:stream';
import { isCancel, note, select, text } from '@clack/prompts';
import { parseDuration } from '../core/duration.ts';
import type { GrantScope, PendingPairing } from '../protocol/control.ts';
import { plainLine } from './plainText.ts';

export type Asking = { input: Readable; output: Writable; signal: AbortSignal };

/** `undefined`: the developer said no. */
export type Terms = { scope: GrantScope; lastsMs: number } | undefined;

export async function askTerms(pending: PendingPairing, asking: Asking): Promise<Terms> {
  const { name, redirectHost, local, documentHost, ruled } = pending;
  const vouched = documentHost === undefined ? 'its own word' : `says ${plainLine(documentHost)}`;
  const lines = [`Agent            ${plainLine(name)} (${vouched})`, `Access goes to   ${plainLine(redirectHost)}`];
  if (local) lines.push('', 'A program on the browser’s machine gets it: go on only if you started it yourself.');
  if (ruled)
    lines.push('', 'The policy has rules for this name, and they would be its rules: it chose the name itself.');
  note(lines.join('\n'), 'An agent wants to be let in', asking);

  const may = await select({
    ...asking,
    message: 'What may it do?',
    initialValue: 'all',
    options: [
      { value: 'all', label: 'Everything the policy allows' },
      { value: 'read-only', label: 'Only tools that say they change nothing' },
      { value: 'tools', label: 'Only some tools …' },
      { value: 'no', label: 'Nothing: do not let it in' },
    ],
  });
  if (isCancel(may) || may === 'no') return undefined;
  const scope = may === 'tools' ? await askTools(asking) : may === 'read-only' ? { readOnly: true } : {};
  if (scope === undefined) return undefined;

  const span = await text({
    ...asking,
    message: 'For how long?',
    initialValue: '8h',
    validate: (typed) => problem(() => parseDuration(typed ?? '')),
  });
  return isCancel(span) ? undefined : { scope, lastsMs: parseDuration(span) };
}

/** `undefined`: the developer said no. */
export async function askNumber(message: string, asking: Asking): Promise<string | undefined> {
  const typed = await text({
    ...asking,
    message,
    placeholder: '123 456',
    validate: (entered) => (/^[\d\s-]{6,}$/.test(entered ?? '') ? undefined : 'six digits, as the browser shows them'),
  });
  return isCancel(typed) ? undefined : typed;
}

async function askTools(asking: Asking): Promise<GrantScope | undefined> {
  const typed = await text({
    ...asking,
    message: 'Which tools? Names, * for any text, spaces between them',
    placeholder: 'get-* echo',
    validate: (entered) => (words(entered ?? '').length > 0 ? undefined : 'name one at least'),
  });
  return isCancel(typed) ? undefined : { tools: words(typed) };
}

function words(typed: string): string[] {
  return typed.split(/[\s,]+/).filter((word) => word !== '');
}

function problem(check: () => unknown): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
