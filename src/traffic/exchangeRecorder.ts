// Writes down one exchange while it happens. Whatever it is given is redacted and cut before it is kept, so that what
// the log holds may be shown; nothing it does can fail or hold up the exchange itself.
import type { Clock } from '../core/clock.ts';
import {
  rowClass,
  type CapturedMessage,
  type Direction,
  type ExchangeDetail,
  type ExchangeFlag,
  type ExchangeRow,
  type ExchangeStatus,
  type HeaderList,
  type RowClass,
  type Timings,
} from '../mcp/exchange.ts';
import type { FailureMark } from '../mcp/failures.ts';
import { present, type Whole } from '../core/present.ts';
import { contentTexts, noContent, noTimings, type ExchangeContent } from './exchangeContent.ts';
import type { Redactor } from './redact.ts';
import type { SegmentPlace } from './segments.ts';

/** Messages kept of one exchange; of a longer one the newest are kept, and it is flagged `truncated`. */
export const maxMessagesPerExchange = 1_000;

/** Bytes of messages kept of one exchange; the same holds. */
export const maxBytesPerExchange = 4 * 1024 * 1024;

/** Characters kept of a name, method, path or reason that a stranger wrote. */
export const maxTextLength = 512;

/** Steps whose time is noted, and where. */
const STEPS = {
  bodyRead: 'bodyReadMs',
  decided: 'decidedMs',
  audited: 'auditedMs',
  upstreamFirstByte: 'upstreamFirstByteMs',
} as const satisfies Record<string, keyof Timings>;

/** What an entry holds besides its texts, roughly. */
const ENTRY_BYTES = 600;

export type ExchangeStart = {
  tunnel: string;
  direction: Direction;
  kind: ExchangeRow['kind'];
  httpMethod: string;
  path: string;
  visitor?: string;
  headers: HeaderList;
  /** Until its `principal` is known. */
  stranger?: boolean;
};

type Updated = Pick<ExchangeRow, 'agent' | 'session' | 'era' | 'method' | 'name' | 'kind'> &
  Pick<ExchangeDetail, 'principal' | 'rule'>;

/** What is absent stays as it is. */
export type ExchangeUpdate = { [Name in keyof Updated]?: Updated[Name] | undefined };

export type ExchangeEnd = {
  status: ExchangeStatus;
  rpcCode?: number | undefined;
  reason?: string | undefined;
  failure?: FailureMark | undefined;
};

/** One for all exchanges of a log. */
export type RecorderOptions = {
  clock: Clock;
  redactor: Redactor;
  captureBytes: number;
  /** Called after every change with the bytes by which this entry grew; gives the row its next number. */
  changed: (recorder: ExchangeRecorder, grownBytes: number) => void;
};

export class ExchangeRecorder {
  readonly id: string;
  /** Rises with every exchange of the log. */
  readonly ordinal: number;
  /** Until the log forgets it. */
  held = true;
  /** What the log counts it as. */
  countedAs: RowClass;
  /** Whether the log knows that it ended. */
  endKnown = false;
  readonly #options: RecorderOptions;
  readonly #row: Whole<ExchangeRow>;
  /** Absent once what was said was moved out. */
  #detail: Whole<Omit<ExchangeDetail, 'row' | 'timings'>> | undefined;
  #place: SegmentPlace | undefined;
  #touches = 0;
  #timings: Whole<Timings> = { ...noTimings };
  #count: ((bytes: number) => void) | undefined;
  #bytes = ENTRY_BYTES;
  #messageBytes = 0;
  #translatedBytes = 0;
  #finished = false;

  constructor(start: ExchangeStart, { id, ordinal }: { id: string; ordinal: number }, options: RecorderOptions) {
    this.id = id;
    this.ordinal = ordinal;
    this.#options = options;
    this.#row = {
      seq: 0,
      id,
      tunnel: start.tunnel,
      direction: start.direction,
      kind: start.kind,
      stranger: start.stranger ? true : undefined,
      startedMs: options.clock.now(),
      agent: '',
      session: undefined,
      era: undefined,
      method: this.#safe(start.httpMethod),
      name: undefined,
      status: 'pending',
      httpStatus: undefined,
      rpcCode: undefined,
      reason: undefined,
      failure: undefined,
      latencyMs: undefined,
      requestBytes: 0,
      responseBytes: 0,
      messages: 0,
      flags: [],
    };
    this.#detail = {
      httpMethod: this.#row.method,
      path: this.#safe(start.path),
      visitor: start.visitor,
      principal: undefined,
      rule: undefined,
      requestHeaders: options.redactor.headers(start.headers),
      responseHeaders: [],
      request: undefined,
      messages: [],
      translated: undefined,
    };
    this.#bytes += headerBytes(this.#detail.requestHeaders);
    this.countedAs = this.class;
  }

  /** Bytes this entry takes, roughly. */
  get bytes(): number {
    return this.#bytes;
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** Number of the newest change; the log gives it. */
  get seq(): number {
    return this.#row.seq;
  }

  set seq(seq: number) {
    this.#row.seq = seq;
  }

  get tunnel(): string {
    return this.#row.tunnel;
  }

  get class(): RowClass {
    return rowClass(this.#row);
  }

  /** A copy: what was read once does not change under its reader. */
  row(): ExchangeRow {
    return present<ExchangeRow>({ ...this.#row, flags: [...this.#row.flags] });
  }

  /** What `test` says of the row as it is now, without the cost of a copy. */
  matches(test: (row: ExchangeRow) => boolean): boolean {
    return test(this.#row as ExchangeRow); // Members that are absent are `undefined` here; who reads sees no difference.
  }

  /** Everything that was captured of it. */
  texts(): string[] {
    return this.#detail ? contentTexts(this.#detail) : [];
  }

  /** Of what was moved out only the row is left here. */
  detail(): ExchangeDetail {
    return { row: this.row(), ...this.content() };
  }

  /** All but the row. */
  content(): ExchangeContent {
    const { messages, translated, ...rest } = this.#detail ?? noContent;
    return present<ExchangeContent>({
      ...rest,
      messages: [...messages],
      translated: translated && [...translated],
      timings: present<Timings>(this.#timings),
    });
  }

  /** Where what was said is, once it was moved out. */
  get place(): SegmentPlace | undefined {
    return this.#place;
  }

  /** Rises with every change. */
  get touches(): number {
    return this.#touches;
  }

  /** What was said is in `place` from now on, or nowhere, and then it is flagged. Returns the bytes that became free. */
  moveOut(place: SegmentPlace | undefined): number {
    const freed = this.#bytes - ENTRY_BYTES;
    this.#bytes = ENTRY_BYTES;
    this.#place = place;
    this.#detail = undefined;
    this.#timings = noTimings;
    if (!place) this.flag('truncated');
    return freed;
  }

  /** What the audit log tells of an answer. */
  get measures(): Whole<
    Pick<ExchangeRow, 'httpStatus' | 'latencyMs'> & Pick<Timings, 'auditedMs' | 'upstreamFirstByteMs'>
  > {
    const { httpStatus, latencyMs } = this.#row;
    const { auditedMs, upstreamFirstByteMs } = this.#timings;
    return { httpStatus, latencyMs, auditedMs, upstreamFirstByteMs };
  }

  update(update: ExchangeUpdate): void {
    const { principal, rule, agent, session, method, name, era, kind } = update;
    if (agent !== undefined) this.#row.agent = this.#safe(agent);
    if (session !== undefined) this.#row.session = session.slice(0, 8);
    if (method !== undefined) this.#row.method = this.#safe(method);
    if (name !== undefined) this.#row.name = this.#safe(name);
    if (era !== undefined) this.#row.era = era;
    if (kind !== undefined) this.#row.kind = kind;
    if (principal !== undefined) {
      if (this.#detail) this.#detail.principal = { ...principal };
      this.#row.stranger = undefined;
    }
    if (rule !== undefined && this.#detail) this.#detail.rule = rule;
    this.#touch();
  }

  /** From now on `count` hears how many bytes pass, either way. */
  countBytes(count: (bytes: number) => void): void {
    this.#count = count;
  }

  request(bytes: Buffer): void {
    this.#row.requestBytes += bytes.length;
    this.#count?.(bytes.length);
    const request = this.#capture(this.#row.direction, bytes);
    if (!this.#detail) return this.#missed();
    this.#detail.request = request;
    this.#touch(request.text.length);
  }

  mark(step: keyof typeof STEPS): void {
    if (this.#detail) this.#timings[STEPS[step]] ??= this.#sinceStart();
    this.#touch();
  }

  response(status: number, headers: HeaderList): void {
    this.#row.httpStatus = status;
    if (!this.#detail) return this.#touch();
    const before = headerBytes(this.#detail.responseHeaders);
    this.#detail.responseHeaders = this.#options.redactor.headers(headers);
    this.#touch(headerBytes(this.#detail.responseHeaders) - before);
  }

  /** One message of the answer; one that comes after the end is kept and flagged `late`. */
  message(direction: Direction, bytes: Buffer | string, eventId?: string): void {
    if (this.#finished) this.#addFlag('late');
    const message = this.#capture(direction, bytes);
    if (eventId !== undefined) message.eventId = this.#safe(eventId);
    this.#row.messages += 1;
    if (!this.#detail) return this.#missed();
    this.#detail.messages.push(message);
    this.#messageBytes += message.text.length;
    let forgotten = 0;
    const { messages } = this.#detail;
    while (messages.length > maxMessagesPerExchange || this.#messageBytes > maxBytesPerExchange) {
      const size = messages.shift()?.text.length ?? 0;
      this.#messageBytes -= size;
      forgotten += size;
    }
    if (forgotten > 0) this.#addFlag('truncated');
    this.#touch(message.text.length - forgotten);
  }

  /** One message as it stands on the server's side of a translation between eras. */
  translated(direction: Direction, text: string): void {
    const message = this.#capture(direction, text);
    if (!this.#detail) return this.#missed();
    const kept = (this.#detail.translated ??= []);
    kept.push(message);
    this.#translatedBytes += message.text.length;
    let forgotten = 0;
    while (kept.length > maxMessagesPerExchange || this.#translatedBytes > maxBytesPerExchange) {
      const size = kept.shift()?.text.length ?? 0;
      this.#translatedBytes -= size;
      forgotten += size;
    }
    this.#addFlag('translated');
    if (forgotten > 0) this.#addFlag('truncated');
    this.#touch(message.text.length - forgotten);
  }

  responseBytes(bytes: number): void {
    this.#row.responseBytes += bytes;
    this.#count?.(bytes);
    this.#touch();
  }

  flag(flag: ExchangeFlag): void {
    this.#addFlag(flag);
    this.#touch();
  }

  /** The first end counts. */
  finish({ status, rpcCode, reason, failure }: ExchangeEnd): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#row.status = status;
    if (rpcCode !== undefined) this.#row.rpcCode = rpcCode;
    if (reason !== undefined) this.#row.reason = this.#safe(reason);
    if (failure !== undefined) this.#row.failure = failure;
    this.#row.latencyMs = this.#sinceStart();
    if (this.#detail) this.#timings.finishedMs = this.#row.latencyMs;
    this.#touch();
  }

  #capture(direction: Direction, message: Buffer | string): CapturedMessage {
    const { redactor, captureBytes, clock } = this.#options;
    const { text, changed, cut, bytes } = redactor.capture(message, captureBytes);
    if (changed) this.#addFlag('redacted');
    if (cut) this.#addFlag('truncated');
    return { atMs: clock.now(), direction, text, bytes };
  }

  #safe(text: string): string {
    // Looked at whole where it is short, as nearly all are; what is long is cut with care for what is across the cut.
    const { redactor } = this.#options;
    return text.length * 3 <= maxTextLength ? redactor.text(text).text : redactor.capture(text, maxTextLength).text;
  }

  #addFlag(flag: ExchangeFlag): void {
    if (!this.#row.flags.includes(flag)) this.#row.flags.push(flag);
  }

  /** Never negative: the system's clock may be set back. */
  #sinceStart(): number {
    return Math.max(0, this.#options.clock.now() - this.#row.startedMs);
  }

  /** What was said before is out of memory, and this came long after the end: it is counted and not kept. */
  #missed(): void {
    this.#addFlag('truncated');
    this.#touch();
  }

  #touch(grownBytes = 0): void {
    this.#touches += 1;
    this.#bytes += grownBytes;
    this.#options.changed(this, grownBytes);
  }
}

function headerBytes(headers: HeaderList): number {
  return headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
}
