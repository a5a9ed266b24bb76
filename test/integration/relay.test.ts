// The way of a request: agent → edge → connector → inner TLS → handler, with real sockets and real TLS.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Serve } from '../../src/carriers/carrier.ts';
import { callHttp1, callHttp2, collect, connectAgent2, openHttp1, type Target } from '../support/agents.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { aWorld, enrolled, openTunnel, type World } from '../support/relay.ts';
import { until } from '../support/until.ts';
import { Tap } from '../support/tap.ts';

const megabyte = 1 << 20;
const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

async function world(): Promise<World> {
  const clock = new CountingClock();
  expectNothingLeft(clock);
  return aWorld({}, clock);
}

const targetOf = ({ edge, authority }: World, hostname: string): Target => {
  return { hostname, port: edge.port, ca: authority.certificatePem };
};

const echo: Serve = (request, response, arrival) => {
  response.writeHead(200, {
    'x-visitor': arrival.visitor,
    'x-version': request.httpVersion,
    'x-path': request.url ?? '',
  });
  request.pipe(response as NodeJS.WritableStream);
};

describe('a request by hostname', () => {
  it('reaches the handler over HTTP/1.1 and comes back', async () => {
    const here = await world();
    const { hostname, url } = await openTunnel(here, echo);
    expect(url).toBe(`https://everything-x7k2.edge.test:${here.edge.port}/mcp`);

    const answer = await callHttp1(targetOf(here, hostname), {
      method: 'POST',
      path: '/mcp?x=1',
      body: Buffer.from('hello'),
    });
    expect(answer).toMatchObject({ status: 200, headers: { 'x-version': '1.1', 'x-path': '/mcp?x=1' } });
    expect(answer.headers['x-visitor']).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(answer.body.toString()).toBe('hello');
  });

  it('reaches the handler over HTTP/2, many at once on one connection', async () => {
    const here = await world();
    const { hostname } = await openTunnel(here, echo);
    const session = connectAgent2(targetOf(here, hostname));
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        callHttp2(session, { method: 'POST', body: Buffer.from(`call ${index}`) }),
      ),
    );
    expect(answers.map((answer) => answer.body.toString())).toEqual(answers.map((_, index) => `call ${index}`));
    expect(new Set(answers.map((answer) => answer.headers['x-version']))).toEqual(new Set(['2.0']));
    expect(new Set(answers.map((answer) => answer.headers['x-visitor'])).size).toBe(1);
    session.close();
    await once(session, 'close');
  });

  it('carries large bodies both ways, byte for byte', async () => {
    const here = await world();
    const { hostname } = await openTunnel(here, echo);
    const body = randomBytes(24 * megabyte);
    const first = await callHttp1(targetOf(here, hostname), { method: 'POST', body });
    expect(sha(first.body)).toBe(sha(body));

    const session = connectAgent2(targetOf(here, hostname));
    const second = await callHttp2(session, { method: 'POST', body });
    expect(sha(second.body)).toBe(sha(body));
    session.close();
    await once(session, 'close');
  });

  it('arrives whole also when the connection ends with the answer', async () => {
    const here = await world();
    const { hostname } = await openTunnel(here, echo);
    for (let round = 0; round < 40; round += 1) {
      const body = randomBytes(round % 10 === 9 ? 5 * megabyte : round * 4000);
      const headers = { connection: 'close', 'x-round': `${round}` };
      const answer = await callHttp1(targetOf(here, hostname), { method: 'POST', headers, body });
      expect(sha(answer.body)).toBe(sha(body));
    }
  });

  it('answers on a connection whose other answer is large and not read yet', async () => {
    const here = await world();
    const large = randomBytes(24 * megabyte);
    const { hostname } = await openTunnel(here, (request, response) => {
      (response as NodeJS.WritableStream).end(request.url === '/large' ? large : 'small');
    });
    const session = connectAgent2(targetOf(here, hostname));
    const unread = session.request({ ':path': '/large' }); // Without a listener for 'data' its window fills up.
    await once(unread, 'response');
    for (let calls = 0; calls < 10; calls += 1) expect((await callHttp2(session)).body.toString()).toBe('small');
    expect(sha(await collect(unread))).toBe(sha(large));
    session.close();
    await once(session, 'close');
  });

  it('brings each event of a stream when it happens', async () => {
    const here = await world();
    let send: (text: string) => void = () => {};
    const { hostname } = await openTunnel(here, (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      send = (text) => void (response as NodeJS.WritableStream).write(text);
      send('data: 0\n\n');
    });
    const response = await openHttp1(targetOf(here, hostname));
    const events = response.setEncoding('utf8')[Symbol.asyncIterator]() as AsyncIterator<string>;
    for (let index = 0; index < 20; index += 1) {
      expect((await events.next()).value).toBe(`data: ${index}\n\n`); // The next is sent only when this one is here.
      send(`data: ${index + 1}\n\n`);
    }
    response.destroy();
  });

  it('tells the handler when the agent has left', async () => {
    const here = await world();
    let left = false;
    const { hostname } = await openTunnel(here, (_request, response) => {
      response.writeHead(200);
      (response as NodeJS.WritableStream).write('x');
      response.on('close', () => (left = true));
    });
    const response = await openHttp1(targetOf(here, hostname));
    response.destroy();
    await until(() => left);
  });
});

describe('what the relay can read', () => {
  it('is neither a token nor a body, on either side of the edge', async () => {
    const here = await world();
    const toEdge = await Tap.to(here.edge.port, { record: true });
    const fromAgent = await Tap.to(here.edge.port, { record: true });
    onTestFinished(async () => void (await Promise.all([toEdge.close(), fromAgent.close()])));
    const identity = await enrolled(here.state, toEdge.port);
    const { hostname } = await openTunnel(here, echo, { identity });
    const authorization = 'Bearer mcpt_aVerySecretTokenText';

    const target = { ...targetOf(here, hostname), port: fromAgent.port };
    const call = { method: 'POST', headers: { authorization }, body: Buffer.from('{"method":"tools/call"}') };
    const answer = await callHttp1(target, call);
    expect(answer.body.toString()).toBe('{"method":"tools/call"}');

    expect(fromAgent.recorded.includes(hostname)).toBe(true); // The tap does hear: the name is in the open.
    expect(toEdge.recorded.length).toBeGreaterThan(fromAgent.recorded.length);
    for (const secret of ['mcpt_', 'aVerySecretTokenText', 'tools/call']) {
      expect(fromAgent.recorded.includes(secret)).toBe(false);
      expect(toEdge.recorded.includes(secret)).toBe(false);
    }
  });
});

describe('a reader that does not read', () => {
  it('blocks nobody else and is sent no more than its window', async () => {
    const here = await world();
    let sent = 0;
    let ended = false;
    const { hostname } = await openTunnel(here, (request, response) => {
      response.writeHead(200);
      if (request.url !== '/endless') return void (response as NodeJS.WritableStream).end('small');
      const block = randomBytes(64 * 1024);
      const endless = new Readable({
        read() {
          sent += block.length;
          this.push(block);
        },
      });
      endless.pipe(response as NodeJS.WritableStream);
      response.on('close', () => endless.destroy());
      endless.on('close', () => (ended = true));
    });
    const stuck = await openHttp1(targetOf(here, hostname), { path: '/endless' });
    stuck.pause();
    let before = -1;
    for (let calls = 0; calls < 200 && sent !== before; calls += 1) {
      before = sent;
      for (let more = 0; more < 5; more += 1) {
        expect((await callHttp1(targetOf(here, hostname))).body.toString()).toBe('small');
      }
    }
    expect(sent).toBe(before);
    // Its stream's window, and what the kernel's buffers of three sockets take on loopback.
    expect(sent).toBeLessThan(24 * megabyte);
    expect(ended).toBe(false);
    stuck.destroy();
    await until(() => ended); // Its server hears of it, however much was on the way.
  });
});
