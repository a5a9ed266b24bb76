// Both ends of a link on one TLS connection, and each of them against a stranger at the other end.
import { once } from 'node:events';
import { connect as connectHttp2, constants, performServerHandshake } from 'node:http2';
import { describe, expect, it } from 'vitest';
import { knownFramings, openConnectorLink, openEdgeLink } from '../../../src/wire/framings.ts';
import type { StreamHead } from '../../../src/wire/link.ts';
import { maxMissedPings, pingEveryMs } from '../../../src/wire/health.ts';
import { refusalBytes, refusals, type Refusal } from '../../../src/wire/refusal.ts';
import { streamWindowBytes } from '../../../src/wire/windows.ts';
import { collect } from '../../support/agents.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { linkPair, tlsPair } from '../../support/linkPair.ts';
import { until } from '../../support/until.ts';

const names = Object.keys(refusals) as Refusal[];

describe.each(knownFramings)('a link framed by %s', (framing) => {
  it('carries a control conversation both ways', async () => {
    const { edge, control, connector } = await linkPair(framing);
    const lost: string[] = [];
    edge.control.handle('route/claim', ({ label }) => ({ hostname: `${label}.edge.test`, port: 443 }));
    control.on('route/lost', ({ label }) => void lost.push(label));
    control.start();
    expect(await control.request('route/claim', { label: 'a', instance: 'i', run: 'r' })).toEqual({
      hostname: 'a.edge.test',
      port: 443,
    });
    edge.control.notify('route/lost', { label: 'a', error: { code: 'ROUTE_BUSY', message: '', retryable: false } });
    await until(() => lost.length === 1);
    await Promise.all([edge.close(), connector.close()]);
    expect(edge.closed).toBe(true);
  });

  it('brings a visitor with its name and address, and ends in order on both sides', async () => {
    const { edge, taken } = await linkPair(framing);
    const stream = edge.openStream({ hostname: 'a.edge.test', visitor: '192.0.2.1:5555' });
    stream.end('to the connector');
    await until(() => taken.length === 1);
    const [visitor] = taken;
    expect(visitor).toMatchObject({ hostname: 'a.edge.test', visitor: '192.0.2.1:5555' });
    visitor?.stream.end('to the edge');
    expect(String(await collect(visitor?.stream as never))).toBe('to the connector');
    expect(String(await collect(stream))).toBe('to the edge');
    await until(() => stream.destroyed);
    expect(stream.rstCode).toBe(0);
    expect(edge.streams).toBe(0);
  });

  it('that ends cuts its visitors off, and they can tell', async () => {
    for (const ender of ['edge', 'connector'] as const) {
      const ends = await linkPair(framing);
      const stream = ends.edge.openStream({ hostname: 'a.edge.test', visitor: '192.0.2.1:5555' });
      stream.resume();
      await until(() => ends.taken.length === 1);
      await ends[ender].close();
      await until(() => stream.destroyed && ends.edge.closed);
      expect(stream.rstCode).not.toBe(0);
      expect(() => ends.edge.openStream({ hostname: 'x', visitor: 'y' })).toThrow(/gone/);
    }
  });

  it('gives one stream a window of its own size, and the others theirs', async () => {
    const { edge, taken } = await linkPair(framing);
    const stream = edge.openStream({ hostname: 'a.edge.test', visitor: '192.0.2.1:5555' });
    await until(() => taken.length === 1);
    const block = Buffer.alloc(65_536);
    const sender = taken[0]?.stream;
    let sent = 0;
    const send = (): void => {
      for (let more = true; more && sent < 4 * streamWindowBytes; sent += block.length)
        more = sender?.write(block) ?? false;
    };
    sender?.on('drain', send);
    send();
    await until(() => stream.readableLength >= streamWindowBytes - block.length);
    expect(stream.readableLength).toBeLessThanOrEqual(streamWindowBytes);

    const other = edge.openStream({ hostname: 'b.edge.test', visitor: '192.0.2.1:5556' });
    await until(() => taken.length === 2);
    taken[1]?.stream.end(Buffer.alloc(2 * streamWindowBytes));
    expect(await collect(other)).toHaveLength(2 * streamWindowBytes);
    expect(stream.readableLength).toBeLessThanOrEqual(streamWindowBytes);
  });

  it('whose other end is gone is noticed at once, without a ping', async () => {
    for (const leave of ['destroy', 'end'] as const) {
      const { edge, connector, near } = await linkPair(framing);
      const stream = edge.openStream({ hostname: 'a.edge.test', visitor: '192.0.2.1:5555' });
      const ended = Promise.all([
        new Promise<void>((resolve) => edge.onClose(resolve)),
        new Promise<void>((resolve) => connector.onClose(() => resolve())),
      ]);
      near[leave]();
      await ended; // By no ping: time stands still here.
      await until(() => stream.destroyed);
      expect(stream.rstCode).not.toBe(0);
    }
  });

  it('tells how busy it is, by what waits and by what has passed lately', async () => {
    const clock = new FakeClock();
    const { edge, taken } = await linkPair(framing, clock);
    expect(edge.bytesInFlight).toBe(0);
    const stream = edge.openStream({ hostname: 'a.edge.test', visitor: '192.0.2.1:5555' });
    await until(() => taken.length === 1);
    taken[0]!.stream.end(Buffer.alloc(1 << 20));
    expect(await collect(stream)).toHaveLength(1 << 20);
    expect(edge.bytesInFlight).toBeGreaterThan(900_000); // From the connector: it cannot be seen but by what came.
    clock.advance(200);
    expect(edge.bytesInFlight).toBeLessThan(600_000);
    clock.advance(5000);
    expect(edge.bytesInFlight).toBe(0);

    const unread = edge.openStream({ hostname: 'b.edge.test', visitor: '192.0.2.1:5556' });
    unread.write(Buffer.alloc(8 * streamWindowBytes)); // Nobody reads it at the other end.
    await until(() => taken.length === 2);
    clock.advance(5000);
    expect(edge.bytesInFlight).toBeGreaterThan(streamWindowBytes);
  });

  it('lives for as long as its pings are answered', async () => {
    const clock = new FakeClock();
    const { edge, taken } = await linkPair(framing, clock);
    for (let round = 0; round < 3 * maxMissedPings; round += 1) {
      clock.advance(pingEveryMs);
      const stream = edge.openStream({ hostname: 'a.edge.test', visitor: '192.0.2.1:5555' });
      await until(() => taken.length === round + 1); // What was sent before it, pings and all, has arrived as well.
      taken[round]?.stream.end('x');
      expect(await collect(stream)).toHaveLength(1);
      stream.end();
    }
    expect(edge.closed).toBe(false);
  });
});

describe.each(knownFramings)('a silent edge (%s)', (framing) => {
  it('is noticed after two pings, by the connector', async () => {
    const clock = new FakeClock();
    const { near } = await tlsPair(framing); // The other end never says a word.
    const connector = openConnectorLink(near, { clock, onStream: () => {} });
    const ended = new Promise<string>((resolve) => connector.onClose((reason) => resolve(reason.message)));
    clock.advance(pingEveryMs * maxMissedPings);
    expect(near.destroyed).toBe(false);
    clock.advance(pingEveryMs);
    expect(await ended).toBe('the edge stopped answering');
    await expect(connector.control).rejects.toMatchObject({ code: 'EDGE_UNREACHABLE' });
    expect(clock.pending).toBe(0);
  });
});

describe.each(knownFramings)('a silent connector (%s)', (framing) => {
  it('is noticed after two pings, by the edge', async () => {
    const clock = new FakeClock();
    const { far } = await tlsPair(framing);
    const edge = openEdgeLink(far, { clock });
    const ended = new Promise<void>((resolve) => edge.onClose(resolve));
    clock.advance(pingEveryMs * (maxMissedPings + 1));
    await ended;
    expect(clock.pending).toBe(0);
  });
});

describe('a stranger in the edge’s place', () => {
  it('can open nothing but the control stream, once, and visitors', async () => {
    const { near, far } = await tlsPair();
    const taken: StreamHead[] = [];
    const connector = openConnectorLink(near, {
      clock: new FakeClock(),
      onStream: (stream, head) => {
        taken.push(head);
        stream.end();
      },
    });
    const http = connectHttp2('https://x', { createConnection: () => far });
    const status = async (headers: Record<string, string>): Promise<unknown> => {
      const stream = http.request(headers, { endStream: false });
      const [head] = (await once(stream, 'response')) as [Record<string, unknown>];
      stream.on('error', () => {}).end();
      return head[':status'];
    };
    expect(await status({ ':method': 'GET', ':path': '/control' })).toBe(404);
    expect(await status({ ':method': 'POST', ':path': '/other' })).toBe(404);
    const control = http.request({ ':method': 'POST', ':path': '/control' }, { endStream: false });
    await once(control, 'response');
    expect(await status({ ':method': 'POST', ':path': '/control' })).toBe(404);
    await status({ ':method': 'CONNECT', ':authority': 'a.edge.test', 'mcp-tunnel-visitor': '<script>' });
    expect(taken).toEqual([{ hostname: 'a.edge.test', visitor: 'unknown' }]);
    http.destroy();
    await connector.close();
  });

  it.each(knownFramings.flatMap((framing) => names.map((refusal) => [framing, refusal] as const)))(
    'that refuses says why (%s): %s',
    async (framing, refusal) => {
      const { near, far } = await tlsPair(framing);
      const connector = openConnectorLink(near, { clock: new FakeClock(), onStream: () => {} });
      far.end(refusalBytes(refusal, framing));
      await expect(connector.control).rejects.toMatchObject({
        code: refusal === 'too-many' ? 'LIMIT' : 'CERTIFICATE_INVALID',
        message: refusals[refusal],
      });
    },
  );

  it('that says goodbye in its own words is no refusal', async () => {
    const { near, far } = await tlsPair();
    const connector = openConnectorLink(near, { clock: new FakeClock(), onStream: () => {} });
    const http = connectHttp2('https://x', { createConnection: () => far });
    http.on('error', () => {});
    http.once('connect', () => http.goaway(constants.NGHTTP2_INADEQUATE_SECURITY, 0, Buffer.from('__proto__')));
    await expect(connector.control).rejects.toMatchObject({ code: 'EDGE_UNREACHABLE' });
    http.destroy();
  });
});

describe('a stranger in the connector’s place', () => {
  it('who ends the control stream ends the link', async () => {
    const { near, far } = await tlsPair();
    const edge = openEdgeLink(far, { clock: new FakeClock() });
    edge.control.start();
    const http = performServerHandshake(near);
    http.on('error', () => {});
    http.on('stream', (stream) => {
      stream.respond({ ':status': 200 });
      stream.end();
    });
    await new Promise<void>((resolve) => edge.onClose(resolve));
  });

  it('who sends a line without end is cut off', async () => {
    const { near, far } = await tlsPair();
    const edge = openEdgeLink(far, { clock: new FakeClock() });
    edge.control.start();
    const http = performServerHandshake(near);
    http.on('error', () => {});
    http.on('stream', (stream) => {
      stream.on('error', () => {});
      stream.respond({ ':status': 200 });
      stream.write(Buffer.alloc(200_000, 'x'));
    });
    await new Promise<void>((resolve) => edge.onClose(resolve));
    expect(edge.closed).toBe(true);
  });

  it('who does not speak HTTP/2 is cut off', async () => {
    const { near, far } = await tlsPair();
    const edge = openEdgeLink(far, { clock: new FakeClock() });
    near.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    await new Promise<void>((resolve) => edge.onClose(resolve));
  });
});
