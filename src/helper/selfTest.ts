// What the helper needs of its runtime. VS Code's own Node has lacked ciphers before; where one is missing here, the
// helper says so with an exit code of its own and the extension starts it with another runtime.
import { generateKeyPairSync, getCurves } from 'node:crypto';
import http2 from 'node:http2';
import tls from 'node:tls';

/** Exit code for "this runtime cannot carry the helper". */
export const unfitRuntimeExitCode = 70;

/** What is missing, as words; empty when the runtime is fit. */
export function missingFromRuntime(): string[] {
  const missing: string[] = [];
  if (!getCurves().includes('prime256v1') || !makes('ec')) missing.push('P-256 keys');
  if (!makes('ed25519')) missing.push('Ed25519 keys');
  if (tls.DEFAULT_MAX_VERSION !== 'TLSv1.3' && !tls.getCiphers().some((name) => name.startsWith('tls_aes'))) {
    missing.push('TLS 1.3');
  }
  if (typeof http2.performServerHandshake !== 'function') missing.push('HTTP/2 on a socket of our own');
  return missing;
}

function makes(kind: 'ec' | 'ed25519'): boolean {
  try {
    if (kind === 'ec') generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    else generateKeyPairSync('ed25519');
    return true;
  } catch {
    return false; // That is the answer.
  }
}
