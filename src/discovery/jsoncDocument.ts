// JSON with comments and trailing commas as a tree that knows where everything stands, also when the text is damaged:
// the sound parts stay readable and every fault has a line and a column. Never throws, whatever the text.
import { createScanner, parseTree, printParseErrorCode, type Node, type ParseError } from 'jsonc-parser';
import {
  countBelow,
  firstPerLine,
  LineIndex,
  maxNesting,
  type ConfigDocument,
  type Fault,
  type Place,
} from './configDocument.ts';

export class JsoncDocument implements ConfigDocument {
  readonly root: Node | undefined;
  readonly faults: Fault[];
  readonly #text: string;
  readonly #errorOffsets: number[];
  readonly #lines: LineIndex;

  constructor(text: string) {
    this.#text = text;
    this.#lines = new LineIndex(text);
    this.#errorOffsets = [];
    this.faults = [];

    const problem = beforeParsing(text);
    if (problem) {
      this.faults.push({ ...this.place(problem.offset), message: problem.message });
      return;
    }
    const errors: ParseError[] = [];
    this.root = parseTree(text, errors, { allowTrailingComma: true });
    this.#errorOffsets = errors.map((error) => error.offset).sort((left, right) => left - right);
    this.faults = firstPerLine(errors.map((error) => ({ ...this.place(error.offset), message: sentence(error) })));
  }

  place(offset: number): Place {
    return this.#lines.place(offset);
  }

  /** Whether a syntax error lies inside the node, or its end is missing: then its content is a guess. */
  isDamaged(node: Node): boolean {
    const end = node.offset + node.length;
    const faultInside = countBelow(this.#errorOffsets, node.offset) < countBelow(this.#errorOffsets, end);
    return faultInside || !this.#isClosed(node);
  }

  #isClosed(node: Node): boolean {
    if (node.type !== 'object' && node.type !== 'array') return true;
    const text = this.#text.slice(node.offset, node.offset + node.length);
    let last = 0;
    for (const { depth } of nesting(text)) last = depth;
    return last === 0;
  }
}

function beforeParsing(text: string): { offset: number; message: string } | undefined {
  if (text.trim() === '') return { offset: 0, message: 'the file is empty' };
  for (const { depth, offset } of nesting(text)) {
    if (depth > maxNesting) return { offset, message: 'the file is nested too deeply' };
  }
  return undefined;
}

// jsonc-parser's SyntaxKind is a `const enum`, which cannot be imported when files are compiled one by one.
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET, END] = [1, 2, 3, 4, 17];

/** How deep the text is nested after each bracket and brace. */
function* nesting(text: string): Generator<{ depth: number; offset: number }> {
  const scanner = createScanner(text, true);
  const next = (): number => scanner.scan();
  let depth = 0;
  for (let token = next(); token !== END; token = next()) {
    if (token === OPEN_BRACE || token === OPEN_BRACKET) depth += 1;
    else if (token === CLOSE_BRACE || token === CLOSE_BRACKET) depth -= 1;
    else continue;
    yield { depth, offset: scanner.getTokenOffset() };
  }
}

function sentence({ error }: ParseError): string {
  return SENTENCES[printParseErrorCode(error)] ?? 'this is not JSON';
}

const SENTENCES: Record<string, string> = {
  InvalidSymbol: 'this is not JSON: a word without quotes',
  InvalidNumberFormat: 'this is not a number',
  PropertyNameExpected: 'a name in double quotes is expected here',
  ValueExpected: 'a value is expected here',
  ColonExpected: 'a colon is missing here',
  CommaExpected: 'a comma is missing here',
  CloseBraceExpected: 'the file ends where a } is missing',
  CloseBracketExpected: 'the file ends where a ] is missing',
  EndOfFileExpected: 'there is more text after the end of the JSON value',
  InvalidCommentToken: 'a comment cannot stand here',
  UnexpectedEndOfComment: 'this comment has no end',
  UnexpectedEndOfString: 'this text has no closing quote',
  UnexpectedEndOfNumber: 'this number has no end',
  InvalidUnicode: 'this \\u escape is not valid',
  InvalidEscapeCharacter: 'this escape is not valid',
  InvalidCharacter: 'this character cannot stand in a text',
};
