// Reads a chain from its first line and names the first that was changed, removed, inserted or moved. It cannot see
// that records were cut from the end, or that the very last was edited: for that the head must be kept elsewhere.
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { systemCode, TunnelError } from '../core/errors.ts';
import { genesis, lineHash, parseLink, type Link } from './record.ts';

/** A longer line is none of ours. */
export const maxLineBytes = 1_048_576;

export type Tampering = 'changed' | 'removed' | 'inserted' | 'reordered' | 'torn';

export type Verdict =
  | {
      kind: 'intact';
      records: number;
      /** Number and hash of the last record: what has to be kept elsewhere to see a cut tail. */
      head: { seq: number; hash: string } | undefined;
      note: string;
    }
  /** `line` counts from 1; of `removed` it is the line before which records are missing. */
  | { kind: 'broken'; what: Tampering; file: string; line: number; message: string };

type Line = { file: string; number: number; link: Link | undefined; hash: string; complete: boolean };
type Finding = { what: Tampering; line: Line; message: string };

const UNSEEN =
  'Records cut from the end, and an edit of the very last one, cannot be seen without a head that was kept elsewhere.';

/** Throws `NOT_FOUND` when there is no log in `folder`. */
export async function verifyFolder(folder: string): Promise<Verdict> {
  const files = await segments(folder);
  const window = new LineWindow(linesOf(files));
  let before: Line | undefined;
  let beforeThat: Line | undefined;
  let records = 0;
  for (let line = await window.take(); line; line = await window.take()) {
    if (!follows(line, before)) {
      const { what, line: found, message } = await explain(line, before, beforeThat, window);
      return { kind: 'broken', what, file: found.file, line: found.number, message };
    }
    beforeThat = before;
    before = line;
    records += 1;
  }
  const head = before?.link ? { seq: before.link.seq, hash: before.hash } : undefined;
  return { kind: 'intact', records, head, note: UNSEEN };
}

function follows(line: Line, before: Line | undefined): boolean {
  const { link, complete } = line;
  return complete && link?.prev === (before?.hash ?? genesis) && link.seq === (before?.link?.seq ?? 0) + 1;
}

/** What happened where the chain first does not hold: judged by the two lines before and the two after. */
async function explain(
  line: Line,
  before: Line | undefined,
  beforeThat: Line | undefined,
  window: LineWindow,
): Promise<Finding> {
  const wanted = (before?.link?.seq ?? 0) + 1;
  const lastGood = before?.hash ?? genesis;
  const next = await window.peek(0);
  const afterNext = await window.peek(1);
  const { link } = line;

  if (!line.complete) {
    return { what: 'torn', line, message: `line ${line.number} is incomplete: a process was killed while writing it` };
  }
  if (next?.link?.prev === lastGood) {
    // The next line is the one that belongs here. Moved lines are followed by their neighbours, strangers are not.
    if (afterNext?.link?.prev === line.hash) return moved(line);
    return { what: 'inserted', line, message: `line ${line.number} was inserted: the line after it belongs here` };
  }
  if (!link) return changed(line);
  if (before && link.prev === (beforeThat?.hash ?? genesis) && link.seq === before.link?.seq) {
    return { what: 'inserted', line: before, message: `line ${before.number} was inserted: the chain passes it by` };
  }
  if (link.seq !== wanted && (link.prev === lastGood || next?.link?.seq === wanted + 1)) return changed(line);
  if (link.seq > wanted) {
    if (await window.contains(wanted)) return moved(line);
    const missing = link.seq - 1 === wanted ? `record ${wanted} is` : `records ${wanted} to ${link.seq - 1} are`;
    return { what: 'removed', line, message: `${missing} missing before line ${line.number}` };
  }
  if (link.seq < wanted) {
    return { what: 'inserted', line, message: `line ${line.number} was inserted: it repeats record ${link.seq}` };
  }
  const lineIsWhole = next === undefined || next.link?.prev === line.hash;
  return changed(before && lineIsWhole ? before : line);
}

function changed(line: Line): Finding {
  return { what: 'changed', line, message: `line ${line.number} was changed after it was written` };
}

function moved(line: Line): Finding {
  return { what: 'reordered', line, message: `line ${line.number} stands in another place than it was written` };
}

/** Looks ahead in a stream of lines without keeping them. */
class LineWindow {
  readonly #lines: AsyncIterator<Line, void>;
  readonly #ahead: Line[] = [];

  constructor(lines: AsyncGenerator<Line, void>) {
    this.#lines = lines;
  }

  async take(): Promise<Line | undefined> {
    return this.#ahead.shift() ?? (await this.#pull());
  }

  async peek(distance: number): Promise<Line | undefined> {
    while (this.#ahead.length <= distance) {
      const line = await this.#pull();
      if (!line) return undefined;
      this.#ahead.push(line);
    }
    return this.#ahead[distance];
  }

  /** Whether any later line has this number; reads to the end. */
  async contains(seq: number): Promise<boolean> {
    for (let line = await this.take(); line; line = await this.take()) if (line.link?.seq === seq) return true;
    return false;
  }

  async #pull(): Promise<Line | undefined> {
    const { value, done } = await this.#lines.next();
    return done ? undefined : value;
  }
}

async function segments(folder: string): Promise<string[]> {
  try {
    const names = (await readdir(folder)).filter((name) => /^\d{6}\.jsonl$/.test(name)).sort();
    if (names.length > 0) return names.map((name) => `${folder}/${name}`);
  } catch (cause) {
    if (systemCode(cause) !== 'ENOENT') {
      throw new TunnelError('STATE_UNWRITABLE', `${folder} cannot be read (${systemCode(cause)})`, { cause });
    }
  }
  throw new TunnelError('NOT_FOUND', `there is no audit log in ${folder}`);
}

async function* linesOf(files: readonly string[]): AsyncGenerator<Line, void> {
  for (const file of files) {
    let number = 0;
    let rest: Buffer = Buffer.alloc(0);
    for await (const chunk of createReadStream(file, { highWaterMark: 262_144 })) {
      rest = Buffer.concat([rest, chunk as Buffer]);
      let from = 0;
      for (let at = rest.indexOf(0x0a); at >= 0; at = rest.indexOf(0x0a, from)) {
        number += 1;
        yield asLine(file, number, rest.subarray(from, at), true);
        from = at + 1;
      }
      rest = rest.subarray(from);
      if (rest.length > maxLineBytes) break;
    }
    if (rest.length > maxLineBytes) yield { file, number: number + 1, link: undefined, hash: '', complete: true };
    else if (rest.length > 0) yield asLine(file, number + 1, rest, false);
  }
}

function asLine(file: string, number: number, bytes: Buffer, complete: boolean): Line {
  return { file, number, link: parseLink(bytes), hash: lineHash(bytes), complete };
}
