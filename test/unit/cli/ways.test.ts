import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { anIssuer } from '../../support/clientCertificates.ts';
import { World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => world.close());

describe('agents add', () => {
  it('takes the terms of a JWT, and says what has to be allowed for it', async () => {
    const words = [
      '--jwt-issuer',
      'https://issuer.example',
      '--jwt-audience',
      'a',
      '--jwt-jwks',
      'https://keys.example/x',
    ];
    const claims = ['--jwt-claim', 'repository=acme/app', 'ref=a=b'];
    const { events, err } = await world.run(['agents', 'add', 'ci', ...words, ...claims, '--json']);
    const way = {
      kind: 'jwt',
      issuer: 'https://issuer.example',
      audience: 'a',
      jwks: 'https://keys.example/x',
      claims: { repository: 'acme/app', ref: 'a=b' },
    };
    expect(events).toEqual([{ event: 'added', grant: expect.objectContaining({ name: 'ci', way }) as object }]);
    expect(err).toContain('allow add jwks keys.example');
    expect((await world.run(['agents', 'list'])).out).toContain('JWT of https://issuer.example');
  });

  it('copies the authority of certificates: the file may change or go', async () => {
    await writeFile(join(world.folder, 'ca.pem'), anIssuer('Build CA').cert);
    const added = await world.run([
      'agents',
      'add',
      'build',
      '--client-ca',
      'ca.pem',
      '--client-name',
      'build.example',
    ]);
    expect(added).toMatchObject({ code: 0, out: '', err: expect.stringContaining('certificate of') as string });
    expect((await world.run(['agents', 'list'])).out).toMatch(/certificate of [0-9a-f]{16}… as build\.example/);
  });

  it('prints a secret path once, where no tunnel is open', async () => {
    const { out, err } = await world.run(['agents', 'add', 'webhook', '--path-secret']);
    expect(out).toMatch(/^\/s\/mcps_\w{49}\/mcp\n$/);
    expect(err).toContain('What the URL has in place of /mcp is shown this once.');
    expect((await world.run(['agents', 'list', '--json'])).out).not.toContain('mcps_');
  });
});
