// Reads one chain from its first line and names the first that was changed, removed, inserted or moved. What it cannot
// see without a head that was kept elsewhere it says: records cut from the end, and what was rewritten behind the last
// signature by somebody who counted every hash again.
import { systemCode, TunnelError } from '../core/errors.ts';
import { isJsonObject, type JsonValue } from '../core/json.ts';
import { linesOf, type Line } from './chainLines.ts';
import { explain, type Tampering } from './explain.ts';
import { LineWindow } from './lineWindow.ts';
import { genesis, type Head } from './link.ts';
import { asHead } from './record.ts';
import { listSegments } from './segments.ts';
import { isSignedBy, signedKinds } from './signedRecord.ts';

export type Intact = {
  kind: 'intact';
  chain: string;
  records: number;
  /** Number of the first record that is there: more than 1 where older ones were removed with a signed record. */
  firstSeq: number;
  /** What has to be kept elsewhere to see a cut tail; `undefined` in an empty chain. */
  head: Head | undefined;
  /** Number of the last signed record: everything up to it is proven by the key alone. */
  signedSeq: number;
  /** Whether the last record is the seal of a helper that ended in order. */
  closed: boolean;
  /** Bytes behind the last record: of a line that is being written, or that a killed process left. */
  tornBytes: number;
  /** Numbers of the records that tell of a torn line that was cut off. */
  repaired: number[];
  /** Numbers of the seals that the next helper set in place of one that was killed. */
  recovered: number[];
  /** Heads that were given but lie before `firstSeq`. */
  uncheckable: Head[];
  /** What this chain knows of the others. */
  others: ({ chain: string } & Head)[];
};

export type Broken = {
  kind: 'broken';
  chain: string;
  what: Tampering;
  file: string;
  /** Counts from 1; of `removed` it is the line before which records are missing. */
  line: number;
  message: string;
};

export type Verdict = Intact | Broken;

export type VerifyOptions = {
  chain: string;
  folder: string;
  /** The key that must have signed, 64 hex digits; without one, nothing that is signed can be trusted. */
  publicKey: string | undefined;
  /** Heads that were kept elsewhere. */
  heads?: readonly Head[];
};

/** Times to begin again when a segment is pruned while it is read. */
const maxAttempts = 5;

/** Throws `NOT_FOUND` when there is no such chain. */
export async function verifyChain(options: VerifyOptions): Promise<Verdict> {
  for (let attempt = 1; ; attempt += 1) {
    const segments = await listSegments(options.folder);
    if (segments.length === 0) throw new TunnelError('NOT_FOUND', `there is no audit log in ${options.folder}`);
    try {
      return await new Verification(options, segments).run();
    } catch (cause) {
      if (systemCode(cause) === 'ENOENT' && attempt < maxAttempts) continue;
      if (systemCode(cause) === undefined || cause instanceof TunnelError) throw cause;
      const message = `the audit log in ${options.folder} cannot be read (${systemCode(cause)})`;
      throw new TunnelError('STATE_UNWRITABLE', message, { cause, data: { path: options.folder } });
    }
  }
}

class Verification {
  readonly #options: VerifyOptions;
  readonly #segments: readonly number[];
  readonly #known: Map<number, Head>;
  readonly #found: Intact;
  #before: Line | undefined;
  #beforeThat: Line | undefined;
  /** What the first line must follow. */
  #origin: Head | undefined;

  constructor(options: VerifyOptions, segments: readonly number[]) {
    this.#options = options;
    this.#segments = segments;
    this.#known = new Map((options.heads ?? []).map((head) => [head.seq, head]));
    this.#found = {
      kind: 'intact',
      chain: options.chain,
      records: 0,
      firstSeq: 1,
      head: undefined,
      signedSeq: 0,
      closed: false,
      tornBytes: 0,
      repaired: [],
      recovered: [],
      uncheckable: [],
      others: [],
    };
  }

  async run(): Promise<Verdict> {
    this.#origin = await this.#prunedOrigin();
    const window = new LineWindow(linesOf(this.#options.folder, this.#segments));
    for (let line = await window.take(); line; line = await window.take()) {
      if (!line.complete && line.segment === this.#segments.at(-1)) {
        this.#found.tornBytes = line.bytes.length;
        break;
      }
      const broken = (await this.#judge(line, window)) ?? this.#note(line);
      if (broken) return broken;
    }
    return this.#atTheEnd();
  }

  async #judge(line: Line, window: LineWindow): Promise<Broken | undefined> {
    const { record } = line;
    const lastGood = this.#before?.hash ?? this.#origin?.hash ?? genesis;
    const lastSeq = this.#before?.record?.link.seq ?? this.#origin?.seq ?? 0;
    if (!line.complete || record?.link.prev !== lastGood || record.link.seq !== lastSeq + 1) {
      const found = await explain(line, {
        before: this.#before,
        beforeThat: this.#beforeThat,
        origin: this.#origin,
        window,
      });
      return this.#broken(found.what, found.line, found.message);
    }
    if (this.#before && this.#before.segment !== line.segment && this.#before.record?.kind !== 'sealed') {
      const message = `the seal at the end of the segment before line ${line.number} was removed`;
      return this.#broken('removed', line, message);
    }
    if (line.record && Object.hasOwn(signedKinds, line.record.kind)) return this.#judgeSigned(line);
    if (record.link.seq === 1) return this.#broken('changed', line, 'the chain does not begin with a signed record');
    return undefined;
  }

  #judgeSigned(line: Line): Broken | undefined {
    const { publicKey, chain } = this.#options;
    const { fields } = line.record ?? {};
    if (publicKey === undefined || fields?.['key'] !== publicKey) {
      const message = `line ${line.number} is signed by another key than the one that is trusted here`;
      return this.#broken('signature', line, message);
    }
    if (!isSignedBy(publicKey, line.bytes)) {
      const message = `the signature of line ${line.number} is not one of this line and the ones before it`;
      return this.#broken('signature', line, message);
    }
    if (fields['chain'] === chain) return undefined;
    return this.#broken('reordered', line, `line ${line.number} was written in another chain`);
  }

  #note(line: Line): Broken | undefined {
    const { link, kind, fields } = line.record!; // What is not a record has been judged.
    const found = this.#found;
    const known = this.#known.get(link.seq);
    if (known && known.hash !== line.hash) {
      const message = `line ${line.number} is not the record ${link.seq} that was known elsewhere: it was written anew`;
      return this.#broken('changed', line, message);
    }
    this.#known.delete(link.seq);
    if (found.records === 0) found.firstSeq = link.seq;
    found.records += 1;
    found.head = { seq: link.seq, hash: line.hash };
    if (Object.hasOwn(signedKinds, kind)) found.signedSeq = link.seq;
    found.closed = kind === 'sealed' && fields['why'] !== 'rotated';
    if (kind === 'repaired') found.repaired.push(link.seq);
    if (kind === 'sealed' && fields['why'] === 'recovered') found.recovered.push(link.seq);
    if (kind === 'started') this.#noteOthers(fields['others']);
    this.#beforeThat = this.#before;
    this.#before = line;
    return undefined;
  }

  #noteOthers(value: JsonValue | undefined): void {
    if (!Array.isArray(value)) return;
    for (const entry of value) {
      const head = asHead(entry);
      const chain = isJsonObject(entry) ? entry['chain'] : undefined;
      if (head && typeof chain === 'string') this.#found.others.push({ chain, ...head });
    }
  }

  #atTheEnd(): Verdict {
    const found = this.#found;
    const lastSeq = found.head?.seq ?? 0;
    found.uncheckable = [...this.#known.values()].filter(({ seq }) => seq <= lastSeq);
    const cut = Math.max(0, ...[...this.#known.keys()].filter((seq) => seq > lastSeq));
    if (cut === 0) return found;
    const missing = cut === lastSeq + 1 ? `record ${cut} is` : `records ${lastSeq + 1} to ${cut} are`;
    const message = `${missing} missing at the end: a head that was kept elsewhere knew ${cut} records`;
    if (this.#before) return this.#broken('cut', { ...this.#before, number: this.#before.number + 1 }, message);
    return { kind: 'broken', chain: found.chain, what: 'cut', file: this.#options.folder, line: 1, message };
  }

  /** Where a chain begins whose older segments were pruned: at a place that a signed record in it names. */
  async #prunedOrigin(): Promise<Head | undefined> {
    let first: Line | undefined;
    const pruned: Head[] = [];
    for await (const line of linesOf(this.#options.folder, this.#segments)) {
      first ??= line;
      const { seq, prev } = first.record?.link ?? {};
      if (seq === 1 && prev === genesis) return undefined;
      const head = this.#prunedThrough(line);
      if (head) pruned.push(head);
    }
    const { seq = 0, prev = '' } = first?.record?.link ?? {};
    const named = pruned.find((head) => head.seq === seq - 1 && head.hash === prev);
    // A helper that is killed while it prunes leaves some of what it said it would remove.
    const left = seq > 1 && pruned.some((head) => head.seq >= seq) ? { seq: seq - 1, hash: prev } : undefined;
    return named ?? left ?? pruned.at(-1);
  }

  #prunedThrough({ record, bytes }: Line): Head | undefined {
    const { publicKey, chain } = this.#options;
    if (record?.kind !== 'pruned' || record.fields['chain'] !== chain || publicKey === undefined) return undefined;
    if (record.fields['key'] !== publicKey || !isSignedBy(publicKey, bytes)) return undefined;
    return asHead(record.fields['through']);
  }

  #broken(what: Tampering, line: Line, message: string): Broken {
    return { kind: 'broken', chain: this.#options.chain, what, file: line.file, line: line.number, message };
  }
}
