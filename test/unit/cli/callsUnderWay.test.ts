import { describe, expect, it } from 'vitest';
import { CallsUnderWay } from '../../../src/cli/callsUnderWay.ts';

const never = new AbortController().signal;

describe('calls under way', () => {
  it('are waited for until the last is answered, streams aside', async () => {
    const calls = new CallsUnderWay();
    await calls.none(never);
    calls.see({ id: 'a', kind: 'request', status: 'pending' });
    calls.see({ id: 'b', kind: 'request', status: 'pending' });
    calls.see({ id: 'c', kind: 'stream', status: 'pending' });
    expect(calls.count).toBe(2);
    let over = false;
    const none = calls.none(never).then(() => (over = true));
    calls.see({ id: 'a', kind: 'request', status: 'ok' });
    await new Promise((settle) => setImmediate(settle));
    expect(over).toBe(false);
    calls.see({ id: 'b', kind: 'request', status: 'failed' });
    await none;
  });

  it('are waited for no longer than somebody wants to', async () => {
    const calls = new CallsUnderWay();
    calls.see({ id: 'a', kind: 'request', status: 'pending' });
    const enough = new AbortController();
    const none = calls.none(enough.signal);
    enough.abort();
    await none;
    await calls.none(enough.signal);
    expect(calls.count).toBe(1);
  });
});
