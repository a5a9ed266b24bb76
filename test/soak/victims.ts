// Servers that are killed while they are used: children of the tunnel, one for each session, or one that listens.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { root } from '../support/command.ts';
import { overHttp, overStdio, type ServerWords } from '../support/exposed.ts';
import { processes } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { freePort, takesConnections } from './ports.ts';

export type VictimKind = 'stdio' | 'http';

export type Victims = {
  words: ServerWords;
  /** How many were killed: one, or none where none was there. `turn` counts up, so that each has its turn. */
  kill: (turn: number) => Promise<number>;
  /** Once every kill that was begun is over. */
  settled: () => Promise<void>;
  end: () => Promise<void>;
};

const path = join(root, 'test/fixtures/soakServer.mjs');

export async function victims(kind: VictimKind, record: string): Promise<Victims> {
  await writeFile(record, '');
  return kind === 'stdio' ? childrenOfTunnel(record) : await listener(record);
}

function childrenOfTunnel(record: string): Victims {
  return {
    words: overStdio([process.execPath, path, record, 'stdio']),
    kill: async (turn) => {
      const words = `${process.execPath} ${path} ${record} stdio`; // The tunnel's own command line ends so, too.
      const servers = (await processes()).filter(({ command }) => command === words);
      const victim = servers[turn % Math.max(1, servers.length)];
      if (!victim) return 0;
      return killed(victim.pid) ? 1 : 0;
    },
    settled: async () => {},
    end: async () => {},
  };
}

async function listener(record: string): Promise<Victims> {
  const port = await freePort();
  let server = start();
  let work: Promise<unknown> = Promise.resolve();
  onTestFinished(() => void server.kill('SIGKILL'));
  await until(() => takesConnections(port));
  return {
    words: overHttp(`http://127.0.0.1:${port}/mcp`),
    kill: async () => {
      const restarted = work.then(async () => {
        const over = once(server, 'close');
        server.kill('SIGKILL');
        await over;
        server = start();
        await until(() => takesConnections(port));
      });
      work = restarted;
      await restarted;
      return 1;
    },
    settled: async () => {
      await work;
    },
    end: async () => {
      const over = once(server, 'close');
      server.kill('SIGKILL');
      await over;
    },
  };

  function start(): ChildProcess {
    return spawn(process.execPath, [path, record, `${port}`], { stdio: 'ignore' });
  }
}

/** False when it was gone already. */
function killed(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}
