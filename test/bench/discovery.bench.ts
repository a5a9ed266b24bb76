// How long a person waits for the servers of a large workspace: a monorepo of 50,000 files with declared servers,
// projects to guess at, and a committed secret. Each look is a process of its own, as the first look of a helper is; the
// system's file cache is warm after the first.
import { execFileSync, fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { discover } from '../../src/discovery/discover.ts';
import { print, spread } from './figures.ts';

const rounds = 15;
const packages = 200;
const foldersPerPackage = 10;
const filesPerFolder = 24;

type Look = { firstMs: number; secondMs: number; servers: number };

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-tunnel-bench-'));
  try {
    const files = makeWorkspace(folder);
    const looks: Look[] = [];
    for (let round = 0; round < rounds; round += 1) looks.push(await look(folder));
    const [cold, ...warm] = looks;
    print(
      `${files} files, ${packages} packages, ${cold?.servers} servers found; ${rounds} processes one after the other`,
    );
    print(`  the very first look       ${cold?.firstMs.toFixed(0)} ms`);
    print(
      `  first look of a process   ${spread(
        warm.map(({ firstMs }) => firstMs),
        0,
      )} ms`,
    );
    print(
      `  the next look             ${spread(
        warm.map(({ secondMs }) => secondMs),
        0,
      )} ms`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function makeWorkspace(root: string): number {
  let files = 0;
  const put = (path: string, text: string): void => {
    writeFileSync(join(root, path), text);
    files += 1;
  };
  mkdirSync(join(root, '.vscode'));
  const env = { API_KEY: 'kJ8s7Hq2Lm4Np6Qr9St1Uv3W' };
  put('.vscode/mcp.json', JSON.stringify({ servers: { declared: { command: 'node', args: ['x.mjs'], env } } }));
  for (let number = 0; number < packages; number += 1) {
    const home = join('packages', `p${number}`);
    for (let folder = 0; folder < foldersPerPackage; folder += 1) {
      mkdirSync(join(root, home, 'src', `f${folder}`), { recursive: true });
      for (let file = 0; file < filesPerFolder; file += 1) {
        put(join(home, 'src', `f${folder}`, `m${file}.ts`), `export const value = ${file};\n`);
      }
    }
    const usesSdk = number % 20 === 0;
    const dependencies = usesSdk ? { '@modelcontextprotocol/sdk': '1.0.0' } : { lodash: '4.0.0' };
    put(join(home, 'package.json'), JSON.stringify({ name: `p${number}`, bin: 'src/f0/m0.ts', dependencies }));
    for (const name of ['README.md', 'LICENSE', 'tsconfig.json', '.gitignore']) put(join(home, name), 'x\n');
  }
  const git = (...words: string[]): void => void execFileSync('git', words, { cwd: root, stdio: 'ignore' });
  git('init', '-q');
  git('add', '.');
  return files;
}

function look(folder: string): Promise<Look> {
  const child = fork(__filename, ['look', folder], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  return new Promise((resolve, reject) => {
    child.once('message', (told: Look) => resolve(told));
    child.once('exit', (code) => reject(new Error(`a look ended with ${code}`)));
  });
}

async function lookTwice(folder: string): Promise<Look> {
  const timed = async (): Promise<[number, number]> => {
    const startMs = performance.now();
    const { servers } = await discover([folder], {}, join(folder, '..', 'nobody'));
    return [performance.now() - startMs, servers.length];
  };
  const [firstMs, servers] = await timed();
  const [secondMs] = await timed();
  return { firstMs, secondMs, servers };
}

const [, , role, folder] = process.argv;
if (role === 'look' && folder !== undefined) void lookTwice(folder).then((told) => process.send?.(told));
else void main();
