// A chain on the disk that a test edits.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { genesis, lineHash, type Head } from '../../../src/audit/link.ts';
import { verifyChain, type Verdict } from '../../../src/audit/verify.ts';
import { aWritingMachine, openLog, outcome, type Writing } from '../../support/audit.ts';

export const chain = 'h1';
/** Line 1 is the start, lines 2 to 13 tell what happened, line 14 is the seal. */
export const events = 12;

export class WrittenChain {
  readonly machine: Writing;
  readonly folder: string;
  /** Lines of each segment, in the order of the segments. */
  segments: string[][] = [];
  head!: Head;

  private constructor(machine: Writing) {
    this.machine = machine;
    this.folder = `${machine.home}/${chain}`;
  }

  /** Closed in order unless `killed`. */
  static async written(options: { segmentBytes?: number; killed?: boolean } = {}): Promise<WrittenChain> {
    const world = new WrittenChain(await aWritingMachine());
    const { segmentBytes = 1_000_000, killed = false } = options;
    const log = await openLog(world.machine, chain, { bounds: { maxSegmentBytes: segmentBytes } });
    for (let index = 1; index <= events; index += 1) await log.append(outcome(`exchange-${index}`));
    if (!killed) await log.close();
    world.head = log.head!;
    for (const name of (await readdir(world.folder)).sort()) {
      const text = await readFile(`${world.folder}/${name}`, 'utf8');
      world.segments.push(text.split('\n').slice(0, -1));
    }
    return world;
  }

  get lines(): string[] {
    return this.segments.flat();
  }

  verify(heads: readonly Head[] = [], publicKey: string | undefined = this.machine.signer.publicKey): Promise<Verdict> {
    return verifyChain({ chain, folder: this.folder, publicKey, heads });
  }

  /** Writes the lines as the only segment and verifies. */
  async verdictOf(lines: string[], heads: readonly Head[] = []): Promise<Verdict> {
    await this.write([lines]);
    return this.verify(heads);
  }

  async write(segments: readonly (readonly string[])[]): Promise<void> {
    await this.writeBytes(segments.map((lines) => Buffer.from(lines.map((line) => `${line}\n`).join(''), 'latin1')));
  }

  async writeBytes(segments: readonly Uint8Array[]): Promise<void> {
    for (const name of await readdir(this.folder)) await rm(`${this.folder}/${name}`);
    for (const [index, bytes] of segments.entries()) await writeFile(this.file(index + 1), bytes);
  }

  file(number: number): string {
    return `${this.folder}/${String(number).padStart(6, '0')}.jsonl`;
  }
}

/** A record that fits into the chain after `before`. */
export function forged(before: string | undefined, seq: number): string {
  const prev = before === undefined ? genesis : lineHash(before);
  return JSON.stringify({
    seq,
    at: '2026-01-15T00:00:00.000Z',
    prev,
    kind: 'outcome',
    exchange: 'forged',
    status: 'ok',
  });
}

/** The chain from `index` on, with every hash counted again: what somebody without the key can do. */
export function recounted(lines: readonly string[], index: number): string[] {
  const result = [...lines];
  for (let at = index; at < result.length; at += 1) {
    result[at] = result[at]!.replace(/"prev":"[0-9a-f]{64}"/, `"prev":"${lineHash(result[at - 1]!)}"`);
  }
  return result;
}
