// The filter language of the inspector, as data: which keys there are and what a term may say. A filter is a list of
// terms that must all hold: `tool:echo,add -agent:claude latency:>500ms is:truncated text:"not found" timeout`.
import { exchangeFlags, exchangeStatuses } from '../exchange.ts';

/** Longest filter; a longer one is a problem, and matches nothing. */
export const maxFilterLength = 1_000;

/** Terms of one filter, and alternatives of one term; the same. */
export const maxTerms = 50;

/** Keys whose value is somebody's name. `*` stands for anything; quoted, it is the name to the letter. */
export const nameKeys = ['tool', 'prompt', 'resource', 'method', 'agent', 'session', 'server', 'tunnel'] as const;

/** Keys whose value is one of a few words. */
export const choices = {
  status: exchangeStatuses,
  era: ['legacy', 'modern'],
  kind: ['request', 'notification', 'response', 'stream', 'http', 'event'],
  direction: ['agent-to-server', 'server-to-agent'],
  is: [...exchangeFlags, ...exchangeStatuses, 'stranger', 'event'],
} as const satisfies Record<string, readonly string[]>;

/** Keys whose value is a number or a range, with the units it may have; a number without one is of the first. */
export const units = {
  latency: { ms: 1, s: 1_000, min: 60_000 },
  size: { b: 1, kb: 1_000, kib: 1_024, mb: 1_000_000, mib: 1_048_576 },
  code: {},
  http: {},
} as const satisfies Record<string, Record<string, number>>;

/** Greatest number of a range, in its first unit. */
export const maxNumber = 1e12;

export type NameKey = (typeof nameKeys)[number];
export type ChoiceKey = keyof typeof choices;
export type RangeKey = keyof typeof units;
export type FilterKey = NameKey | ChoiceKey | RangeKey | 'text';

export const filterKeys: readonly FilterKey[] = [
  ...nameKeys,
  ...(Object.keys(choices) as ChoiceKey[]),
  ...(Object.keys(units) as RangeKey[]),
  'text',
];

/** `exact`: it was quoted, so neither `*` nor a part of a name is meant. */
export type Pattern = { text: string; exact: boolean };

export type Range =
  | { kind: 'than'; sign: '>' | '>=' | '<' | '<='; value: number }
  | { kind: 'between'; from: number; to: number }
  | { kind: 'is'; value: number };

/** The alternatives of a term are joined by commas; one of them is enough. */
export type Term = { negated: boolean } & (
  | { kind: 'word'; text: string }
  | { kind: 'text'; texts: string[] }
  | { kind: 'name'; key: NameKey; patterns: Pattern[] }
  | { kind: 'choice'; key: ChoiceKey; values: string[] }
  | { kind: 'range'; key: RangeKey; ranges: Range[] }
);

export type Filter = { kind: 'filter'; terms: Term[] };

/** What is wrong with what was typed, and where: a place between 0 and the length of the text. */
export type FilterProblem = { kind: 'problem'; at: number; message: string };

export const isOneOf = <T extends string>(known: readonly T[], text: string): text is T =>
  (known as readonly string[]).includes(text);
