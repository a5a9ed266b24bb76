// Puts other values into a JSON message and leaves every other byte as it was written: for ids and tokens that have to
// be unique where several askers share one server. Works on bytes as they are, valid UTF-8 or not.
import { endOfValue, skipSpace, valuesOf } from '../mcp/jsonRanges.ts';

/** `path` names keys from the outermost object inwards; `value` is JSON text. Where nothing stands, nothing is put. */
export type Splice = { path: readonly string[]; value: string };

/** `bytes` hold one JSON object. A key that stands twice is replaced twice: readers differ in which one counts. */
export function splice(bytes: Uint8Array, splices: readonly Splice[]): Buffer {
  const text = latin1(bytes);
  const edits = splices.flatMap(({ path, value }) =>
    startsOf(text, path).map((from) => ({ from, to: endOfValue(text, from), value: asBytes(value) })),
  );
  edits.sort((a, b) => a.from - b.from);
  let at = 0;
  let spliced = '';
  for (const { from, to, value } of edits) {
    spliced += text.slice(at, from) + value;
    at = to;
  }
  return Buffer.from(spliced + text.slice(at), 'latin1');
}

/** The JSON text of what stands at `path`, letter for letter; the last one where it stands twice. */
export function textAt(bytes: Uint8Array, path: readonly string[]): string | undefined {
  const text = latin1(bytes);
  const from = startsOf(text, path).at(-1);
  return from === undefined ? undefined : Buffer.from(text.slice(from, endOfValue(text, from)), 'latin1').toString();
}

function startsOf(text: string, path: readonly string[]): number[] {
  let starts = [skipSpace(text, 0)];
  for (const key of path) {
    starts = starts.flatMap((start) => (text[start] === '{' ? valuesOf(text, start, key) : []));
  }
  return starts;
}

/** One character per byte: JSON's own characters are ASCII, and the rest comes back as it was. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function asBytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}
