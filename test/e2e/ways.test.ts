// Agents that come without a token, by the built command: a URL with a secret in it, and a client certificate.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Agent, fetch as undiciFetch } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { aClient, anIssuer } from '../support/clientCertificates.ts';
import { everything, exposeEverything, runCommand, type Line } from '../support/command.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

/** An agent with a URL, the PEM of a CA, and perhaps a certificate of its own. */
async function connect(url: string, caFile: string, shown: { cert?: string; key?: string } = {}): Promise<Client> {
  const dispatcher = new Agent({ connect: { ca: await readFile(caFile, 'utf8'), ...shown } });
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    fetch: ((input: string | URL, init?: RequestInit) =>
      undiciFetch(input, { ...(init as object), dispatcher })) as unknown as typeof fetch,
  });
  const client = new Client({ name: 'agent', version: '1.0.0' });
  onTestFinished(async () => {
    await client.close();
    await dispatcher.destroy();
  });
  await client.connect(transport);
  return client;
}

const echo = async (client: Client): Promise<string> =>
  JSON.stringify(await client.callTool({ name: 'echo', arguments: { message: 'hello' } }));

const agents = async (home: string, ...words: string[]): Promise<Line> =>
  (await runCommand(['agents', ...words, '--json'], { home })).lines[0]!;

async function everyFile(folder: string): Promise<string> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n');
}

describe('an agent without a token', () => {
  it('gets a URL with a secret in it, which nobody else is shown', async () => {
    const home = await temporaryFolder();
    const { command, ready } = await exposeEverything(home, ['--traffic']);
    const added = (await agents(home, 'add', 'webhook', '--path-secret', '--tools', 'echo')) as Line & {
      urls: string[];
      path: string;
    };
    expect(added).toMatchObject({ event: 'added', grant: { name: 'webhook', way: { kind: 'path-secret' } } });
    const origin = new URL(ready.loopbackUrl).origin;
    expect(added.urls).toEqual([new URL(added.path, ready.url).href, `${origin}${added.path}`]);

    const client = await connect(added.urls[1]!, ready.caFile);
    expect(await echo(client)).toContain('Echo: hello');
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['echo']);
    await command.line((line) => line.event === 'exchange' && line['name'] === 'echo');

    const secret = /mcps_(\w+)/.exec(added.path)![1]!;
    expect(command.stdout + command.stderr).not.toContain(secret);
    expect(await everyFile(home)).not.toContain(secret);
    const listed = await runCommand(['agents', 'list'], { home });
    expect(listed.stdout).toMatch(/webhook.+path secret/);
    expect(listed.stdout + listed.stderr).not.toContain(secret);

    await agents(home, 'revoke', 'webhook');
    await expect(echo(client)).rejects.toThrow(/404|only \/mcp is reachable/);
  });

  it('gets the URL in a file where that was asked for, and another one by rotation', async () => {
    const home = await temporaryFolder();
    const file = join(home, 'url.txt');
    const added = await runCommand(['agents', 'add', 'webhook', '--path-secret', '--token-file', file], { home });
    const path = await readFile(file, 'utf8');
    expect(path).toMatch(/^\/s\/mcps_\w{49}\/mcp\n$/);
    expect(added.stdout + added.stderr).not.toContain('mcps_');
    const rotated = await agents(home, 'rotate', 'webhook');
    expect(rotated['path']).toMatch(/^\/s\/mcps_\w{49}\/mcp$/);
    expect(rotated['path']).not.toBe(path.trim());
  });

  it('shows a certificate of the authority that was named', async () => {
    const home = await temporaryFolder();
    const authority = anIssuer('Build CA');
    const file = join(home, 'build-ca.pem');
    await writeFile(file, authority.cert);
    const { ready } = await exposeEverything(home);
    const added = await agents(home, 'add', 'build', '--client-ca', file, '--client-name', 'build.example');
    expect(added).toMatchObject({
      event: 'added',
      grant: {
        way: { kind: 'certificate', ca: expect.stringMatching(/^[0-9a-f]{64}$/) as string, name: 'build.example' },
      },
    });

    const shown = aClient(authority, { cn: 'build.example' });
    const client = await connect(ready.loopbackUrl, ready.caFile, shown);
    expect(await echo(client)).toContain('Echo: hello');
    for (const wrong of [
      {},
      aClient(authority, { cn: 'other.example' }),
      aClient(anIssuer('Other CA'), { cn: 'build.example' }),
    ]) {
      await expect(connect(ready.loopbackUrl, ready.caFile, wrong)).rejects.toThrow(
        /401|valid bearer token|Unauthorized/i,
      );
    }
    await agents(home, 'revoke', 'build');
    await expect(echo(client)).rejects.toThrow(/401|valid bearer token|Unauthorized/i);
  });

  it.each<[string[], string]>([
    [['--path-secret', '--client-ca', 'x.pem'], 'comes in one way'],
    [['--client-ca', 'none.pem'], 'none.pem cannot be read'],
    [['--client-name', 'x'], 'goes with --client-ca'],
    [['--jwt-issuer', 'https://issuer.example'], 'needs --jwt-audience'],
    [['--jwt-audience', 'x'], 'go with --jwt-issuer'],
    [['--jwt-issuer', 'http://issuer.example', '--jwt-audience', 'x'], 'not an https URL'],
    [['--jwt-issuer', 'https://issuer.example', '--jwt-audience', 'x', '--jwt-claim', 'y'], 'write name=value'],
  ])('is not added with %j', async (words, why) => {
    const home = await temporaryFolder();
    const { code, stderr } = await runCommand(['agents', 'add', 'x', ...words], { home });
    expect([code, stderr]).toEqual([2, expect.stringContaining(why)]);
  });

  it('is not left to a stdio server, which hears no Authorization', async () => {
    const home = await temporaryFolder();
    const { code, stderr } = await runCommand(['expose', '--auth', 'upstream', '--', ...everything], { home });
    expect([code, stderr]).toEqual([2, expect.stringContaining('a stdio server hears no Authorization')]);
  });
});
