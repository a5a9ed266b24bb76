// A chain is a folder of segments, 000001.jsonl and up; the number in the name gives their order.
import { readdir } from 'node:fs/promises';
import { systemCode, TunnelError } from '../core/errors.ts';

export function segmentName(number: number): string {
  return `${String(number).padStart(6, '0')}.jsonl`;
}

/** Numbers of the segments in the folder, rising; none where there is no such folder. Throws `STATE_UNWRITABLE`. */
export async function listSegments(folder: string): Promise<number[]> {
  try {
    const names = await readdir(folder);
    return names
      .flatMap((name) => /^(\d{6})\.jsonl$/.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((left, right) => left - right);
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT' || systemCode(cause) === 'ENOTDIR') return [];
    throw new TunnelError('STATE_UNWRITABLE', `${folder} cannot be read (${systemCode(cause) ?? 'unknown error'})`, {
      cause,
      data: { path: folder },
    });
  }
}
