// Rules for arguments and limits of bytes and messages, as an agent meets them: the server hears nothing of what is refused.
import { describe, expect, it } from 'vitest';
import { aGateway, post, request } from '../support/gateway.ts';

/** What the server answers here to whatever reaches it. */
const passed = 202;

const wide = { methods: ['*'], tools: ['*'], prompts: ['*'], resources: ['*'] };
const echo = (text: unknown) => request('tools/call', { name: 'echo', arguments: { text } }, 'call-1');

describe('a call whose arguments are not what is demanded', () => {
  it('is answered with its id, the place and what was expected, and the server never hears of it', async () => {
    const schema = { properties: { text: { type: 'string', pattern: '^hello' } }, required: ['text'] };
    const world = await aGateway({ policy: { agents: { '*': { ...wide, arguments: { 'ec*': schema } } } } });
    expect((await post(world, echo('hello you'))).status).toBe(passed);
    const { length } = world.upstream.heard;
    expect(length).toBeGreaterThan(0);
    for (const refused of [echo('you'), echo(7), request('tools/call', { name: 'echo' }, 'call-1')]) {
      const answer = await post(world, refused);
      expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([
        200,
        {
          jsonrpc: '2.0',
          id: 'call-1',
          error: { code: -32010, message: expect.stringContaining('the argument "/text" must') as string },
        },
      ]);
    }
    expect(world.upstream.heard).toHaveLength(length);
    expect(world.rows().at(-1)).toMatchObject({ status: 'denied', name: 'echo' });
  });
});

describe('limits', () => {
  it('count each message of a batch', async () => {
    const world = await aGateway({ policy: { limits: { requestsPerMinute: 5 } } });
    const batch = [1, 2, 3, 4, 5].map((id) => request('ping', undefined, id));
    expect((await post(world, batch)).status).toBe(passed);
    const { length } = world.upstream.heard;
    const answer = await post(world, request('ping'));
    expect([answer.status, Number(answer.headers['retry-after'])]).toEqual([429, expect.any(Number)]);
    expect(answer.body.toString()).toContain('requestsPerMinute');
    expect(world.upstream.heard).toHaveLength(length);
  });

  it('count the bytes that pass, let the call go on that passes them, and tell how long to wait', async () => {
    const world = await aGateway({ policy: { limits: { bytesPerMinute: 2_048 } } });
    expect((await post(world, echo('x'.repeat(4_096)))).status).toBe(passed);
    const answer = await post(world, echo('y'));
    expect(answer.status).toBe(429);
    expect(answer.body.toString()).toContain('bytesPerMinute');
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(60);
  });
});
