// What happened to a chain where it first does not hold: judged by the two lines before the break and the two behind.
import type { Line } from './chainLines.ts';
import type { LineWindow } from './lineWindow.ts';
import { genesis, type Head } from './link.ts';

export type Tampering = 'changed' | 'removed' | 'inserted' | 'reordered' | 'signature' | 'cut';

export type Finding = { what: Tampering; line: Line; message: string };

export type Surroundings = {
  before: Line | undefined;
  beforeThat: Line | undefined;
  /** What the first line follows; absent where the chain begins with it. */
  origin: Head | undefined;
  /** Stands behind the line. */
  window: LineWindow;
};

export async function explain(line: Line, { before, beforeThat, origin, window }: Surroundings): Promise<Finding> {
  const start = origin?.hash ?? genesis;
  const wanted = (before?.record?.link.seq ?? origin?.seq ?? 0) + 1;
  const lastGood = before?.hash ?? start;
  const next = (await window.peek(0))?.record?.link;
  const afterNext = (await window.peek(1))?.record?.link;
  const link = line.record?.link;

  if (!line.complete) return changed(line); // A torn line can only be the last of all.
  if (next?.prev === lastGood) {
    // The next line is the one that belongs here. Moved lines are followed by their neighbours, strangers are not.
    if (afterNext?.prev === line.hash) return moved(line);
    return { what: 'inserted', line, message: `line ${line.number} was inserted: the line after it belongs here` };
  }
  if (!link) return changed(line);
  if (before && link.prev === (beforeThat?.hash ?? start) && link.seq === before.record?.link.seq) {
    return { what: 'inserted', line: before, message: `line ${before.number} was inserted: the chain passes it by` };
  }
  if (link.seq !== wanted && (link.prev === lastGood || next?.seq === wanted + 1)) return changed(line);
  if (link.seq > wanted) {
    if (await window.contains(wanted)) return moved(line);
    const missing = link.seq - 1 === wanted ? `record ${wanted} is` : `records ${wanted} to ${link.seq - 1} are`;
    return { what: 'removed', line, message: `${missing} missing before line ${line.number}` };
  }
  if (link.seq < wanted) {
    return { what: 'inserted', line, message: `line ${line.number} was inserted: it repeats record ${link.seq}` };
  }
  const lineIsWhole = next === undefined || next.prev === line.hash;
  return changed(before && lineIsWhole ? before : line);
}

function changed(line: Line): Finding {
  return { what: 'changed', line, message: `line ${line.number} was changed after it was written` };
}

function moved(line: Line): Finding {
  return { what: 'reordered', line, message: `line ${line.number} stands in another place than it was written` };
}
