import { expect, it } from 'vitest';
import { TunnelError } from '../../../src/core/errors.ts';
import { demandCertificate, wantedCertificate } from '../../../src/helper/tunnelCertificates.ts';
import type { OpenTunnel } from '../../../src/protocol/control.ts';
import type { BookEntry } from '../../../src/helper/tunnelBook.ts';

const edge = { carrier: 'edge', host: 'edge.example.com' } as const;
const anybody = { mayUse: () => {} };
const acme = (directory: string) => ({ kind: 'acme', directory }) as const;

it('asks the policy for the host and port of the directory', () => {
  const asked: string[] = [];
  const mayUse = (service: string, host: string): void => void asked.push(`${service} ${host}`);
  for (const url of ['https://ca.example/dir', 'https://ca.example:14000/dir', 'https://[::1]:8443/']) {
    demandCertificate(acme(url), edge, { mayUse });
  }
  demandCertificate(undefined, { carrier: 'embedded' }, { mayUse });
  expect(asked).toEqual(['acme ca.example:443', 'acme ca.example:14000', 'acme [::1]:8443']);
  const refuse = (): void => {
    throw new TunnelError('DESTINATION_DENIED', 'no');
  };
  expect(() => demandCertificate(acme('https://ca.example/'), edge, { mayUse: refuse })).toThrow('no');
});

it.each(['http://ca.example/', 'https://me:secret@ca.example/', 'ca.example', ''])(
  'takes no directory “%s”, whoever asks',
  (directory) => {
    const wrong = (): void => demandCertificate(acme(directory), edge, anybody);
    expect(wrong).toThrow(expect.objectContaining({ code: 'USAGE' }));
  },
);

it('has other certificates for edges only: nobody vouches for names of this machine', () => {
  const own = { kind: 'own', certificateFile: '/c', keyFile: '/k' } as const;
  for (const wanted of [own, acme('https://ca.example/')]) {
    expect(() => demandCertificate(wanted, { carrier: 'embedded' }, anybody)).toThrow(/needs an edge/);
  }
});

it('takes what was kept only where that is asked for', () => {
  const entry = { certificate: acme('https://ca.example/') } as unknown as BookEntry;
  expect(wantedCertificate({ certificate: { kind: 'kept' } } as OpenTunnel, entry)).toBe(entry.certificate);
  expect(wantedCertificate({} as OpenTunnel, entry)).toBeUndefined();
});
