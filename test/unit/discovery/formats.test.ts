// A workspace and a home folder for each client, written from its documentation; what discovery makes of them is in
// `expected.json` beside them.
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { discover } from '../../../src/discovery/discover.ts';
import { formats } from '../../../src/discovery/formats.ts';

const fixtures = resolve('test/fixtures/workspaces');
const clients = readdirSync(fixtures, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);
const env = { TOK: 'tok', K: 'key' };

describe('the configuration of every client', () => {
  it('has a workspace here', () => {
    expect([...clients].sort()).toEqual([...new Set(formats.map(({ format }) => format))].sort());
  });

  it.each(clients)('%s is read as its documentation says', async (client) => {
    const base = join(fixtures, client);
    const list = await discover([join(base, 'workspace')], env, join(base, 'home'), 'linux');
    const golden = JSON.parse(await readFile(join(fixtures, 'expected.json'), 'utf8')) as Record<string, unknown>;
    const servers = list.servers.map(({ id: _id, ...server }) => server);
    expect(shortened({ servers, problems: list.problems }, base)).toEqual(golden[client]);
  });
});

/** Paths from the fixture's folder on. */
function shortened(value: object, base: string): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll(base, '').replaceAll(relative('.', base), ''));
}
