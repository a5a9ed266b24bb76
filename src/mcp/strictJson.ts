// JSON read so that no two parsers can disagree about it: what one reader takes for a harmless call must not be another
// reader's dangerous one. Duplicate keys, a BOM, lone surrogates, invalid UTF-8 and absurd depth are refused.
import type { JsonValue } from '../core/json.ts';

export type StrictJsonLimits = {
  /** Deepest nesting of objects and arrays. */
  maxDepth: number;
};

/** Real MCP messages stay below 20; a JSON Schema inside one may add a dozen. */
export const strictJsonLimits: StrictJsonLimits = { maxDepth: 64 };

export class StrictJsonError extends Error {
  /** Where it shows, in UTF-16 units from the start; 0 where nobody knows (invalid UTF-8, much of what is no JSON). */
  readonly offset: number;
  /** One clause, fit for an agent: never a part of the text itself. */
  readonly reason: string;

  constructor(offset: number, reason: string) {
    super(`${reason} (at ${offset})`);
    this.name = 'StrictJsonError';
    this.offset = offset;
    this.reason = reason;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of `bytes`; a BOM stays in it, so that {@link parseStrict} sees it. Throws {@link StrictJsonError}. */
export function decodeUtf8Strict(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new StrictJsonError(0, 'the text is not valid UTF-8');
  }
}

/** What `JSON.parse` gives, or a {@link StrictJsonError}; nothing else is ever thrown. */
export function parseStrict(text: string, limits: StrictJsonLimits = strictJsonLimits): JsonValue {
  if (text.charCodeAt(0) === 0xfeff) throw new StrictJsonError(0, 'a byte order mark is not allowed');
  if (!isWellFormed(text)) throw new StrictJsonError(0, 'the text holds half of a surrogate pair');
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (error) {
    throw new StrictJsonError(offsetOf(error), 'the text is not JSON');
  }
  refuseAmbiguity(text, limits.maxDepth);
  return value;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Keys of one open object, as written; unescaped where they held a backslash. `undefined` for an array. */
type Keys = Set<string> | undefined;

/** One pass over text that `JSON.parse` took: from here on its grammar can be relied on. */
function refuseAmbiguity(text: string, maxDepth: number): void {
  const open: Keys[] = [];
  let keys: Keys;
  let keyIsNext = false;
  let backslash = nextIndex(text, '\\', 0);
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const from = at + 1;
        at = text.indexOf('"', from);
        let escaped = false;
        while (backslash < at) {
          escaped = true;
          // What a backslash escapes is no delimiter: go on after it.
          const after = afterEscape(text, backslash);
          if (after > at) at = text.indexOf('"', after);
          backslash = nextIndex(text, '\\', after);
        }
        if (!keyIsNext) break;
        keyIsNext = false;
        const key = escaped ? (JSON.parse(text.slice(from - 1, at + 1)) as string) : text.slice(from, at);
        if (keys!.has(key)) throw new StrictJsonError(from - 1, 'an object has the same key twice');
        keys!.add(key);
        break;
      }
      case COMMA:
        keyIsNext = keys !== undefined;
        break;
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        if (open.length >= maxDepth) throw new StrictJsonError(at, `it is nested deeper than ${maxDepth} levels`);
        open.push(keys);
        keyIsNext = text.charCodeAt(at) === OPEN_OBJECT;
        keys = keyIsNext ? new Set() : undefined;
        break;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        keys = open.pop();
        keyIsNext = false;
        break;
      default:
        if (isDigit(text.charCodeAt(at))) at = endOfNumber(text, at) - 1;
    }
  }
}

/** The index after the escape that starts at `at`. A surrogate must come with its other half, escaped like it. */
function afterEscape(text: string, at: number): number {
  if (text.charCodeAt(at + 1) !== 0x75) return at + 2;
  const unit = unitAt(text, at);
  if (unit < 0xd800 || unit > 0xdfff) return at + 6;
  const pairs = unit < 0xdc00 && text.startsWith('\\u', at + 6) && (unitAt(text, at + 6) & 0xfc00) === 0xdc00;
  if (!pairs) throw new StrictJsonError(at, 'a string holds half of a surrogate pair');
  return at + 12;
}

function unitAt(text: string, at: number): number {
  return Number.parseInt(text.slice(at + 2, at + 6), 16);
}

/** The index after the number. One too large for a double is infinite for one reader and an error for the next. */
function endOfNumber(text: string, from: number): number {
  let to = from + 1;
  let mayOverflow = false;
  for (; to < text.length; to += 1) {
    const unit = text.charCodeAt(to);
    if (unit === 0x65 || unit === 0x45) mayOverflow = true;
    else if (!isDigit(unit) && unit !== 0x2e && unit !== 0x2b && unit !== 0x2d) break;
  }
  const isLong = to - from > 308; // The largest double has 309 digits.
  if ((mayOverflow || isLong) && !Number.isFinite(Number(text.slice(from, to)))) {
    throw new StrictJsonError(from, 'a number is too large');
  }
  return to;
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39;
}

function nextIndex(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from);
  return at < 0 ? Number.POSITIVE_INFINITY : at;
}

/** `String.prototype.isWellFormed` (ES2024): in Node 20 and every browser since, in our TypeScript library not yet. */
function isWellFormed(text: string): boolean {
  return (text as unknown as { isWellFormed(): boolean }).isWellFormed();
}

function offsetOf(error: unknown): number {
  const match = /position (\d+)/.exec(error instanceof Error ? error.message : '');
  return match ? Number(match[1]) : 0;
}
