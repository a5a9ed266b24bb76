import { randomBytes } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { TunnelError } from '../../../src/core/errors.ts';
import { Lifetime } from '../../../src/core/lifetime.ts';
import { serveControl } from '../../../src/helper/controlSocket.ts';
import { PrivateFileStore } from '../../../src/helper/privateFiles.ts';
import { GrantStore } from '../../../src/identity/grants.ts';
import type { DriverContract, GrantInfo, HelperContract } from '../../../src/protocol/control.ts';
import { World } from './world.ts';

let world: World;
let lifetime: Lifetime;
beforeEach(async () => {
  world = await World.make();
  lifetime = new Lifetime();
});
afterEach(async () => {
  await lifetime.close();
  await world.close();
});

async function store(): Promise<GrantStore> {
  const files = new PrivateFileStore();
  const grants = lifetime.add(new GrantStore({ files, path: world.paths.grants, clock: systemClock, randomBytes }));
  await grants.load();
  return grants;
}
const kindOf = async (token: unknown) => (await store()).authenticate(`Bearer ${String(token)}`, 'any').kind;
const first = (ran: { events: Record<string, unknown>[] }) => ran.events[0] as { grant: GrantInfo; token: string };

describe('agents', () => {
  it('adds one that is let in, with its scope and expiry, and prints the token once', async () => {
    const { grant, token } = first(
      await world.run(['agents', 'add', 'claude', '--tools', 'get-*', '--read-only', '--expires', '1h', '--json']),
    );
    expect(grant.scope).toEqual({ servers: ['*'], tools: ['get-*'], readOnly: true });
    expect(grant.expiresMs - grant.createdMs).toBeLessThanOrEqual(3_600_000);
    expect(await kindOf(token)).toBe('principal');
    const { out } = await world.run(['agents', 'list']);
    expect(out).toContain('claude');
    expect(out).not.toContain(token);
    expect(await readFile(world.paths.grants, 'utf8')).not.toContain(token);
  });

  it('writes the token to a file that only this user can read, and then not to stdout', async () => {
    await writeFile(join(world.folder, 'token.txt'), 'old', { mode: 0o644 });
    const ran = await world.run(['agents', 'add', 'claude', '--token-file', 'token.txt', '--json']);
    const token = (await readFile(join(world.folder, 'token.txt'), 'utf8')).trim();
    expect(await kindOf(token)).toBe('principal');
    expect((await stat(join(world.folder, 'token.txt'))).mode & 0o777).toBe(0o600);
    expect(ran.out + ran.err).not.toContain(token);
  });

  it('binds one to servers that are defined here', async () => {
    await writeFile(join(world.folder, '.mcp.json'), '{"mcpServers":{"a":{"command":"x"}}}');
    const [server] = (await world.run(['servers', '--json'])).events;
    const { grant } = first(await world.run(['agents', 'add', 'claude', '--server', 'a', '--json']));
    expect(grant.scope.servers).toEqual([server?.['id']]);
    expect(await world.run(['agents', 'add', 'x', '--server', 'none'])).toMatchObject({ code: 2 });
    await mkdir(join(world.folder, '.cursor'));
    await writeFile(join(world.folder, '.cursor/mcp.json'), '{"mcpServers":{"a":{"command":"y"}}}');
    const twice = await world.run(['agents', 'add', 'x', '--server', 'a']);
    expect(twice).toMatchObject({ code: 2, err: expect.stringContaining('name it by its id') });
  });

  it('rotates and revokes by name or id', async () => {
    const { grant, token } = first(await world.run(['agents', 'add', 'claude', '--json']));
    const rotated = first(await world.run(['agents', 'rotate', 'claude', '--overlap', '1ms', '--json']));
    expect(await kindOf(rotated.token)).toBe('principal');
    expect(await kindOf(token)).toBe('refused');
    expect(await world.run(['agents', 'revoke', grant.id])).toMatchObject({ code: 0 });
    expect(await kindOf(rotated.token)).toBe('refused');
    expect(await world.run(['agents', 'rotate', 'claude'])).toMatchObject({ code: 2 });
    expect((await world.run(['agents', 'list', '--all'])).out).toContain('revoked');
  });

  it('gives what is named of tools, prompts, resources and methods', async () => {
    const words = ['--tools', 'echo', 'get-*', '--prompts', 'p', '--resources', 'file:///a', '--methods', '*'];
    const { grant } = first(await world.run(['agents', 'add', 'claude', ...words, '--json']));
    expect(grant.scope).toEqual({
      servers: ['*'],
      tools: ['echo', 'get-*'],
      prompts: ['p'],
      resources: ['file:///a'],
      methods: ['*'],
    });
    const { out } = await world.run(['agents', 'list']);
    expect(out).toContain('tools echo get-*, prompts p, resources file:///a, methods *');
  });

  describe('change', () => {
    const scopeAfter = async (...words: string[]) => {
      const ran = await world.run(['agents', 'change', 'claude', ...words, '--json']);
      expect(ran).toMatchObject({ code: 0, events: [{ event: 'changed' }] });
      return first(ran).grant.scope;
    };

    it('puts each list that is named in place of the old, and leaves the others', async () => {
      await world.run(['agents', 'add', 'claude', '--tools', 'echo', '--prompts', 'p', '--read-only']);
      const servers = ['*'];
      expect(await scopeAfter('--tools', 'a', 'b')).toEqual({
        servers,
        tools: ['a', 'b'],
        prompts: ['p'],
        readOnly: true,
      });
      expect(await scopeAfter('--no-read-only')).toEqual({ servers, tools: ['a', 'b'], prompts: ['p'] });
      expect(await scopeAfter('--all', '--read-only')).toEqual({ servers, readOnly: true });
      expect(await scopeAfter('--all', '--resources', 'a:*')).toEqual({ servers, resources: ['a:*'], readOnly: true });
      expect(await scopeAfter('--all', '--no-read-only')).toEqual({ servers });
    });

    it('moves the end, and keeps the token', async () => {
      const { grant, token } = first(await world.run(['agents', 'add', 'claude', '--tools', 'echo', '--json']));
      const changed = first(await world.run(['agents', 'change', grant.id, '--expires', '1h', '--json'])).grant;
      expect(changed.expiresMs).toBeLessThan(grant.expiresMs);
      expect(changed.scope).toEqual(grant.scope);
      expect(await kindOf(token)).toBe('principal');
    });

    it('names other servers', async () => {
      await writeFile(join(world.folder, '.mcp.json'), '{"mcpServers":{"a":{"command":"x"}}}');
      await world.run(['agents', 'add', 'claude', '--read-only']);
      const [server] = (await world.run(['servers', '--json'])).events;
      expect(await scopeAfter('--server', 'a')).toEqual({ servers: [server?.['id']], readOnly: true });
      expect((await world.run(['agents', 'list'])).out).toMatch(/claude +g_\w+ +a +any, read only/);
    });

    it('says what is missing, and what has ended', async () => {
      await world.run(['agents', 'add', 'claude']);
      const nothing = await world.run(['agents', 'change', 'claude']);
      expect(nothing).toMatchObject({ code: 2, err: expect.stringContaining('agents change --help') });
      await world.run(['agents', 'revoke', 'claude']);
      const ended = await world.run(['agents', 'change', 'claude', '--read-only']);
      expect(ended).toMatchObject({ code: 2, err: expect.stringContaining('has ended') });
    });
  });

  it('lists those that may call, counts those that have ended, and shows them when asked', async () => {
    await world.run(['agents', 'add', 'old']);
    await world.run(['agents', 'revoke', 'old']);
    expect((await world.run(['agents', 'list'])).out).toMatch(/No agent may call; .+\n1 that has ended: /);
    await world.run(['agents', 'add', 'claude']);
    const { out } = await world.run(['agents', 'list']);
    expect(out).toMatch(/claude.+left\n1 that has ended: “mcp-tunnel agents list --all”\.\n$/);
    expect(out).not.toContain('revoked');
    expect((await world.run(['agents', 'list', '--all'])).out).toMatch(/claude.+left\nold.+revoked/);
    expect((await world.run(['agents', 'list', '--json'])).events).toHaveLength(2);
  });

  it('says when a name is taken, so that the id has to be used', async () => {
    expect((await world.run(['agents', 'add', 'claude'])).err).not.toContain('that name');
    const { code, err } = await world.run(['agents', 'add', 'claude']);
    expect(code).toBe(0);
    expect(err).toMatch(/Another agent has that name, too: .+ by its id, g_\w+\./);
  });

  it('does not say that what went into a file was shown', async () => {
    const { out, err } = await world.run(['agents', 'add', 'claude', '--token-file', 't']);
    expect([out, err]).toEqual(['The token is in t.\n', '“claude” may call for 7d.\n']);
  });

  it('says how long a name may be', async () => {
    const { code, err } = await world.run(['agents', 'add', 'x'.repeat(65)]);
    expect(code).toBe(2);
    expect(err).toContain('has to have 1 to 64 characters');
  });

  it('asks which, when a name is not enough, and prefers the one that is still let in', async () => {
    const one = first(await world.run(['agents', 'add', 'claude', '--json'])).grant;
    const two = first(await world.run(['agents', 'add', 'claude', '--json'])).grant;
    const { code, err } = await world.run(['agents', 'revoke', 'claude']);
    expect(code).toBe(2);
    expect(err).toContain(`${one.id}, ${two.id}`);
    await world.run(['agents', 'revoke', one.id]);
    expect(await world.run(['agents', 'revoke', 'claude'])).toMatchObject({ code: 0 });
    expect(await world.run(['agents', 'revoke', 'nobody'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('nobody'),
    });
  });

  it('names a grants file that is damaged and leaves it alone', async () => {
    await mkdir(world.paths.home, { recursive: true });
    await writeFile(world.paths.grants, '{"version":1,"grants":[{}');
    const { code, err } = await world.run(['agents', 'add', 'claude']);
    expect(code).toBe(2);
    expect(err).toContain(world.paths.grants);
    expect(await readFile(world.paths.grants, 'utf8')).toBe('{"version":1,"grants":[{}');
  });

  it('asks a running helper', async () => {
    const asked: string[] = [];
    const grants = await store();
    lifetime.add(
      await serveControl<HelperContract, DriverContract>(world.paths.helperSocket('one'), (peer) => {
        peer.handle('hello', ({ folders, trusted }) => {
          asked.push(`hello ${trusted} ${folders.length}`);
          return { version: 1, helperId: 'one', product: 'test', pid: 1, home: world.paths.home };
        });
        peer.handle('grants/list', () => ({ grants: grants.list() }));
        peer.handle('grants/add', (params) => {
          asked.push('add');
          return grants.add(params);
        });
      }),
    );
    const { token } = first(await world.run(['agents', 'add', 'claude', '--json']));
    expect(asked).toEqual(['hello false 0', 'add']);
    expect(grants.authenticate(`Bearer ${token}`, 'any').kind).toBe('principal');
  });

  it('works on the file when the helper it finds is of another version', async () => {
    lifetime.add(
      await serveControl<HelperContract, DriverContract>(world.paths.helperSocket('one'), (peer) => {
        peer.handle('hello', () => {
          throw new TunnelError('USAGE', 'another version');
        });
      }),
    );
    const { token } = first(await world.run(['agents', 'add', 'claude', '--json']));
    expect(await kindOf(token)).toBe('principal');
  });
});
