// What an edge says of itself: one line for each event, as text or JSON, never with what it relays and never with a
// secret. Strangers can cause events at will, so each kind of event has a rate, and what was left out is counted.
import type { Clock, TimerHandle } from '../core/clock.ts';
import { printable } from '../core/printable.ts';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFormat = 'text' | 'json';
/** Named by the code, beside `ts`, `level`, `event` and `message`; texts are cut and lose what a terminal obeys. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** `event` is a fixed kebab-case word of the code, never made from what somebody sent. */
type Say = (event: string, message: string, fields?: LogFields) => void;
export type EdgeLog = Readonly<Record<LogLevel, Say>>;

/** Lines of one kind at once after a rest, and a second on average; more are counted and told together. */
export const logBurst = 50;
export const logPerSecond = 5;
/** How long after the first line that was left out their number is told. */
export const logTellMs = 10_000;
/** Characters of a message and of a field. */
export const maxLogText = 400;

export type EdgeLoggerOptions = {
  clock: Clock;
  format: LogFormat;
  level: LogLevel;
  /** One line without its end. */
  write: (line: string) => void;
};

type Rate = { tokens: number; filledMs: number; suppressed: number };

export class EdgeLogger implements EdgeLog {
  /** The least that is written; may be changed at any time. */
  level: LogLevel;
  readonly #options: EdgeLoggerOptions;
  readonly #rates = new Map<string, Rate>();
  #tell: TimerHandle | undefined;

  constructor(options: EdgeLoggerOptions) {
    this.#options = options;
    this.level = options.level;
  }

  readonly debug: Say = (...said) => this.#say('debug', ...said);
  readonly info: Say = (...said) => this.#say('info', ...said);
  readonly warn: Say = (...said) => this.#say('warn', ...said);
  readonly error: Say = (...said) => this.#say('error', ...said);

  /** Tells what was left out and not told yet. */
  close(): void {
    this.#tellSuppressed();
  }

  #say(level: LogLevel, event: string, message: string, fields: LogFields = {}): void {
    if (logLevels.indexOf(level) < logLevels.indexOf(this.level)) return;
    if (!this.#mayWrite(event)) {
      this.#tell ??= this.#options.clock.after(logTellMs, () => this.#tellSuppressed());
      return;
    }
    this.#write(level, event, message, fields);
  }

  #mayWrite(event: string): boolean {
    const now = this.#options.clock.now();
    const rate = this.#rates.get(event) ?? { tokens: logBurst, filledMs: now, suppressed: 0 };
    this.#rates.set(event, rate); // As many as the code has events.
    const passedMs = Math.max(0, now - rate.filledMs);
    rate.tokens = Math.min(logBurst, rate.tokens + (passedMs * logPerSecond) / 1000);
    rate.filledMs = now;
    if (rate.tokens < 1) {
      rate.suppressed += 1;
      return false;
    }
    rate.tokens -= 1;
    return true;
  }

  #tellSuppressed(): void {
    this.#tell?.cancel();
    this.#tell = undefined;
    for (const [of, rate] of this.#rates) {
      const { suppressed } = rate;
      rate.suppressed = 0;
      if (suppressed > 0)
        this.#write('warn', 'log-suppressed', `${suppressed} more lines of ${of} were left out`, { of, suppressed });
    }
  }

  #write(level: LogLevel, event: string, message: string, fields: LogFields): void {
    const { clock, format, write } = this.#options;
    const safe = Object.entries(fields).flatMap(([name, value]) => {
      if (value === undefined) return [];
      return [[name, typeof value === 'string' ? printable(value, maxLogText) : value] as const];
    });
    const ts = new Date(clock.now()).toISOString();
    const text = printable(message, maxLogText);
    if (format === 'json') {
      return write(JSON.stringify({ ts, level, event, message: text, ...Object.fromEntries(safe) }));
    }
    const mark = level === 'info' || level === 'debug' ? '' : `${level}: `;
    write(`${ts} ${mark}${text}`);
  }
}

const nothing: Say = () => {};
/** For an edge inside another process, which tells by itself what matters of it. */
export const silentEdgeLog: EdgeLog = { debug: nothing, info: nothing, warn: nothing, error: nothing };
