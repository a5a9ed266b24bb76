// Takes secrets out of what is recorded, before it is stored: known secrets in every shape they travel in (as they
// are, JSON-escaped, JSON within JSON, percent-encoded, base64), tokens by their look, and values of telling names.
// Secrets nobody told us and whose name says nothing are not found: redaction is a safety net, not a promise.
import type { HeaderList } from '../mcp/exchange.ts';
import { decodedViews, type TextView } from './textViews.ts';

export const redacted = '[redacted]';

/** A known secret shorter than this would blacken half of every message; it is not looked for. */
export const minSecretLength = 4;

/** Known secrets that are looked for; the newest count. */
export const maxSecrets = 500;

/** How far beyond a cut is looked for secrets that begin before it. */
const LEAST_LOOKAHEAD = 8_192;
const MOST_LOOKAHEAD = 131_072;

const SECRET_HEADER =
  /^(?:authorization|proxy-authorization|cookie|set-cookie)$|(?:^|[-_])(?:token|secret|password|key|apikey|auth|authorization|credential|signature)s?$/i;

const TOKEN = /mcp[a-z]_[0-9A-Za-z]{6,}/g;
const BEARER = /\b(?:bearer|basic)[ +]{1,8}([\w.~+/=-]{8,})/gi;
/** What a telling name ends with; the search starts there, so that a text without one is passed over quickly. */
const TELLING =
  /(?:password|passwd|passphrase|secret|(?<!"progress)token|api[_-]?key|private[_-]?key|access[_-]?key|credentials?|authorization)"\s{0,64}:\s{0,64}"((?:[^"\\]|\\[^])*)/gi;

/** Short texts found to hold no secret that are remembered: names, paths and headers are the same in every call. */
export const maxRemembered = 2_000;
/** Longest such text. */
const rememberedLength = 160;

/** In every text in which one of the three finds something; one look is cheaper than three. */
const HINT = /mcp[a-z]_|bearer|basic|passw|passphrase|secret|token|key|credential|authorization/i;

type Span = [start: number, end: number];
export type Redaction = { text: string; changed: boolean };

export class Redactor {
  readonly #secrets: () => readonly string[];
  #seen: readonly string[] = [];
  #needles: { plain: string[]; encoded: string[]; lookahead: number } = prepare([]);
  /** As long as the secrets are these; when it is full it begins anew. What is said with every call is kept once. */
  readonly #harmless = new Map<string, string>();
  /** The same for headers, the last one of each name: what an agent says with every call is kept once. */
  readonly #harmlessHeaders = new Map<string, HeaderList[number]>();

  constructor(secrets: () => readonly string[]) {
    this.#secrets = secrets;
  }

  text(text: string, keep: number = text.length): Redaction {
    this.#current();
    const known = this.#harmless.get(text);
    if (known !== undefined) return { text: known.slice(0, keep), changed: false };
    const spans = this.#find(text);
    if (spans.length === 0 && text.length <= rememberedLength) this.#remember(text);
    const inside = spans.filter(([start]) => start < keep);
    if (inside.length === 0) return { text: text.slice(0, keep), changed: false };
    return { text: replaceSpans(text, inside, keep), changed: true };
  }

  /** The first `maxBytes` of a message as text, cut between characters; a secret across the cut is found too. */
  capture(message: Buffer | string, maxBytes: number): Redaction & { cut: boolean; bytes: number } {
    const { lookahead } = this.#current();
    if (typeof message === 'string' && message.length * 3 <= maxBytes) {
      const { text, changed } = this.text(message);
      return { text, changed, cut: false, bytes: Buffer.byteLength(message) };
    }
    // A character is at least one byte, so this many characters hold all the bytes that matter.
    const source = typeof message === 'string' ? Buffer.from(message.slice(0, maxBytes + lookahead)) : message;
    const bytes = typeof message === 'string' ? Buffer.byteLength(message) : message.length;
    const head = source.toString('utf8', 0, boundary(source, maxBytes));
    if (bytes <= maxBytes) {
      const { text, changed } = this.text(head);
      return { text, changed, cut: false, bytes };
    }
    const whole = source.toString('utf8', 0, boundary(source, maxBytes + lookahead));
    const { text, changed } = this.text(whole, head.length);
    return { text, changed, cut: true, bytes };
  }

  headers(headers: HeaderList): HeaderList {
    this.#current();
    return headers.map((pair) => this.#header(pair));
  }

  #header([name, value]: HeaderList[number]): HeaderList[number] {
    const known = this.#harmlessHeaders.get(name);
    if (known?.[1] === value) return known;
    const shown: HeaderList[number] = [name, this.#headerValue(name, value)];
    if (shown[1] === value && name.length + value.length <= rememberedLength) {
      if (this.#harmlessHeaders.size >= maxRemembered) this.#harmlessHeaders.clear();
      this.#harmlessHeaders.set(name, shown);
    }
    return shown;
  }

  #headerValue(name: string, value: string): string {
    if (SECRET_HEADER.test(name)) return redacted;
    if (/^mcp-session-id$/i.test(name)) return value.length > 8 ? `${value.slice(0, 8)}…` : value;
    return this.text(value).text;
  }

  #find(text: string): Span[] {
    const { plain, encoded } = this.#current();
    const spans: Span[] = [];
    for (const view of decodedViews(text)) {
      for (const needle of plain) findAll(view, needle, spans);
      for (const needle of encoded) findAll(view, needle, spans);
      if (!HINT.test(view.text)) continue;
      findPattern(view, TOKEN, spans);
      findPattern(view, BEARER, spans);
      findPattern(view, TELLING, spans);
    }
    return spans;
  }

  #current(): { plain: string[]; encoded: string[]; lookahead: number } {
    const secrets = this.#secrets();
    const same = secrets.length === this.#seen.length && secrets.every((secret, index) => secret === this.#seen[index]);
    if (!same) {
      this.#seen = [...secrets];
      this.#needles = prepare(this.#seen);
      this.#harmless.clear();
      this.#harmlessHeaders.clear();
    }
    return this.#needles;
  }

  #remember(text: string): void {
    if (this.#harmless.size >= maxRemembered) this.#harmless.clear();
    this.#harmless.set(text, text);
  }
}

function prepare(secrets: readonly string[]): { plain: string[]; encoded: string[]; lookahead: number } {
  const plain = [...new Set(secrets)].filter((secret) => secret.length >= minSecretLength).slice(-maxSecrets);
  const longest = Math.max(0, ...plain.map((secret) => secret.length));
  // A character escaped as \u takes six bytes.
  const lookahead = Math.min(MOST_LOOKAHEAD, Math.max(LEAST_LOOKAHEAD, longest * 6));
  return { plain, encoded: [...new Set(plain.flatMap(base64Shapes))], lookahead };
}

/** What base64 makes of a secret at each of the three places it can have in a longer text. */
function base64Shapes(secret: string): string[] {
  const bytes = Buffer.from(secret);
  if (bytes.length < 8) return [];
  return [0, 1, 2].flatMap((offset) => {
    const shifted = Buffer.concat([Buffer.alloc(offset), bytes]);
    // The characters at both ends also carry bits of the neighbours.
    const from = Math.ceil((offset * 8) / 6);
    const to = Math.floor((shifted.length * 8) / 6);
    return [shifted.toString('base64').slice(from, to), shifted.toString('base64url').slice(from, to)];
  });
}

function findAll(view: TextView, needle: string, spans: Span[]): void {
  for (let at = view.text.indexOf(needle); at >= 0; at = view.text.indexOf(needle, at + 1)) {
    spans.push([view.sourceStart(at), view.sourceEnd(at + needle.length)]);
  }
}

/** The first group of `pattern` where it has one, else all of it. */
function findPattern(view: TextView, pattern: RegExp, spans: Span[]): void {
  for (const match of view.text.matchAll(pattern)) {
    const end = match.index + match[0].length;
    const start = match[1] === undefined ? match.index : end - match[1].length;
    if (end > start) spans.push([view.sourceStart(start), view.sourceEnd(end)]);
  }
}

function replaceSpans(text: string, spans: Span[], keep: number): string {
  spans.sort((left, right) => left[0] - right[0]);
  const pieces: string[] = [];
  let at = 0;
  for (const [start, end] of spans) {
    if (start >= at) pieces.push(text.slice(at, start), redacted);
    at = Math.max(at, end);
  }
  if (at < keep) pieces.push(text.slice(at, keep));
  return pieces.join('');
}

/** The last place at or before `at` where no UTF-8 character is torn. */
function boundary(bytes: Buffer, at: number): number {
  if (at >= bytes.length) return bytes.length;
  let place = at;
  for (let step = 0; step < 3 && place > 0 && isContinuation(bytes[place]); step += 1) place -= 1;
  return isContinuation(bytes[place]) ? at : place;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
