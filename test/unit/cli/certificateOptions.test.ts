import { expect, it } from 'vitest';
import { certificateOf, certificateOptions } from '../../../src/cli/certificateOptions.ts';

const context = { folder: '/work' };
const directoryOf = certificateOptions.find(({ flags }) => flags.startsWith('--acme '))!.parse!;

it('asks for nothing where nothing is said', () => {
  expect(certificateOf(context, {})).toBeUndefined();
});

it('asks Let’s Encrypt unless another authority is named, and agrees to nothing by itself', () => {
  const directory = 'https://acme-v02.api.letsencrypt.org/directory';
  expect(certificateOf(context, { acme: true })).toEqual({ kind: 'acme', directory });
  const acme = directoryOf('https://ca.example/dir', undefined) as string;
  const said = { acme, acmeAgreeTos: true, acmeEmail: 'me@example.com', acmeCa: 'ca.pem' };
  expect(certificateOf(context, said)).toEqual({
    kind: 'acme',
    directory: acme,
    agreedToTerms: true,
    email: 'me@example.com',
    caFile: '/work/ca.pem',
  });
});

it('finds the files of one’s own from the folder of the command', () => {
  const files = { certificateFile: '/work/c.pem', keyFile: '/keys/k.pem' };
  expect(certificateOf(context, { cert: 'c.pem', key: '/keys/k.pem' })).toEqual({ kind: 'own', ...files });
});

it.each([{ cert: 'c.pem' }, { key: 'k.pem' }, { cert: 'c', key: 'k', acme: true as const }, { acmeAgreeTos: true }])(
  'refuses %j, which does not go together',
  (options) => {
    expect(() => certificateOf(context, options)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  },
);

it.each(['http://ca.example/', 'everything', 'ca.example', 'file:///etc'])('takes no directory “%s”', (text) => {
  expect(() => directoryOf(text, undefined)).toThrow(/https URL/);
});
