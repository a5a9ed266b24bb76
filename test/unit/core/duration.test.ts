import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, maxDurationMs, parseDuration, roughDuration } from '../../../src/core/duration.ts';
import { TunnelError } from '../../../src/core/errors.ts';

describe('duration', () => {
  it('reads what people write', () => {
    expect(parseDuration('90s')).toBe(90_000);
    expect(parseDuration('30m')).toBe(1_800_000);
    expect(parseDuration('8h')).toBe(28_800_000);
    expect(parseDuration('7d')).toBe(604_800_000);
    expect(parseDuration('1h30m')).toBe(5_400_000);
    expect(parseDuration('250ms')).toBe(250);
  });

  it.each(['', '8', 'h', '8 h', '-8h', '8.5h', '8x', '1m1h', '1h1h', '0s', '0h0m', '99999d', '8h;', '1e3s', '８h'])(
    'refuses %j and says how to write one',
    (text) => {
      expect(() => parseDuration(text)).toThrow(TunnelError);
      expect(() => parseDuration(text)).toThrow(/30m, 8h or 7d/);
    },
  );

  it('reads back what it wrote, for every span it accepts', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: maxDurationMs }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });

  it('answers any text with a number in its bounds or a USAGE error', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9dhms]{0,12}$/)), (text) => {
        try {
          const ms = parseDuration(text);
          expect(ms > 0 && ms <= maxDurationMs).toBe(true);
        } catch (error) {
          expect((error as TunnelError).code).toBe('USAGE');
        }
      }),
    );
  });

  it('shows the two largest units on a screen', () => {
    expect(roughDuration(3 * 86_400_000 + 4 * 3_600_000 + 5_000)).toBe('3d4h');
    expect(roughDuration(725_250)).toBe('12m5s');
    expect(roughDuration(900)).toBe('0s');
    expect(roughDuration(-5)).toBe('0s');
  });
});
