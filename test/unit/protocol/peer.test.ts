import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { maxConcurrentRequests, Peer } from '../../../src/protocol/peer.ts';
import type { Port } from '../../../src/protocol/port.ts';
import { portPair } from '../../../src/protocol/portPair.ts';

type Server = {
  requests: {
    add: { params: { a: number; b: number }; result: number };
    wait: { params: object; result: string };
    fail: { params: object; result: null };
  };
  notifications: { note: { text: string } };
};
type Client = { requests: Record<string, never>; notifications: Record<string, never> };

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function world(): {
  client: Peer<Client, Server>;
  server: Peer<Server, Client>;
  signals: AbortSignal[];
  notes: string[];
} {
  const [left, right] = portPair();
  const client = new Peer<Client, Server>(left);
  const server = new Peer<Server, Client>(right);
  const signals: AbortSignal[] = [];
  const notes: string[] = [];
  server.handle('add', ({ a, b }) => a + b);
  server.handle('wait', (_params, signal) => {
    signals.push(signal);
    return new Promise(() => {});
  });
  server.handle('fail', () => {
    throw new TunnelError('CONFLICT', 'somebody else has it', { data: { who: 'them' }, retryable: true });
  });
  server.on('note', ({ text }) => notes.push(text));
  client.start();
  server.start();
  return { client, server, signals, notes };
}

/** A port in the hands of the test: what it sends is what a stranger would. */
function bare(): { port: Port; sent: string[]; say: (text: string) => void; hangUp: () => void } {
  const sent: string[] = [];
  let receive: (text: string) => void = () => {};
  let closed: () => void = () => {};
  const port: Port = {
    send: (text) => sent.push(text),
    onMessage: (receiver) => (receive = receiver),
    onClose: (listener) => (closed = listener),
    close: () => closed(),
  };
  return { port, sent, say: (text) => receive(text), hangUp: () => closed() };
}

describe('Peer', () => {
  it('answers requests, many at once, each with its own result', async () => {
    const { client } = world();
    const results = await Promise.all([1, 2, 3].map((a) => client.request('add', { a, b: 10 })));
    expect(results).toEqual([11, 12, 13]);
  });

  it('rejects with the other side’s error, its code and data', async () => {
    const { client } = world();
    await expect(client.request('fail', {})).rejects.toMatchObject({
      code: 'CONFLICT',
      message: 'somebody else has it',
      retryable: true,
      data: { who: 'them' },
    });
  });

  it('says NOT_FOUND for a method nobody handles', async () => {
    const { client } = world();
    await expect(client.request('nothing' as 'add', { a: 1, b: 1 })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('delivers notifications, and ignores those nobody listens to', async () => {
    const { client, notes } = world();
    client.notify('note', { text: 'hello' });
    client.notify('other' as 'note', { text: 'nobody' });
    await turn();
    expect(notes).toEqual(['hello']);
  });

  it('cancels on both sides: the caller at once, the handler through its signal', async () => {
    const { client, signals } = world();
    const controller = new AbortController();
    const waiting = client.request('wait', {}, controller.signal);
    await turn();
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' });
    await turn();
    expect(signals[0]?.aborted).toBe(true);
    await expect(client.request('wait', {}, controller.signal)).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(signals).toHaveLength(1);
  });

  it('rejects everything with CLOSED and aborts handlers when the port ends', async () => {
    const { client, server, signals } = world();
    const waiting = client.request('wait', {});
    await turn();
    let told = 0;
    client.onClose(() => (told += 1));
    server.close();
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' });
    expect(signals[0]?.aborted).toBe(true);
    await expect(client.request('add', { a: 1, b: 1 })).rejects.toMatchObject({ code: 'CLOSED' });
    client.onClose(() => (told += 1));
    expect(told).toBe(2);
  });

  it('refuses more requests at once than it has room for, and has room again afterwards', async () => {
    const { client, server } = world();
    const finish: ((text: string) => void)[] = [];
    server.handle('wait', () => new Promise((resolve) => finish.push(resolve)));
    const waiting = Array.from({ length: maxConcurrentRequests }, () => client.request('wait', {}));
    await expect(client.request('add', { a: 1, b: 1 })).rejects.toMatchObject({ code: 'LIMIT' });
    for (const done of finish) done('done');
    await Promise.all(waiting);
    await expect(client.request('add', { a: 1, b: 1 })).resolves.toBe(2);
  });

  it('sends no answer after the port has ended', async () => {
    const { port, sent, say, hangUp } = bare();
    const server = new Peer<Server, Client>(port);
    let finish: (text: string) => void = () => {};
    server.handle('wait', () => new Promise((resolve) => (finish = resolve)));
    server.start();
    say('{"jsonrpc":"2.0","id":1,"method":"wait"}');
    hangUp();
    finish('late');
    await turn();
    expect(sent).toEqual([]);
  });

  it('answers the first of two requests with one id, once', async () => {
    const { port, sent, say } = bare();
    const server = new Peer<Server, Client>(port);
    const finish: ((text: string) => void)[] = [];
    server.handle('wait', () => new Promise((resolve) => finish.push(resolve)));
    server.start();
    say('{"jsonrpc":"2.0","id":1,"method":"wait"}');
    say('{"jsonrpc":"2.0","id":1,"method":"wait"}');
    finish.forEach((done, index) => done(index === 0 ? 'first' : 'second'));
    await turn();
    expect(sent.map((text) => JSON.parse(text) as object)).toEqual([{ jsonrpc: '2.0', id: 1, result: 'first' }]);
  });

  it('ignores an answer that comes after the request was cancelled', async () => {
    const { port, sent, say } = bare();
    const client = new Peer<Client, Server>(port).start();
    const controller = new AbortController();
    const waiting = client.request('wait', {}, controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' });
    const next = client.request('wait', {});
    say('{"jsonrpc":"2.0","id":1,"result":"late"}');
    say('{"jsonrpc":"2.0","id":2,"result":"right"}');
    await expect(next).resolves.toBe('right');
    expect(sent[1]).toContain('$/cancel');
  });

  it('is not disturbed by anything that is not a message', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.json(), fc.string(), fc.constantFrom('{"jsonrpc":"2.0","id":9,"error":null}')),
        (text) => {
          const { port, say } = bare();
          const server = new Peer<Server, Client>(port);
          server.start();
          expect(() => say(text)).not.toThrow();
        },
      ),
    );
  });
});
