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

const JSON_ESCAPE = /\\(?:u([0-9a-fA-F]{4})|([^]))/g;
const PERCENT_RUN = /(?:%[0-9a-fA-F]{2})+/g;
const SHORT: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

export function decodedViews(text: string): TextView[] {
  const views: TextView[] = [{ text, sourceStart: (index) => index, sourceEnd: (index) => index }];
  for (let level = 0; level < maxNesting && views.at(-1)!.text.includes('\\'); level += 1) {
    views.push(derive(views.at(-1)!, JSON_ESCAPE, (match) => unescaped(match)));
  }
  const encoded = views.filter((view) => view.text.search(PERCENT_RUN) >= 0);
  return [...views, ...encoded.map((view) => derive(view, PERCENT_RUN, ([run]) => percentDecoded(run)))];
}

function unescaped(match: RegExpExecArray): string {
  const [, hex, short] = match;
  if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
  return SHORT[short!] ?? short!;
}

function percentDecoded(run: string): string {
  return Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8');
}

/** `view` with every match of `pattern` decoded. A decoded piece is mapped as a whole. */
function derive(view: TextView, pattern: RegExp, decode: (match: RegExpExecArray) => string): TextView {
  const pieces: string[] = [];
  // Places where the two texts get out of step: decoded pieces (odd entries) between unchanged ones (even entries).
  const here: number[] = [0];
  const there: number[] = [0];
  let from = 0;
  let length = 0;
  for (const match of view.text.matchAll(pattern)) {
    const unchanged = view.text.slice(from, match.index);
    const decoded = decode(match);
    pieces.push(unchanged, decoded);
    here.push(length + unchanged.length, length + unchanged.length + decoded.length);
    from = match.index + match[0].length;
    there.push(match.index, from);
    length += unchanged.length + decoded.length;
  }
  pieces.push(view.text.slice(from));
  return {
    text: pieces.join(''),
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
