// What a tool says of itself: hints of a stranger. They are shown, and where they contradict each other that is said.
import { isJsonObject } from '../../core/json.ts';
import type { Finding } from './finding.ts';
import type { Listed } from './offer.ts';

const hintNames = ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'] as const;

/** `true` or `false` as the tool says; absent where it says nothing, or something else. */
export type ToolHints = Partial<Record<(typeof hintNames)[number], boolean>>;

/** Verbs that change something. */
const changing: ReadonlySet<string> = new Set(
  'create insert update delete remove destroy drop write overwrite execute send upload rename purge truncate kill'.split(
    ' ',
  ),
);
/** Behind one of these, such a word is most likely a noun: `get_update`. */
const reading: ReadonlySet<string> = new Set(
  'get list read show search find fetch describe check view count'.split(' '),
);

export function hintsOf({ definition }: Listed): ToolHints {
  const { annotations } = definition;
  if (!isJsonObject(annotations)) return {};
  const said = hintNames.flatMap((name) => {
    const value = annotations[name];
    return typeof value === 'boolean' ? [[name, value] as const] : [];
  });
  return Object.fromEntries(said);
}

export function annotationFindings(tool: Listed): Finding[] {
  const { annotations } = tool.definition;
  if (!isJsonObject(annotations)) return [];
  const findings: Finding[] = hintNames
    .filter((name) => annotations[name] !== undefined && typeof annotations[name] !== 'boolean')
    .map((name) => ({ rule: 'hint-not-boolean', where: `annotations.${name}` }));
  const { readOnlyHint, destructiveHint } = hintsOf(tool);
  if (readOnlyHint !== true) return findings;
  if (destructiveHint === true) findings.push({ rule: 'read-only-and-destructive', where: 'annotations' });
  const word = changingWord(tool.name);
  if (word !== undefined) findings.push({ rule: 'read-only-name', where: 'annotations.readOnlyHint', words: [word] });
  return findings;
}

function changingWord(name: string): string | undefined {
  const words = name.split(/[^\p{L}]+|(?<=\p{Ll})(?=\p{Lu})/u).map((word) => word.toLowerCase());
  return reading.has(words[0] ?? '') ? undefined : words.find((word) => changing.has(word));
}
