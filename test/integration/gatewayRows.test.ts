// What a developer sees of exchanges afterwards: a row for each, requests of the server paired with the agent's answers,
// and no credential in any of it.
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { UpstreamRequest, UpstreamResponse } from '../../src/upstream/upstream.ts';
import { callHttp1, openHttp1 } from '../support/agents.ts';
import {
  aGateway,
  json,
  mcpHeaders,
  post,
  request,
  resultOf,
  sse,
  visitor,
  type GatewayWorld,
} from '../support/gateway.ts';
import { expectNothingLeft } from '../support/leaks.ts';
import { until } from '../support/until.ts';

const sessionId = 'session-0123456789-secret';
const headers = { 'mcp-session-id': sessionId };
const clientInfo = { name: 'claude', version: '4.2' };
const initialize = request('initialize', { protocolVersion: '2025-11-25', clientInfo }, 0);
const sampling = { jsonrpc: '2.0', id: 1, method: 'sampling/createMessage', params: { maxTokens: 5 } };
const answered = { jsonrpc: '2.0', id: 1, result: { content: { type: 'text', text: 'four' } } };

/** A server that issues one session, takes answers with 202, and says on GET what the test writes. */
async function world(): Promise<GatewayWorld & { source: PassThrough; leave: () => void }> {
  const source = new PassThrough();
  const here = await aGateway({
    answer: (sent: UpstreamRequest): UpstreamResponse => {
      if (sent.method === 'GET') return sse(source);
      if (sent.method === 'DELETE') return { status: 200, headers: {} };
      const [message] = sent.messages;
      if (message?.kind !== 'request') return { status: 202, headers: {} };
      return message.method === 'initialize'
        ? json({ jsonrpc: '2.0', id: 0, result: {} }, headers)
        : resultOf(sent, {});
    },
  });
  expect((await post(here, initialize)).status).toBe(200);
  const left = new AbortController();
  const open = { method: 'GET', path: '/mcp', headers: mcpHeaders(here.token, headers) };
  (await openHttp1(here.target, open, left.signal)).on('error', () => {}).resume();
  return { ...here, source, leave: () => left.abort() };
}

const ofServer = ({ rows }: GatewayWorld) => rows().filter(({ direction }) => direction === 'server-to-agent');
const write = (source: PassThrough, message: object): boolean => source.write(`data: ${JSON.stringify(message)}\n\n`);

describe('a request of the server', () => {
  it('is a row of its own until the agent’s POST answers it', async () => {
    expectNothingLeft();
    const here = await world();
    write(here.source, sampling);
    await until(() => ofServer(here).length === 1);
    expect(ofServer(here)[0]).toMatchObject({
      kind: 'request',
      method: 'sampling/createMessage',
      agent: 'claude 4.2',
      session: 'session-',
      status: 'pending',
    });
    expect((await post(here, answered, { headers })).status).toBe(202);
    await until(() => ofServer(here)[0]?.status === 'ok');
    const detail = here.detail(ofServer(here)[0]);
    expect(JSON.parse(detail.request?.text ?? '')).toEqual(sampling);
    expect(detail.messages.map(({ text, direction }) => [JSON.parse(text), direction])).toEqual([
      [answered, 'agent-to-server'],
    ]);
    const carrying = here.rows().at(-1);
    expect(carrying).toMatchObject({
      kind: 'response',
      method: 'sampling/createMessage',
      direction: 'agent-to-server',
    });
    here.leave();
  });

  it('that the agent declines says so', async () => {
    const here = await world();
    write(here.source, { ...sampling, method: 'elicitation/create' });
    await until(() => ofServer(here).length === 1);
    const error = { code: -1, message: 'the person said no' };
    await post(here, { jsonrpc: '2.0', id: 1, error }, { headers });
    await until(() => ofServer(here)[0]?.status === 'error');
    expect(ofServer(here)[0]).toMatchObject({ rpcCode: -1, reason: 'the person said no' });
    here.leave();
  });

  it('that is sent again on a resumed stream is one row', async () => {
    const here = await world();
    write(here.source, sampling);
    write(here.source, sampling);
    write(here.source, { ...sampling, id: '1' });
    await until(() => ofServer(here).length === 2);
    await post(here, answered, { headers });
    await until(() => ofServer(here)[0]?.status === 'ok');
    expect(ofServer(here)[1]?.status).toBe('pending');
    here.leave();
  });

  it('that nobody answered ends with its session', async () => {
    const here = await world();
    write(here.source, sampling);
    await until(() => ofServer(here).length === 1);
    await callHttp1(here.target, { method: 'DELETE', path: '/mcp', headers: mcpHeaders(here.token, headers) });
    await until(() => ofServer(here)[0]?.status === 'cancelled');
    expect(ofServer(here)[0]?.reason).toBe('the session ended');
    here.leave();
  });

  it('is not answered by another agent with another session', async () => {
    const here = await world();
    write(here.source, sampling);
    await until(() => ofServer(here).length === 1);
    const other = await here.grantFor({}, { name: 'other' });
    expect((await post({ ...here, token: other.token }, answered, { headers })).status).toBe(404);
    expect((await post({ ...here, token: other.token }, answered)).status).toBe(202);
    expect(ofServer(here)[0]?.status).toBe('pending');
    here.leave();
  });
});

describe('rows', () => {
  it('hold no token, no whole session id and no other credential', async () => {
    const here = await world();
    const echoed = { text: `Bearer ${here.token}`, password: 'hunter2hunter2' };
    here.upstream.answer = (sent) => resultOf(sent, { content: [{ type: 'text', text: here.token }] });
    await post(here, request('tools/call', { name: 'echo', arguments: echoed }), {
      headers: { ...headers, cookie: 'sid=abcdefgh', 'x-api-key': 'k-123456789' },
      path: `/mcp?token=${here.token}`,
    });
    await post({ ...here, token: 'mcpt_guessedguessedguessed' }, initialize);
    const everything = JSON.stringify(here.rows().map((row) => here.detail(row))) + here.audit.text + here.log.join();
    expect(everything).toContain('[redacted]');
    for (const secret of [here.token, 'guessed', sessionId, 'hunter2', 'abcdefgh', 'k-123456789']) {
      expect(everything.replaceAll('x-api-key', ''), secret).not.toContain(secret);
    }
    here.leave();
  });

  it('tell who came, from where, with what, and how long it took', async () => {
    const here = await world();
    await post(here, request('tools/call', { name: 'echo', arguments: {} }), { headers });
    await until(() => here.rows().at(-1)?.status === 'ok');
    expect(here.rows().at(-1)).toMatchObject({
      tunnel: 'tunnel-1',
      agent: 'claude 4.2',
      session: 'session-',
      era: 'legacy',
      method: 'tools/call',
      name: 'echo',
      httpStatus: 200,
    });
    const detail = here.detail(here.rows().at(-1));
    expect(detail).toMatchObject({ visitor, httpMethod: 'POST', path: '/mcp', principal: { name: 'tester' } });
    const { bodyReadMs, decidedMs, auditedMs, upstreamFirstByteMs, finishedMs } = detail.timings;
    const steps = [bodyReadMs, decidedMs, auditedMs, upstreamFirstByteMs, finishedMs];
    expect(steps).toEqual([...steps].sort((left, right) => Number(left) - Number(right)));
    expect(here.gateway.agents.list()).toMatchObject([{ name: 'claude 4.2', grant: { name: 'tester' }, calls: 3 }]);
    here.leave();
  });

  it('of a refusal count what was answered', async () => {
    const here = await aGateway();
    const answer = await post({ ...here, token: 'x' }, initialize);
    expect(here.rows()[0]).toMatchObject({ status: 'denied', httpStatus: 401, responseBytes: answer.body.length });
  });

  it('are made of messages in which nothing is as it should be, too', async () => {
    const here = await aGateway({
      answer: () => json('{"id":{},"method":7,"result":"x","error":[]}'),
    });
    for (const params of [{ name: {} }, { clientInfo: { name: 7 } }, { clientInfo: 'x' }, { _meta: [] }]) {
      await post(here, request('initialize', params));
      await post(here, request('x'.repeat(10_000), params));
    }
    here.upstream.answer = () =>
      sse(new PassThrough().end('data: [null,{"id":[1],"method":"ping"},3]\n\ndata: nope\n\n'));
    await post(here, request('ping'));
    await until(() => here.unanswered() === 0);
    expect(here.log).toEqual([]);
  });
});

describe('what a server says beside its answers', () => {
  it('is a row in the time line, with the agent whose session it is, and no call of it is pushed out', async () => {
    const here = await world();
    here.upstream.say({ kind: 'stderr', sessionId, line: 'warming up' });
    here.upstream.say({ kind: 'exited', sessionId, code: 3, signal: null });
    for (let line = 0; line < 20_000; line += 1) here.upstream.say({ kind: 'noise', line: `chatter ${line}` });
    const events = here.rows().filter(({ kind }) => kind === 'event');
    expect(events.slice(0, 2)).toMatchObject([
      { method: 'stderr', name: 'warming up', agent: 'claude 4.2', session: 'session-' },
      { method: 'ended', name: 'with code 3', status: 'failed' },
    ]);
    expect(here.rows().find(({ method }) => method === 'initialize')?.status).toBe('ok');
    here.leave();
  });

  it('is heard no more once the tunnel is closed', async () => {
    const here = await world();
    here.leave();
    await here.gateway.close();
    here.upstream.say({ kind: 'stderr', line: 'last words' });
    expect(here.rows().some(({ kind }) => kind === 'event')).toBe(false);
  });
});
