// What a person agreed to is what runs, and nothing else: every change of it is asked about again.
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { Consents } from '../../../src/helper/consents.ts';
import { EditedCommands } from '../../../src/helper/editedCommands.ts';
import { ServerResolver } from '../../../src/helper/serverResolver.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

type Definition = { command?: string; args?: string[]; env?: Record<string, string>; cwd?: string; url?: string };

const definition: Definition = { command: 'server', args: ['--stdio'], env: { MODE: 'a' } };

/** A workspace with one server in its file, and folders with programs beside it. */
async function workspace({ trusted = true } = {}) {
  const folder = await temporaryFolder();
  const bin = await temporaryFolder();
  const earlier = await temporaryFolder();
  const define = async (server: Definition): Promise<void> => {
    await mkdir(join(folder, '.vscode'), { recursive: true });
    await writeFile(join(folder, '.vscode', 'mcp.json'), JSON.stringify({ servers: { it: server } }));
  };
  const install = async (into: string): Promise<string> => {
    await writeFile(join(into, 'server'), '#!/bin/sh\n');
    await chmod(join(into, 'server'), 0o755);
    return join(into, 'server');
  };
  await define(definition);
  const program = await install(bin);
  const consents = new MemoryFiles();
  const resolver = new ServerResolver({
    env: { PATH: `${folder}:${earlier}:${bin}` },
    consents: new Consents(consents, '/consents.json'),
    commands: new EditedCommands(new MemoryFiles(), '/commands.json'),
    trusted,
  });
  const [found] = (await resolver.list([folder])).servers;
  const id = found?.id ?? '';
  const open = async (consent?: string) =>
    resolver.requireConsent(await resolver.resolve({ id, folders: [folder] }), consent);
  return { folder, bin, earlier, program, define, install, resolver, id, open, consents };
}

async function refused(promise: Promise<unknown>): Promise<TunnelError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TunnelError);
  return error as TunnelError;
}

describe('a server of the workspace', () => {
  it('does not run before a person has seen its plan and agreed to it', async () => {
    const { open, program, folder } = await workspace();
    for (const consent of [undefined, '', 'guessed']) {
      const error = await refused(open(consent));
      expect(error.code).toBe('CONSENT_REQUIRED');
      expect(error.data).not.toHaveProperty('previous');
      expect(error.data?.['plan']).toMatchObject({
        command: program,
        args: ['--stdio'],
        envNames: ['MODE'],
        cwd: folder,
      });
      expect(JSON.stringify(error.data)).not.toContain('"a"');
    }
  });

  it('runs after that without being asked about again', async () => {
    const { open, resolver, id, folder, program } = await workspace();
    const { plan, agreed } = await resolver.plan(id, [folder]);
    expect(agreed).toBe(false);
    expect(await open(plan.hash)).toMatchObject({ transport: { command: program }, agreedNow: plan });
    expect(await open()).not.toHaveProperty('agreedNow');
    expect(await resolver.plan(id, [folder])).toEqual({ plan, agreed: true });
  });

  it.each<[string, Definition]>([
    ['command', { ...definition, command: '/bin/sh' }],
    ['arguments', { ...definition, args: ['--stdio', '--evil'] }],
    ['order of arguments', { ...definition, args: ['x', '--stdio'] }],
    ['name of a variable', { ...definition, env: { MODE2: 'a' } }],
    ['value of a variable', { ...definition, env: { MODE: 'b' } }],
    ['added variable', { ...definition, env: { MODE: 'a', NODE_OPTIONS: '--require ./x' } }],
    ['folder', { ...definition, cwd: '/' }],
    ['kind', { url: 'http://127.0.0.1:3000/mcp' }],
  ])('with another %s is asked about again, with what was agreed to before', async (_what, changed) => {
    const { open, resolver, id, folder, define } = await workspace();
    const { plan } = await resolver.plan(id, [folder]);
    await open(plan.hash);
    await define(changed);
    const error = await refused(open());
    expect([error.code, error.data?.['previous']]).toEqual(['CONSENT_REQUIRED', plan]);
    const asked = await resolver.plan(id, [folder]);
    expect(asked).toMatchObject({ agreed: false, previous: plan });
    // The old agreement does not count for the new plan, even when it is presented.
    expect((await refused(open(plan.hash))).code).toBe('CONSENT_REQUIRED');
    expect((await open(asked.plan.hash)).agreedNow?.hash).toBe(asked.plan.hash);
  });

  it('whose file is swapped between the question and the answer does not run', async () => {
    const { open, resolver, id, folder, define } = await workspace();
    const { plan } = await resolver.plan(id, [folder]);
    await define({ ...definition, args: ['--evil'] });
    const error = await refused(open(plan.hash));
    expect(error.code).toBe('CONSENT_REQUIRED');
    expect(error.data).toMatchObject({ plan: { args: ['--evil'] } });
  });

  it('whose name finds another program since the question does not run', async () => {
    const { open, resolver, id, folder, install, earlier } = await workspace();
    const { plan } = await resolver.plan(id, [folder]);
    await open(plan.hash);
    const other = await install(earlier);
    const error = await refused(open());
    expect(error).toMatchObject({ code: 'CONSENT_REQUIRED', data: { plan: { command: other } } });
  });

  it('is the program that was agreed to, whatever its name finds later', async () => {
    const { open, resolver, id, folder, program, install, earlier } = await workspace();
    const { plan } = await resolver.plan(id, [folder]);
    const { transport } = await open(plan.hash);
    await install(earlier);
    expect(transport).toMatchObject({ command: program });
  });

  it('is never a program that the workspace brings along', async () => {
    const { open, resolver, id, folder, install, program } = await workspace();
    await install(folder);
    const { plan } = await resolver.plan(id, [folder]);
    expect(plan.command).toBe(program);
    expect((await open(plan.hash)).transport).toMatchObject({ command: program });
  });

  it('is gone when its file no longer has it, and says so', async () => {
    const { open, resolver, folder } = await workspace();
    await writeFile(join(folder, '.vscode', 'mcp.json'), '{"servers":{}}');
    expect((await refused(open())).code).toBe('NOT_FOUND');
    expect((await refused(resolver.plan('other', [folder]))).code).toBe('NOT_FOUND');
  });

  it('with a problem says which', async () => {
    const { open, define } = await workspace();
    await define({ ...definition, args: ['${input:key}'] });
    const error = await refused(open());
    expect([error.code, error.message]).toEqual(['CONFIG_INVALID', expect.stringContaining('needs input')]);
  });
});

describe('an untrusted workspace', () => {
  it('runs nothing, agreed to or not, until it is trusted, and nothing after it no longer is', async () => {
    const { open, resolver, id, folder } = await workspace({ trusted: false });
    const { plan } = await resolver.plan(id, [folder]);
    expect((await refused(open(plan.hash))).code).toBe('UNTRUSTED_WORKSPACE');
    resolver.trusted = true;
    // The refused attempt left no agreement behind.
    expect((await refused(open())).code).toBe('CONSENT_REQUIRED');
    await open(plan.hash);
    resolver.trusted = false;
    expect((await refused(open())).code).toBe('UNTRUSTED_WORKSPACE');
  });
});

describe('a server that is given whole', () => {
  const transport = { kind: 'http', url: 'http://127.0.0.1:1/mcp', headers: {} } as const;

  it('needs no agreement, and has the same id as long as it is the same', async () => {
    const { resolver } = await workspace({ trusted: false });
    const [first, second, other] = await Promise.all([
      resolver.resolve({ inline: { name: 'a', transport } }),
      resolver.resolve({ inline: { name: 'b', transport } }),
      resolver.resolve({ inline: { name: 'a', transport: { ...transport, url: 'http://127.0.0.1:2/mcp' } } }),
    ]);
    expect(first.id).toBe(second.id);
    expect(first.id).not.toBe(other.id);
    expect(await resolver.requireConsent(first, undefined)).toEqual({ transport });
  });
});

describe('a server whose file asks for something', () => {
  it('runs with the answers, and is asked about again when they change', async () => {
    const { folder, resolver, program } = await workspace();
    const file = join(folder, '.vscode', 'mcp.json');
    const inputs = [{ type: 'promptString', id: 'key', password: true }];
    const server = { command: 'server', env: { KEY: '${input:key}' } };
    await writeFile(file, JSON.stringify({ inputs, servers: { it: server } }));
    const found = async () => (await resolver.list([folder])).servers[0]!;
    expect((await found()).needs).toEqual([{ id: 'key', password: true }]);
    const { id } = await found();
    const resolved = () => resolver.resolve({ id, folders: [folder] });
    expect((await refused(resolved())).code).toBe('CONFIG_INVALID');

    resolver.answer(file, [{ id: 'key', value: 'hunter2', password: true }]);
    expect(await found()).not.toHaveProperty('problem');
    expect(await resolved()).toMatchObject({ transport: { command: 'server', env: { KEY: 'hunter2' } } });
    expect(resolver.secretAnswers()).toEqual(['hunter2']);
    const { plan } = await resolver.plan(id, [folder]);
    expect(plan.command).toBe(program);
    expect(JSON.stringify(plan)).not.toContain('hunter2');
    await resolver.requireConsent(await resolved(), plan.hash);
    expect((await resolver.plan(id, [folder])).agreed).toBe(true);

    resolver.answer(file, [{ id: 'key', value: 'another', password: true }]);
    expect((await resolver.plan(id, [folder])).agreed).toBe(false);
  });

  it('has no command that a person could edit where its file declares one', async () => {
    const { resolver, id, folder } = await workspace();
    const error = await refused(resolver.editCommand(id, [folder], { command: 'other', args: [] }));
    expect(error.code).toBe('USAGE');
  });
});

describe('a password that was asked for', () => {
  const secret = 'hunter2-hunter2';

  it('is what runs, and stands in no list, plan, refusal, agreement or problem', async () => {
    const { resolver, folder, program, open, id, consents } = await workspace();
    const file = join(folder, '.vscode', 'mcp.json');
    const asked = { command: 'server', args: ['--key=${input:key}'], env: { KEY: '${input:key}' } };
    const inputs = [{ id: 'key', type: 'promptString', description: 'Key', password: true }];
    await writeFile(file, JSON.stringify({ servers: { it: asked }, inputs }));
    resolver.answer(file, [{ id: 'key', value: secret, password: true }]);
    const error = await refused(open());
    const { plan } = error.data as { plan: { hash: string; args: string[] } };
    expect(plan.args).toEqual(['--key=***']);
    const agreed = await open(plan.hash);
    expect(agreed.transport).toMatchObject({ command: program, args: [`--key=${secret}`], env: { KEY: secret } });
    expect(await open()).toMatchObject({ transport: { args: [`--key=${secret}`] } });
    const shown = [error, agreed.agreedNow, await resolver.list([folder]), await resolver.plan(id, [folder])];
    expect(JSON.stringify([shown, error.data, [...consents.texts.values()]])).not.toContain(secret);
    await writeFile(file, JSON.stringify({ servers: { it: { ...asked, envFile: '/${input:key}' } }, inputs }));
    const problem = await refused(resolver.resolve({ id, folders: [folder] }));
    expect(problem).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('/***') });
    expect(JSON.stringify(await resolver.list([folder]))).not.toContain(secret);
  });
});
