import { describe, expect, it } from 'vitest';
import type { ExchangeDetail } from '../../../src/mcp/exchange.ts';
import {
  maxBytesPerExchange,
  maxMessagesPerExchange,
  maxTextLength,
  type ExchangeRecorder,
} from '../../../src/traffic/exchangeRecorder.ts';
import { redacted } from '../../../src/traffic/redact.ts';
import { TrafficLog } from '../../../src/traffic/trafficLog.ts';
import { FakeClock } from '../../support/fakeClock.ts';

const secret = 'very-secret-value';

function world(captureBytes = 256 * 1024): {
  clock: FakeClock;
  recorder: ExchangeRecorder;
  detail: () => ExchangeDetail;
} {
  const clock = new FakeClock();
  const log = new TrafficLog({ clock, captureBytes, secrets: () => [secret] });
  const recorder = log.begin({
    tunnel: 't',
    direction: 'agent-to-server',
    kind: 'request',
    httpMethod: 'POST',
    path: `/s/${secret}/mcp`,
    visitor: '192.0.2.1',
    headers: [
      ['authorization', 'Bearer x'],
      ['accept', 'application/json'],
    ],
  });
  return { clock, recorder, detail: () => log.get(recorder.id) };
}

describe('ExchangeRecorder', () => {
  it('tells a whole exchange', () => {
    const { clock, recorder, detail } = world();
    const startedMs = clock.now();
    recorder.update({ principal: { kind: 'grant', name: 'claude', grant: 'g_1' } });
    recorder.request(Buffer.from('{"id":1}'));
    clock.advance(1);
    recorder.mark('bodyRead');
    recorder.update({
      agent: 'Claude',
      session: '0123456789abcdef',
      era: 'legacy',
      method: 'tools/call',
      name: 'echo',
      rule: 'user',
    });
    clock.advance(1);
    recorder.mark('decided');
    recorder.mark('audited');
    clock.advance(8);
    recorder.mark('upstreamFirstByte');
    recorder.response(200, [
      ['content-type', 'text/event-stream'],
      ['set-cookie', 'a=b'],
    ]);
    recorder.message('server-to-agent', '{"method":"notifications/progress"}', 'e1');
    recorder.message('server-to-agent', Buffer.from('{"id":1,"result":{}}'), 'e2');
    recorder.responseBytes(70);
    recorder.responseBytes(5);
    clock.advance(2);
    recorder.finish({ status: 'ok' });
    expect(detail()).toEqual({
      row: {
        seq: expect.any(Number) as number,
        id: recorder.id,
        tunnel: 't',
        direction: 'agent-to-server',
        kind: 'request',
        startedMs,
        agent: 'Claude',
        session: '01234567',
        era: 'legacy',
        method: 'tools/call',
        name: 'echo',
        status: 'ok',
        httpStatus: 200,
        latencyMs: 12,
        requestBytes: 8,
        responseBytes: 75,
        messages: 2,
        flags: [],
      },
      httpMethod: 'POST',
      path: `/s/${redacted}/mcp`,
      visitor: '192.0.2.1',
      principal: { kind: 'grant', name: 'claude', grant: 'g_1' },
      rule: 'user',
      requestHeaders: [
        ['authorization', redacted],
        ['accept', 'application/json'],
      ],
      responseHeaders: [
        ['content-type', 'text/event-stream'],
        ['set-cookie', redacted],
      ],
      request: { atMs: startedMs, direction: 'agent-to-server', text: '{"id":1}', bytes: 8 },
      messages: [
        {
          atMs: startedMs + 10,
          direction: 'server-to-agent',
          eventId: 'e1',
          text: '{"method":"notifications/progress"}',
          bytes: 35,
        },
        { atMs: startedMs + 10, direction: 'server-to-agent', eventId: 'e2', text: '{"id":1,"result":{}}', bytes: 20 },
      ],
      timings: { bodyReadMs: 1, decidedMs: 2, auditedMs: 2, upstreamFirstByteMs: 10, finishedMs: 12 },
    });
  });

  it('counts the first end only', () => {
    const { clock, recorder, detail } = world();
    recorder.finish({ status: 'failed', rpcCode: -32011, reason: 'it is down' });
    clock.advance(5);
    recorder.finish({ status: 'ok' });
    expect(detail().row).toMatchObject({ status: 'failed', rpcCode: -32011, reason: 'it is down', latencyMs: 0 });
  });

  it('counts the first time of each step only', () => {
    const { clock, recorder, detail } = world();
    recorder.mark('decided');
    clock.advance(5);
    recorder.mark('decided');
    expect(detail().timings.decidedMs).toBe(0);
  });

  it('keeps what comes after the end, and flags it', () => {
    const { recorder, detail } = world();
    recorder.finish({ status: 'cancelled' });
    recorder.message('server-to-agent', '{}');
    expect(detail()).toMatchObject({
      row: { flags: ['late'], messages: 1, status: 'cancelled' },
      messages: [{ text: '{}' }],
    });
  });

  it('never shows a negative time when the clock is set back', () => {
    const { clock, recorder, detail } = world();
    clock.advance(-3_600_000);
    recorder.mark('decided');
    recorder.finish({ status: 'ok' });
    expect(detail()).toMatchObject({ row: { latencyMs: 0 }, timings: { decidedMs: 0, finishedMs: 0 } });
  });

  it('flags what was redacted and what was cut, once', () => {
    const { recorder, detail } = world(100);
    recorder.request(Buffer.from(`${secret} ${'x'.repeat(200)}`));
    recorder.message('server-to-agent', secret);
    recorder.flag('truncated');
    const { row, request, messages } = detail();
    expect(row.flags).toEqual(['redacted', 'truncated']);
    expect(request).toMatchObject({ text: `${redacted} ${'x'.repeat(82)}`, bytes: 218 });
    expect(messages[0]).toMatchObject({ text: redacted, bytes: secret.length });
    expect(row.requestBytes).toBe(218);
  });

  it('redacts and cuts whatever a stranger wrote into the row', () => {
    const { recorder, detail } = world();
    const long = 'é'.repeat(10_000);
    recorder.update({ agent: long, method: `m ${secret}`, name: `file:///${secret}` });
    recorder.finish({ status: 'denied', reason: `no ${secret}` });
    const { row } = detail();
    expect(row).toMatchObject({ method: `m ${redacted}`, name: `file:///${redacted}`, reason: `no ${redacted}` });
    expect(row.agent).toBe('é'.repeat(maxTextLength / 2));
  });

  it('keeps the newest messages of a long stream, and counts all', () => {
    const { recorder, detail } = world();
    for (let index = 0; index < maxMessagesPerExchange + 5; index += 1)
      recorder.message('server-to-agent', String(index));
    const { row, messages } = detail();
    expect(messages).toHaveLength(maxMessagesPerExchange);
    expect([messages[0]!.text, messages.at(-1)!.text]).toEqual(['5', String(maxMessagesPerExchange + 4)]);
    expect(row).toMatchObject({ messages: maxMessagesPerExchange + 5, flags: ['truncated'] });
  });

  it('keeps what was said on the server’s side of a translation beside what the agent said, without secrets', () => {
    const { recorder, detail } = world();
    recorder.message('server-to-agent', '{"agent":1}');
    recorder.translated('server-to-agent', `{"server":"${secret}"}`);
    expect(detail().messages.map(({ text }) => text)).toEqual(['{"agent":1}']);
    expect(detail().translated?.map(({ text }) => text)).toEqual([`{"server":"${redacted}"}`]);
    expect(detail().row.flags).toEqual(['redacted', 'translated']);
    expect(detail().row.messages).toBe(1);
  });

  it('keeps a bounded number of messages of the server’s side', () => {
    const { recorder, detail } = world();
    for (let index = 0; index < maxMessagesPerExchange + 5; index += 1)
      recorder.translated('server-to-agent', `{"i":${index}}`);
    expect(detail().translated).toHaveLength(maxMessagesPerExchange);
    expect(detail().translated?.at(0)?.text).toBe('{"i":5}');
    expect(detail().row.flags).toContain('truncated');
  });

  it('keeps a bounded number of bytes of one exchange', () => {
    const { recorder, detail } = world();
    for (let index = 0; index < 40; index += 1) recorder.message('server-to-agent', 'x'.repeat(256 * 1024));
    const held = detail().messages.reduce((sum, { text }) => sum + text.length, 0);
    expect(held).toBeLessThanOrEqual(maxBytesPerExchange);
    expect(held).toBeGreaterThan(maxBytesPerExchange / 2);
  });
});
