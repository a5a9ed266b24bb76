// Agents that come by a client certificate, over real TLS: whose counts, and for how long.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, it } from 'vitest';
import { callHttp1, callHttp2, connectAgent2, type Answer, type Call, type Target } from '../support/agents.ts';
import { aClient, anIssuer, type ClientOptions, type Issuer } from '../support/clientCertificates.ts';
import {
  aGateway,
  authorityOf,
  bodyOf,
  request,
  resultOf,
  serverId,
  sse,
  type GatewayWorld,
} from '../support/gateway.ts';
import { FakeClock } from '../support/fakeClock.ts';
import { until } from '../support/until.ts';

let root: Issuer;
let intermediate: Issuer;
let namesake: Issuer;
let stranger: Issuer;
beforeAll(() => {
  root = anIssuer('Build CA');
  intermediate = anIssuer('Build CA 2', root);
  namesake = anIssuer('Build CA');
  stranger = anIssuer('Another CA');
});

const answer = (sent: Parameters<typeof resultOf>[0]) => resultOf(sent, {});

async function world(way: { caPem?: string; name?: string } = {}, more: object = {}) {
  const gateway = await aGateway({ answer, ...more });
  const { grant } = await gateway.grants.addWay(
    { name: 'build', servers: [serverId], scope: {}, expiresMs: Date.now() + 3_600_000 },
    { kind: 'certificate', caPem: root.cert, ...way },
  );
  return { ...gateway, certified: grant };
}

const ping = Buffer.from(JSON.stringify(request('ping')));
const call: Call = {
  method: 'POST',
  path: '/mcp',
  headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
  body: ping,
};

/** Over HTTP/1.1. `shown` is what the client shows of itself. */
function callAs({ target }: Pick<GatewayWorld, 'target'>, shown: Target['tls'] = {}, more: Call = {}): Promise<Answer> {
  const host = authorityOf(target);
  return callHttp1(
    { ...target, tls: shown },
    { ...call, ...more, headers: { ...call.headers, host, ...more.headers } },
  );
}

describe('a certificate of the named authority', () => {
  it('lets an agent in over HTTP/1.1, HTTP/2, TLS 1.2 and 1.3, and its name is in the audit log', async () => {
    const gateway = await world();
    const client = aClient(root, { cn: 'runner-7' });
    for (const version of [{}, { maxVersion: 'TLSv1.2' }] as const) {
      expect((await callAs(gateway, { ...client, ...version })).status).toBe(200);
      const session = connectAgent2({ ...gateway.target, tls: { ...client, ...version } });
      expect((await callHttp2(session, call)).status).toBe(200);
      session.destroy();
    }
    const calls = gateway.audit.records.filter(({ kind }) => kind === 'call');
    expect(calls).toHaveLength(4);
    for (const { principal } of calls) {
      expect(principal).toMatchObject({ name: 'build', grant: gateway.certified.id, subject: 'runner-7' });
    }
    expect(gateway.detail(gateway.rows()[0]).principal).toMatchObject({ kind: 'certificate', name: 'build: runner-7' });
  });

  it('may come with the ones between it and the authority', async () => {
    const gateway = await world();
    const leaf = aClient(intermediate);
    expect((await callAs(gateway, { key: leaf.key, cert: leaf.cert + intermediate.cert })).status).toBe(200);
    expect((await callAs(gateway, leaf)).status).toBe(401);
  });

  it('may have to have a certain name, common or alternative', async () => {
    const gateway = await world({ name: 'deploy.example' });
    const san = (value: string): ClientOptions => ({ cn: 'x', san: [{ type: 2, value }] });
    expect((await callAs(gateway, aClient(root, { cn: 'deploy.example' }))).status).toBe(200);
    expect((await callAs(gateway, aClient(root, san('deploy.example')))).status).toBe(200);
    expect((await callAs(gateway, aClient(root, { cn: 'build.example' }))).status).toBe(401);
    expect((await callAs(gateway, aClient(root, { cn: 'Deploy.example' }))).status).toBe(401);
    // Text that reads like two names is one name.
    expect((await callAs(gateway, aClient(root, san('a, DNS:deploy.example')))).status).toBe(401);
    expect((await callAs(gateway, aClient(root, { cn: 'a\nCN=deploy.example' }))).status).toBe(401);
  });

  it('does not stand in the way of a token, and a wrong token not in its way', async () => {
    const gateway = await world();
    const authorization = `Bearer ${gateway.token}`;
    expect((await callAs(gateway, {}, { headers: { authorization } })).status).toBe(200);
    const foreign = aClient(stranger);
    expect((await callAs(gateway, foreign, { headers: { authorization } })).status).toBe(200);
    expect((await callAs(gateway, aClient(root), { headers: { authorization: 'Bearer mcpt_x' } })).status).toBe(200);
  });

  it('tells principals of one grant apart: a session of one is not the other’s', async () => {
    const gateway = await world(
      {},
      {
        answer: (sent: Parameters<typeof resultOf>[0]) => {
          const { headers, ...rest } = resultOf(sent, {});
          return { ...rest, headers: { ...headers, 'mcp-session-id': 'session-1' } };
        },
      },
    );
    const begin = {
      body: Buffer.from(
        JSON.stringify(
          request('initialize', {
            protocolVersion: '2025-06-18',
            capabilities: {},
            clientInfo: { name: 'c', version: '1' },
          }),
        ),
      ),
    };
    expect((await callAs(gateway, aClient(root, { cn: 'one' }), begin)).status).toBe(200);
    const session = { headers: { 'mcp-session-id': 'session-1' } };
    expect((await callAs(gateway, aClient(root, { cn: 'one' }), session)).status).toBe(200);
    expect((await callAs(gateway, aClient(root, { cn: 'two' }), session)).status).toBe(404);
  });
});

describe('no other certificate lets anybody in', () => {
  const past: [Date, Date] = [new Date(Date.now() - 7_200_000), new Date(Date.now() - 60_000)];
  const future: [Date, Date] = [new Date(Date.now() + 3_600_000), new Date(Date.now() + 7_200_000)];

  it.each([
    ['none', () => ({})],
    ['one of another authority', () => aClient(stranger)],
    ['one that signs itself', () => aClient(undefined)],
    ['one that signs itself in the name of the authority', () => aClient(undefined, { cn: 'Build CA' })],
    ['an expired one', () => aClient(root, { valid: past })],
    ['one that is not valid yet', () => aClient(root, { valid: future })],
    ['one for servers', () => aClient(root, { usage: 'server' })],
    ['one without a purpose', () => aClient(root, { usage: 'none' })],
    [
      'one below a certificate that is no authority',
      () => {
        const between = aClient(root, { cn: 'Build CA 2' });
        const leaf = aClient(namesake);
        return { key: leaf.key, cert: leaf.cert + between.cert };
      },
    ],
  ] as const)('%s', async (_what, shown) => {
    const gateway = await world();
    const { status, body } = await callAs(gateway, shown());
    expect([status, String(body)]).toEqual([
      401,
      expect.stringContaining('a valid bearer token of this tunnel is needed'),
    ]);
    expect(gateway.upstream.heard).toEqual([]);
  });

  it('and none of a namesake of the authority: its signature is not the authority’s', async () => {
    const gateway = await world();
    // OpenSSL may end such a connection by itself.
    const status = await callAs(gateway, aClient(namesake)).then(
      (answered) => answered.status,
      () => 'cut',
    );
    expect([401, 'cut']).toContain(status);
    expect(gateway.upstream.heard).toEqual([]);
  });

  it('and none of an authority that lets in to another server only', async () => {
    const gateway = await aGateway({ answer });
    await gateway.grants.addWay(
      { name: 'build', servers: ['another'], scope: {}, expiresMs: Date.now() + 3_600_000 },
      { kind: 'certificate', caPem: root.cert },
    );
    expect((await callAs(gateway, aClient(root))).status).toBe(401);
  });

  it('and a holder gets in beside a thousand that fail from the same address', async () => {
    const gateway = await world();
    const wrong = aClient(stranger);
    const session = connectAgent2({ ...gateway.target, tls: wrong });
    const statuses = new Set<number>();
    for (let round = 0; round < 10; round += 1) {
      const answers = await Promise.all(Array.from({ length: 100 }, () => callHttp2(session, { path: '/mcp' })));
      for (const { status } of answers) statuses.add(status);
    }
    session.destroy();
    expect(statuses).toEqual(new Set([401, 429]));
    expect((await callAs(gateway, aClient(root))).status).toBe(200);
    expect(gateway.audit.records.filter(({ kind }) => kind === 'refused').length).toBeLessThan(50);
  });
});

describe('what the authority says of itself holds', () => {
  it('one that lets no other sign below it', async () => {
    const narrow = anIssuer('Narrow CA', undefined, { pathLenConstraint: 0 });
    const below = anIssuer('Below', narrow);
    const gateway = await world({ caPem: narrow.cert });
    expect((await callAs(gateway, aClient(narrow))).status).toBe(200);
    const leaf = aClient(below);
    expect((await callAs(gateway, { key: leaf.key, cert: leaf.cert + below.cert })).status).toBe(401);
  });
});

describe('a certificate is asked for', () => {
  /** What another TLS than Node's sees of the server's request. */
  const asked = async ({ target }: GatewayWorld): Promise<boolean> => {
    const place = `127.0.0.1:${target.port}`;
    const client = execFile('openssl', ['s_client', '-connect', place, '-servername', target.hostname]);
    client.stdin!.end();
    let text = '';
    client.stdout!.on('data', (chunk: Buffer) => (text += String(chunk)));
    await once(client, 'close');
    expect(text).toMatch(/client certificate CA names/);
    return /Acceptable client certificate CA names\s+CN = Build CA/.test(text);
  };

  it('while a grant needs one, and not before or after', async () => {
    const gateway = await aGateway({ answer });
    expect(await asked(gateway)).toBe(false);
    const { grant } = await gateway.grants.addWay(
      { name: 'build', servers: [serverId], scope: {}, expiresMs: Date.now() + 3_600_000 },
      { kind: 'certificate', caPem: root.cert },
    );
    expect(await asked(gateway)).toBe(true);
    expect((await callAs(gateway, aClient(root))).status).toBe(200);
    await gateway.grants.revoke(grant.id);
    expect(await asked(gateway)).toBe(false);
    expect((await callAs(gateway, aClient(root))).status).toBe(401);
  });
});

describe('a connection that was made before anybody needed a certificate', () => {
  it('is over with the first refusal, so that the next one is asked, over HTTP/1.1 and HTTP/2', async () => {
    const gateway = await aGateway({ answer });
    const tls = aClient(root);
    const session = connectAgent2({ ...gateway.target, tls });
    const { port, hostname: servername, ca } = gateway.target;
    const socket = connect({ host: '127.0.0.1', port, servername, ca, ...tls });
    for (let round = 0; round < 2; round += 1) {
      expect(await overSocket(socket, gateway)).toContain('401 Unauthorized');
      expect((await callHttp2(session, call)).status).toBe(401);
    }
    await gateway.grants.addWay(
      { name: 'build', servers: [serverId], scope: {}, expiresMs: Date.now() + 3_600_000 },
      { kind: 'certificate', caPem: root.cert },
    );
    expect(await overSocket(socket, gateway)).toContain('401 Unauthorized');
    expect((await callHttp2(session, call)).status).toBe(401);
    await until(() => socket.destroyed && session.closed);
    expect((await callAs(gateway, tls)).status).toBe(200);
  });
});

describe('once its grant is revoked', () => {
  it('a connection that stays lets nobody in any more, over HTTP/1.1 and HTTP/2', async () => {
    const gateway = await world();
    const tls = aClient(root);
    const session = connectAgent2({ ...gateway.target, tls });
    expect((await callHttp2(session, call)).status).toBe(200);
    const socket = connect({
      host: '127.0.0.1',
      port: gateway.target.port,
      servername: gateway.target.hostname,
      ca: gateway.target.ca,
      ...tls,
    });
    expect(await overSocket(socket, gateway)).toContain('200 OK');

    await gateway.grants.revoke(gateway.certified.id);
    expect((await callHttp2(session, call)).status).toBe(401);
    expect(await overSocket(socket, gateway)).toContain('401 Unauthorized');
    session.destroy();
    socket.destroy();
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('no session of %s is resumed into it', async (maxVersion) => {
    const gateway = await world();
    const tls = aClient(root);
    const { port, hostname: servername, ca } = gateway.target;
    const sessions: Buffer[] = [];
    const first = connect({ host: '127.0.0.1', port, servername, ca, maxVersion, ...tls });
    first.on('session', (session) => void sessions.push(session));
    expect(await overSocket(first, gateway)).toContain('200 OK');
    await until(() => sessions.length > 0 || maxVersion === 'TLSv1.2');
    const session = sessions.at(-1) ?? first.getSession();
    first.destroy();

    const again = connect({
      host: '127.0.0.1',
      port,
      servername,
      ca,
      maxVersion,
      ...(session ? { session } : {}),
      ...tls,
    });
    expect(await overSocket(again, gateway)).toContain('200 OK');
    expect(again.isSessionReused()).toBe(false);
    again.destroy();

    await gateway.grants.revoke(gateway.certified.id);
    const last = connect({ host: '127.0.0.1', port, servername, ca, maxVersion, ...(session ? { session } : {}) });
    expect(await overSocket(last, gateway)).toContain('401 Unauthorized');
    last.destroy();
  });

  it('a stream that it opened ends; so it does when the certificate expires', async () => {
    const clock = new FakeClock(Date.now());
    const never = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from('data: {}\n\n');
      await new Promise(() => {});
    };
    const gateway = await world({}, { clock, answer: () => sse(bodyOf(never())) });
    const open = (tls: Target['tls']): Promise<Answer> =>
      callAs(gateway, tls, { method: 'GET', body: undefined as never });
    const expiring = open(aClient(root, { valid: [new Date(Date.now() - 60_000), new Date(Date.now() + 600_000)] }));
    await until(() => gateway.upstream.heard.length === 1);
    clock.advance(700_000);
    await expect(expiring).rejects.toThrow();

    const revoked = open(aClient(root));
    await until(() => gateway.upstream.heard.length === 2);
    await gateway.grants.revoke(gateway.certified.id);
    await expect(revoked).rejects.toThrow();
  });
});

/** One request on a connection that stays. */
async function overSocket(socket: TLSSocket, { target }: GatewayWorld): Promise<string> {
  let text = '';
  const read = (chunk: Buffer): void => void (text += String(chunk));
  socket.on('data', read).on('error', () => {});
  const headers = Object.entries({ ...call.headers, host: authorityOf(target), 'content-length': String(ping.length) });
  socket.write(`POST /mcp HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
  socket.write(ping);
  await until(() => /\r\n\r\n[^]*\}/.test(text));
  socket.off('data', read);
  return text;
}
