import { describe, expect, it } from 'vitest';
import { SseReader, type SseEvent } from '../../../src/core/sse.ts';
import { SseBody } from '../../../src/upstream/sseBody.ts';
import { FakeClock } from '../../support/fakeClock.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type World = { body: SseBody; clock: FakeClock; told: string[] };

function world(queueBytes = 1_000): World {
  const clock = new FakeClock();
  const told: string[] = [];
  const body = new SseBody({
    clock,
    queueBytes,
    stallMs: 1_000,
    onFull: () => told.push('full'),
    onDrained: () => told.push('drained'),
    onGone: () => told.push('gone'),
  });
  return { body, clock, told };
}

async function readAll(body: SseBody): Promise<SseEvent[]> {
  const events: SseEvent[] = [];
  const reader = new SseReader({ maxEventBytes: 10_000_000, onEvent: (event) => events.push(event) });
  for await (const chunk of body) reader.push(chunk as Buffer);
  return events;
}

describe('SseBody', () => {
  it('writes messages with id and type, bytes unchanged, and a priming event without data', async () => {
    const { body } = world();
    body.prime('p1-1');
    body.event('p1-2', Buffer.from('{"a":"ü"}'));
    body.event('p1-3', Buffer.from('{"a":\r\n1}'));
    body.finish();
    expect((await readAll(body)).map(({ raw: _raw, ...event }) => event)).toEqual([
      { type: 'message', id: 'p1-1', data: '' },
      { type: 'message', id: 'p1-2', data: '{"a":"ü"}' },
      { type: 'message', id: 'p1-3', data: '{"a":\n1}' },
    ]);
  });

  it('says once that it is full, and once that it is drained', async () => {
    const { body, told } = world(100);
    for (let index = 0; index < 5; index += 1) body.event(`g-${index}`, Buffer.alloc(60, 0x31));
    expect(told).toEqual(['full']);
    body.resume();
    await turn();
    expect(told).toEqual(['full', 'drained']);
    body.destroy();
    await turn();
    expect(told).toEqual(['full', 'drained', 'gone']);
  });

  it('ends with a reason when nothing is read for long; reading a little is enough to live', async () => {
    const { body, clock, told } = world(100);
    let error: unknown;
    body.on('error', (cause) => (error = cause));
    body.event('g-1', Buffer.alloc(500_000, 0x31)); // Several pieces.
    for (let piece = 0; piece < 3; piece += 1) {
      clock.advance(900);
      expect(body.destroyed).toBe(false);
      expect(body.read()).not.toBeNull();
    }
    expect(told).toEqual(['full']);
    clock.advance(1_000);
    await turn();
    expect(error).toMatchObject({ code: 'LIMIT', message: 'the agent read nothing for 1 s' });
    expect(told).toEqual(['full', 'drained', 'gone']);
    expect(clock.pending).toBe(0);
  });

  it('does not hurry an agent while nothing is waiting', async () => {
    const { body, clock } = world();
    body.event('g-1', Buffer.from('{}'));
    clock.advance(100_000);
    await turn();
    expect(body.destroyed).toBe(false);
    body.destroy();
  });

  it('delivers what was written before it finished, and nothing after', async () => {
    const { body } = world();
    body.event('g-1', Buffer.from('1'));
    body.finish();
    body.finish();
    body.event('g-2', Buffer.from('2'));
    expect((await readAll(body)).map(({ data }) => data)).toEqual(['1']);
  });
});
