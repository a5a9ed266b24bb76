import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { extraAuthorities, maxBundleBytes, publicAuthorities } from '../../../src/tunnel/extraAuthorities.ts';
import { anAuthority } from '../../support/certs.ts';
import { temporaryFolder } from '../../support/temporaryFolder.ts';

async function bundle(text: string): Promise<string> {
  const file = join(await temporaryFolder(), 'bundle.pem');
  await writeFile(file, text);
  return file;
}

describe('extraAuthorities', () => {
  it('reads every certificate of both files, whatever stands between them', async () => {
    const [one, two, three] = await Promise.all([anAuthority(), anAuthority(), anAuthority()]);
    const first = await bundle(`# Corporate - root\r\n${one.certificatePem}\nsubject=x\n${two.certificatePem}`);
    const found = await extraAuthorities({
      NODE_EXTRA_CA_CERTS: first,
      SSL_CERT_FILE: await bundle(three.certificatePem),
    });
    expect(found.map((pem) => pem.trim())).toEqual([one, two, three].map((made) => made.certificatePem.trim()));
  });

  it('has none where nothing is set', async () => {
    expect(await extraAuthorities({})).toEqual([]);
    expect(await extraAuthorities({ NODE_EXTRA_CA_CERTS: '', SSL_CERT_FILE: '' })).toEqual([]);
  });

  it('names variable, file and fault of a bundle that is of no use', async () => {
    const { certificatePem } = await anAuthority();
    const folder = join(await temporaryFolder(), 'folder');
    await mkdir(folder);
    const broken = certificatePem.replace(/\n[A-Za-z0-9+/]{10}/, '\nAAAAAAAAAA');
    for (const [file, fault] of [
      [join(folder, 'none.pem'), 'which cannot be read (ENOENT)'],
      [folder, 'which cannot be read (EISDIR)'],
      [await bundle('not a certificate'), 'which holds no certificate: a bundle is PEM text'],
      [await bundle(`${certificatePem}\n${broken}`), 'whose certificate 2 cannot be read'],
      [await bundle('x'.repeat(maxBundleBytes + 1)), 'which has more than 4 MiB'],
    ]) {
      await expect(extraAuthorities({ SSL_CERT_FILE: file })).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: `SSL_CERT_FILE names ${file}, ${fault}`,
        data: { file },
      });
    }
  });
});

describe('publicAuthorities', () => {
  it('are the runtime’s', () => {
    expect(publicAuthorities().length).toBeGreaterThanOrEqual(rootCertificates.length);
  });
});
