// The server is asked for its tools by its owner: real servers of both eras, over stdio and HTTP, and such as do not
// answer as they should.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { maxAnswerBytes } from '../../src/gateway/asker.ts';
import { askTimeoutMs, askTools, maxPages } from '../../src/gateway/askTools.ts';
import { maxTools } from '../../src/gateway/toolCatalogue.ts';
import { HttpUpstream } from '../../src/upstream/httpUpstream.ts';
import { StdioUpstream } from '../../src/upstream/stdioUpstream.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { startBothEras } from '../support/bothEras.ts';
import { everythingPath } from '../support/command.ts';
import { FakeClock } from '../support/fakeClock.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { until } from '../support/until.ts';

const noSignal = new AbortController().signal;

function closing<T extends Upstream>(upstream: T): T {
  onTestFinished(() => upstream.close());
  return upstream;
}

type Asked = { method: string; headers: IncomingMessage['headers']; message: JsonObject | undefined };
type Reply = { status?: number; type?: string; text?: string; session?: string } | 'silence';

/** An HTTP server that answers as the test says, and remembers what it was asked. */
async function pretending(reply: (asked: Asked) => Reply): Promise<{ upstream: HttpUpstream; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const message = text === '' ? undefined : (JSON.parse(text) as JsonObject);
      const heard = { method: request.method ?? '', headers: request.headers, message };
      asked.push(heard);
      const said = reply(heard);
      if (said === 'silence') return;
      const { status = 200, type = 'application/json', text: body = '', session } = said;
      response.writeHead(status, {
        'content-type': type,
        ...(session === undefined ? {} : { 'mcp-session-id': session }),
      });
      response.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  return { upstream: closing(new HttpUpstream({ url, headers: {}, clock: new CountingClock() })), asked };
}

const result = (id: JsonValue | undefined, value: JsonObject): string =>
  JSON.stringify({ jsonrpc: '2.0', id: id ?? null, result: value });
const begun = { protocolVersion: '2025-06-18', capabilities: { prompts: {} }, serverInfo: { name: 'x', version: '1' } };

/** A legacy server with a session, whose tool lists are `pages`. */
const listing =
  (pages: (cursor: JsonValue | undefined) => JsonObject) =>
  ({ message, method }: Asked): Reply => {
    if (message?.['method'] === 'initialize') return { text: result(message['id'], begun), session: 's1' };
    if (message?.['method'] === 'tools/list') {
      const params = message['params'] as JsonObject | undefined;
      return { text: result(message['id'], pages(params?.['cursor'])) };
    }
    return { status: method === 'DELETE' ? 200 : 202 };
  };

describe('askTools', () => {
  it('hears all tools of the reference server over stdio, and its process ends', async () => {
    expectNothingLeft();
    const args = [everythingPath, 'stdio'];
    const upstream = closing(new StdioUpstream({ command: process.execPath, args, env: {}, cwd: '/' }));
    const events: string[] = [];
    upstream.onEvent(({ kind }) => events.push(kind));
    const { tools, hasPrompts } = await askTools(upstream, new CountingClock(), noSignal);
    expect(tools.map(({ name }) => name)).toEqual(expect.arrayContaining(['echo', 'get-sum']));
    expect(hasPrompts).toBe(true);
    await until(() => events.includes('exited'));
  });

  it.each(['legacy', 'both', 'modern'] as const)('hears them of a server over HTTP that speaks %s', async (era) => {
    const { url } = await startBothEras(['--era', era]);
    const upstream = closing(new HttpUpstream({ url, headers: {}, clock: new CountingClock() }));
    const { tools } = await askTools(upstream, new CountingClock(), noSignal);
    expect(tools.length).toBeGreaterThan(5);
    expect(new Set(tools.map(({ name }) => name)).size).toBe(tools.length);
  });

  it('reads every page in one session of its own, and ends it', async () => {
    const pages: Record<string, JsonObject> = {
      first: { tools: [{ name: 'a' }, 'no tool', { title: 'nameless' }], nextCursor: 'p2' },
      p2: { tools: [{ name: 'b' }] },
    };
    const { upstream, asked } = await pretending(
      listing((cursor) => pages[typeof cursor === 'string' ? cursor : 'first']!),
    );
    const listed = await askTools(upstream, new CountingClock(), noSignal);
    expect(listed).toEqual({ tools: [{ name: 'a' }, { name: 'b' }], hasPrompts: true });
    expect(
      asked.map(({ method, message, headers }) => [message?.['method'] ?? method, headers['mcp-session-id']]),
    ).toEqual([
      ['initialize', undefined],
      ['notifications/initialized', 's1'],
      ['tools/list', 's1'],
      ['tools/list', 's1'],
      ['DELETE', 's1'],
    ]);
    expect(asked.slice(1).map(({ headers }) => headers['mcp-protocol-version'])).toEqual(Array(4).fill('2025-06-18'));
  });

  it('stops at the bound of pages and of tools', async () => {
    const endless = await pretending(listing(() => ({ tools: [{ name: 'a' }], nextCursor: 'again' })));
    expect((await askTools(endless.upstream, new CountingClock(), noSignal)).tools).toHaveLength(maxPages);
    const many = Array.from({ length: maxTools }, (_, index) => ({ name: `t${index}` }));
    const crowded = await pretending(listing(() => ({ tools: [...many, { name: 'more' }], nextCursor: 'again' })));
    expect((await askTools(crowded.upstream, new CountingClock(), noSignal)).tools).toHaveLength(maxTools);
  });

  it('finds the answer among the events of a stream', async () => {
    const { upstream } = await pretending((asked) => {
      const plain = listing(() => ({ tools: [{ name: 'a' }] }))(asked);
      if (asked.message?.['method'] !== 'tools/list' || plain === 'silence') return plain;
      const noise = 'data: {"jsonrpc":"2.0","method":"notifications/message","params":{}}\n\n: \n\ndata: no json\n\n';
      return { type: 'text/event-stream', text: `${noise}data: ${plain.text}\n\n` };
    });
    expect((await askTools(upstream, new CountingClock(), noSignal)).tools).toEqual([{ name: 'a' }]);
  });

  const refusals: [string, (asked: Asked) => Reply, string][] = [
    ['demands a credential', () => ({ status: 401 }), 'HTTP 401'],
    [
      'refuses both eras',
      ({ message }) => ({
        status: 400,
        text: JSON.stringify({ id: message?.['id'] ?? null, error: { code: -32000, message: 'not you' } }),
      }),
      'not you',
    ],
    ['answers no JSON', () => ({ text: '<html>' }), 'did not list'],
    ['lists no list', listing(() => ({ tools: 'all' })), 'without a list'],
    [
      'answers without end',
      (asked) =>
        asked.message?.['method'] === 'tools/list'
          ? { text: 'x'.repeat(maxAnswerBytes + 1) }
          : listing(() => ({}))(asked),
      'larger than',
    ],
  ];
  it.each(refusals)('says that a server %s', async (_what, reply, words) => {
    const { upstream } = await pretending(reply);
    await expect(askTools(upstream, new CountingClock(), noSignal)).rejects.toMatchObject({
      code: 'UPSTREAM_PROTOCOL',
      message: expect.stringContaining(words) as string,
    });
  });

  it('does not wait for a server that never answers, also not for the end of its session', async () => {
    const clock = new FakeClock();
    const { upstream, asked } = await pretending((heard) =>
      heard.message?.['method'] === 'tools/list' || heard.method === 'DELETE' ? 'silence' : listing(() => ({}))(heard),
    );
    const asking = askTools(upstream, clock, noSignal);
    const refused = expect(asking).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' });
    await until(() => asked.some(({ message }) => message?.['method'] === 'tools/list'));
    clock.advance(askTimeoutMs);
    await until(() => asked.some(({ method }) => method === 'DELETE'));
    clock.advance(askTimeoutMs);
    await refused;
    expect(clock.pending).toBe(0);
  });

  it('ends when the tunnel does', async () => {
    const { upstream, asked } = await pretending(() => 'silence');
    const closed = new AbortController();
    const asking = askTools(upstream, new CountingClock(), closed.signal);
    const refused = expect(asking).rejects.toMatchObject({ code: 'CANCELLED' });
    await until(() => asked.length > 0);
    closed.abort();
    await refused;
  });
});
