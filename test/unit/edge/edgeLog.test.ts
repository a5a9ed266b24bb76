import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  EdgeLogger,
  logBurst,
  logPerSecond,
  logTellMs,
  maxLogText,
  type LogFormat,
} from '../../../src/edge/edgeLog.ts';
import { FakeClock } from '../../support/fakeClock.ts';

function aLog(format: LogFormat = 'json') {
  const clock = new FakeClock();
  const lines: string[] = [];
  const log = new EdgeLogger({ clock, format, level: 'info', write: (line) => void lines.push(line) });
  const records = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { clock, lines, log, records };
}

describe('the log of an edge', () => {
  it('is one JSON object a line, with time, level, event, message and fields', () => {
    const { clock, log, records } = aLog();
    log.warn('connector-refused', 'connector ab refused: revoked', {
      connector: 'ab',
      refusal: 'revoked',
      left: undefined,
    });
    const ts = new Date(clock.now()).toISOString();
    expect(records()).toEqual([
      {
        ts,
        level: 'warn',
        event: 'connector-refused',
        message: 'connector ab refused: revoked',
        connector: 'ab',
        refusal: 'revoked',
      },
    ]);
  });

  it('is a sentence a line as text, and names a level that is not the usual one', () => {
    const { clock, log, lines } = aLog('text');
    log.info('a', 'all is well');
    log.error('b', 'it is not');
    const ts = new Date(clock.now()).toISOString();
    expect(lines).toEqual([`${ts} all is well`, `${ts} error: it is not`]);
  });

  it('leaves out what is below its level, which may change while it runs', () => {
    const { log, lines } = aLog();
    log.debug('a', 'not yet');
    log.level = 'debug';
    log.debug('a', 'now');
    log.level = 'error';
    log.warn('a', 'no longer');
    expect(lines).toHaveLength(1);
  });

  it('stays one bounded line whatever a stranger put into a text', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 2000 }),
      fc.constant('a\nb\r{"level":"error"}\u001b[2J\u2028'),
    );
    fc.assert(
      fc.property(text, text, fc.constantFrom<LogFormat>('json', 'text'), (message, field, format) => {
        const { log, lines } = aLog(format);
        log.info('a', message, { field });
        expect(lines).toHaveLength(1);
        // eslint-disable-next-line no-control-regex
        expect(lines[0]).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e]/);
        expect(lines[0]!.length).toBeLessThan(4 * maxLogText + 200);
        if (format === 'json') expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'info', event: 'a' });
      }),
    );
  });

  it('writes so many lines of one kind and counts the others, whose number is told', () => {
    const { clock, log, lines, records } = aLog();
    for (let n = 0; n < logBurst + 1000; n += 1) log.warn('flood', `number ${n}`);
    log.info('other', 'another kind has a rate of its own');
    expect(lines).toHaveLength(logBurst + 1);

    clock.advance(logTellMs);
    expect(records().at(-1)).toMatchObject({ level: 'warn', event: 'log-suppressed', of: 'flood', suppressed: 1000 });
    clock.advance(logTellMs);
    expect(lines).toHaveLength(logBurst + 2);

    for (let n = 0; n < 1000; n += 1) log.warn('flood', 'again');
    expect(lines.length).toBeLessThanOrEqual(2 * logBurst + 2);
    expect(lines.length).toBeGreaterThan(logBurst + 2 + logPerSecond);
  });

  it('tells what was left out when it ends', () => {
    const { clock, log, records } = aLog();
    for (let n = 0; n < logBurst + 3; n += 1) log.warn('flood', 'again');
    log.close();
    expect(records().at(-1)).toMatchObject({ event: 'log-suppressed', suppressed: 3 });
    const before = records().length;
    clock.advance(logTellMs);
    expect(records()).toHaveLength(before);
  });
});
