// How exchanges end that do not end well: agents that leave, servers that fail, grants that lose their power.
// Longer than other files: all of them open, cut and count exchanges in the same way.
/* oxlint-disable max-lines */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TunnelError } from '../../src/core/errors.ts';
import { longestWaitMs } from '../../src/gateway/openExchanges.ts';
import { StdioUpstream } from '../../src/upstream/stdioUpstream.ts';
import type { UpstreamRequest, UpstreamResponse } from '../../src/upstream/upstream.ts';
import { connectAgent2, openHttp1, type Answer } from '../support/agents.ts';
import { FakeClock } from '../support/fakeClock.ts';
import { aGateway, json, mcpHeaders, post, request, resultOf, sse, type GatewayWorld } from '../support/gateway.ts';
import { expectNothingLeft } from '../support/leaks.ts';
import { until } from '../support/until.ts';

const call = request('tools/call', { name: 'slow' }, 'call-7');
const callBytes = Buffer.from(JSON.stringify(call));

const versions = ['HTTP/1.1', 'HTTP/2'] as const;
type Version = (typeof versions)[number];

type Open = { leave: () => void; ended: Promise<Answer | 'cut'>; firstByte: Promise<unknown> };

/** A request whose answer the test watches; `leave` is how an agent goes away. */
function open(world: GatewayWorld, version: Version, method: 'POST' | 'GET', token = world.token): Open {
  const body = method === 'POST' ? { body: callBytes } : {};
  const sent = { method, path: '/mcp', headers: mcpHeaders(token), ...body };
  if (version === 'HTTP/1.1') {
    const left = new AbortController();
    const response = openHttp1(world.target, sent, left.signal);
    const ended = response.then(async (answer) => {
      const chunks: Buffer[] = [];
      for await (const chunk of answer) chunks.push(chunk as Buffer);
      return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) };
    });
    const settled = ended.catch(() => 'cut' as const);
    return { leave: () => left.abort(), ended: settled, firstByte: response.catch(() => {}) };
  }
  const session = connectAgent2(world.target);
  onTestFinished(() => session.destroy());
  const stream = session.request({ ':method': method, ':path': '/mcp', ...sent.headers }, { endStream: !body.body });
  stream.on('error', () => {});
  if (body.body) stream.end(body.body);
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  let status = 0;
  stream.on('response', (headers) => (status = Number(headers[':status'])));
  let complete = false;
  stream.on('end', () => (complete = true));
  const ended = new Promise<void>((resolve) => stream.once('close', resolve)).then(() =>
    status !== 0 && complete && stream.rstCode === 0 ? { status, headers: {}, body: Buffer.concat(chunks) } : 'cut',
  );
  return { leave: () => stream.close(8), ended, firstByte: once(stream, 'response').catch(() => {}) };
}

/** An upstream that waits for the test, and notices when nobody waits for it. */
function waiting(): { answer: (sent: UpstreamRequest) => Promise<UpstreamResponse>; aborted: () => number } {
  let aborted = 0;
  return {
    aborted: () => aborted,
    answer: ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          aborted += 1;
          reject(new TunnelError('CANCELLED', 'the agent has left'));
        });
      }),
  };
}

describe.each(versions)('an agent over %s that leaves', (version) => {
  it('before the answer ends the call of the server, and the row says so', async () => {
    expectNothingLeft();
    const { answer, aborted } = waiting();
    const world = await aGateway({ answer });
    const { leave } = open(world, version, 'POST');
    await until(() => world.upstream.heard.length === 1);
    leave();
    await until(() => aborted() === 1 && world.rows()[0]?.status === 'cancelled');
    expect(world.rows()[0]).toMatchObject({ reason: 'the agent left' });
    await until(() => world.audit.records.length === 2);
    expect(world.audit.records[1]).toMatchObject({ kind: 'outcome', status: 'cancelled' });
    expect(world.log).toEqual([]);
  });

  it.each(['POST', 'GET'] as const)('in the middle of the stream of a %s ends it at the server', async (method) => {
    expectNothingLeft();
    const source = new PassThrough();
    const world = await aGateway({ answer: () => sse(source) });
    const { leave, firstByte } = open(world, version, method);
    source.write('data: 1\n\n');
    await firstByte;
    leave();
    await until(() => source.destroyed && world.rows()[0]?.status === 'cancelled');
    expect(world.unanswered()).toBe(0);
  });

  it('in the middle of its own body leaves nothing behind', async () => {
    expectNothingLeft();
    const world = await aGateway();
    const body = new PassThrough();
    if (version === 'HTTP/2') {
      const session = connectAgent2(world.target);
      onTestFinished(() => session.destroy());
      const stream = session.request({ ':method': 'POST', ':path': '/mcp', ...mcpHeaders(world.token) });
      stream.on('error', () => {}).write('{');
      await until(() => world.rows().length === 1);
      session.destroy(); // `stream.close` of Node's client ends the body before it resets the stream.
    } else {
      const left = new AbortController();
      const sent = { method: 'POST', path: '/mcp', headers: mcpHeaders(world.token), body };
      openHttp1(world.target, sent, left.signal).catch(() => {});
      body.write('{');
      await until(() => world.rows().length === 1);
      left.abort();
    }
    await until(() => world.rows()[0]?.status === 'cancelled');
    expect(world.upstream.heard).toEqual([]);
    expect(world.audit.records).toEqual([]);
  });

  it.each(['declared', 'open'])(
    'before its body is whole is not taken at half its word (length %s)',
    async (length) => {
      expectNothingLeft();
      const world = await aGateway();
      const more = length === 'declared' ? { 'content-length': `${callBytes.length + 100}` } : { 'x-length': 'none' };
      const headers = mcpHeaders(world.token, more);
      if (version === 'HTTP/2') {
        const session = connectAgent2(world.target);
        onTestFinished(() => session.destroy());
        const stream = session.request({ ':method': 'POST', ':path': '/mcp', ...headers });
        stream.on('error', () => {}).write(callBytes);
        await until(() => world.rows().length === 1);
        session.destroy();
      } else {
        const left = new AbortController();
        const body = new PassThrough();
        openHttp1(world.target, { method: 'POST', path: '/mcp', headers, body }, left.signal).catch(() => {});
        body.write(callBytes);
        await until(() => world.rows().length === 1);
        left.abort();
      }
      await until(() => world.rows()[0]?.status === 'cancelled');
      expect(world.upstream.heard).toEqual([]);
    },
  );

  it('while the server answers a stream anyway has that stream ended', async () => {
    expectNothingLeft();
    const source = new PassThrough();
    let answer!: (response: UpstreamResponse) => void;
    // As a GET of a stdio server: it opens the stream without asking who is still there.
    const world = await aGateway({ answer: () => new Promise((resolve) => (answer = resolve)) });
    const { leave } = open(world, version, 'GET');
    await until(() => world.upstream.heard.length === 1);
    leave();
    await until(() => world.unanswered() === 0);
    answer(sse(source));
    await until(() => source.destroyed && world.rows()[0]?.status === 'cancelled');
  });

  it('gives its place to the next: 50 who leave in the middle of large lists hold no slot', async () => {
    expectNothingLeft();
    const policy = { limits: { maxConcurrent: 4 } };
    const world = await aGateway({ policy });
    for (let round = 0; round < 50; round += 1) {
      const source = new PassThrough();
      const isList = round % 2 === 0;
      world.upstream.answer = () => (isList ? { ...json('{}'), headers: {}, body: source } : sse(source));
      const { leave } = open(world, version, 'POST');
      await until(() => world.upstream.heard.length === round + 1);
      source.write(Buffer.alloc(300_000, 0x20));
      source.write('data: 1\n\ndata: 2\n\n');
      leave();
      await until(() => world.rows().at(-1)?.status === 'cancelled');
    }
    world.upstream.answer = (sent) => resultOf(sent, {});
    expect((await post(world, call)).status).toBe(200);
  });

  it('while much of one event waits for it holds no slot', async () => {
    expectNothingLeft();
    const world = await aGateway({ policy: { limits: { maxConcurrent: 1 } } });
    const source = new PassThrough();
    world.upstream.answer = () => sse(source);
    const sent = { path: '/mcp', headers: mcpHeaders(world.token) };
    const left = new AbortController();
    const session = connectAgent2(world.target);
    onTestFinished(() => session.destroy());
    if (version === 'HTTP/1.1') {
      openHttp1(world.target, sent, left.signal)
        .then((response) => response.on('error', () => {}))
        .catch(() => {});
    } else session.request({ ':path': '/mcp', ...sent.headers }).on('error', () => {}); // Nobody reads it.
    await until(() => world.upstream.heard.length === 1);
    // Events that come together are written one by one, and the first does not leave.
    source.write(`data: ${'x'.repeat(2_000_000)}\n\n`.repeat(4));
    await until(() => (world.rows()[0]?.responseBytes ?? 0) > 0);
    left.abort();
    session.destroy();
    await until(() => world.rows()[0]?.status === 'cancelled');
    world.upstream.answer = (heard) => resultOf(heard, {});
    expect((await post(world, call)).status).toBe(200);
  });
});

describe.each(versions)('a server that fails, seen over %s', (version) => {
  it.each([
    ['UPSTREAM_UNREACHABLE', 502, -32011],
    ['UPSTREAM_EXITED', 502, -32011],
    ['UPSTREAM_START', 502, -32011],
    ['UPSTREAM_PROTOCOL', 502, -32011],
    ['TIMEOUT', 504, -32011],
    ['LIMIT', 500, -32603],
    ['INTERNAL', 500, -32603],
  ] as const)('with %s before its answer gives %i and the id of the call', async (code, status, rpcCode) => {
    const world = await aGateway({
      answer: () => {
        throw new TunnelError(code, 'secret detail');
      },
    });
    const answer = await open(world, version, 'POST').ended;
    if (answer === 'cut') throw new Error('there was no answer');
    expect(answer.status).toBe(status);
    const message = JSON.parse(answer.body.toString()) as { error: { message: string } };
    expect(message).toMatchObject({ id: 'call-7', error: { code: rpcCode } });
    expect(message.error.message).not.toContain('secret detail');
    expect(world.rows()[0]).toMatchObject({ status: 'failed', rpcCode, reason: 'secret detail', httpStatus: status });
    expect(world.log).toHaveLength(status === 500 ? 1 : 0);
    await until(() => world.audit.records.length === 2);
    expect(world.audit.records[1]).toMatchObject({ kind: 'outcome', status: 'failed' });
    expect(world.gateway.agents.lastAnswerMs).toBeUndefined();
  });

  it('in the middle of JSON cuts the connection, so that nobody takes half for the whole', async () => {
    expectNothingLeft();
    const source = new PassThrough();
    const world = await aGateway({ answer: () => ({ ...json('{}'), headers: {}, body: source }) });
    const { ended, firstByte } = open(world, version, 'POST');
    source.write('{"half":');
    // The last that came waits for what follows; half of it would be of no use.
    await until(() => source.readableLength === 0 && world.upstream.heard.length === 1);
    source.write('"more":');
    await firstByte;
    source.destroy(new Error('other side closed'));
    expect(await ended).toBe('cut');
    await until(() => world.rows()[0]?.status === 'failed');
    expect(world.rows()[0]).toMatchObject({
      reason: 'the server broke off its answer',
      failure: { code: 'ANSWER_BROKEN', source: 'transport_closed' },
    });
    // Others are not affected.
    world.upstream.answer = (sent) => resultOf(sent, {});
    expect((await post(world, call)).status).toBe(200);
  });

  it.each([
    ['between two events', 'data: {"method":"notifications/progress"}\n\n', ''],
    ['in the middle of a line', 'data: {"half":', '\nevent: incomplete\n\n'],
    ['between two lines of one', 'id: 7\ndata: {"half":\n', '\nevent: incomplete\n\n'],
  ])('%s of an event stream gives the call an error that says so, and the stream its end', async (_, sent, ending) => {
    expectNothingLeft();
    const source = new PassThrough();
    const world = await aGateway({ answer: () => sse(source) });
    const { ended, firstByte } = open(world, version, 'POST');
    source.write(sent);
    await firstByte;
    await until(() => world.rows()[0]?.responseBytes === sent.length);
    source.destroy(new Error('other side closed'));
    const answer = await ended;
    if (answer === 'cut') throw new Error('there was no answer');
    const [before, error] = answer.body.toString().split(/(?=event: message\n)/);
    expect(before).toBe(sent + ending);
    const told = JSON.parse(error!.replace('event: message\ndata: ', '')) as object;
    expect(told).toMatchObject({
      id: 'call-7',
      error: {
        code: -32011,
        message: expect.stringContaining('may have been carried out'),
        data: { retryable: true },
      },
    });
    await until(() => world.audit.records.length === 2);
    expect(world.audit.records[1]).toMatchObject({ kind: 'outcome', status: 'failed' });
    expect(world.rows()[0]).toMatchObject({
      status: 'failed',
      flags: ['synthesised'],
      failure: { code: 'ANSWER_BROKEN', source: 'transport_closed' },
    });
  });

  it('in the middle of a stream on which nobody waits for an answer breaks it off', async () => {
    expectNothingLeft();
    const source = new PassThrough();
    const world = await aGateway({ answer: () => sse(source) });
    const { ended, firstByte } = open(world, version, 'GET');
    await firstByte;
    source.destroy(new Error('other side closed'));
    expect(await ended).toBe('cut');
  });
});

it('a server that breaks off before anything of its answer went out fails the call, and the agent is told', async () => {
  const source = new PassThrough();
  const world = await aGateway({ answer: () => ({ ...json('{}'), headers: {}, body: source }) });
  const answer = post(world, call);
  source.write('{"half":');
  await until(() => source.readableLength === 0 && world.upstream.heard.length === 1);
  source.destroy(new Error('other side closed'));
  expect((await answer).status).toBe(502);
  expect(JSON.parse((await answer).body.toString())).toMatchObject({ id: 'call-7', error: { code: -32011 } });
});

describe.each(versions)('a grant, over %s,', (version) => {
  it('that is revoked ends what it has open at once, and nothing else', async () => {
    expectNothingLeft();
    const sources: PassThrough[] = [];
    const world = await aGateway({
      answer: () => {
        const source = new PassThrough();
        sources.push(source);
        source.write('data: 1\n\n');
        return sse(source);
      },
    });
    const other = await world.grantFor({}, { name: 'other' });
    const mine = open(world, version, 'GET');
    const theirs = open(world, version, 'GET', other.token);
    await Promise.all([mine.firstByte, theirs.firstByte]);
    await world.grants.revoke(other.grant.id);
    expect(await theirs.ended).toBe('cut');
    await until(() => sources.filter(({ destroyed }) => destroyed).length === 1);
    const ended = world.rows().find(({ agent }) => agent === 'other');
    await until(() => world.rows().find(({ id }) => id === ended?.id)?.status === 'cancelled');
    expect(world.rows().find(({ id }) => id === ended?.id)?.reason).toBe('the grant was revoked');
    expect(world.rows().find(({ agent }) => agent === 'tester')?.status).toBe('pending');
    mine.leave();
    await until(() => world.rows().every(({ status }) => status === 'cancelled'));
  });

  it('that is revoked while its call waits for the server ends the call', async () => {
    expectNothingLeft();
    const { answer, aborted } = waiting();
    const world = await aGateway({ answer });
    const { ended } = open(world, version, 'POST');
    await until(() => world.upstream.heard.length === 1);
    await world.grants.revoke(world.grant.id);
    expect(await ended).toBe('cut');
    await until(() => aborted() === 1 && world.rows()[0]?.status === 'cancelled');
    expect(world.rows()[0]?.reason).toBe('the grant was revoked');
  });

  it('that expires ends its streams then and not before, however far away that is', async () => {
    expectNothingLeft();
    const clock = new FakeClock();
    const source = new PassThrough();
    const world = await aGateway({ clock, answer: () => sse(source) });
    const days = 24 * 3_600_000;
    const { token } = await world.grantFor({}, { expiresMs: clock.now() + 60 * days });
    const { ended, firstByte } = open(world, version, 'GET', token);
    source.write('data: 1\n\n');
    await firstByte;
    for (let day = 0; day < 59; day += 1) clock.advance(days);
    expect(world.unanswered()).toBe(1);
    clock.advance(days - 1);
    expect(world.unanswered()).toBe(1);
    clock.advance(1);
    expect(await ended).toBe('cut');
    await until(() => source.destroyed && world.rows()[0]?.status === 'cancelled');
    expect(world.rows()[0]?.reason).toBe('the grant has expired');
  });

  it('that expires while the machine sleeps has no stream a minute after it woke', async () => {
    const clock = new FakeClock();
    const source = new PassThrough();
    const world = await aGateway({ clock, answer: () => sse(source) });
    const hour = 3_600_000;
    const { token } = await world.grantFor({}, { expiresMs: clock.now() + 8 * hour });
    const { ended, firstByte } = open(world, version, 'GET', token);
    source.write('data: 1\n\n');
    await firstByte;
    clock.jump(7 * hour);
    clock.advance(longestWaitMs);
    expect(world.unanswered()).toBe(1);
    clock.jump(-hour);
    clock.advance(longestWaitMs);
    expect(world.unanswered()).toBe(1);
    clock.jump(9 * hour);
    clock.advance(longestWaitMs);
    expect(await ended).toBe('cut');
    await until(() => world.rows()[0]?.status === 'cancelled');
    expect(world.rows()[0]?.reason).toBe('the grant has expired');
  });
});

it('one timer looks after all exchanges, and none once the tunnel is closed', async () => {
  const clock = new FakeClock();
  const world = await aGateway({ clock, answer: (sent) => resultOf(sent, {}) });
  const before = clock.pending;
  for (let calls = 0; calls < 5; calls += 1) await post(world, call);
  await until(() => world.unanswered() === 0);
  expect(clock.pending).toBe(before + 1);
  await world.gateway.close();
  expect(clock.pending).toBe(before);
});

describe('a server that does not start', () => {
  it('does not tell the agent its last words, nor where its command was looked for', async () => {
    const says = 'console.error("API_TOKEN of /home/alice was not accepted"); process.exit(1)';
    const env = { PATH: '/somewhere/private' };
    for (const [command, args, detail] of [
      [process.execPath, ['-e', says], '/home/alice'],
      ['no-such-command', [], '/somewhere/private'],
    ] as const) {
      const server = new StdioUpstream({ command, args: [...args], env, cwd: '/' });
      onTestFinished(() => server.close());
      const world = await aGateway({ answer: (sent) => server.forward(sent) });
      const clientInfo = { name: 'a', version: '1' };
      const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
      const answer = await post(world, request('initialize', params));
      const message = 'the MCP server behind this tunnel could not be started; its owner can see why';
      expect(JSON.parse(answer.body.toString())).toMatchObject({ error: { code: -32011, message } });
      expect(world.rows()[0]?.reason).toContain(detail);
    }
  });
});
