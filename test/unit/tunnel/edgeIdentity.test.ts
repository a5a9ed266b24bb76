import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { certificateTools } from '../../../src/certs/certificateTools.ts';
import { connectorUri } from '../../../src/certs/connectorId.ts';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { PrivateFileStore } from '../../../src/helper/privateFiles.ts';
import {
  enrolledEdges,
  loadEdgeIdentity,
  saveEdgeIdentity,
  type EdgeIdentity,
} from '../../../src/tunnel/edgeIdentity.ts';
import { anAuthority } from '../../support/certs.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

const dayMs = 86_400_000;

async function aWorld() {
  const clock = new FakeClock();
  const authority = await anAuthority({ clock });
  const key = await makeKeyPair();
  const connector = '0123456789abcdef';
  const uri = connectorUri(connector);
  const identity: EdgeIdentity = {
    version: 1,
    domain: 'edge.example.com',
    port: 8443,
    connector,
    key: key.privateKeyPem,
    certificate: authority.issueClient({ uri, publicKey: key.publicKey, days: 30 }),
    ca: authority.certificatePem,
    expiresMs: clock.now() + 30 * dayMs,
  };
  const files = new PrivateFileStore();
  const folder = join(await temporaryFolder(), 'edges');
  const load = (domain = identity.domain) =>
    loadEdgeIdentity(domain, { files, folder, clock, certs: certificateTools });
  return { clock, identity, files, folder, load };
}

describe('loadEdgeIdentity', () => {
  it('gives back what was saved', async () => {
    const { identity, files, folder, load } = await aWorld();
    await saveEdgeIdentity(identity, files, folder);
    expect(await load()).toEqual(identity);
  });

  it('says how to enroll where this machine never did', async () => {
    const { load } = await aWorld();
    await expect(load()).rejects.toMatchObject({
      code: 'NOT_ENROLLED',
      message: expect.stringContaining('run mcp-tunnel enroll edge.example.com') as string,
    });
  });

  it('says that the certificate has expired, or that the clock is behind', async () => {
    const { identity, files, folder, load, clock } = await aWorld();
    await saveEdgeIdentity(identity, files, folder);
    clock.advance(30 * dayMs);
    await expect(load()).rejects.toMatchObject({ code: 'CERTIFICATE_INVALID' });
    await expect(load()).rejects.toThrow(
      /this machine's certificate for edge\.example\.com expired on .*edge token --connector.*, and enroll again; if not, set the clock right/,
    );
    clock.advance(-60 * dayMs);
    await expect(load()).rejects.toThrow("set this machine's clock right");
  });

  it('names the file that cannot be used', async () => {
    const { identity, files, folder, load } = await aWorld();
    const file = join(folder, 'edge.example.com.json');
    const broken = ['', '{', '{}', JSON.stringify({ ...identity, certificate: 'x' })];
    for (const text of [...broken, JSON.stringify({ ...identity, domain: 'other.example.com' })]) {
      await files.write(file, text);
      await expect(load()).rejects.toMatchObject({ code: 'CONFIG_INVALID', data: { file } });
    }
  });

  it.each(['../x', 'a/b', 'a\\b', '', '..', 'a..b', '-a', '127.0.0.1', '::1', 'x'.repeat(254), 'A.example.com'])(
    'never makes a file name of “%s”',
    async (domain) => {
      const { load } = await aWorld();
      await expect(load(domain)).rejects.toMatchObject({ code: 'USAGE' });
    },
  );
});

describe('enrolledEdges', () => {
  it('lists the edges in order, broken files too, and nothing that is no edge’s', async () => {
    const { identity, files, folder } = await aWorld();
    expect(await enrolledEdges(files, folder)).toEqual([]);
    await saveEdgeIdentity(identity, files, folder);
    await files.write(join(folder, 'broken.example.com.json'), 'x');
    await files.write(join(folder, 'NOT AN EDGE.json'), 'x');
    await files.write(join(folder, 'notes.txt'), 'x');
    expect(await enrolledEdges(files, folder)).toEqual([
      { host: 'broken.example.com', port: 443 },
      { host: 'edge.example.com', port: 8443 },
    ]);
  });
});
