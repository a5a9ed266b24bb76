import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { connectorIdOf, connectorUri } from '../../../src/certs/connectorId.ts';
import { makeKeyPair } from '../../../src/certs/keyPair.ts';
import { nodeIdOf, nodeUri } from '../../../src/certs/nodeId.ts';
import { signCertificate } from '../../../src/certs/x509.ts';
import { anAuthority } from '../../support/certs.ts';

const authority = await anAuthority();
const key = await makeKeyPair();
const id = '0123456789abcdef';

function withUris(uris: string[]): X509Certificate {
  const names = uris.map((uri) => ({ kind: 'uri' as const, uri }));
  const { publicKey, privateKey } = key;
  const issuer = authority.certificate;
  return new X509Certificate(
    signCertificate(
      { kind: 'node', commonName: 'x', names, publicKey, issuer, notBeforeMs: 0, notAfterMs: 1e12 },
      privateKey,
    ),
  );
}

describe('nodeIdOf', () => {
  it('reads the id of a node, whose certificate is good for both ends of a handshake', () => {
    const pem = authority.issueNode({ uri: nodeUri(id), publicKey: key.publicKey, days: 1 });
    const certificate = new X509Certificate(pem);
    expect(nodeIdOf(certificate)).toBe(id);
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  });

  it('never takes a connector for a node, nor a node for a connector', () => {
    const connector = authority.issueClient({ uri: connectorUri(id), publicKey: key.publicKey, days: 1 });
    expect(nodeIdOf(new X509Certificate(connector))).toBeUndefined();
    expect(connectorIdOf(withUris([nodeUri(id)]))).toBeUndefined();
  });

  it('takes a certificate that names both for neither', () => {
    for (const uris of [
      [nodeUri(id), connectorUri(id)],
      [connectorUri(id), nodeUri(id)],
      [nodeUri(id), nodeUri('fedcba9876543210')],
      [nodeUri(id), 'urn:mcp-tunnel:other:x'],
    ]) {
      expect(nodeIdOf(withUris(uris))).toBeUndefined();
      expect(connectorIdOf(withUris(uris))).toBeUndefined();
    }
  });

  it('takes no id that is not well formed', () => {
    for (const uri of [nodeUri('ABCDEF0123456789'), nodeUri('short'), `x${nodeUri(id)}`, `${nodeUri(id)}/x`]) {
      expect(nodeIdOf(withUris([uri]))).toBeUndefined();
    }
  });
});
