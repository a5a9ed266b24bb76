// Rules as a driver sees and changes them, with the reference server behind the tunnel.
import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { ServerTransport } from '../../src/core/server.ts';
import type { ToolVerdict } from '../../src/protocol/control.ts';
import { everythingPath } from '../support/command.ts';
import { aHelper, type HelperWorld } from '../support/helper.ts';
import { expectNothingLeft } from '../support/leaks.ts';

const hour = 3_600_000;
const wide = { methods: ['*'], tools: ['*'], prompts: ['*'], resources: ['*'] };

type World = HelperWorld & { tunnel: string; server: string };

async function everything(policy: object = {}): Promise<World> {
  expectNothingLeft();
  const here = await aHelper();
  await here.writePolicy(policy);
  const args = [everythingPath, 'stdio'];
  const transport: ServerTransport = { kind: 'stdio', command: process.execPath, args, env: {}, cwd: '/' };
  const { tunnel } = await here.open({
    server: { inline: { name: 'everything', transport } },
    grant: { name: 'claude', scope: {}, expiresMs: Date.now() + hour },
  });
  return { ...here, tunnel: tunnel.id, server: tunnel.server.id };
}

const verdicts = async ({ peer, tunnel }: World, tool: string): Promise<Record<string, ToolVerdict>> => {
  const { tools, agents } = await peer.request('rules/tools', { tunnel });
  const row = tools.find(({ name }) => name === tool);
  return Object.fromEntries(agents.map(({ name }, at) => [name, row!.verdicts[at]!]));
};

describe('rules/tools', () => {
  it('lists each tool of the server itself with what every live agent may do', async () => {
    const here = await everything({ agents: { '*': { ...wide, deny: ['get-env'] }, 'ci bot': { tools: ['echo'] } } });
    const add = (name: string, servers: string[], scope: object, lastsMs = hour) =>
      here.peer.request('grants/add', { name, servers, scope, expiresMs: Date.now() + lastsMs });
    await add('ci bot', ['*'], {});
    await add('reader', [here.server], { readOnly: true, tools: ['*'] });
    await add('elsewhere', ['another'], {});
    const gone = await add('gone', ['*'], {});
    await here.peer.request('grants/revoke', { id: gone.grant.id });

    const rules = await here.peer.request('rules/tools', { tunnel: here.tunnel });
    expect(rules.agents.map(({ name, readOnly }) => [name, readOnly])).toEqual([
      ['claude', false],
      ['ci bot', false],
      ['reader', true],
    ]);
    expect(rules.tools.length).toBeGreaterThan(8);
    const allowed = { kind: 'allowed' };
    expect(await verdicts(here, 'echo')).toMatchObject({
      claude: allowed,
      'ci bot': allowed,
      reader: { kind: rules.tools.find(({ name }) => name === 'echo')!.readOnly ? 'allowed' : 'denied' },
    });
    expect(await verdicts(here, 'get-env')).toMatchObject({
      claude: { kind: 'denied', because: 'rule', rule: 'user agents["*"].deny[0]' },
      'ci bot': { kind: 'denied', because: 'rule', rule: 'user agents["*"].deny[0]' },
    });
    expect(rules.unknownNames).toEqual([]);
  });

  it('names what the server does not have', async () => {
    const here = await everything({ agents: { '*': { ...wide, tools: ['ecoh', 'echo', '*'] } } });
    const expiresMs = Date.now() + hour;
    await here.peer.request('grants/add', { name: 'x', servers: ['*'], scope: { tools: ['get-smu'] }, expiresMs });
    const { unknownNames } = await here.peer.request('rules/tools', { tunnel: here.tunnel });
    expect(unknownNames).toEqual([
      { rule: 'user agents["*"].tools[0]', name: 'ecoh' },
      { rule: 'grant "x" tools[0]', name: 'get-smu' },
    ]);
  });

  it('is the owner’s own call, which the log holds with how it went', async () => {
    const here = await everything();
    await Promise.all([here.tunnel, here.tunnel].map((tunnel) => here.peer.request('rules/tools', { tunnel })));
    const log = await here.audit();
    const calls = log.filter(({ kind }) => kind === 'call');
    expect(calls).toMatchObject([{ method: 'tools/list', principal: { name: 'owner' }, decision: 'allow' }]);
    expect(log).toContainEqual(
      expect.objectContaining({ kind: 'outcome', exchange: calls[0]!['exchange'], status: 'ok' }),
    );
  });

  it('says when there is no such tunnel', async () => {
    const here = await aHelper();
    await expect(here.peer.request('rules/tools', { tunnel: 'none' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('rules/edit', () => {
  it('denies and allows a tool at once, and is written down', async () => {
    const here = await everything({ agents: { '*': wide } });
    const edit = { agent: 'claude', tool: 'echo' };
    const { file } = await here.peer.request('rules/edit', { ...edit, access: 'denied' });
    expect(file).toBe(here.paths.userPolicy);
    expect((await verdicts(here, 'echo'))['claude']).toMatchObject({ rule: 'user agents["claude"].deny[0]' });
    await here.peer.request('rules/edit', { ...edit, access: 'allowed' });
    expect((await verdicts(here, 'echo'))['claude']).toEqual({ kind: 'allowed' });
    expect((await here.audit()).filter(({ event }) => event === 'edited')).toMatchObject([
      { kind: 'policy', entry: JSON.stringify({ ...edit, access: 'denied' }), file },
      { kind: 'policy', entry: JSON.stringify({ ...edit, access: 'allowed' }), file },
    ]);
  });

  it('says that a writing tool stays refused while access is read-only, once the server has said what it does', async () => {
    const here = await everything({ agents: { '*': { ...wide, readOnly: true } } });
    const { tools } = await here.peer.request('rules/tools', { tunnel: here.tunnel });
    const writing = tools.find(({ readOnly }) => !readOnly)!.name;
    const allowing = here.peer.request('rules/edit', { agent: 'claude', tool: writing, access: 'allowed' });
    await expect(allowing).rejects.toMatchObject({ code: 'CONFLICT', data: { rule: 'user agents["*"].readOnly' } });
  });

  it('names the managed file that forbids it', async () => {
    const here = await aHelper();
    const agents = { '*': { ...wide, deny: ['echo'] } };
    await writeFile(here.paths.managedPolicy, JSON.stringify({ version: 1, agents }));
    const other = await aHelper({ home: here.home });
    const allowing = other.peer.request('rules/edit', { agent: 'claude', tool: 'echo', access: 'allowed' });
    await expect(allowing).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('administrator') as string,
      data: { file: here.paths.managedPolicy, rule: 'managed agents["*"].deny[0]' },
    });
  });

  it('refuses a name that would be a pattern', async () => {
    const here = await aHelper();
    const edit = here.peer.request('rules/edit', { agent: '*', tool: 'get-*', access: 'denied' });
    await expect(edit).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('pattern') as string });
  });
});
