// Changes to the user's policy file that keep its comments and its layout.
import { applyEdits, createScanner, findNodeAtLocation, modify, parseTree, type FormattingOptions } from 'jsonc-parser';
import { TunnelError } from '../core/errors.ts';
import { parseHostPattern } from './hostPattern.ts';
import { userDefaults } from './mergedPolicy.ts';
import { parsePolicy } from './policyFile.ts';
import type { DestinationEntry } from './policySchema.ts';

const formattingOptions: FormattingOptions = { insertSpaces: true, tabSize: 2, eol: '\n' };

const HEAD = `// Where tunnels may go out to, which servers they may expose, and what agents may do.
// Other policy files can narrow this further, never widen it.
`;

/** What a new file says: the defaults, spelled out. */
export function newPolicyText(): string {
  return `${HEAD}${JSON.stringify(userDefaults, null, 2)}\n`;
}

/** Throws `POLICY_INVALID` when the file, or the entry, is no good. */
export function withDestination(old: string | undefined, entry: DestinationEntry, file: string): string {
  const text = old ?? newPolicyText();
  const { destinations } = parsePolicy(text, file);
  if (destinations?.some((known) => isSame(known, entry))) return text;
  const changed = destinations
    ? edit(text, ['destinations', destinations.length], entry, true)
    : edit(text, ['destinations'], [...userDefaults.destinations, entry], false);
  parsePolicy(changed, file);
  return changed;
}

/** Without every entry that names this destination, pinned or not. Throws `NOT_FOUND`, `POLICY_INVALID`. */
export function withoutDestination(old: string | undefined, entry: DestinationEntry, file: string): string {
  let text = old ?? newPolicyText();
  if (!parsePolicy(text, file).destinations) text = edit(text, ['destinations'], userDefaults.destinations, false);
  const destinations = parsePolicy(text, file).destinations ?? [];
  const places = destinations.flatMap((known, place) => (names(known, entry) ? [place] : []));
  if (places.length === 0) {
    throw new TunnelError('NOT_FOUND', `${file} has no entry ${JSON.stringify(entry)}`, { data: { file } });
  }
  for (const place of places.toReversed()) text = withoutElement(text, 'destinations', place);
  parsePolicy(text, file);
  return text;
}

function edit(text: string, path: (string | number)[], value: unknown, isArrayInsertion: boolean): string {
  return applyEdits(text, modify(text, path, value, { formattingOptions, isArrayInsertion }));
}

/** jsonc-parser's own removal loses comments, and commas with them. */
function withoutElement(text: string, section: string, place: number): string {
  const root = parseTree(text);
  const element = root && findNodeAtLocation(root, [section, place]);
  if (!element) return text;
  const end = element.offset + element.length;
  const before = root && findNodeAtLocation(root, [section, place - 1]);
  const comma = commaAt(text, end) ?? (before && commaAt(text, before.offset + before.length));
  const cuts = [{ from: element.offset, to: end }, ...(comma === undefined ? [] : [{ from: comma, to: comma + 1 }])];
  let shorter = text;
  for (const { from, to } of cuts.sort((left, right) => right.from - left.from)) {
    shorter = shorter.slice(0, from) + shorter.slice(to);
  }
  const at = element.offset - (comma !== undefined && comma < element.offset ? 1 : 0);
  return withoutBlankLine(shorter, at);
}

/** Place of the comma that comes next after `from`, comments aside. */
function commaAt(text: string, from: number): number | undefined {
  const scanner = createScanner(text, true);
  scanner.setPosition(from);
  scanner.scan();
  const at = scanner.getTokenOffset();
  return text[at] === ',' ? at : undefined;
}

function withoutBlankLine(text: string, at: number): string {
  const from = text.lastIndexOf('\n', at - 1) + 1;
  const to = text.indexOf('\n', at) + 1;
  return to > 0 && text.slice(from, to).trim() === '' ? text.slice(0, from) + text.slice(to) : text;
}

function isSame(left: DestinationEntry, right: DestinationEntry): boolean {
  return names(left, right) && left.pin === right.pin && left.publicName === right.publicName;
}

/** What the wanted entry does not say, it does not ask for. */
function names(known: DestinationEntry, wanted: DestinationEntry): boolean {
  if (known.carrier !== wanted.carrier || known.service !== wanted.service) return false;
  if (normalHost(known.host) !== normalHost(wanted.host)) return false;
  if (wanted.pin !== undefined && wanted.pin !== known.pin) return false;
  return wanted.publicName === undefined || wanted.publicName === known.publicName;
}

function normalHost(text: string | undefined): string | undefined {
  const pattern = text === undefined ? undefined : parseHostPattern(text);
  return pattern ? `${pattern.host} ${pattern.port ?? 443}` : text;
}
