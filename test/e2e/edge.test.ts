import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandWorld, type Started } from '../support/commandWorld.ts';

let world: CommandWorld;
beforeEach(async () => {
  world = await CommandWorld.make();
});
afterEach(() => world.close());

const edgeWords = ['edge', 'run', '--domain', 'edge.localhost', '--listen', '127.0.0.1:0', '--data', 'data', '--json'];

async function startEdge(): Promise<Started & { edge: string; pin: string }> {
  const started = world.start(edgeWords);
  const { edge, pin } = (await started.first) as { edge: string; pin: string };
  return { ...started, edge, pin };
}

const verb = (...words: string[]) => world.run(['edge', ...words, '--data', 'data', '--json']);

describe('mcp-tunnel edge and enroll', () => {
  it('enrols a machine once with a token, shows it, and cuts it off', async () => {
    const { edge, pin } = await startEdge();
    await world.run(['allow', 'add', 'edge', edge]);
    await verb('token', '--token-file', 'token.txt');
    expect((await stat(join(world.folder, 'token.txt'))).mode & 0o777).toBe(0o600);

    const enrolled = await world.run(['enroll', edge, '--pin', pin, '--token-file', 'token.txt', '--json']);
    expect(enrolled).toMatchObject({ code: 0, events: [{ event: 'enrolled', domain: 'edge.localhost' }] });
    const { connector } = enrolled.events[0] as { connector: string };
    const certificate = join(world.home, 'edges/edge.localhost.json');
    expect((await stat(certificate)).mode & 0o777).toBe(0o600);

    const again = await world.run(['enroll', edge, '--pin', pin, '--token-file', 'token.txt']);
    expect(again).toMatchObject({ code: 4, err: expect.stringContaining('not valid here') });
    expect((await verb('routes')).events).toMatchObject([{ event: 'connector', id: connector }]);
    expect(await verb('revoke', connector)).toMatchObject({ code: 0 });
    expect((await verb('routes')).events).toMatchObject([{ id: connector, revokedMs: expect.any(Number) }]);
    expect(await verb('revoke', 'f'.repeat(24))).toMatchObject({ code: 2, events: [{ code: 'NOT_FOUND' }] });
  });

  it('takes a token from standard input, and never shows it again', async () => {
    const { edge, pin } = await startEdge();
    await world.run(['allow', 'add', 'edge', edge, '--pin', pin]);
    const { token } = (await verb('token')).events[0] as { token: string };
    const ran = await world.run(['enroll', edge, '--pin', pin, '--token-file', '-'], { stdin: `${token}\n` });
    expect(ran.code).toBe(0);
    expect(ran.out + ran.err).not.toContain(token);
    expect(await readFile(join(world.folder, 'data/edge.json'), 'utf8')).not.toContain(token);
  });

  it('refuses an edge with another key, before the token is shown to it', async () => {
    const { edge } = await startEdge();
    await world.run(['allow', 'add', 'edge', edge]);
    const { token } = (await verb('token')).events[0] as { token: string };
    const wrong = ['enroll', edge, '--pin', `sha256/${'A'.repeat(43)}=`, '--token-file', '-', '--json'];
    expect(await world.run(wrong, { stdin: token })).toMatchObject({ code: 4, events: [{ code: 'EDGE_IDENTITY' }] });
    const unknown = ['enroll', edge, '--token-file', '-', '--json'];
    expect((await world.run(unknown, { stdin: token })).code).toBe(4);
    const { pin } = (await verb('token')).events[0] as { pin: string };
    expect((await world.run(['enroll', edge, '--pin', pin, '--token-file', '-'], { stdin: token })).code).toBe(0);
  });

  it('says that nothing answers at an edge that is down', async () => {
    const { child, ended, edge, pin } = await startEdge();
    await world.run(['allow', 'add', 'edge', edge]);
    const { token } = (await verb('token')).events[0] as { token: string };
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0 });
    const down = await world.run(['enroll', edge, '--pin', pin, '--token-file', '-', '--json'], { stdin: token });
    expect(down).toMatchObject({ code: 4, events: [{ code: 'EDGE_UNREACHABLE' }] });
  });

  it('is as it was after kill -9: same pin, same connectors, tokens still good, no stale socket in the way', async () => {
    const { child, ended, edge, pin } = await startEdge();
    await world.run(['allow', 'add', 'edge', edge]);
    const { token } = (await verb('token')).events[0] as { token: string };
    child.kill('SIGKILL');
    await ended;
    expect((await verb('routes')).code).toBe(0); // On the files, while it is down.
    const again = await startEdge();
    expect(again.pin).toBe(pin);
    await world.run(['allow', 'add', 'edge', again.edge]);
    const enroll = ['enroll', again.edge, '--pin', pin, '--token-file', '-'];
    expect(await world.run(enroll, { stdin: token })).toMatchObject({ code: 0 });
  });

  it('does not run twice on the same data, nor on a port that is taken', async () => {
    await startEdge();
    expect(await world.run(edgeWords)).toMatchObject({ code: 2, events: [{ event: 'error', code: 'CONFLICT' }] });
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((settle) => taken.once('listening', settle));
    const { port } = taken.address() as { port: number };
    const words = ['edge', 'run', '--domain', 'b.localhost', '--listen', `127.0.0.1:${port}`, '--data', 'b', '--json'];
    expect(await world.run(words)).toMatchObject({ code: 4, events: [{ event: 'error', code: 'PORT_IN_USE' }] });
    await new Promise((settle) => taken.close(settle));
  });
});
