// What becomes of calls that wait for their agent, at the hands of agents that mean no good.
import { describe, expect, it, onTestFinished } from 'vitest';
import type { JsonObject } from '../../../../src/core/json.ts';
import { metaKey } from '../../../../src/mcp/revisions.ts';
import { EraBridge } from '../../../../src/upstream/eras/eraBridge.ts';
import { heldLimits } from '../../../../src/upstream/eras/modernFront.ts';
import { modernHeaders } from '../../../../src/upstream/eras/modernHeaders.ts';
import { maxKeptAnswerLength, maxQuestions } from '../../../../src/upstream/eras/backCall.ts';
import { backLimits } from '../../../../src/upstream/eras/backSessions.ts';
import { postOf } from '../../../../src/upstream/eras/spoken.ts';
import { FakeClock } from '../../../support/fakeClock.ts';
import { FakeLegacyServer } from '../../../support/fakeLegacyServer.ts';
import { modernRequest } from '../../../support/modernAgent.ts';
import { answerOf } from '../../../support/stdioWorld.ts';
import { until } from '../../../support/until.ts';

type Asked = { resultType: string; inputRequests: JsonObject; requestState: string; content: { text: string }[] };
type Said = { status: number; result: Asked; error: { code: number; message: string } };

function world(): {
  clock: FakeClock;
  server: FakeLegacyServer;
  bridge: EraBridge;
  /** `client`: what the agent calls itself. */
  call: (name: string, more?: object, principal?: string, client?: string) => Promise<Said>;
} {
  const clock = new FakeClock();
  const server = new FakeLegacyServer();
  const bridge = new EraBridge({ upstream: server, clock, random: () => 0.5 });
  onTestFinished(() => bridge.close());
  let id = 0;
  return {
    clock,
    server,
    bridge,
    call: async (name, more = {}, principal = 'alice', client = 'one') => {
      const { signal } = new AbortController();
      const params = { name, ...more, _meta: metaOf(client) };
      const message = modernRequest((id += 1), 'tools/call', params);
      const headers = modernHeaders('tools/call', { name });
      const answer = await bridge.forward(
        postOf(JSON.stringify(message), { era: 'modern', principal, signal, headers }),
      );
      const { status, text } = await answerOf(answer);
      const body = /^data: (.*)$/m.exec(text)?.[1] ?? text;
      return { status, ...(JSON.parse(body) as Omit<Said, 'status'>) };
    },
  };
}

const metaOf = (name: string): object => ({
  [metaKey.clientCapabilities]: { elicitation: {} },
  [metaKey.clientInfo]: { name, version: '1' },
});

type Change = { state: string | undefined; principal?: string; name?: string };

const yes = { action: 'accept', content: { name: 'Ada' } };

describe('a call that waits for its agent', () => {
  it('goes on with the answers, and is made once', async () => {
    const { server, call } = world();
    const { result: asked } = await call('ask');
    expect(asked).toMatchObject({
      resultType: 'input_required',
      inputRequests: { 'elicitation-1': { method: 'elicitation/create', params: { message: 'Name?' } } },
    });
    const { result } = await call('ask', {
      requestState: asked.requestState,
      inputResponses: { 'elicitation-1': yes },
    });
    expect(result).toMatchObject({ resultType: 'complete', content: [{ text: JSON.stringify(yes) }] });
    expect(server.calls).toEqual(['"ask"']);
  });

  it('says in its state nothing of what it is about', async () => {
    const { call } = world();
    const { result } = await call('ask', { arguments: { secret: 'hush' } });
    expect(Buffer.from(result.requestState, 'base64').toString()).not.toContain('hush');
    expect(result.requestState).not.toMatch(/hush|ask|alice/);
  });

  it.each([
    ['a forged state', (state: string) => ({ state: state.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')) })],
    ['no state', () => ({ state: undefined })],
    ['the state of another principal', (state: string) => ({ state, principal: 'mallory' })],
    ['the state of another call', (state: string) => ({ state, name: 'other' })],
    ['an enormous state', () => ({ state: 'v1.'.repeat(1_000_000) })],
  ])('is left alone by a retry with %s', async (_what, change) => {
    const { server, call } = world();
    const { result: asked } = await call('ask');
    const { state, principal, name = 'ask' }: Change = change(asked.requestState);
    const inputResponses = { 'elicitation-1': yes };
    const retry = state === undefined ? { inputResponses } : { requestState: state, inputResponses };
    expect(await call(name, retry, principal)).toMatchObject({ status: 400, error: { code: -32602 } });
    expect(server.heard.filter(({ kind }) => kind === 'result')).toEqual([]);
    expect(server.calls).toEqual(['"ask"']);
    const { result } = await call('ask', { requestState: asked.requestState, inputResponses });
    expect(result.resultType).toBe('complete');
  });

  it('takes a state once', async () => {
    const { server, call } = world();
    const { result: asked } = await call('ask');
    const retry = { requestState: asked.requestState, inputResponses: { 'elicitation-1': yes } };
    await call('ask', retry);
    expect(await call('ask', retry)).toMatchObject({ status: 400, error: { code: -32602 } });
    expect(server.heard.filter(({ kind }) => kind === 'result')).toHaveLength(1);
  });

  it.each([
    ['what nobody asked', { stranger: yes }],
    ['no object', { 'elicitation-1': 'yes' }],
    ['a name of every object', { constructor: yes }],
  ])('takes no answer to %s, and waits on', async (_what, inputResponses) => {
    const { call } = world();
    const { result: asked } = await call('ask');
    const refused = await call('ask', { requestState: asked.requestState, inputResponses });
    expect(refused).toMatchObject({ status: 400, error: { code: -32602 } });
    const { result } = await call('ask', {
      requestState: asked.requestState,
      inputResponses: { 'elicitation-1': yes },
    });
    expect(result.resultType).toBe('complete');
  });

  it('asks again for what a retry left out', async () => {
    const { call } = world();
    const { result: asked } = await call('ask');
    const { result: again } = await call('ask', { requestState: asked.requestState, inputResponses: {} });
    expect(again).toMatchObject({ resultType: 'input_required', inputRequests: { 'elicitation-1': {} } });
    const inputResponses = { 'elicitation-1': yes };
    const old = await call('ask', { requestState: asked.requestState, inputResponses });
    expect(old).toMatchObject({ status: 400, error: { code: -32602 } });
    const { result } = await call('ask', { requestState: again.requestState, inputResponses });
    expect(result.resultType).toBe('complete');
  });

  it('is cancelled at the server when its agent does not come back in time', async () => {
    const { clock, server, call } = world();
    const { result: asked } = await call('ask');
    clock.advance(heldLimits.holdMs);
    await until(() =>
      server.heard.some((message) => message.kind === 'notification' && message.method === 'notifications/cancelled'),
    );
    const late = await call('ask', { requestState: asked.requestState, inputResponses: { 'elicitation-1': yes } });
    expect(late).toMatchObject({ status: 400, error: { code: -32602 } });
    expect(server.calls).toEqual(['"ask"']);
  });

  it('is one of so many; of the next the server hears that nobody can be asked', async () => {
    const { server, call } = world();
    for (let index = 0; index < heldLimits.maxHeld; index += 1) await call('ask', { arguments: { index } });
    for (let more = 0; more < 10_000 - heldLimits.maxHeld; more += 1) {
      const { result } = await call('ask', { arguments: { more } });
      expect(result.content[0]?.text).toMatch(/too many calls wait/);
    }
    expect(server.calls).toHaveLength(10_000);
  }, 60_000);

  it('is asked so many questions; of the next the server hears that nobody can be asked', async () => {
    const { server, call } = world();
    server.questions = maxQuestions + 8;
    expect((await call('ask')).result.resultType).toBe('input_required');
    await until(() => server.heard.filter(({ kind }) => kind === 'error').length === 8);
  });

  it('keeps an answer that came meanwhile, unless it is very long', async () => {
    for (const [length, kept] of [
      [10, true],
      [maxKeptAnswerLength, false],
    ] as const) {
      const { server, call } = world();
      const { result: asked } = await call('ask');
      const [session] = server.sessions.values();
      const [question, { body, id }] = [...session!.asking][0]!;
      session!.asking.delete(question);
      const result = { content: [{ type: 'text', text: 'x'.repeat(length) }] };
      body.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(id) as string, result })}\n\n`);
      await new Promise((resolve) => setImmediate(resolve));
      const retry = call('ask', { requestState: asked.requestState, inputResponses: { 'elicitation-1': yes } });
      if (kept) expect((await retry).result.content[0]?.text).toHaveLength(length);
      else await expect(retry).rejects.toMatchObject({ code: 'LIMIT' });
      expect(server.calls).toEqual(['"ask"']);
    }
  });
});

describe('the sessions behind modern agents', () => {
  it('are never shared between principals', async () => {
    const { server, call } = world();
    await call('echo', {}, 'alice');
    await call('echo', {}, 'alice');
    await call('echo', {}, 'bob');
    expect(server.sessions.size).toBe(2);
  });

  it('are so many for one principal, and in use none of them is ended for another', async () => {
    const { server, call } = world();
    for (let index = 0; index < backLimits.maxSessionsOfOne; index += 1) await call('ask', {}, 'alice', `${index}`);
    expect(await call('echo', {}, 'alice', 'one more')).toMatchObject({ status: 503, error: { code: -32012 } });
    expect((await call('echo', {}, 'bob', 'one more')).status).toBe(200);
    expect(server.sessions.size).toBe(backLimits.maxSessionsOfOne + 1);
  });

  it('make room for another where one is idle', async () => {
    const { server, call } = world();
    for (let index = 0; index <= backLimits.maxSessionsOfOne; index += 1) {
      expect((await call('echo', {}, 'alice', `${index}`)).status).toBe(200);
    }
    await until(() => server.sessions.size === backLimits.maxSessionsOfOne);
  });

  it('end when nobody used them for a while', async () => {
    const { clock, server, call } = world();
    await call('echo');
    clock.advance(backLimits.idleMs);
    await until(() => server.sessions.size === 0);
  });

  it('are ended with the tunnel', async () => {
    const { bridge, server, call } = world();
    await call('echo');
    await bridge.close();
    expect(server.sessions.size).toBe(0);
  });

  it('begin anew when the server has forgotten them; the call it refused is made in the new one', async () => {
    const { server, call } = world();
    await call('echo');
    server.sessions.clear();
    const { result } = await call('echo');
    expect(result.resultType).toBe('complete');
  });

  it('bring a result of tens of megabytes', async () => {
    const { server, call } = world();
    server.big = 'x'.repeat(32 * 1024 * 1024);
    const { result } = await call('big');
    expect(result.content[0]?.text).toHaveLength(server.big.length);
  });
});

describe('a server that becomes one of the modern era', () => {
  it('is spoken to in its own language after the next request', async () => {
    const { clock, server, call } = world();
    await call('echo');
    server.sessions.clear();
    server.isModern = true;
    clock.advance(10_000);
    await call('echo').catch(() => undefined);
    clock.advance(10_000);
    const { status } = await call('echo');
    expect(status).toBe(200);
    const last = server.heard.at(-1);
    expect(last?.kind === 'request' && JSON.stringify(last.params)).toContain(
      'io.modelcontextprotocol/protocolVersion',
    );
  });
});
