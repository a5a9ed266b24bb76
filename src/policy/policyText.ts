// Changes to the text of a policy file that keep its comments and its layout.
import { applyEdits, createScanner, findNodeAtLocation, modify, parseTree, type FormattingOptions } from 'jsonc-parser';
import { userDefaults } from './mergedPolicy.ts';

const formattingOptions: FormattingOptions = { insertSpaces: true, tabSize: 2, eol: '\n' };

const HEAD = `// Where tunnels may go out to, which servers they may expose, and what agents may do.
// Other policy files can narrow this further, never widen it.
`;

/** What a new file says: the defaults, spelled out. */
export function newPolicyText(): string {
  return `${HEAD}${JSON.stringify(userDefaults, null, 2)}\n`;
}

type Path = readonly (string | number)[];

/** With `value` at `path`, whatever was there. */
export function withValue(text: string, path: Path, value: unknown): string {
  return applyEdits(text, modify(text, [...path], value, { formattingOptions }));
}

/** With one more element in the list at `path`, which has `length` elements. */
export function withElement(text: string, path: Path, length: number, value: unknown): string {
  return applyEdits(text, modify(text, [...path, length], value, { formattingOptions, isArrayInsertion: true }));
}

/** Without one element of the list at `path`; jsonc-parser's own removal loses comments, and commas with them. */
export function withoutElement(text: string, path: Path, place: number): string {
  const root = parseTree(text);
  const element = root && findNodeAtLocation(root, [...path, place]);
  if (!element) return text;
  const end = element.offset + element.length;
  const before = root && findNodeAtLocation(root, [...path, place - 1]);
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
