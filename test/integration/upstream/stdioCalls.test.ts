// Calls to a stdio server: what becomes JSON, what a stream, and which answer belongs to whom.
import { describe, expect, it } from 'vitest';
import { expectNothingLeft } from '../../support/leaks.ts';
import { EventReader, notification, request, stdioWorld } from '../../support/stdioWorld.ts';

const version = { 'mcp-protocol-version': '2025-11-25' };

describe('a call', () => {
  it('that is answered at once and alone is answered as JSON, byte for byte', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const text = '{ "result" : {"b":1, "a":1.0e0,"b\\u0062":"\\/" } ,"id":"x","jsonrpc":"2.0","extra":[ ]}';
    const answer = await world.post(request('x', 'raw', { text: `${text}\r\n` }), sessionId);
    expect(answer.headers).toMatchObject({ 'content-type': 'application/json', 'mcp-session-id': sessionId });
    expect(answer.text).toBe(text);
  });

  it('reaches the server as it was written; only line breaks between tokens become spaces', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const text = '{\r\n  "method": "line",\n\t"id":0, "jsonrpc" : "2.0",\n "z":"\\n", "params": {"n":1.50}}';
    const { json } = await world.post(text, sessionId);
    expect(json.result).toEqual({ line: text.replace(/[\r\n]/g, ' ') });
  });

  it('that says more becomes a stream: progress event by event, then the answer, then its end', async () => {
    expectNothingLeft();
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const response = await world.send(
      request(7, 'progress', { steps: 3, everyMs: 30, _meta: { progressToken: 0 } }),
      sessionId,
      version,
    );
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
    expect(response.headers).not.toHaveProperty('content-length');
    const reader = new EventReader(response);
    await reader.has(1);
    expect(reader.isEnded).toBe(false);
    await reader.ended();
    expect(reader.messages.map((message) => message.method ?? message.id)).toEqual([
      'notifications/progress',
      'notifications/progress',
      'notifications/progress',
      7,
    ]);
  });

  it('that takes long becomes a stream before anything is said, so that nobody cuts an idle connection', async () => {
    const world = stdioWorld([], { limits: { jsonAnswerMs: 20 } });
    const { sessionId } = await world.initialize();
    const response = await world.send(request(1, 'never'), sessionId);
    expect(response.headers['content-type']).toBe('text/event-stream');
    response.body?.destroy();
  });

  it('begins its stream with a priming event only for revisions that know it', async () => {
    const world = stdioWorld([], { limits: { jsonAnswerMs: 0 } });
    const { sessionId } = await world.initialize();
    const slow = (id: number): object =>
      request(id, 'progress', { steps: 1, everyMs: 20, _meta: { progressToken: id } });
    const primed = new EventReader(await world.send(slow(1), sessionId, version));
    const plain = new EventReader(await world.send(slow(2), sessionId, { 'mcp-protocol-version': '2025-06-18' }));
    await Promise.all([primed.ended(), plain.ended()]);
    expect(primed.events[0]).toMatchObject({ data: '', id: expect.stringMatching(/^p\d+-\d+$/) as string });
    expect(plain.events.every(({ data }) => data !== '')).toBe(true);
  });

  it('with the same id as the server’s own request is told apart from it', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const reader = new EventReader(await world.send(request(1, 'ask', { as: 1 }), sessionId));
    const [asked] = await reader.has(1);
    expect(asked).toMatchObject({ id: 1, method: 'sampling/createMessage' });
    const reply = await world.post({ jsonrpc: '2.0', id: 1, result: { text: 'mine' } }, sessionId);
    expect([reply.status, reply.text]).toEqual([202, '']);
    await reader.ended();
    expect(reader.messages[1]).toMatchObject({ id: 1, result: { heard: { text: 'mine' } } });
  });

  it.each([[0], [''], ['1'], [-5], ['ü😀']])('may have the id %j', async (id) => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    expect((await world.post(request(id, 'ping'), sessionId)).json).toMatchObject({ id });
  });

  it('goes on when the agent has left, and its progress goes to no other call', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const left = new EventReader(
      await world.send(request(1, 'progress', { steps: 50, everyMs: 10, _meta: { progressToken: 'a' } }), sessionId),
    );
    await left.has(1);
    left.leave();
    const other = new EventReader(
      await world.send(request(2, 'progress', { steps: 5, everyMs: 10, _meta: { progressToken: 'b' } }), sessionId),
    );
    await other.ended();
    expect(other.messages.slice(0, 5).map((message) => message.params?.progressToken)).toEqual(Array(5).fill('b'));
  });

  it('that is cancelled ends its stream; a late answer is not taken for another’s', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const waiting = world.send(request(1, 'never'), sessionId);
    await world.post(notification('notifications/cancelled', { requestId: 1 }), sessionId);
    const reader = new EventReader(await waiting);
    await reader.ended();
    expect(reader.messages).toEqual([]);
    expect((await world.post(request(1, 'ping'), sessionId)).status).toBe(400);
    const late = '{"jsonrpc":"2.0","id":1,"result":"late"}\n{"jsonrpc":"2.0","id":2,"result":"mine"}\n';
    expect((await world.post(request(2, 'raw', { text: late }), sessionId)).json).toMatchObject({ result: 'mine' });
    expect((await world.post(request(1, 'ping'), sessionId)).json).toMatchObject({ result: { method: 'ping' } });
  });

  it('of a batch is sent line by line and answered on one stream', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize('2025-03-26');
    const batch = [request(1, 'line'), notification('notifications/x'), request(2, 'line')];
    const response = await world.send(batch, sessionId);
    const reader = new EventReader(response);
    await reader.ended();
    expect(reader.messages).toEqual([
      { jsonrpc: '2.0', id: 1, result: { line: JSON.stringify(batch[0]) } },
      { jsonrpc: '2.0', id: 2, result: { line: JSON.stringify(batch[2]) } },
    ]);
    expect((await world.post([notification('notifications/x')], sessionId)).status).toBe(202);
  });

  it('is matched with an answer inside a batch of the server, and with an error that has no id', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const text = '[{"jsonrpc":"2.0","id":1 ,"result":{}}]\n';
    expect((await world.post(request(1, 'raw', { text }), sessionId)).text).toBe(
      '{"jsonrpc":"2.0","id":1 ,"result":{}}',
    );
    const error = '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}}\n';
    expect((await world.post(request(2, 'raw', { text: error }), sessionId)).json).toMatchObject({ id: null });
  });

  it('survives bytes that come one at a time, cut in the middle of a character', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    expect((await world.post(request(1, 'bytewise'), sessionId)).json).toMatchObject({ result: { text: 'größe 😀' } });
  });

  it('keeps a CR between the tokens of an answer from ending an event', async () => {
    const world = stdioWorld();
    const { sessionId } = await world.initialize();
    const text = '{"jsonrpc":"2.0","method":"notifications/message"}\n{"jsonrpc":"2.0",\r"id":1,"result":{}}\n';
    const reader = new EventReader(await world.send(request(1, 'raw', { text }), sessionId));
    await reader.ended();
    expect(reader.messages[1]).toEqual({ jsonrpc: '2.0', id: 1, result: {} });
  });
});
