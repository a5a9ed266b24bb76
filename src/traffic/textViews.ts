// A text as its readers may decode it: as it is, with JSON escapes undone (once per level of JSON within JSON), with
// percent-encoding undone. Every view knows which part of the original each of its characters came from.

export type TextView = {
  text: string;
  /** Where in the original the character at `index` begins. */
  sourceStart(index: number): number;
  /** Where in the original the characters before `index` end. */
  sourceEnd(index: number): number;
};

/** JSON within JSON within JSON … is undone this often. */
export const maxNesting = 4;

const PERCENT_RUN = /(?:%[0-9a-fA-F]{2})+/g;
const HEX = /^[0-9a-fA-F]{4}$/;
const SHORT: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

export function decodedViews(text: string): TextView[] {
  const views: TextView[] = [{ text, sourceStart: (index) => index, sourceEnd: (index) => index }];
  for (let level = 0; level < maxNesting && views.at(-1)!.text.includes('\\'); level += 1) {
    views.push(jsonUnescaped(views.at(-1)!));
  }
  const encoded = views.filter((view) => view.text.search(PERCENT_RUN) >= 0);
  return [...views, ...encoded.map(percentDecoded)];
}

function jsonUnescaped(view: TextView): TextView {
  const { text } = view;
  const derived = new Derivation(view);
  for (let at = text.indexOf('\\'); at >= 0 && at + 1 < text.length;) {
    const letter = text[at + 1]!;
    const hex = letter === 'u' ? text.slice(at + 2, at + 6) : '';
    const isUnit = HEX.test(hex);
    const end = at + (isUnit ? 6 : 2);
    derived.replace(at, end, isUnit ? String.fromCharCode(Number.parseInt(hex, 16)) : (SHORT[letter] ?? letter));
    at = text.indexOf('\\', end);
  }
  return derived.finish();
}

function percentDecoded(view: TextView): TextView {
  const derived = new Derivation(view);
  for (const { 0: run, index } of view.text.matchAll(PERCENT_RUN)) {
    derived.replace(index, index + run.length, Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'));
  }
  return derived.finish();
}

/** A view made from another one piece by piece. A replaced piece is mapped as a whole. */
class Derivation {
  readonly #from: TextView;
  /** UTF-16 units: what is derived is never longer. Filling an array beats joining a piece per escape fivefold. */
  readonly #units: Uint16Array;
  /** Places where the two texts get out of step: replaced pieces (odd entries) between unchanged ones (even entries). */
  readonly #here: number[] = [0];
  readonly #there: number[] = [0];
  #copied = 0;
  #length = 0;

  constructor(from: TextView) {
    this.#from = from;
    this.#units = new Uint16Array(from.text.length);
  }

  replace(start: number, end: number, by: string): void {
    this.#copy(this.#from.text, this.#copied, start);
    const at = this.#length;
    this.#copy(by, 0, by.length);
    this.#copied = end;
    this.#here.push(at, this.#length);
    this.#there.push(start, end);
  }

  finish(): TextView {
    const view = this.#from;
    const here = this.#here;
    const there = this.#there;
    this.#copy(view.text, this.#copied, view.text.length);
    return {
      text: Buffer.from(this.#units.buffer, 0, this.#length * 2).toString('utf16le'),
      sourceStart(index) {
        const at = lastAtOrBefore(here, index);
        return view.sourceStart(at % 2 === 1 ? there[at]! : there[at]! + index - here[at]!);
      },
      sourceEnd(index) {
        const at = lastAtOrBefore(here, index - 1);
        return view.sourceEnd(at % 2 === 1 ? there[at + 1]! : there[at]! + index - here[at]!);
      },
    };
  }

  #copy(text: string, from: number, to: number): void {
    const units = this.#units;
    let length = this.#length;
    for (let at = from; at < to; at += 1) {
      units[length] = text.charCodeAt(at);
      length += 1;
    }
    this.#length = length;
  }
}

/** The last entry of the ascending `places` that is not greater than `index`. */
function lastAtOrBefore(places: readonly number[], index: number): number {
  let low = 0;
  let high = places.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (places[middle]! <= index) low = middle;
    else high = middle - 1;
  }
  return low;
}
