// The MCP Inspector's own command as the remote agent: it gets the printed URL, the token and the CA file, as a person
// would give them.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { exposeEverything } from '../support/command.ts';
import { peerTools, startPeer, withInstallMs } from '../support/peerTools.ts';
import { temporaryFolder } from '../support/temporaryFolder.ts';

it('lists the tools for the MCP Inspector', { timeout: withInstallMs }, async () => {
  const { node, inspector } = await peerTools();
  const home = await temporaryFolder();
  const { ready } = await exposeEverything(home);
  const inherited = process.env['NODE_EXTRA_CA_CERTS'];
  const known = inherited === undefined ? '' : await readFile(inherited, 'utf8');
  const cas = join(home, 'cas.pem');
  await writeFile(cas, `${known}\n${await readFile(ready.caFile, 'utf8')}`);

  const access = ['--server-url', ready.loopbackUrl, '--transport', 'http'];
  const header = ['--header', `Authorization: Bearer ${ready.token}`];
  const peer = startPeer(node, [inspector, '--cli', ...access, ...header, '--method', 'tools/list'], {
    NODE_EXTRA_CA_CERTS: cas,
  });
  expect(await peer.ended, peer.said()).toBe(0);
  expect(peer.said()).toContain('"name": "trigger-long-running-operation"');
});
