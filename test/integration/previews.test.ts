// Servers are looked at before they are exposed: real ones of both eras over stdio and HTTP, and such as try to hurt who
// looks. Whatever they do, nothing of them is left running.
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encode } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ServerTransport } from '../../src/core/server.ts';
import { askOffer, offerLimits } from '../../src/gateway/askOffer.ts';
import { levelOf, type Finding } from '../../src/mcp/preview/finding.ts';
import type { PreviewTool, ServerPreview } from '../../src/mcp/preview/preview.ts';
import type { HelperRequests } from '../../src/protocol/control.ts';
import { StdioUpstream } from '../../src/upstream/stdioUpstream.ts';
import { bothErasCommand, startBothEras } from '../support/bothEras.ts';
import { everythingPath, root } from '../support/command.ts';
import { FakeClock } from '../support/fakeClock.ts';
import { aHelper, type HelperWorld } from '../support/helper.ts';
import { CountingClock, expectNothingLeft } from '../support/leaks.ts';
import { withInstallMs } from '../support/peerTools.ts';
import { childrenOf, processes } from '../support/processes.ts';
import { anSseServer } from '../support/sdkServers.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';
import { until } from '../support/until.ts';
import { servers as matrix } from '../matrix/servers.ts';

type Wanted = HelperRequests['servers/preview']['params'];

const oddServer = join(root, 'test/fixtures/oddServer.mjs');
const command = ([file = '', ...args]: string[], env: Record<string, string> = {}): ServerTransport => ({
  kind: 'stdio',
  command: file,
  args,
  env,
  cwd: '/',
});
const odd = (...words: string[]): ServerTransport => command([process.execPath, oddServer, ...words]);
const inline = (transport: ServerTransport, name = 'fixture'): Wanted => ({ server: { inline: { name, transport } } });

async function look(world: HelperWorld, wanted: Wanted, signal?: AbortSignal): Promise<ServerPreview> {
  return (await world.peer.request('servers/preview', wanted, signal)).preview;
}

function tools({ tools: list }: ServerPreview): PreviewTool[] {
  if (list.kind !== 'listed') throw new Error(`the tools are ${list.kind}`);
  return list.items;
}

const suspicious = (findings: Finding[]): Finding[] => findings.filter((finding) => levelOf(finding) === 'suspicious');
const isRunning = async (word: string): Promise<boolean> =>
  (await processes()).some(({ command: line }) => line.includes(word));

describe('real servers', () => {
  it.each(matrix.map(({ name, start }) => [name, start] as const))(
    '%s: what it offers is listed, and none of it looks like poisoning',
    async (_name, start) => {
      const world = await aHelper();
      const { words, env = {} } = await start();
      const transport: ServerTransport =
        words[0] === '--url' ? { kind: 'http', url: words[1]!, headers: {} } : command(words.slice(1), env);
      const preview = await look(world, inline(transport));
      const listed = tools(preview);
      expect(listed.length).toBeGreaterThan(0);
      const lists = [preview.tools, preview.prompts, preview.resources, preview.templates];
      expect(lists.map(({ kind }) => kind)).not.toContain('failed');
      const items = lists.flatMap((list): { findings: Finding[] }[] => (list.kind === 'listed' ? list.items : []));
      expect(suspicious([...preview.findings, ...items.flatMap(({ findings }) => findings)])).toEqual([]);
      const sent = listed.map(
        ({ name, definition: { description = '', inputSchema = {} } }) =>
          encode(JSON.stringify({ name, description, parameters: inputSchema })).length,
      );
      const exact = sent.reduce((sum, tokens) => sum + tokens, 0);
      expect(preview.tokens / exact).toBeGreaterThan(0.9);
      expect(preview.tokens / exact).toBeLessThan(1.1);
    },
    withInstallMs,
  );

  it('names server, era and every kind of what server-everything offers, and ends it', async () => {
    const clock = new CountingClock();
    expectNothingLeft(clock);
    const world = await aHelper({ clock });
    const preview = await look(world, inline(command([process.execPath, everythingPath, 'stdio'])));
    expect(preview).toMatchObject({ era: 'legacy', revision: '2025-11-25', server: { name: expect.any(String) } });
    expect(tools(preview).map(({ name }) => name)).toEqual(expect.arrayContaining(['echo', 'get-sum']));
    const [prompts, resources, templates] = [preview.prompts, preview.resources, preview.templates];
    for (const list of [prompts, resources, templates]) {
      expect(list).toMatchObject({
        kind: 'listed',
        items: expect.arrayContaining([expect.objectContaining({ findings: [] })]),
      });
    }
    await world.host.stop();
    expect(
      (await processes()).filter(
        ({ parent, command: line }) => parent === process.pid && line.includes(everythingPath),
      ),
    ).toEqual([]);
  });

  it.each([
    ['stdio', async () => command(bothErasCommand('--era', 'modern'))],
    ['http', async () => ({ kind: 'http', url: (await startBothEras(['--era', 'modern'])).url, headers: {} }) as const],
  ])('speaks the modern era with a server over %s that knows no other', async (_kind, transport) => {
    const world = await aHelper();
    const preview = await look(world, inline(await transport()));
    expect(preview).toMatchObject({
      era: 'modern',
      revision: '2026-07-28',
      server: { name: 'both-eras', version: '1.0.0' },
      instructions: 'Answers what the conformance suites ask.',
    });
    expect(tools(preview).length).toBeGreaterThan(5);
    expect(preview.prompts.kind).toBe('listed');
    // Nothing of it has a session whose end would end it.
    expect(await childrenOf(process.pid, '--stdio --era modern')).toEqual([]);
  });

  it('asks a server that speaks only HTTP+SSE', async () => {
    const world = await aHelper();
    const { port } = await anSseServer();
    const preview = await look(world, inline({ kind: 'http', url: `http://localhost:${port}/sse`, headers: {} }));
    expect(tools(preview).map(({ name }) => name)).toEqual(['echo', 'slow', 'ask']);
    expect(preview.prompts.kind).toBe('absent');
  });

  it('says why where nothing listens', async () => {
    const world = await aHelper();
    await expect(
      look(world, inline({ kind: 'http', url: 'http://127.0.0.1:9/mcp', headers: {} })),
    ).rejects.toMatchObject({
      code: 'UPSTREAM_UNREACHABLE',
    });
  });
});

describe('hostile servers', () => {
  const ended = (): Promise<unknown> => until(async () => !(await isRunning(oddServer)), 10_000);

  it('shows what is poisoned, tool by tool, and leaves the good one alone', async () => {
    const world = await aHelper();
    const preview = await look(world, inline(odd('poisoned')));
    const rules = tools(preview).map(({ name, findings }) => [name, findings.map(({ rule }) => rule)]);
    expect(rules).toEqual([
      ['add', expect.arrayContaining(['hides-from-user', 'poses-as-instructions', 'reads-secrets'])],
      [
        'send_mаil',
        expect.arrayContaining([
          'look-alike-letters',
          'hidden-characters',
          'overrides-instructions',
          'read-only-and-destructive',
          'tool-name',
        ]),
      ],
      [expect.stringContaining('[Docs]'), ['tool-name', 'property-name', 'array-without-items']],
      ['get_forecast', []],
    ]);
    await ended();
  });

  it.each([
    ['pages without end', 'pages', 100, 'pages'],
    ['the same page again and again', 'same-cursor', 2, 'same-cursor'],
    ['more tools than anybody reads', 'many', 2_000, 'items'],
  ])('ends at a bound where there are %s, and says so', async (_what, mode, count, cut) => {
    const world = await aHelper();
    const preview = await look(world, inline(odd(mode)));
    expect(preview.tools).toMatchObject({ kind: 'listed', cut });
    expect(tools(preview)).toHaveLength(count);
    await ended();
  });

  it.each([
    ['in one line', 'huge'],
    ['page by page', 'heavy'],
  ])('refuses a list that is too large %s, without holding it', async (_what, mode) => {
    const world = await aHelper();
    const preview = await look(world, inline(odd(mode)));
    expect(preview.tools).toMatchObject({ kind: 'failed', reason: expect.stringMatching(/larger|longer/) });
    await ended();
  });

  it('shows the top of a definition that is five thousand levels deep', async () => {
    const world = await aHelper();
    const preview = await look(world, inline(odd('deep')));
    expect(tools(preview)).toMatchObject([{ name: 'deep', findings: [{ rule: 'too-deep' }] }]);
    expect(tools(preview)[0]?.definition).toEqual({ name: 'deep', description: 'Deep.' });
    await ended();
  });

  it('passes over what is no message, and what is no tool', async () => {
    const world = await aHelper();
    const preview = await look(world, inline(odd('garbage')));
    expect(tools(preview).map(({ name }) => name)).toEqual(['get_forecast', 'bare']);
    await ended();
  });

  it('shows the other lists where one fails, each with its reason', async () => {
    const world = await aHelper();
    expect(await look(world, inline(odd('partial')))).toMatchObject({
      tools: { kind: 'listed' },
      prompts: { kind: 'failed', reason: expect.stringContaining('the prompts are broken') },
      resources: { kind: 'listed', items: [{ name: 'odd://one' }] },
      templates: { kind: 'absent' },
    });
    expect(await look(world, inline(odd('no-list')))).toMatchObject({ tools: { kind: 'failed' } });
    await ended();
  });

  it.each([
    ['cannot start', 'exit', 'UPSTREAM_START', 'cannot start with'],
    ['ends while it is asked', 'crash', 'UPSTREAM_EXITED', 'no such table: tools'],
  ])('tells the last words of one that %s', async (_what, mode, code, words) => {
    const world = await aHelper();
    const failure: unknown = await look(world, inline(odd(mode))).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, data: { stderr: [expect.stringContaining(words)] } });
    await ended();
  });

  it('hides what it was given as a secret, in its words and in its failures', async () => {
    const world = await aHelper();
    const secret = 'tok-1234567890';
    const given = (mode: string): Wanted => inline(command([process.execPath, oddServer, mode], { API_TOKEN: secret }));
    expect(tools(await look(world, given('secret')))[0]?.definition['description']).toBe('You are ***.');
    const failure: unknown = await look(world, given('exit')).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'UPSTREAM_START', data: { stderr: ['cannot start with ***'] } });
    expect(JSON.stringify(failure)).not.toContain(secret);
    // One that is a word of the protocol as well changes nothing but texts.
    const preview = await look(
      world,
      inline(command([process.execPath, oddServer, 'secret'], { API_TOKEN: 'definition' })),
    );
    expect(tools(preview)[0]?.definition).toMatchObject({ description: 'You are ***.' });
    await ended();
  });
});

describe('a server that does not answer', () => {
  it.each([
    ['to anything', 'mute', undefined],
    ['with its tools', 'silent-list', 'tools/list'],
  ])('%s is not waited for', async (_what, mode, asked) => {
    const upstream = new StdioUpstream({ command: process.execPath, args: [oddServer, mode], env: {}, cwd: '/' });
    onTestFinished(() => upstream.close());
    const spoke = new Promise<void>((resolve) => upstream.onEvent(({ kind }) => kind === 'stderr' && resolve()));
    const clock = new FakeClock();
    const asking = askOffer(upstream, clock, new AbortController().signal);
    const refused = expect(asking).rejects.toMatchObject({ code: 'UPSTREAM_UNREACHABLE' });
    await spoke; // Both say on stderr where they stop.
    clock.advance(offerLimits.timeoutMs);
    clock.advance(offerLimits.timeoutMs); // The end of the session, where there is one, is not waited for either.
    await refused;
    expect(asked === undefined || clock.pending === 0).toBe(true);
  });

  it('is ended when nobody waits any more, and only then', async () => {
    const clock = new CountingClock();
    expectNothingLeft(clock);
    const world = await aHelper({ clock });
    const [first, second] = [new AbortController(), new AbortController()];
    const wanted = inline(odd('mute'));
    const asked = [look(world, wanted, first.signal), look(world, wanted, second.signal)];
    const answers = asked.map((answer) => answer.catch((error: unknown) => error));
    await until(() => isRunning(oddServer));
    first.abort();
    expect(await answers[0]).toMatchObject({ code: 'CANCELLED' });
    expect((await processes()).filter(({ command: line }) => line.includes(oddServer))).toHaveLength(1);
    second.abort();
    expect(await answers[1]).toMatchObject({ code: 'CANCELLED' });
    await until(async () => !(await isRunning(oddServer)));
  });

  it('ends with the helper', async () => {
    const world = await aHelper();
    const asked = look(world, inline(odd('mute'))).catch((error: unknown) => error);
    await until(() => isRunning(oddServer));
    await world.host.stop();
    expect(await asked).toMatchObject({ name: 'TunnelError' });
    expect(await isRunning(oddServer)).toBe(false);
  });
});

describe('a server of the workspace', () => {
  async function workspace(mode = 'drifting', more: { trusted?: boolean } = {}) {
    const folder = await temporaryFolder();
    const listFile = join(folder, 'tools.json');
    const write = (...listed: object[]): Promise<void> => writeFile(listFile, JSON.stringify(listed));
    const define = (args: string[]): Promise<void> =>
      writeFile(
        join(folder, '.mcp.json'),
        JSON.stringify({ mcpServers: { odd: { command: process.execPath, args } } }),
      );
    await write(plain('a'), plain('b'));
    await define([oddServer, mode, listFile]);
    const world = await aHelper({ folders: [folder], env: { HOME: folder }, ...more });
    const { servers } = await world.peer.request('servers/list', { folders: [folder] });
    const server = { id: servers.find(({ name }) => name === 'odd')!.id, folders: [folder] };
    const agree = async (): Promise<string> => (await world.peer.request('servers/plan', server)).plan.hash;
    return { world, folder, server, write, define, agree, listFile };
  }
  const plain = (name: string, description = `Does ${name}.`): object => ({
    name,
    description,
    inputSchema: { type: 'object' },
  });

  it('is started only after a person agreed, and then no more is asked', async () => {
    const { world, server, agree } = await workspace();
    const refusal: unknown = await look(world, { server }).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'CONSENT_REQUIRED', data: { plan: { server: 'odd' } } });
    expect((await world.audit()).map(({ kind }) => kind)).not.toContain('preview');
    const consent = await agree();
    expect(tools(await look(world, { server, consent }))).toHaveLength(2);
    expect(tools(await look(world, { server }))).toHaveLength(2);
    const noted = (await world.audit()).filter(({ kind }) => kind === 'consent' || kind === 'preview');
    expect(noted.map(({ kind, hash }) => [kind, hash])).toEqual([
      ['consent', consent],
      ['preview', consent],
    ]);
    // What was agreed to for a preview may be exposed, and the other way round.
    expect((await world.peer.request('servers/plan', server)).agreed).toBe(true);
  });

  it('is not started in a workspace that is not trusted, whatever was agreed to', async () => {
    const { world, server, agree } = await workspace('drifting', { trusted: false });
    await expect(look(world, { server, consent: await agree() })).rejects.toMatchObject({
      code: 'UNTRUSTED_WORKSPACE',
    });
    expect((await world.audit()).map(({ kind }) => kind)).not.toContain('preview');
  });

  it('is not started where the policy does not allow it', async () => {
    const { world, server, agree } = await workspace();
    const consent = await agree();
    await world.writePolicy({ destinations: [{ carrier: 'embedded' }], upstreams: [{ http: '127.0.0.1:*' }] });
    await until(async () => {
      const refusal: unknown = await look(world, { server, consent, refresh: true }).catch((error: unknown) => error);
      return (refusal as { code?: string }).code === 'UPSTREAM_DENIED';
    });
  });

  it('is asked once for one definition, again when it changes or somebody wants it, and kept for other windows', async () => {
    const { world, folder, server, write, define, agree, listFile } = await workspace();
    const taken = await look(world, { server, consent: await agree() });
    await write(plain('a'));
    expect(await look(world, { server })).toEqual(taken);
    const file = await stat(world.paths.previews);
    if (process.platform !== 'win32') expect(file.mode & 0o777).toBe(0o600);

    const other = await aHelper({ home: world.home, folders: [folder], env: { HOME: folder } });
    expect(await look(other, { server })).toEqual(taken);

    const refreshed = await look(other, { server, refresh: true });
    expect(tools(refreshed)).toHaveLength(1);
    expect(refreshed.drift).toMatchObject({ sinceMs: taken.takenMs, removed: ['b'] });

    await define([oddServer, 'drifting', listFile, 'another argument']);
    await expect(look(other, { server })).rejects.toMatchObject({ code: 'CONSENT_REQUIRED' });
    await write(plain('c'));
    const { plan } = await other.peer.request('servers/plan', server);
    expect(tools(await look(other, { server, consent: plan.hash })).map(({ name }) => name)).toEqual(['c']);
  });

  it('is told to have changed since, as long as it stays so', async () => {
    const { world, server, write, agree } = await workspace();
    const consent = await agree();
    const { takenMs } = await look(world, { server, consent });
    await write(plain('a', 'Does something else.'), plain('c'));
    const drift = { sinceMs: takenMs, added: ['c'], removed: ['b'], changed: [{ name: 'a', parts: ['description'] }] };
    expect((await look(world, { server, refresh: true })).drift).toEqual(drift);
    expect((await look(world, { server, refresh: true })).drift).toEqual(drift);
  });

  it('is held against the tools of the others that were looked at', async () => {
    const { world, server, agree } = await workspace();
    await look(world, { server, consent: await agree() });
    const preview = await look(world, inline(odd('plain'), 'weather'));
    expect(tools(preview).flatMap(({ findings }) => findings)).toEqual([]);
    const shadow = await temporaryFolder();
    const list = join(shadow, 'tools.json');
    await writeFile(list, JSON.stringify([plain('a', 'Does what a does, better.')]));
    const [found] = tools(await look(world, inline(odd('drifting', list), 'shadow')));
    expect(found?.findings).toEqual([{ rule: 'same-name', where: 'name', words: ['a', 'odd'] }]);
  });

  it('is asked anew where the file of previews is damaged', async () => {
    const { world, folder, server, agree } = await workspace();
    await look(world, { server, consent: await agree() });
    const text = await readFile(world.paths.previews, 'utf8');
    await writeFile(world.paths.previews, text.slice(0, -20));
    const other = await aHelper({ home: world.home, folders: [folder], env: { HOME: folder } });
    expect(tools(await look(other, { server }))).toHaveLength(2);
    expect(JSON.parse(await readFile(world.paths.previews, 'utf8'))).toMatchObject({ servers: [{ name: 'odd' }] });
  });
});
