import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../../../src/core/lifetime.ts';
import {
  connectControl,
  findHelpers,
  isHelperAlive,
  maxControlPeers,
  serveControl,
} from '../../../src/helper/controlSocket.ts';
import { statePaths, type StatePaths } from '../../../src/helper/statePaths.ts';
import type { Peer } from '../../../src/protocol/peer.ts';

type Echo = { requests: { echo: { params: { text: string }; result: string } }; notifications: Record<string, never> };
type Nothing = { requests: Record<string, never>; notifications: Record<string, never> };

let home: string;
let paths: StatePaths;
let lifetime: Lifetime;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'mcpt-'));
  paths = statePaths({ MCP_TUNNEL_HOME: home }, process.platform, home);
  lifetime = new Lifetime();
});
afterEach(async () => {
  await lifetime.close();
  await rm(home, { recursive: true });
});

async function serve(path: string): Promise<void> {
  lifetime.add(
    await serveControl<Echo, Nothing>(path, (peer) => {
      peer.handle('echo', ({ text }) => text);
    }),
  );
}

async function reach(path: string): Promise<Peer<Nothing, Echo>> {
  const peer = (await connectControl<Nothing, Echo>(path)).start();
  lifetime.defer(() => peer.close());
  return peer;
}

/** A socket file that nobody listens at any more, as a killed process leaves it. */
async function leaveStaleSocket(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const server = createServer().listen(`${path}.new`);
  await once(server, 'listening');
  await rename(`${path}.new`, path); // Closing removes the old name only.
  await new Promise((resolve) => server.close(resolve));
}

describe('controlSocket', () => {
  it('carries requests between two processes of the same user', async () => {
    const path = paths.helperSocket('one');
    await serve(path);
    const peer = await reach(path);
    expect(await peer.request('echo', { text: 'hällo\n' })).toBe('hällo\n');
  });

  it('lets only this user in: the socket is 0600 and its folder 0700', async () => {
    await mkdir(paths.runFolder, { recursive: true, mode: 0o755 });
    const path = paths.helperSocket('one');
    await serve(path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(paths.runFolder)).mode & 0o777).toBe(0o700);
  });

  it('works from a state folder too deep for a socket', async () => {
    const deep = statePaths({ MCP_TUNNEL_HOME: join(home, 'd'.repeat(120)) }, process.platform, home);
    lifetime.defer(() => rm(deep.helperSockets.folder, { recursive: true }));
    await serve(deep.helperSocket('one'));
    expect(await findHelpers(deep)).toEqual([deep.helperSocket('one')]);
  });

  it('finds the running helpers and removes the sockets of dead ones', async () => {
    expect(await findHelpers(paths)).toEqual([]);
    await serve(paths.helperSocket('one'));
    await serve(paths.helperSocket('two'));
    await leaveStaleSocket(paths.helperSocket('dead'));
    expect((await readdir(paths.runFolder)).length).toBe(3);
    expect((await findHelpers(paths)).toSorted()).toEqual(
      [paths.helperSocket('one'), paths.helperSocket('two')].toSorted(),
    );
    expect((await readdir(paths.runFolder)).length).toBe(2);
    expect(await isHelperAlive(paths, 'one')).toBe(true);
    expect(await isHelperAlive(paths, 'dead')).toBe(false);
  });

  it('takes the place of a dead process and refuses that of a live one', async () => {
    const path = paths.helperSocket('one');
    await leaveStaleSocket(path);
    await serve(path);
    await expect(serve(path)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await (await reach(path)).request('echo', { text: 'still here' })).toBe('still here');
  });

  it('says that nobody answers where no process listens', async () => {
    await expect(connectControl(paths.helperSocket('none'))).rejects.toMatchObject({ code: 'CLOSED' });
    await leaveStaleSocket(paths.helperSocket('dead'));
    await expect(connectControl(paths.helperSocket('dead'))).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('tells nothing to a socket in a folder that is a link to elsewhere', async () => {
    const elsewhere = join(home, 'elsewhere');
    await mkdir(elsewhere);
    await symlink(elsewhere, join(home, 'run'));
    await expect(serve(paths.helperSocket('one'))).rejects.toMatchObject({ code: 'STATE_UNWRITABLE' });
    await expect(connectControl(paths.helperSocket('one'))).rejects.toMatchObject({ code: 'STATE_UNWRITABLE' });
  });

  it('names the path when no socket can be made', async () => {
    await writeFile(join(home, 'run'), 'a file');
    const path = paths.helperSocket('one');
    await expect(serve(path)).rejects.toMatchObject({ code: 'STATE_UNWRITABLE', data: { path } });
    await rm(join(home, 'run'));
    if (process.getuid?.() !== 0) {
      await chmod(home, 0o500);
      await expect(serve(path)).rejects.toMatchObject({ code: 'STATE_UNWRITABLE' });
      await chmod(home, 0o700);
    }
  });

  it('closes without waiting for a peer that never reads, and removes its file', async () => {
    const path = paths.helperSocket('one');
    const served = await serveControl<Echo, Nothing>(path, (peer) => peer.handle('echo', ({ text }) => text));
    const deaf = connect(path);
    await once(deaf, 'connect');
    deaf.pause();
    deaf.write(
      `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'echo', params: { text: 'x'.repeat(4_000_000) } })}\n`,
    );
    await served.close();
    await served.close();
    deaf.destroy();
    expect(await readdir(paths.runFolder)).toEqual([]);
  });

  it('lives on through garbage and through a peer that leaves in the middle of a line', async () => {
    const path = paths.helperSocket('one');
    await serve(path);
    const rude = connect(path);
    await once(rude, 'connect');
    rude.write('{"jsonrpc":"2.0","id":1,"method":\n\u0000\u0001garbage\n[1,2]\nnull\n{"half');
    rude.destroy();
    expect(await (await reach(path)).request('echo', { text: 'fine' })).toBe('fine');
  });

  it(`takes at most ${maxControlPeers} peers at once`, async () => {
    const path = paths.helperSocket('one');
    await serve(path);
    const peers = await Promise.all(Array.from({ length: maxControlPeers }, () => reach(path)));
    await Promise.all(peers.map((peer) => peer.request('echo', { text: 'x' })));
    const oneMore = await reach(path);
    await expect(oneMore.request('echo', { text: 'x' })).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
