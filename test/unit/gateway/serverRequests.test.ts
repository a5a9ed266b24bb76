import { describe, expect, it } from 'vitest';
import { maxOpenServerRequests, ServerRequests } from '../../../src/gateway/serverRequests.ts';
import type { RpcMessage } from '../../../src/mcp/message.ts';
import { TrafficLog } from '../../../src/traffic/trafficLog.ts';
import { FakeClock } from '../../support/fakeClock.ts';

function rows() {
  const traffic = new TrafficLog({ clock: new FakeClock(), secrets: () => [], capacity: 10_000 });
  const requests = new ServerRequests((method) => {
    const start = { tunnel: 't', direction: 'server-to-agent', kind: 'request' } as const;
    const recorder = traffic.begin({ ...start, httpMethod: '', path: '', headers: [] });
    recorder.update({ method });
    return recorder;
  });
  const statuses = (): string[] => traffic.read({ after: 0, max: 5_000 }).rows.map(({ status }) => status);
  return { requests, statuses };
}

const result = (id: string | number): RpcMessage => ({ kind: 'result', id, result: {} });
const bytes = Buffer.from('{}');

describe('requests of the server', () => {
  it('are answered once, by the id and in the session in which they were asked', () => {
    const { requests, statuses } = rows();
    requests.opened('s', 1, 'ping', '{}');
    expect(requests.answered('other', result(1), bytes)).toBeUndefined();
    expect(requests.answered(undefined, result(1), bytes)).toBeUndefined();
    expect(requests.answered('s', result('1'), bytes)).toBeUndefined();
    expect(requests.answered('s', { kind: 'request', id: 1, method: 'ping', params: {} }, bytes)).toBeUndefined();
    expect(
      requests.answered('s', { kind: 'error', id: null, error: { code: 1, message: 'x' } }, bytes),
    ).toBeUndefined();
    expect(statuses()).toEqual(['pending']);
    expect(requests.answered('s', result(1), bytes)).toBe('ping');
    expect(requests.answered('s', result(1), bytes)).toBeUndefined();
    expect(statuses()).toEqual(['ok']);
  });

  it('end with their session, and those of others do not', () => {
    const { requests, statuses } = rows();
    requests.opened('s', 1, 'ping', '{}');
    requests.opened('t', 1, 'ping', '{}');
    requests.sessionEnded('s');
    expect(statuses().sort()).toEqual(['cancelled', 'pending']);
  });

  it(`wait ${maxOpenServerRequests} at a time; the oldest is closed to make room`, () => {
    const { requests, statuses } = rows();
    for (let id = 0; id <= maxOpenServerRequests; id += 1) requests.opened('s', id, 'ping', '{}');
    expect(statuses().filter((status) => status === 'cancelled')).toHaveLength(1);
    expect(requests.answered('s', result(0), bytes)).toBeUndefined();
    expect(requests.answered('s', result(1), bytes)).toBe('ping');
  });
});
