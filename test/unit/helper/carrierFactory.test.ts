import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { CarrierFactory } from '../../../src/helper/carrierFactory.ts';
import { statePaths } from '../../../src/helper/statePaths.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';

function machine() {
  const files = new MemoryFiles();
  const paths = statePaths({ MCP_TUNNEL_HOME: '/home/me' }, 'linux', '/home/me');
  const factory = new CarrierFactory({ files, paths, clock: new FakeClock(), random: Math.random });
  return { files, paths, factory };
}

describe('a carrier', () => {
  it('for this machine comes with a CA file that holds no key and vouches for nothing but this machine', async () => {
    const { files, paths, factory } = machine();
    expect(await factory.make({ carrier: 'embedded' })).toMatchObject({ kind: 'embedded', privacy: 'end-to-end' });
    const pem = files.texts.get(join(paths.caFolder, 'tunnel.localhost', 'ca.pem')) ?? '';
    expect(pem).not.toContain('PRIVATE KEY');
    expect(new X509Certificate(pem).ca).toBe(true);
    const constrained = Buffer.from(new X509Certificate(pem).raw).toString('latin1');
    expect(constrained).toContain('tunnel.localhost');
  });

  it('has the same authority the next time, so that agents trust it still', async () => {
    const { files, paths, factory } = machine();
    const file = join(paths.caFolder, 'tunnel.localhost', 'ca.pem');
    await factory.make({ carrier: 'embedded' });
    const first = files.texts.get(file);
    await factory.make({ carrier: 'embedded' });
    expect(files.texts.get(file)).toBe(first);
  });

  it.each(['edge.example', '..', '../../etc', 'edge.example:0'])(
    'to the edge “%s”, at which nobody enrolled, is refused before anything is made for it',
    async (host) => {
      const { files, factory } = machine();
      const error = await factory.make({ carrier: 'edge', host }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(TunnelError);
      expect(['NOT_ENROLLED', 'USAGE']).toContain((error as TunnelError).code);
      expect(files.texts.size).toBe(0);
    },
  );
});
