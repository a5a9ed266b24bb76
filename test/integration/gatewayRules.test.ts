// Rules that become others while something is open: what may no longer be ends, what stays follows the new ones.
import { PassThrough, Readable } from 'node:stream';
import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { filterNow, maxFilteredBytes } from '../../src/gateway/listFilter.ts';
import type { UpstreamRequest, UpstreamResponse } from '../../src/upstream/upstream.ts';
import { callHttp2, connectAgent2, openHttp1 } from '../support/agents.ts';
import { FakeClock } from '../support/fakeClock.ts';
import {
  aGateway,
  bodyOf,
  json,
  mcpHeaders,
  post,
  request,
  resultOf,
  sse,
  type GatewayWorld,
} from '../support/gateway.ts';
import { expectNothingLeft } from '../support/leaks.ts';
import { until } from '../support/until.ts';

const everything = { methods: ['*'], tools: ['*'], prompts: ['*'], resources: ['*'] };
const narrow = { agents: { '*': { ...everything, tools: ['open'], resources: ['file:///open/*'] } } };
const wide = { agents: { '*': everything } };

const listing = { jsonrpc: '2.0', id: 1, result: { tools: [{ name: 'secret' }, { name: 'open' }] } };
const updated = (uri: string): object => ({
  jsonrpc: '2.0',
  method: 'notifications/resources/updated',
  params: { uri },
});
const event = (message: object): string => `data: ${JSON.stringify(message)}\n\n`;

type Stream = { text: () => string; ended: Promise<'whole' | 'cut'>; leave: () => void };

async function listen(world: GatewayWorld, token = world.token): Promise<Stream> {
  const left = new AbortController();
  const response = await openHttp1(world.target, { path: '/mcp', headers: mcpHeaders(token) }, left.signal);
  const chunks: Buffer[] = [];
  response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
  const closed = new Promise((resolve) => response.once('close', resolve));
  const ended = closed.then(() => (response.complete ? 'whole' : 'cut'));
  return { text: () => Buffer.concat(chunks).toString(), ended, leave: () => left.abort() };
}

/** A server whose every answer is an event stream that the test writes. */
async function streaming(clock?: FakeClock): Promise<GatewayWorld & { sources: PassThrough[] }> {
  const sources: PassThrough[] = [];
  const answer = (): UpstreamResponse => {
    const source = new PassThrough();
    sources.push(source);
    source.write(': open\n\n');
    return sse(source);
  };
  return { ...(await aGateway({ answer, ...(clock ? { clock } : {}) })), sources };
}

/** A server that never answers. */
const silent = ({ signal }: UpstreamRequest): Promise<UpstreamResponse> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('nobody waits'))));

const rowOf = (world: GatewayWorld, reason: string): boolean =>
  world.rows().some((row) => row.status === 'cancelled' && row.reason === reason);

describe('a stream', () => {
  it('opened with a token that was replaced ends when the overlap is over, and not before', async () => {
    expectNothingLeft();
    const clock = new FakeClock();
    const world = await streaming(clock);
    const old = await listen(world);
    const { token } = await world.grants.rotate(world.grant.id, 60_000);
    const young = await listen(world, token);
    clock.advance(59_999);
    expect(world.unanswered()).toBe(2);
    clock.advance(1);
    expect(await old.ended).toBe('cut');
    await until(() => rowOf(world, 'the token was replaced'));
    expect(world.unanswered()).toBe(1);
    young.leave();
  });

  it('of a token that was replaced without overlap ends at once', async () => {
    expectNothingLeft();
    const world = await streaming();
    const old = await listen(world);
    await world.grants.rotate(world.grant.id, 0);
    expect(await old.ended).toBe('cut');
    await until(() => rowOf(world, 'the token was replaced'));
  });

  it('ends sooner or later with its grant, as that is changed', async () => {
    expectNothingLeft();
    const clock = new FakeClock();
    const world = await streaming(clock);
    const stream = await listen(world);
    await world.grants.change(world.grant.id, { expiresMs: clock.now() + 10_000_000 });
    clock.advance(9_000_000);
    expect(world.unanswered()).toBe(1);
    await world.grants.change(world.grant.id, { expiresMs: clock.now() + 5_000 });
    clock.advance(5_000);
    expect(await stream.ended).toBe('cut');
    await until(() => rowOf(world, 'the grant has expired'));
  });

  it('ends when its grant no longer reaches this server', async () => {
    expectNothingLeft();
    const world = await streaming();
    const stream = await listen(world);
    await world.grants.change(world.grant.id, { scope: { servers: ['another'] } });
    expect(await stream.ended).toBe('cut');
    await until(() => rowOf(world, 'the grant changed'));
  });

  it('ends when the policy can no longer be read', async () => {
    expectNothingLeft();
    const world = await streaming();
    const stream = await listen(world);
    await world.setPolicy('{ nonsense');
    expect(await stream.ended).toBe('cut');
    await until(() => rowOf(world, 'the policy changed'));
  });

  it.each([
    ['the policy', (world: GatewayWorld) => world.setPolicy(narrow)],
    ['the grant', (world: GatewayWorld) => world.grants.change(world.grant.id, { scope: { tools: ['open'] } })],
  ])('that was opened without restrictions is filtered once %s has some', async (_what, restrict) => {
    const world = await streaming();
    const stream = await listen(world);
    world.sources[0]!.write(event(listing));
    await until(() => stream.text().includes('secret'));
    const before = stream.text();
    await restrict(world);
    world.sources[0]!.write(event(updated('file:///private/a')) + event(listing) + event({ last: true }));
    await until(() => stream.text().includes('last'));
    const after = stream.text().slice(before.length);
    expect(after).not.toContain('secret');
    expect(after).not.toContain('private');
    expect(after).toContain('"name":"open"');
    expect(world.rows()[0]?.flags).toContain('filtered');
    stream.leave();
  });

  it('tells of resources that may be read, and of no other', async () => {
    const world = await streaming();
    const stream = await listen(world);
    await world.setPolicy(narrow);
    const batch = [updated('file:///private/b'), updated('file:///open/b'), { jsonrpc: '2.0', method: 'x' }];
    world.sources[0]!.write(
      event(updated('file:///private/a')) + event(updated('file:///open/a')) + event(batch) + event({ last: true }),
    );
    await until(() => stream.text().includes('last'));
    expect(stream.text()).not.toContain('private');
    expect(stream.text()).toContain(event(updated('file:///open/a')));
    expect(stream.text()).toContain(JSON.stringify(batch.slice(1)));
    stream.leave();
  });

  it(
    'passes or is cut, whenever the rules change, and never shows what they hide by then',
    { timeout: 60_000 },
    async () => {
      const world = await aGateway({ policy: { ...wide, limits: { requestsPerMinute: 1_000_000 } } });
      const session = connectAgent2(world.target);
      onTestFinished(() => session.destroy());
      const message = fc.constantFrom(
        event(listing),
        event(updated('file:///private/x')),
        event(updated('file:///open/x')),
        event({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'ü' } }),
        ': comment\n\n',
        `id: 7\ndata: ${JSON.stringify(listing)}\n\n`,
      );
      const pieces = fc.array(fc.tuple(fc.integer({ min: 1, max: 90 }), fc.boolean()), { minLength: 1, maxLength: 12 });
      await fc.assert(
        fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 6 }), pieces, async (messages, cuts) => {
          const steps = cutUp(Buffer.from(messages.join('')), cuts);
          world.upstream.answer = () =>
            sse(
              onDemand(steps, (isNarrow) =>
                world.setPolicy({ ...(isNarrow ? narrow : wide), limits: { requestsPerMinute: 1_000_000 } }),
              ),
            );
          const wanted = expectation(messages, steps);
          const got = await callHttp2(session, { path: '/mcp', headers: mcpHeaders(world.token) }).then(
            ({ body }) => ({ text: body.toString('latin1'), cut: false }),
            () => ({ text: undefined, cut: true }),
          );
          expect(got.cut).toBe(wanted.cut);
          if (got.text !== undefined) expect(Buffer.from(got.text, 'latin1').toString()).toBe(wanted.text);
        }),
        { numRuns: 200 },
      );
    },
  );
});

type Step = { bytes: Buffer; isNarrow: boolean };

function cutUp(bytes: Buffer, cuts: readonly [number, boolean][]): Step[] {
  const steps: Step[] = [];
  let at = 0;
  for (let index = 0; at < bytes.length; index += 1) {
    const [length, isNarrow] = cuts[index % cuts.length]!;
    steps.push({ bytes: bytes.subarray(at, at + length), isNarrow });
    at += length;
  }
  return steps;
}

/** Each piece comes when it is asked for, under the rules that are to hold for it. */
function onDemand(steps: readonly Step[], change: (isNarrow: boolean) => Promise<void>): Readable {
  const left = [...steps];
  return new Readable({
    highWaterMark: 0,
    read() {
      const next = left.shift();
      if (!next) return void this.push(null);
      void change(next.isNarrow).then(() => this.push(next.bytes));
    },
  });
}

/** The same said in other words: an event is judged by the rules under which its last byte came. */
function expectation(messages: readonly string[], steps: readonly Step[]): { text: string; cut: boolean } {
  let text = '';
  let begin = 0;
  for (const message of messages) {
    const end = begin + Buffer.byteLength(message);
    let at = 0;
    const through = steps.filter(({ bytes }) => {
      const [from, to] = [at, at + bytes.length];
      at = to;
      return from < end && to > begin;
    });
    const hidden = message.includes('secret') || message.includes('private');
    if (!hidden || !through.at(-1)!.isNarrow) text += message;
    // A piece of it that came before its end, under rules that hid nothing, is out.
    else if (through.slice(0, -1).some(({ isNarrow }) => !isNarrow)) return { text, cut: true };
    else if (message.includes('secret')) {
      const kept = JSON.stringify({ ...listing, result: { tools: [{ name: 'open' }] } });
      text += message.startsWith('id')
        ? `event: message\nid: 7\ndata: ${kept}\n\n`
        : `event: message\ndata: ${kept}\n\n`;
    }
    begin = end;
  }
  return { text, cut: false };
}

describe('a call under way', () => {
  it.each([
    ['the policy changed', (world: GatewayWorld) => world.setPolicy(narrow)],
    ['the grant changed', (world: GatewayWorld) => world.grants.change(world.grant.id, { scope: { tools: ['open'] } })],
  ])('that would be refused now is answered so: %s', async (why, restrict) => {
    expectNothingLeft();
    const world = await aGateway({ answer: silent });
    const answer = post(world, request('tools/call', { name: 'secret' }, 'call-7'));
    const left = new AbortController();
    const stays = { method: 'POST', path: '/mcp', headers: mcpHeaders(world.token) };
    const body = Buffer.from(JSON.stringify(request('tools/call', { name: 'open' })));
    openHttp1(world.target, { ...stays, body }, left.signal).catch(() => {});
    await until(() => world.upstream.heard.length === 2);
    await restrict(world);
    const { status, body: bytes } = await answer;
    expect([status, JSON.parse(bytes.toString())]).toMatchObject([200, { id: 'call-7', error: { code: -32010 } }]);
    await until(() => rowOf(world, why));
    expect(world.upstream.heard.filter(({ signal }) => signal.aborted)).toHaveLength(1);
    await until(() => world.audit.records.length === 3);
    expect(world.audit.records.at(-1)).toMatchObject({ kind: 'outcome', status: 'cancelled' });
    left.abort();
    await until(() => world.unanswered() === 0);
  });

  it('that is refused while its record is being written never reaches the server', async () => {
    const world = await aGateway();
    let write!: () => void;
    world.audit.hold = new Promise((resolve) => (write = resolve));
    const answer = post(world, request('tools/call', { name: 'secret' }));
    await until(() => world.rows()[0]?.method === 'tools/call');
    await world.setPolicy(narrow);
    write();
    expect(JSON.parse((await answer).body.toString())).toMatchObject({ error: { code: -32010 } });
    await until(() => rowOf(world, 'the policy changed'));
    expect(world.upstream.heard).toEqual([]);
  });

  it('whose body is still on its way is decided by the grant as it is then', async () => {
    const world = await aGateway({ answer: (sent) => resultOf(sent, {}) });
    const source = new PassThrough();
    const answer = post(world, source);
    source.write('{"jsonrpc":"2.0","id":1,"method":"tools/call",');
    await until(() => world.rows().length === 1);
    await world.grants.change(world.grant.id, { scope: { tools: ['open'] } });
    source.end('"params":{"name":"secret"}}');
    expect(JSON.parse((await answer).body.toString())).toMatchObject({ error: { code: -32010 } });
    expect(world.upstream.heard).toEqual([]);
  });

  it('has its list filtered by the rules that hold when it is whole', async () => {
    const world = await aGateway();
    const source = new PassThrough();
    world.upstream.answer = () => ({ ...json(listing), body: source });
    const answer = post(world, request('tools/list'));
    const text = JSON.stringify(listing);
    source.write(text.slice(0, 30));
    await until(() => source.readableLength === 0 && world.upstream.heard.length === 1);
    await world.setPolicy(narrow);
    source.end(text.slice(30));
    const { body, headers } = await answer;
    expect(JSON.parse(body.toString())).toEqual({ ...listing, result: { tools: [{ name: 'open' }] } });
    expect(headers['content-length']).toBe(`${body.length}`);
  });

  it('of which a part is out that could not be filtered is cut', async () => {
    const world = await aGateway();
    const source = new PassThrough();
    world.upstream.answer = () => ({ ...json(listing), headers: {}, body: source });
    const cut = post(world, request('tools/list')).catch(() => 'cut');
    source.write('{"result":');
    await until(() => source.readableLength === 0 && world.upstream.heard.length === 1);
    source.write('{');
    await until(() => (world.rows()[0]?.responseBytes ?? 0) > 0);
    await world.setPolicy(narrow);
    source.write('"tools":[{"name":"secret"}]');
    expect(await cut).toBe('cut');
    await until(() => rowOf(world, 'the rules changed in the middle of this answer'));
  });
});

describe('a message too long to be looked through', () => {
  const block = Buffer.alloc(1024 * 1024, 0x61);
  const tooLong = [Buffer.from('data: '), ...Array.from({ length: maxFilteredBytes / block.length }, () => block)];

  it('is an error with the id of the call, and the row says so', { timeout: 60_000 }, async () => {
    const world = await aGateway({ policy: narrow });
    world.upstream.answer = () => sse(bodyOf([...tooLong, Buffer.from('\n\n')]));
    const answer = await post(world, request('tools/call', { name: 'open' }, 'call-7'));
    expect(answer.status).toBe(200);
    const said = /^event: message\ndata: (.*)\n\n$/.exec(answer.body.toString())?.[1] ?? '';
    expect(JSON.parse(said)).toMatchObject({ id: 'call-7', error: { code: -32012 } });
    await until(() => world.rows()[0]?.status === 'error');
    expect(world.rows()[0]).toMatchObject({ rpcCode: -32012, flags: ['truncated'] });
    expect(world.rows()[0]?.reason).toContain('larger than 67108864 bytes');
  });

  it('is an error with the id of the call as JSON, too', { timeout: 60_000 }, async () => {
    const world = await aGateway({ policy: narrow });
    world.upstream.answer = () => ({ ...json('{}'), headers: {}, body: bodyOf([...tooLong, block]) });
    const answer = await post(world, request('tools/call', { name: 'open' }, 'call-7'));
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ id: 'call-7', error: { code: expect.any(Number) } });
    expect(world.rows()[0]?.reason).toContain('larger than 67108864 bytes');
  });

  it('is passed over where nobody waits for an answer, and the next one comes', { timeout: 60_000 }, async () => {
    const world = await aGateway({ policy: narrow });
    world.upstream.answer = () => sse(bodyOf([...tooLong, Buffer.from(`\n\n${event({ last: true })}`)]));
    const stream = await listen(world);
    expect(await stream.ended).toBe('whole');
    expect(stream.text()).toBe(event({ last: true }));
    expect(world.rows()[0]?.flags).toEqual(['truncated']);
  });

  it('passes to an agent from whom nothing is hidden', { timeout: 60_000 }, async () => {
    const world = await aGateway();
    world.upstream.answer = () => sse(bodyOf([...tooLong, Buffer.from('\n\n')]));
    const answer = await post(world, request('tools/call', { name: 'open' }));
    expect(answer.body.length).toBe(maxFilteredBytes + 8);
    expect(world.rows()[0]?.flags).toContain('truncated');
  });
});

it('the filter is made once for rules that stay', async () => {
  const { grants, grant } = await aGateway();
  const result = grants.judge(grant.id, 'server-1');
  if (result.kind !== 'principal') throw new Error('the grant is good');
  const rules = { current: { layers: [{ kind: 'broken' }] } } as unknown as Parameters<typeof filterNow>[0];
  const now = filterNow(rules, result);
  expect(now()).toBeTypeOf('function');
  expect(now()).toBe(now());
});
