// What the connector needs of this folder, as one value: `tunnel/` knows no certificates and is handed it.
import { createCsr } from './csr.ts';
import { makeKeyPair } from './keyPair.ts';
import { matchesPin } from './pin.ts';
import { certificateProblem, pinProblem, validityProblem } from './problems.ts';

export const certificateTools = {
  /** A fresh private key and the request for its certificate, PEM both. */
  async makeRequest(): Promise<{ key: string; csr: string }> {
    const key = await makeKeyPair();
    return { key: key.privateKeyPem, csr: createCsr(key, 'MCP Tunnel connector') };
  },
  matchesPin,
  certificateProblem,
  pinProblem,
  validityProblem,
};
