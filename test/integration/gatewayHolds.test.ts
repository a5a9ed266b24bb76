// Calls that wait for a person: what the agent, the server, the audit log and the row see of each way in which that ends.
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { HeldCalls, longestHoldMs, maxHeld } from '../../src/gateway/heldCalls.ts';
import { argumentsDigest } from '../../src/gateway/call.ts';
import { marginMs } from '../../src/gateway/holding.ts';
import { usualLimitMs } from '../../src/mcp/clientLimits.ts';
import type { HeldCall } from '../../src/mcp/heldCall.ts';
import { openHttp1 } from '../support/agents.ts';
import { FakeClock } from '../support/fakeClock.ts';
import {
  aGateway,
  json,
  mcpHeaders,
  post,
  request,
  resultOf,
  type GatewayWorld,
  type GatewayWorldOptions,
} from '../support/gateway.ts';
import { until } from '../support/until.ts';

const wide = { methods: ['*'], tools: ['*'], prompts: ['*'], resources: ['*'] };
const asking = { agents: { '*': { ...wide, ask: ['write*'] } } };
const done = { content: [{ type: 'text', text: 'done' }] };
const call = (name = 'write_file', args: object = { path: '/a' }, id: string | number = 'c-1') =>
  request('tools/call', { name, arguments: args }, id);

type HoldWorld = GatewayWorld & { holds: HeldCalls; clock: FakeClock; driver: object };

async function world(options: GatewayWorldOptions = {}): Promise<HoldWorld> {
  const clock = new FakeClock();
  const holds = new HeldCalls(clock);
  const driver = {};
  holds.answerBy(driver);
  const answer = (sent: Parameters<typeof resultOf>[0]) => resultOf(sent, done);
  const here = await aGateway({ clock, policy: asking, answer, ...options, more: { holds, ...options.more } });
  return { ...here, holds, clock, driver };
}

async function held({ holds }: HoldWorld, count = 1): Promise<HeldCall[]> {
  await until(() => holds.list().held.length === count);
  return holds.list().held;
}

const said = (body: Buffer): unknown => JSON.parse(body.toString());
const denial = (message: string) => ({
  jsonrpc: '2.0',
  id: 'c-1',
  error: { code: -32010, message: expect.stringContaining(message) as string },
});

/** One that reads its answer as it comes. */
async function open(here: HoldWorld, body: object): Promise<{ response: IncomingMessage; text: () => string }> {
  const sent = {
    method: 'POST',
    path: '/mcp',
    headers: mcpHeaders(here.token),
    body: Buffer.from(JSON.stringify(body)),
  };
  const response = await openHttp1(here.target, sent);
  const chunks: Buffer[] = [];
  response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
  onTestFinished(() => void response.destroy());
  return { response, text: () => Buffer.concat(chunks).toString() };
}

describe('a call for which a rule asks', () => {
  it('reaches the server once a person agrees, byte for byte, and no other call waits', async () => {
    const here = await world();
    expect((await post(here, call('read_file'))).status).toBe(200);
    const answered = post(here, call());
    const [shown] = await held(here);
    expect(shown).toMatchObject({ tool: 'write_file', agent: 'tester', arguments: '{"path":"/a"}', isWhole: true });
    expect(here.upstream.heard).toHaveLength(1);
    expect(here.audit.records.filter(({ kind }) => kind === 'call')).toHaveLength(1);
    expect(here.rows()[1]).toMatchObject({ status: 'pending', flags: ['held'] });
    here.holds.answer(shown!.id, { kind: 'continue' });
    const answer = await answered;
    expect(said(answer.body)).toEqual({ jsonrpc: '2.0', id: 'c-1', result: done });
    expect(answer.headers['content-type']).toBe('application/json');
    expect(here.upstream.heard[1]?.body?.toString()).toBe(JSON.stringify(call()));
    expect(here.audit.records.filter(({ kind }) => kind === 'call').at(-1)).toMatchObject({
      decision: 'allow',
      rule: 'user agents["*"].ask[0]',
      held: 'continued',
    });
    await until(() => here.rows()[1]?.status === 'ok');
    expect(here.holds.list().held).toEqual([]);
  });

  it('is sent as a person edited it, with both digests in the audit log', async () => {
    const here = await world({
      policy: {
        agents: {
          '*': { ...asking.agents['*'], arguments: { write_file: { properties: { path: { const: '/b' } } } } },
        },
      },
    });
    const answered = post(here, call('write_file', { path: '/b', more: 1 }));
    const [{ id } = { id: '' }] = await held(here);
    const edit = (args: object) => here.holds.answer(id, { kind: 'continue', arguments: args as never });
    expect(() => edit({ path: '/etc/passwd' })).toThrow('must');
    expect(here.holds.list().held).toHaveLength(1); // It still waits.
    edit({ path: '/b', more: 2 });
    expect(said((await answered).body)).toMatchObject({ result: done });
    const sent = { name: 'write_file', arguments: { path: '/b', more: 2 } };
    expect(JSON.parse(here.upstream.heard[0]!.body!.toString())).toEqual(request('tools/call', sent, 'c-1'));
    expect(here.audit.records.find(({ kind }) => kind === 'call')).toMatchObject({
      held: 'edited',
      argumentsDigest: argumentsDigest(sent),
      originalDigest: argumentsDigest({ name: 'write_file', arguments: { path: '/b', more: 1 } }),
    });
    await until(() => here.rows()[0]?.status === 'ok');
    expect(here.rows()[0]?.flags).toEqual(['held', 'edited']);
    expect(here.detail(here.rows()[0]).messages[0]?.text).toContain('"more":2');
  });

  it('is denied with the words of the person, or answered with a result of theirs, and the server hears of neither', async () => {
    const here = await world();
    const denied = post(here, call());
    const [first] = await held(here);
    here.holds.answer(first!.id, { kind: 'deny', message: 'use /tmp instead' });
    expect(said((await denied).body)).toEqual(denial('the developer denied this call: use /tmp instead'));
    const mocked = post(here, call());
    const [second] = await held(here);
    here.holds.answer(second!.id, { kind: 'mock', result: { content: [] } });
    expect(said((await mocked).body)).toEqual({ jsonrpc: '2.0', id: 'c-1', result: { content: [] } });
    expect(here.upstream.heard).toEqual([]);
    expect(here.rows().map(({ status, flags }) => [status, flags])).toEqual([
      ['denied', ['held']],
      ['ok', ['held', 'mocked']],
    ]);
    expect(here.audit.records.flatMap(({ held: as }) => (as === undefined ? [] : [as]))).toEqual(['denied', 'mocked']);
    expect(() => here.holds.answer(second!.id, { kind: 'continue' })).toThrow('waits no longer');
  });

  it('is denied at its deadline, which is before its client gives up', async () => {
    const here = await world();
    const answered = post(here, call());
    const [shown] = await held(here);
    expect(shown!.untilMs - shown!.sinceMs).toBe(usualLimitMs - marginMs);
    here.clock.advance(usualLimitMs - marginMs);
    const text = (await answered).body.toString();
    expect(JSON.parse(/^data: (\{"jsonrpc":"2.0","id".*)$/m.exec(text)![1]!)).toEqual(denial('nobody agreed'));
    expect(here.upstream.heard).toEqual([]);
  });

  it('waits longer for a client that does, within a bound', async () => {
    const here = await world();
    const _meta = { 'io.modelcontextprotocol/clientInfo': { name: 'claude-code', version: '3' } };
    const answered = post(here, request('tools/call', { name: 'write', arguments: {}, _meta }));
    const [shown] = await held(here);
    expect(shown!.untilMs - shown!.sinceMs).toBe(longestHoldMs);
    here.holds.leave(here.driver);
    await answered;
  });

  it('is denied at once where nobody could agree, in a batch, and where the last who could has left', async () => {
    const here = await world();
    const batch = await post(here, [call(), request('ping', undefined, 2)]);
    expect(batch.body.toString()).toContain('send it alone');
    const waiting = post(here, call());
    await held(here);
    here.holds.leave(here.driver);
    expect(said((await waiting).body)).toEqual(denial('has left'));
    expect(said((await post(here, call())).body)).toEqual(denial('nobody is there'));
    expect(here.upstream.heard).toEqual([]);
  });

  it('is denied beyond the number that may wait', async () => {
    const here = await world();
    const waiting = Array.from({ length: maxHeld.ofPrincipal }, (_, id) => post(here, call('write', {}, id)));
    await held(here, maxHeld.ofPrincipal);
    expect(said((await post(here, call())).body)).toEqual(denial('too many wait'));
    const { token } = await here.grantFor({});
    const other = post({ ...here, token }, call());
    await held(here, maxHeld.ofPrincipal + 1);
    here.holds.leave(here.driver);
    await Promise.all([...waiting, other]);
  });

  it('cannot be walked around by another spelling of the method', async () => {
    const here = await world();
    const answer = await post(here, request('tools/Call', { name: 'write_file' }, 'c-1'));
    expect(said(answer.body)).toEqual(denial('not a method that the rules can judge'));
    expect(here.upstream.heard).toEqual([]);
  });
});

describe('while a call waits', () => {
  it('the agent hears comments, then the answer as an event, whatever form the server gave it', async () => {
    const here = await world();
    const opened = open(here, call());
    const [shown] = await held(here);
    here.clock.advance(15_000);
    const { response, text } = await opened;
    expect(response.headers['content-type']).toBe('text/event-stream');
    here.clock.advance(15_000);
    await until(() => text() === ': waiting\n\n: waiting\n\n');
    here.holds.answer(shown!.id, { kind: 'continue' });
    await once(response, 'end');
    expect(text()).toContain(
      `event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', id: 'c-1', result: done })}\n\n`,
    );
    expect(here.rows()[0]).toMatchObject({ status: 'ok', flags: ['held', 'keep-alive'] });
  });

  it('one that gave a token hears progress that rises and stays below what the server may say', async () => {
    const here = await world();
    const params = { name: 'write', arguments: {}, _meta: { progressToken: 'p' } };
    const opened = open(here, request('tools/call', params, 'c-1'));
    const [shown] = await held(here);
    here.clock.advance(15_000);
    const { response, text } = await opened;
    here.clock.advance(15_000);
    here.holds.answer(shown!.id, { kind: 'deny' });
    await once(response, 'end');
    const events = [...text().matchAll(/^data: (.*)$/gm)].map(
      ([, data]) => JSON.parse(data!) as { params?: { progress: number } },
    );
    const steps = events.flatMap(({ params: said }) => (said ? [said.progress] : []));
    expect(steps).toEqual([-1, -0.5]);
    expect(events.at(-1)).toEqual(denial('the developer denied this call'));
  });

  it.each([
    ['an upstream that fails', () => Promise.reject(new Error('boom'))],
    ['an upstream that answers no message', () => ({ ...json('gone'), status: 404 })],
  ])('%s becomes a JSON-RPC error for an agent that reads a stream already', async (_name, answer) => {
    const here = await world({ answer });
    const opened = open(here, call());
    const [shown] = await held(here);
    here.clock.advance(15_000);
    const { response, text } = await opened;
    here.holds.answer(shown!.id, { kind: 'continue' });
    await once(response, 'end');
    expect(JSON.parse(/^data: (.*)$/m.exec(text())![1]!)).toMatchObject({
      id: 'c-1',
      error: { code: expect.any(Number) as number },
    });
  });

  it('it goes with its agent, its grant, its permission and its tunnel', async () => {
    const here = await world();
    const left = open(here, call());
    await held(here);
    here.clock.advance(15_000);
    (await left).response.destroy();
    await held(here, 0);

    const { token, grant } = await here.grantFor({});
    const revoked = post({ ...here, token }, call()).catch(() => 'cut');
    await held(here);
    await here.grants.revoke(grant.id);
    expect(await revoked).toBe('cut');
    await held(here, 0);

    const forbidden = post(here, call());
    await held(here);
    await here.setPolicy({ agents: { '*': { ...asking.agents['*'], deny: ['write*'] } } });
    expect((await forbidden).body.toString()).toContain('is denied');
    await held(here, 0);

    await here.setPolicy(asking);
    const closed = post(here, call()).catch(() => 'cut');
    await held(here);
    await here.gateway.close();
    expect(await closed).toBe('cut');
    await held(here, 0);
    expect(here.upstream.heard).toEqual([]);
    await until(() => here.audit.records.filter(({ held: as }) => as === 'gone').length === 4);
  });
});

describe('a breakpoint', () => {
  it('holds the next call and no other, or what its patterns and its schema say', async () => {
    const here = await world({ policy: { agents: { '*': wide } } });
    const pass = async (body: object): Promise<unknown> => said((await post(here, body)).body);
    here.holds.setBreakpoints(here.driver, [{ once: true }]);
    const first = post(here, call('echo'));
    const [shown] = await held(here);
    expect(shown?.rule).toBe('breakpoint (next call)');
    here.holds.answer(shown!.id, { kind: 'continue' });
    await first;
    expect(here.holds.list().breakpoints).toEqual([]);
    expect(await pass(call('echo'))).toMatchObject({ result: done });

    const schema = { properties: { path: { type: 'string', pattern: '^/etc' } }, required: ['path'] };
    here.holds.setBreakpoints(here.driver, [{ tool: 'write*', agent: 'test*', arguments: schema }]);
    expect(await pass(call('echo', { path: '/etc' }))).toMatchObject({ result: done });
    expect(await pass(call('write', { path: '/tmp' }))).toMatchObject({ result: done });
    const second = post(here, call('write', { path: '/etc/passwd' }));
    await held(here);
    here.holds.leave(here.driver); // Its breakpoints go with it, too.
    expect(said((await second).body)).toEqual(denial('has left'));
    expect(await pass(call('write', { path: '/etc/passwd' }))).toMatchObject({ result: done });
    expect(() => here.holds.setBreakpoints(here.driver, [{ arguments: { type: 'array' } }])).toThrow('breakpoint');
  });
});
