import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { connectorIdOf } from '../../../src/certs/connectorId.ts';
import { createCsr } from '../../../src/certs/csr.ts';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { connectorDays } from '../../../src/edge/connectorRules.ts';
import { EdgeState } from '../../../src/edge/edgeState.ts';
import { enrolBodyMs, enrolmentHandler, maxEnrolBytes } from '../../../src/edge/enrolment.ts';
import type { EnrolResponse } from '../../../src/protocol/edge.ts';
import { openEnrolmentDoor } from '../../support/enrolmentDoor.ts';
import { recordingLog } from '../../support/edgeLogs.ts';
import { FakeClock } from '../../support/fakeClock.ts';
import { MemoryFiles } from '../../support/memoryFiles.ts';

const dayMs = 86_400_000;
const key = await makeKeyPair();
const csr = createCsr(key, 'MCP Tunnel connector');

async function anEdge() {
  const files = new MemoryFiles();
  const clock = new FakeClock();
  const state = await EdgeState.load({ files, folder: '/edge', domain: 'edge.example.com', clock });
  const logged: string[] = [];
  const door = await openEnrolmentDoor(enrolmentHandler(state, { clock, log: recordingLog(logged) }));
  const { token } = await state.mintToken({ labels: ['dev-*'] });
  const origin = `http://127.0.0.1:${door.port}`;
  const post = async (body: string): Promise<{ status: number; answer: unknown }> => {
    const response = await fetch(`${origin}/enroll`, { method: 'POST', body });
    return { status: response.status, answer: await response.json() };
  };
  return { files, clock, state, logged, door, origin, token, post };
}

const refusal = (code: string) => ({ error: expect.objectContaining({ code }) as unknown });

describe('POST /enroll', () => {
  it('answers a token and a request with a certificate for a connector of its own', async () => {
    const { state, clock, token, post, logged } = await anEdge();
    const { status, answer } = await post(JSON.stringify({ token, csr }));
    const { connector, certificate, ca, domain, expiresMs } = answer as EnrolResponse;
    const leaf = new X509Certificate(certificate);

    expect([status, domain, ca]).toEqual([200, 'edge.example.com', state.authority.certificatePem]);
    expect(leaf.publicKey.equals(key.publicKey)).toBe(true);
    expect(leaf.verify(state.authority.certificate.publicKey)).toBe(true);
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(connectorIdOf(leaf)).toBe(connector);
    expect(expiresMs).toBe(clock.now() + connectorDays * dayMs);
    expect(state.connectors()).toMatchObject([{ id: connector, labels: ['dev-*'] }]);
    expect(logged).toEqual([`connector ${connector} enrolled`]);
  });

  it('takes a token once, also from two that come at the same time', async () => {
    const { token, post } = await anEdge();
    const body = JSON.stringify({ token, csr });
    const answers = await Promise.all([post(body), post(body), post(body)]);
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 403, 403]);
    expect(await post(body)).toEqual({ status: 403, answer: refusal('ENROLMENT_REFUSED') });
  });

  it('keeps the token when the certificate request is bad', async () => {
    const { token, post } = await anEdge();
    const other = await makeKeyPair();
    const forged = createCsr({ ...key, privateKey: other.privateKey }, 'x');
    for (const bad of ['', 'x', csr.slice(0, 100), forged]) {
      expect(await post(JSON.stringify({ token, csr: bad }))).toEqual({
        status: 400,
        answer: refusal('CERTIFICATE_INVALID'),
      });
    }
    expect((await post(JSON.stringify({ token, csr }))).status).toBe(200);
  });

  it('refuses a token it does not know before it looks at the request', async () => {
    const { post, state } = await anEdge();
    for (const token of ['', 'mcpe_', `mcpe_${'0'.repeat(33)}`, 'x'.repeat(200)]) {
      expect((await post(JSON.stringify({ token, csr: 'x' }))).status).toBe(403);
    }
    expect(state.connectors()).toEqual([]);
  });

  it.each([
    '',
    '{',
    'null',
    '[]',
    '{}',
    '{"token":1,"csr":"x"}',
    '{"token":"x"}',
    '"x"',
    '\0',
    '{"csr":{"token":"x"}}',
  ])('answers 400 to the body %j', async (body) => {
    const { post } = await anEdge();
    expect(await post(body)).toEqual({ status: 400, answer: refusal('USAGE') });
  });

  it('answers 413 to a body over the limit, whether it is announced or not', async () => {
    const { origin, post, state } = await anEdge();
    const large = 'x'.repeat(maxEnrolBytes + 1);
    expect(await post(large)).toEqual({ status: 413, answer: refusal('LIMIT') });
    const stream = new Response(large).body as ReadableStream;
    const options = { method: 'POST', body: stream, duplex: 'half' } as RequestInit;
    expect((await fetch(`${origin}/enroll`, options)).status).toBe(413);
    expect(state.connectors()).toEqual([]);
  });

  it('gives up on a body that does not arrive', async () => {
    const { door, clock } = await anEdge();
    const socket = connect(door.port, '127.0.0.1');
    socket.write('POST /enroll HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{');
    await expect.poll(() => clock.pending).toBe(1);
    clock.advance(enrolBodyMs);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 408 /);
    await once(socket, 'close');
    expect(clock.pending).toBe(0);
  });

  it('lets go of a request that is cut off', async () => {
    const { door, clock, state } = await anEdge();
    const socket = connect(door.port, '127.0.0.1');
    socket.write('POST /enroll HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{');
    await expect.poll(() => clock.pending).toBe(1);
    socket.destroy();
    await expect.poll(() => clock.pending).toBe(0);
    expect(state.connectors()).toEqual([]);
  });

  it('keeps the reason to itself when its files cannot be written', async () => {
    const { files, token, post, logged } = await anEdge();
    files.update = () => Promise.reject(new Error('/secret/path is read-only'));
    const { status, answer } = await post(JSON.stringify({ token, csr }));
    expect([status, answer]).toEqual([500, refusal('INTERNAL')]);
    expect(JSON.stringify(answer)).not.toContain('/secret/path');
    expect(logged).toEqual(['enrolment failed: /secret/path is read-only']);
  });
});

describe('anything else', () => {
  it('is 404 for another path and 405 for another method', async () => {
    const { origin } = await anEdge();
    for (const path of ['/', '/enroll/', '/Enroll', '/enroll/../x', '//enroll', '/enroll%20']) {
      expect((await fetch(origin + path, { method: 'POST', body: '{}' })).status, path).toBe(404);
    }
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      const response = await fetch(`${origin}/enroll`, { method });
      expect([response.status, response.headers.get('allow')], method).toEqual([405, 'POST']);
    }
  });
});
