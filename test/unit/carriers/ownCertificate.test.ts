import { expect, it, onTestFinished } from 'vitest';
import { OwnCertificate, rereadMs } from '../../../src/carriers/ownCertificate.ts';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { anAuthority } from '../../support/certs.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';
import { until } from '../../support/until.ts';

const hostname = 'mine.edge.example';
const dayMs = 86_400_000;

async function machine() {
  const clock = new FakeClock();
  const files = new MemoryFiles();
  const [authority, key] = [await anAuthority({ clock }), await makeKeyPair()];
  const issue = (days: number): void => {
    files.texts.set('/cert.pem', authority.issueServer({ names: [hostname], publicKey: key.publicKey, days }));
  };
  issue(10);
  files.texts.set('/key.pem', key.privateKeyPem);
  const open = async (): Promise<OwnCertificate> => {
    const options = { certificateFile: '/cert.pem', keyFile: '/key.pem', hostname, files, clock };
    const certificate = await OwnCertificate.create(options);
    onTestFinished(() => certificate.close());
    return certificate;
  };
  return { clock, files, issue, open };
}

it('is read again when its file changes, and the news is told once', async () => {
  const { clock, issue, open } = await machine();
  const certificate = await open();
  let news = 0;
  certificate.onChange(() => (news += 1));
  certificate.start();
  const first = certificate.context();
  expect(certificate.context()).toBe(first);
  issue(20);
  clock.advance(rereadMs);
  await until(() => news === 1);
  expect(certificate.info).toEqual({ kind: 'own', expiresMs: clock.now() - rereadMs + 20 * dayMs });
  expect(certificate.context()).not.toBe(first);
  await until(() => clock.pending === 1);
  clock.advance(rereadMs);
  await until(() => clock.pending === 1);
  expect(news).toBe(1);
});

it('goes on with what was good when a file becomes bad, and says so until it is good again', async () => {
  const { clock, files, open } = await machine();
  const certificate = await open();
  certificate.start();
  const shown = certificate.context();
  files.texts.set('/cert.pem', 'half a certif');
  clock.advance(rereadMs);
  await until(() => certificate.info.warning !== undefined);
  expect(certificate.info.warning).toBe('agents see the certificate of before: /cert.pem holds no PEM certificate');
  expect(certificate.context()).toBe(shown);
  files.texts.delete('/key.pem');
  await until(() => clock.pending === 1);
  clock.advance(rereadMs);
  await until(() => /there is no file \/key\.pem/.test(certificate.info.warning ?? ''));
  const other = await machine();
  files.texts.set('/key.pem', other.files.texts.get('/key.pem')!);
  files.texts.set('/cert.pem', other.files.texts.get('/cert.pem')!);
  await until(() => clock.pending === 1);
  clock.advance(rereadMs);
  await until(() => certificate.info.warning === undefined);
});

it('warns once it is over', async () => {
  const { clock, open } = await machine();
  const certificate = await open();
  clock.advance(11 * dayMs);
  expect(certificate.info.warning).toBe('/cert.pem is over: renew it');
});

it.each([
  ['/cert.pem', 'USAGE'],
  ['/key.pem', 'USAGE'],
])('is an error at the start when %s is not there', async (file, code) => {
  const { files, open } = await machine();
  files.texts.delete(file);
  await expect(open()).rejects.toMatchObject({ code, message: `there is no file ${file}` });
});
