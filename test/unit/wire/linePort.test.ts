import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Port } from '../../../src/protocol/port.ts';
import { linePort } from '../../../src/wire/linePort.ts';
import { until } from '../../support/until.ts';

const options = { maxLineBytes: 1000, maxQueuedBytes: 4000 };

async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [Socket];
  server.close();
  onTestFinished(() => {
    near.destroy();
    far.destroy();
  });
  return [near, far];
}

function listen(port: Port): { heard: string[]; isClosed: () => boolean } {
  const heard: string[] = [];
  let closes = 0;
  port.onMessage((text) => heard.push(text));
  port.onClose(() => (closes += 1));
  return { heard, isClosed: () => closes === 1 };
}

describe('a port of lines', () => {
  it('carries texts both ways in order, whatever pieces they come in', async () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 }).map((value) => JSON.stringify(value));
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 20 }), fc.integer({ min: 1, max: 50 }), async (texts, piece) => {
        const stream = new PassThrough();
        const { heard } = listen(linePort(stream, options));
        const bytes = Buffer.from(texts.map((line) => `${line}\n`).join(''));
        for (let at = 0; at < bytes.length; at += piece) stream.write(bytes.subarray(at, at + piece));
        await until(() => heard.length >= texts.length);
        expect(heard).toEqual(texts);
        stream.destroy();
      }),
      { numRuns: 50 },
    );
  });

  it('gives both ends of a socket their say, and both hear of the end', async () => {
    const [near, far] = await socketPair();
    const [a, b] = [linePort(near, options), linePort(far, options)];
    const [atA, atB] = [listen(a), listen(b)];
    a.send('{"one":1}');
    b.send('{"two":2}');
    a.send('{"three":3}');
    a.close();
    await until(() => atB.heard.length === 2 && atB.isClosed() && atA.isClosed());
    expect(atB.heard).toEqual(['{"one":1}', '{"three":3}']); // What was sent before the close arrives.
  });

  it('keeps what came before anybody listened', async () => {
    const [near, far] = await socketPair();
    const port = linePort(far, options);
    near.write('"early"\n');
    await new Promise((resolve) => setImmediate(resolve));
    const { heard } = listen(port);
    await until(() => heard.length === 1);
    expect(heard).toEqual(['"early"']);
  });

  it('works over two pipes', async () => {
    const [readable, writable] = [new PassThrough(), new PassThrough()];
    const { heard } = listen(linePort({ readable, writable }, options));
    readable.write('"in"\r\n\n"more"\n');
    await until(() => heard.length === 2);
    expect(heard).toEqual(['"in"', '"more"']);
  });

  it('says that it is closed also to who asks later', async () => {
    const stream = new PassThrough();
    const port = linePort(stream, options);
    port.close();
    let closed = false;
    port.onClose(() => (closed = true));
    expect(closed).toBe(true);
    port.send('"late"'); // Goes nowhere, and is no error.
  });
});

describe('a side that breaks the limits', () => {
  it('by a line that is too long is cut off, and nothing after it is heard', async () => {
    const [near, far] = await socketPair();
    const { heard, isClosed } = listen(linePort(far, options));
    near.on('error', () => {});
    near.write(`"good"\n"${'x'.repeat(2000)}"\n"after"\n`);
    await until(isClosed);
    expect(heard).toEqual(['"good"']);
    await until(() => near.destroyed || near.closed);
  });

  it('by not reading is cut off when too much waits for it', async () => {
    const [near, far] = await socketPair();
    near.pause();
    const port = linePort(far, options);
    const { isClosed } = listen(port);
    let sent = 0;
    for (; !isClosed() && sent < 200_000; sent += 1) {
      port.send('"0123456789012345678901234567890123456789"');
      if (sent % 100 === 0) await new Promise((resolve) => setImmediate(resolve)); // The kernel takes what it can.
    }
    expect(isClosed()).toBe(true);
    expect(far.destroyed).toBe(true);
  });

  it('by vanishing is no more than a close', async () => {
    const [near, far] = await socketPair();
    const { isClosed } = listen(linePort(far, options));
    near.resetAndDestroy();
    await until(isClosed);
  });
});
