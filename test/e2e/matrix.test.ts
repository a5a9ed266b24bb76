// Every client of the matrix meets every server, each server behind a tunnel of its own, and all its clients at once.
import { afterAll, describe, expect, it } from 'vitest';
import { clients } from '../matrix/clients.ts';
import { servers } from '../matrix/servers.ts';
import { expose } from '../support/exposed.ts';
import { withInstallMs } from '../support/peerTools.ts';

const columnWidth = 15;
const rows: string[] = [];
const line = (name: string, cells: readonly string[]): string =>
  [name.padEnd(22), ...cells.map((cell) => cell.padEnd(columnWidth))].join('');

describe('every client works with every server through a tunnel', { timeout: withInstallMs }, () => {
  it.each(servers)('$name', async (server) => {
    const { words, env } = await server.start();
    const { ready } = await expose(words, 'embedded', env);
    const visits = await Promise.allSettled(clients.map(({ visit }) => visit(ready, server)));
    const failures = visits.flatMap((visit, at) =>
      visit.status === 'fulfilled' ? [] : [`${clients[at]!.name}: ${String(visit.reason).slice(0, 600)}`],
    );
    rows.push(
      line(
        server.name,
        visits.map(({ status }) => (status === 'fulfilled' ? 'ok' : 'FAILED')),
      ),
    );
    expect(failures).toEqual([]);
  });

  afterAll(() => {
    const heads = clients.map(({ name }) => name);
    process.stdout.write(`${[line('', heads), ...rows].join('\n')}\n`);
  });
});
