import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { discover } from '../../../src/discovery/discover.ts';
import { writtenSecrets } from '../../../src/discovery/writtenSecrets.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

const random = 'kJ8s7Hq2Lm4Np6Qr9St1Uv3W';
const stdio = (env: [string, string | null][], args: string[] = []) => ({
  name: 's',
  line: 1,
  problems: [],
  definition: { kind: 'stdio' as const, command: 'node', args, env, envFile: undefined, cwd: undefined },
});
const http = (url: string, headers: [string, string][] = []) => ({
  name: 's',
  line: 1,
  problems: [],
  definition: { kind: 'http' as const, url, headers },
});

describe('secrets in plain text', () => {
  it.each([
    [stdio([['API_KEY', 'hunter2-hunter2']]), ['env API_KEY']],
    [stdio([['ANYTHING', random]]), ['env ANYTHING']],
    [stdio([], ['--token', 'hunter2-hunter2']), ['argument --token']],
    [stdio([], [`--key=${random}`, random]), ['argument --key', 'argument 2']],
    [http('https://h/mcp', [['Authorization', 'Bearer hunter2-hunter2']]), ['header Authorization']],
    [http(`https://h/mcp?api_key=${random}`), ['url ?api_key=']],
    [http('https://ada:hunter2@h/mcp'), ['password in the url']],
  ])('are named by their place %#', (entry, places) => {
    expect(writtenSecrets(entry)).toEqual(places);
  });

  it.each([
    stdio([['API_KEY', '${input:key}']]),
    stdio([['API_KEY', '${API_KEY:-}']]),
    stdio([['API_KEY', '{env:API_KEY}']]),
    stdio([['API_KEY', '$API_KEY']]),
    stdio([['API_KEY', '${{ secrets.API_KEY }}']]),
    stdio([['API_KEY', null]]),
    stdio([['API_KEY', '<your-api-key>']]),
    stdio([['API_KEY', 'YOUR_API_KEY_HERE']]),
    stdio([['API_KEY', 'xxxxxxxxxxxxxxxx']]),
    stdio([['SSH_AUTH_SOCK', '/run/user/1000/ssh.sock']]),
    stdio([['TOKEN_LIMIT', '4096']]),
    stdio([['PATH', '/usr/local/bin:/usr/bin']], ['-y', '@modelcontextprotocol/server-everything@2026.8.31']),
    http('https://example.com/mcp', [['Authorization', 'Bearer ${input:token}']]),
    http('https://example.com/mcp?api_key=${env:KEY}'),
  ])('are not seen where there are none %#', (entry) => {
    expect(writtenSecrets(entry)).toEqual([]);
  });

  it('are flagged on the server, and worse where git keeps the file; the value itself is told nowhere', async () => {
    const folder = await temporaryFolder();
    const text = JSON.stringify({ servers: { s: { command: 'node', env: { API_KEY: random } } } });
    await mkdir(join(folder, '.vscode'));
    await writeFile(join(folder, '.vscode/mcp.json'), text);
    const list = () => discover([folder], {}, join(folder, 'home'), 'linux');
    const secrets = async () => (await list()).servers[0]?.secrets;
    expect(await secrets()).toEqual({ where: ['env API_KEY'], committed: false });
    execFileSync('git', ['init', '-q'], { cwd: folder });
    execFileSync('git', ['add', '.'], { cwd: folder });
    expect(await secrets()).toEqual({ where: ['env API_KEY'], committed: true });
    expect(JSON.stringify(await secrets())).not.toContain(random);
  });

  it('are no one else’s business in the user’s own files', async () => {
    const home = await temporaryFolder();
    const text = JSON.stringify({ mcpServers: { s: { command: 'node', env: { API_KEY: random } } } });
    await mkdir(join(home, '.cursor'));
    await writeFile(join(home, '.cursor/mcp.json'), text);
    const { servers } = await discover([join(home, 'work')], {}, home, 'linux');
    expect(servers.map(({ name, secrets }) => ({ name, secrets }))).toEqual([{ name: 's', secrets: undefined }]);
  });
});
