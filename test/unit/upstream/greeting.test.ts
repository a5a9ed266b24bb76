import { describe, expect, it } from 'vitest';
import type { ChildAnswer } from '../../../src/upstream/childMessage.ts';
import { Greeting, maxKeptSubscriptions } from '../../../src/upstream/greeting.ts';

const answered = (id: number, result = {}): ChildAnswer => ({
  kind: 'answer',
  id,
  code: undefined,
  result,
  bytes: Buffer.from('{}'),
});

/** What the next process is asked. */
async function asked(greeting: Greeting): Promise<unknown[]> {
  const ids: unknown[] = [];
  await greeting.repeat(
    async (id) => {
      ids.push(id);
      return answered(Number(id), { protocolVersion: '2025-11-25', capabilities: {} });
    },
    () => undefined,
  );
  return ids;
}

describe('what a server was told', () => {
  const begun = (): Greeting => {
    const greeting = new Greeting();
    greeting.began(0, Buffer.from('{}'), answered(0, { protocolVersion: '2025-11-25', capabilities: {} }));
    greeting.sent({ kind: 'notification', method: 'notifications/initialized', params: {} }, Buffer.from('{}'));
    return greeting;
  };
  const subscribe = (greeting: Greeting, id: number): void =>
    greeting.sent(
      { kind: 'request', id, method: 'resources/subscribe', params: { uri: `a://${id}` } },
      Buffer.from(''),
    );

  it('is said again only where the server took it', async () => {
    const greeting = begun();
    for (const id of [1, 2]) subscribe(greeting, id);
    greeting.answered(answered(2));
    greeting.answered({ ...answered(1), code: -32602 });
    greeting.interrupted();
    expect(await asked(greeting)).toEqual([0, 2]);
  });

  it('is not kept for ever where the server never answers', async () => {
    const greeting = begun();
    for (let id = 1; id <= maxKeptSubscriptions + 1; id += 1) subscribe(greeting, id);
    for (const id of [1, 2]) greeting.answered(answered(id));
    greeting.interrupted();
    expect(await asked(greeting)).toEqual([0, 2]);
  });
});
